"""Photos that show one picture, whatever became of it: copies by their hashes, and crops of one photograph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.duplicates import groups, near_duplicate_pairs
from saree_cosface.features.crops import crops_among


def copy_pairs(
    files: Sequence[Path],
    hashes: NDArray[np.bool_],
    *,
    cache: Path | None = None,
) -> NDArray[np.int_]:
    """Pairs of rows ``i < j`` of files that show one picture: ``(P, 2)``.

    Args:
        files: photos that can be read, ``(N,)``.
        hashes: perceptual hash of each (:attr:`saree_cosface.data.reading.Reading.hashes`).
        cache: as of :func:`saree_cosface.features.crops.crops_among`.
    """
    crops = [(crop.first, crop.second) for crop in crops_among(files, cache=cache)]
    return np.unique(np.concatenate([near_duplicate_pairs(hashes), np.array(crops, np.int_).reshape(-1, 2)]), axis=0)


def copy_groups(
    files: Sequence[Path],
    hashes: NDArray[np.bool_],
    *,
    cache: Path | None = None,
) -> NDArray[np.int_]:
    """Group of copies and crops of each photo, ``(N,)``, so that no split parts them.

    Arguments as of :func:`copy_pairs`.
    """
    return groups(len(files), copy_pairs(files, hashes, cache=cache))
