"""What training reads: photos as (row, view) pairs, drawn anew each epoch by a seeded sampler."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import LARGEST, PyramidViews, RandomViews
from saree_cosface.features.embedding import photo_features, photo_hash
from saree_cosface.files import atomic_path
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import OptimOptions

Batch = tuple[Tensor, Tensor]
"""Features (B, F) or pixels (B, 3, S, S), and labels (B,). In validation each photo brings all its views at once."""


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


class FeatureDataset(Dataset[Batch]):
    """Features computed ahead, ``(N, V, F)``; item (row, view), or a row for all its views."""

    def __init__(self, features: NDArray[np.float16], labels: NDArray[np.int_]) -> None:
        self.features = torch.from_numpy(features)
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: int | tuple[int, int]) -> Batch:
        if isinstance(item, tuple):
            row, view = item
            return self.features[row, view % self.features.shape[1]], self.labels[row]
        return self.features[item], self.labels[item]


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


class EpochSampler(Sampler[tuple[int, int]]):
    """Draws (row, view) pairs with replacement, rare groups more often than they occur.

    What an epoch draws follows from the seed and the epoch's number alone, so a resumed training sees what an
    uninterrupted one would have seen.

    Args:
        weights: (N,) how often to draw each photo, relative to the others.
        batch_size: an epoch is filled up to whole batches.
        seed: of the draws.
    """

    def __init__(self, weights: NDArray[np.float64], batch_size: int, seed: int) -> None:
        self.weights = torch.from_numpy(weights)
        self.length = -(-len(weights) // batch_size) * batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        rows = torch.multinomial(self.weights, self.length, replacement=True, generator=generator)
        views = torch.randint(2**31 - 1, (self.length,), generator=generator)
        yield from zip(rows.tolist(), views.tolist(), strict=True)


class SareeData(L.LightningDataModule):
    """Training and validation photos, as frozen features where the backbone is frozen, else as pixels."""

    def __init__(
        self,
        embedder: Embedder,
        train: Photos,
        validation: Photos | None,
        *,
        views: RandomViews,
        frozen: bool,
        optim: OptimOptions,
        cache: Path,
        workers: int,
        seed: int,
        progress: bool = True,
    ) -> None:
        super().__init__()
        self.embedder = embedder
        self.photos = {"train": train, "validation": validation}
        self.views = views
        self.frozen = frozen
        self.optim = optim
        self.cache = Path(cache).expanduser()
        self.workers = workers
        self.seed = seed
        self.progress = progress
        self.bad: dict[Path, BadImage] = {}
        self._datasets: dict[str, FeatureDataset | PixelDataset] = {}
        self._read: dict[str, Photos] = {}

    def setup(self, stage: str) -> None:
        """Decode and compute everything once; what is on disk already is kept."""
        for part in self._parts():
            if part in self._datasets:
                continue
            photos = self._photos(part)
            if self.frozen:
                features, rows = self._features(part)
                self._read[part] = photos.select(rows)
                self._datasets[part] = FeatureDataset(features, self._read[part].labels)
            else:
                rows = np.array([row for row, path in enumerate(photos.files) if self._try(path)], dtype=np.int_)
                _require(rows, self.bad)
                self._read[part] = photos.select(rows)
                views = self.views if part == "train" else PyramidViews(self.views.size, brief=True)
                self._datasets[part] = PixelDataset(self._read[part], views, self.cache)

    def readable(self, part: str) -> Photos:
        """The photos of a part, "train" or "validation", that could be read."""
        return self._read[part]

    def train_dataloader(self) -> DataLoader[Batch]:
        photos = self._read["train"]
        sampler = EpochSampler(balanced_weights(photos, self.optim), self.optim.batch_size, self.seed)
        return DataLoader(
            self._datasets["train"],
            batch_size=self.optim.batch_size,
            sampler=sampler,
            num_workers=0 if self.frozen else self.workers,
            persistent_workers=not self.frozen and self.workers > 0,
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        if "validation" not in self._datasets:
            return []
        return [DataLoader(self._datasets["validation"], batch_size=64 if self.frozen else 4)]

    def _parts(self) -> list[str]:
        return [part for part, photos in self.photos.items() if photos is not None]

    def _photos(self, part: str) -> Photos:
        photos = self.photos[part]
        assert photos is not None  # _parts lists only those there are
        return photos

    def _features(self, part: str) -> tuple[NDArray[np.float16], NDArray[np.int_]]:
        views: list[PyramidViews | RandomViews] = [PyramidViews(self.views.size, brief=part != "train")]
        if part == "train" and self.views.options.random:
            views.append(self.views)
        reads = [
            photo_features(
                self.embedder.backbone,
                self.embedder.card.precision,
                self._photos(part).files,
                each,
                cache=self.cache,
                description=f"Features of the {part} photos" if self.progress else None,
            )
            for each in views
        ]
        self.bad.update({bad.path: bad for bad in reads[0].bad})
        _require(reads[0].rows, self.bad)
        return np.concatenate([read.features for read in reads], axis=1), reads[0].rows

    def _try(self, path: Path) -> bool:
        try:
            cached_pixels(path, self.cache, round(LARGEST * self.views.size))
        except BadImage as error:
            self.bad[path] = error
            return False
        return True


def balanced_weights(photos: Photos, optim: OptimOptions) -> NDArray[np.float64]:
    """How often to draw each photo: (share of its craft) ** -power, shared evenly among the craft's pieces or sources.

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


def cached_pixels(path: Path, cache: Path, side: int) -> Path:
    """Where the decoded photo lies as a NumPy array, decoded now if it was not before.

    Raises:
        BadImage: the photo cannot be read.
    """
    target = cache / f"decoded-{side}" / f"{photo_hash(path)}.npy"
    try:
        np.load(target, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        pixels = decode(path, shrink_to=side)
        with atomic_path(target) as temporary:
            np.save(temporary, pixels)
    return target


def _require(rows: NDArray[np.int_], bad: dict[Path, BadImage]) -> None:
    if not len(rows):
        first = next(iter(bad.values()), None)
        raise NoPhotosError(f"not one of the photos could be read; the first: {first}")
