"""What a photo is by its bytes: its name in caches, galleries and logs."""

from collections.abc import Sequence
from pathlib import Path

from saree_cosface.data.images import BadImage, decode
from saree_cosface.files import sha256_of


def photo_hash(path: Path) -> str:
    """SHA-256 of a photo's bytes.

    Raises:
        BadImage: it cannot be read.
    """
    try:
        return sha256_of(path)
    except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
        decode(path)  # finds better words
        raise BadImage(path, f"cannot be read ({error})") from error


def first_of_copies(files: Sequence[Path]) -> tuple[list[Path], list[BadImage]]:
    """Files without those of the same content as an earlier one, and these: a photo shown twice says nothing new."""
    first: dict[str, Path] = {}
    kept: list[Path] = []
    copies: list[BadImage] = []
    for path in files:
        try:
            content = photo_hash(path)
        except BadImage:  # told when it is decoded
            content = ""
        if content in first:
            copies.append(BadImage(path, f"the same picture as {first[content].name}, which counts once"))
            continue
        kept.append(path)
        if content:
            first[content] = path
    return kept, copies
