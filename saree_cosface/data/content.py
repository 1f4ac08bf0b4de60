"""What a photo is by its bytes: its name in caches, galleries and logs, and whether it is still the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.photos import map_files
from saree_cosface.files import sha256_of
from saree_cosface.languages.said import said

CHANGED = "changed since its checksum was recorded"
"""Of a file that is not the one that was labelled, or learned from."""


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


def hash_if_readable(path: Path) -> str:
    """The same, "" for a photo that cannot be read, which is told when it is decoded."""
    try:
        return photo_hash(path)
    except BadImage:
        return ""


def same_content(path: Path, recorded: str) -> str:
    """SHA-256 of a photo's bytes, which must be the one recorded for it; "" where none was.

    Raises:
        BadImage: it cannot be read, or has changed since.
    """
    found = photo_hash(path)
    if recorded and found != recorded.lower():
        raise BadImage(path, f"{CHANGED}; restore it, or import the folder anew")
    return found


def unchanged(files: Sequence[Path], recorded: Sequence[str]) -> tuple[NDArray[np.int_], tuple[BadImage, ...]]:
    """Positions of the files that are still those whose SHA-256 was recorded, ascending; and the others, with reasons.

    A file with nothing recorded, "", is not looked at, and counts as unchanged.
    """
    known = [row for row, sha256 in enumerate(recorded) if sha256]
    expected = {files[row]: recorded[row] for row in known}

    def look(path: Path) -> BadImage | None:
        try:
            same_content(path, expected[path])
        except BadImage as error:
            return error
        return None

    found = map_files(look, [files[row] for row in known], "Comparing checksums") if known else []
    bad = {row: error for row, error in zip(known, found, strict=True) if error is not None}
    return np.array([row for row in range(len(files)) if row not in bad], dtype=np.int_), tuple(bad.values())


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
            copies.append(BadImage(path, said("photo.same", name=first[content].name)))
            continue
        kept.append(path)
        if content:
            first[content] = path
    return kept, copies
