"""Photos read once before they are learned from or dealt out: which of them can be, and what tells copies apart.

A photo that nobody could read may be a copy of any other, so it has no place in a split: it is left out and listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.data.content import same_content
from saree_cosface.data.duplicates import BITS, HASH_SIDE, perceptual_hash
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.photos import map_files


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known of photos that were read.

    Attributes:
        rows: position of each in the list of files asked for, ``(N,)``, ascending.
        sha256: of each, ``(N,)``.
        hashes: perceptual hash of each, ``(N, 736)``.
        bad: those that cannot be read, or have changed since their checksum was recorded.
    """

    rows: NDArray[np.int_]
    sha256: NDArray[np.str_]
    hashes: NDArray[np.bool_]
    bad: tuple[BadImage, ...]


def read_photos(files: Sequence[Path], recorded: Sequence[str]) -> Reading:
    """Decode every file, and compare it with the SHA-256 that was recorded for it; "" where none was."""
    expected = dict(zip(files, recorded, strict=True))

    def read(path: Path) -> tuple[str, NDArray[np.bool_]] | BadImage:
        try:
            pixels = decode(path, shrink_to=HASH_SIDE)
            return same_content(path, expected[path]), perceptual_hash(pixels)
        except BadImage as error:
            return error

    found = map_files(read, files, "Reading photos")
    good = {row: each for row, each in enumerate(found) if not isinstance(each, BadImage)}
    return Reading(
        np.array(list(good), dtype=np.int_),
        np.array([sha256 for sha256, _ in good.values()], dtype=np.str_),
        np.array([bits for _, bits in good.values()], dtype=np.bool_).reshape(-1, BITS),
        tuple(each for each in found if isinstance(each, BadImage)),
    )


def say_lost(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Say on stderr of which crafts no photo is left of those that were listed; return them."""
    lost = tuple(sorted(set(before.crafts.tolist()) - set(after.crafts.tolist())))
    if lost:
        console.print(
            f"Not one photo of {', '.join(lost)} could be read: nothing is known of it here.",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return lost
