"""Labelled photos to learn from or to score."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class NoPhotosError(ValueError):
    """Not one photo could be read; the message names the first and why."""


@dataclass(frozen=True)
class Photos:
    """Labelled photos to learn from or to score.

    Attributes:
        files: (N,) where they are.
        labels: (N,) class indices.
        pieces: (N,) piece of each.
        sources: (N,) source of each.
    """

    files: Sequence[Path]
    labels: NDArray[np.int_]
    pieces: NDArray[np.str_]
    sources: NDArray[np.str_]

    def select(self, rows: NDArray[np.int_]) -> "Photos":
        """The photos at these positions."""
        files = [self.files[row] for row in rows]
        return Photos(files, self.labels[rows], self.pieces[rows], self.sources[rows])

    def __len__(self) -> int:
        return len(self.files)
