"""What a batch is made of: features that are known already, or views cut anew from decoded pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import DECODER, decode
from saree_cosface.data.views import LARGEST, PyramidViews, RandomViews
from saree_cosface.files import atomic_path
from saree_cosface.training.labelled import Photos

Batch = tuple[Tensor, Tensor]
"""Features (B, F) or pixels (B, 3, S, S), and labels (B,). In validation each photo brings all its views at once."""


class FeatureDataset(Dataset[Batch]):
    """Features computed ahead, as the neck takes them, ``(N, V, F)``; whole batches at once: one by one the rows of a
    batch would take longer than what is learned from them."""

    def __init__(self, features: Tensor, labels: NDArray[np.int_]) -> None:
        self.features = features
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> Batch:
        """A batch of items (row, view), or of rows for all views, for a loader that leaves it :func:`as_it_is`."""
        rows, views = np.array([item if isinstance(item, tuple) else (item, -1) for item in items]).T
        if views[0] < 0:
            return self.features[rows], self.labels[rows]
        return self.features[rows, views % self.features.shape[1]], self.labels[rows]


def as_it_is(batch: Any) -> Batch:
    """For a loader whose data set gives whole batches."""
    whole: Batch = batch
    return whole


class PixelDataset(Dataset[Batch]):
    """Views cut from decoded photos that are kept on disk, so that no JPEG is decoded twice.

    Item (row, view) is a random view, a row alone all evaluation views.
    """

    def __init__(self, photos: Photos, views: RandomViews | PyramidViews, cache: Path) -> None:
        self.labels = torch.from_numpy(photos.labels)
        self.decoded = [cached_pixels(path, cache, round(LARGEST * views.size)) for path in photos.files]
        self.views = views

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: int | tuple[int, int]) -> Batch:
        row, number = item if isinstance(item, tuple) else (item, 0)
        path = self.decoded[row]
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(self.views, RandomViews):
            view = self.views.view(np.asarray(pixels), path.stem, number)
            return torch.from_numpy(view).permute(2, 0, 1), self.labels[row]
        views = self.views(np.asarray(pixels), path.stem)
        return torch.from_numpy(views).permute(0, 3, 1, 2), self.labels[row]


def cached_pixels(path: Path, cache: Path, side: int) -> Path:
    """Where the decoded photo lies as a NumPy array, decoded now if it was not before.

    Raises:
        BadImage: the photo cannot be read.
    """
    target = cache / f"decoded{DECODER}-{side}" / f"{photo_hash(path)}.npy"
    try:
        np.load(target, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        pixels = decode(path, shrink_to=side)
        with atomic_path(target) as temporary:
            np.save(temporary, pixels)
    return target
