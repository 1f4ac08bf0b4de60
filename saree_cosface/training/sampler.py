"""Which photos an epoch draws: rare crafts, pieces or sources more often than they occur."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from saree_cosface.options import OptimOptions
from saree_cosface.training.labelled import Photos


class EpochSampler(Sampler[tuple[int, int]]):
    """Draws (row, view) pairs with replacement, rare groups more often than they occur.

    What an epoch draws follows from the seed and the epoch's number alone, so a resumed training sees what an
    uninterrupted one would have seen.

    Args:
        weights: (N,) how often to draw each photo, relative to the others.
        batch_size: of one process; an epoch is filled up to whole batches of all.
        seed: of the draws.
        processes: how many train together. Their batches together are the batch that one process would draw.
        rank: which of them this one is, from 0.
    """

    def __init__(
        self, weights: NDArray[np.float64], batch_size: int, seed: int, processes: int = 1, rank: int = 0
    ) -> None:
        self.weights = torch.from_numpy(weights)
        self.batch_size, self.rank, self.processes = batch_size, rank, processes
        self.batches = -(-len(weights) // (batch_size * processes))
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        length = self.batches * self.processes * self.batch_size
        rows = torch.multinomial(self.weights, length, replacement=True, generator=generator)
        views = torch.randint(2**31 - 1, (length,), generator=generator)
        mine = [drawn.view(self.batches, self.processes, -1)[:, self.rank].flatten() for drawn in (rows, views)]
        yield from zip(*(drawn.tolist() for drawn in mine), strict=True)


def balanced_weights(photos: Photos, optim: OptimOptions) -> NDArray[np.float64]:
    """How often to draw each photo: (share of its craft) ** -power, shared evenly among the craft's pieces or sources.

    >>> from pathlib import Path
    >>> photos = Photos([Path()] * 3, np.array([0, 0, 1]), np.array(["a", "a", "b"]), np.array(["s", "s", "s"]))
    >>> balanced_weights(photos, OptimOptions(balance_power=1.0)).tolist()
    [0.25, 0.25, 0.5]
    """
    _, craft, sizes = np.unique(photos.labels, return_inverse=True, return_counts=True)
    weights = sizes[craft].astype(np.float64) ** -optim.balance_power
    if optim.balance != "craft":
        groups = photos.pieces if optim.balance == "piece" else photos.sources
        within = np.array([f"{label}/{group}" for label, group in zip(photos.labels, groups, strict=True)])
        _, group, counts = np.unique(within, return_inverse=True, return_counts=True)
        even = 1.0 / counts[group]
        weights *= even / (np.bincount(craft, even) / sizes)[craft]
    total: NDArray[np.float64] = weights / weights.sum()
    return total
