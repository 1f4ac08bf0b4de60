"""Lightning's data module: it reads all photos once, and then hands out batches."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from saree_cosface.data.images import BadImage
from saree_cosface.data.views import LARGEST, PyramidViews, RandomViews
from saree_cosface.features.embedding import in_directions, wide_moments
from saree_cosface.features.extraction import PhotoFeatures, photo_features
from saree_cosface.heads.ranks import place
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located
from saree_cosface.networks.backbone import evaluating
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import OptimOptions
from saree_cosface.training.datasets import Batch, FeatureDataset, PixelDataset, as_it_is, cached_pixels
from saree_cosface.training.labelled import NoPhotosError, Photos
from saree_cosface.training.sampler import EpochSampler, balanced_weights


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
        self.cache = located(cache)
        self.workers = workers
        self.seed = seed
        self.progress = progress
        self.bad: dict[Path, BadImage] = {}
        self._directed = False  # whether the directions of moments are found
        self._datasets: dict[str, FeatureDataset | PixelDataset] = {}
        self._read: dict[str, Photos] = {}

    def prepare_data(self) -> None:
        """Called by Lightning in one process a machine, while the others wait to find everything on disk."""
        self.setup("fit")

    def setup(self, stage: str) -> None:
        """Decode and compute everything once; what is on disk already is kept."""
        for part in self._parts():
            if part in self._datasets:
                continue
            photos = self._photos(part)
            if self.frozen:
                features, rows = self._features(part)
                self._read[part] = photos.select(rows)
                self._datasets[part] = FeatureDataset(self._normal(features), self._read[part].labels)
            else:
                rows = np.array([row for row, path in enumerate(photos.files) if self._try(path)], dtype=np.int_)
                _require(rows, self.bad)
                self._read[part] = photos.select(rows)
                views = self.views if part == "train" else PyramidViews(self.views.size, brief=True)
                self._datasets[part] = PixelDataset(self._read[part], views, self.cache)

    def readable(self, part: str) -> Photos:
        """The photos of a part, "train" or "validation", that could be read."""
        return self._read[part]

    def embeddings(self, part: str) -> NDArray[np.float32] | None:
        """Unit embeddings of the photos of a part, ``(N, D)``, where what it learns from is what they are made of.

        It is of second moments, which are of whole photos; of other features training has other views than these.
        """
        dataset = self._datasets[part]
        if self.embedder.backbone.pooling is None or not isinstance(dataset, FeatureDataset):
            return None
        with evaluating(self.embedder), torch.inference_mode():
            return self.embedder.fuse_normal(dataset.features).numpy()

    def train_dataloader(self) -> DataLoader[Batch]:
        photos = self._read["train"]
        sampler = EpochSampler(balanced_weights(photos, self.optim), self.optim.batch_size, self.seed, *place())
        return DataLoader(
            self._datasets["train"],
            batch_size=self.optim.batch_size,
            sampler=sampler,
            collate_fn=as_it_is if self.frozen else None,
            num_workers=0 if self.frozen else self.workers,
            persistent_workers=not self.frozen and self.workers > 0,
            worker_init_fn=partial(threads.in_worker, self.workers),
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        if "validation" not in self._datasets:
            return []
        whole = as_it_is if self.frozen else None
        return [DataLoader(self._datasets["validation"], batch_size=64 if self.frozen else 4, collate_fn=whole)]

    def start(self) -> tuple[NDArray[np.float32], Photos]:
        """Features of the training photos as the neck takes them, one a photo, ``(N, F)``, for a start that is found
        from them."""
        dataset = self._datasets["train"]
        if isinstance(dataset, FeatureDataset):
            return dataset.features.mean(dim=1).numpy(), self._read["train"]
        files = self._read["train"].files
        if self.embedder.backbone.pooling is not None:
            read = self._moments(files)
        else:
            brief = PyramidViews(self.views.size, brief=True)
            read = photo_features(
                self.embedder.backbone, files, brief, cache=self.cache, description=self._said("train")
            )
        whole = read.features.mean(axis=1, dtype=np.float32, keepdims=True)
        return self._normal(whole)[:, 0].numpy(), self._read["train"].select(read.rows)

    def _parts(self) -> list[str]:
        return [part for part, photos in self.photos.items() if photos is not None]

    def _photos(self, part: str) -> Photos:
        photos = self.photos[part]
        assert photos is not None  # _parts lists only those there are
        return photos

    def _moments(self, files: Sequence[Path], part: str = "train") -> PhotoFeatures:
        """Second moments of photos, in the principal directions of those of the training photos, which come first."""
        backbone = self.embedder.backbone
        assert backbone.pooling is not None
        read = wide_moments(backbone, files, cache=self.cache, description=self._said(part))
        if not self._directed:
            _require(read.rows, {bad.path: bad for bad in read.bad})
            wide = backbone.wide().pooling
            assert wide is not None
            found = wide.narrowed(torch.from_numpy(read.features[:, 0]), backbone.pooling.directions)
            backbone.pooling.load_state_dict(found.state_dict())
            self._directed = True
        return in_directions(backbone, read)

    def _normal(self, features: NDArray[np.floating]) -> Tensor:
        """Features as the neck takes them, ``(N, V, F)``: the same in every epoch."""
        with torch.inference_mode():
            parts = [
                self.embedder.normal(torch.from_numpy(some).flatten(0, 1).to(self.embedder.backbone.mean.device)).cpu()
                for some in np.array_split(features, max(1, len(features) // 64))
            ]
        return torch.cat(parts).view(*features.shape).clone()

    def _said(self, part: str) -> str | None:
        return f"Features of the {part} photos" if self.progress else None

    def _features(self, part: str) -> tuple[NDArray[np.float16], NDArray[np.int_]]:
        if self.embedder.backbone.pooling is not None:
            read = self._moments(self._photos(part).files, part)
            self.bad.update({bad.path: bad for bad in read.bad})
            _require(read.rows, self.bad)
            return read.features, read.rows
        views: list[PyramidViews | RandomViews] = [PyramidViews(self.views.size, brief=part != "train")]
        if part == "train" and self.views.options.random:
            views.append(self.views)
        reads = [
            photo_features(
                self.embedder.backbone,
                self._photos(part).files,
                each,
                cache=self.cache,
                description=self._said(part),
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


def _require(rows: NDArray[np.int_], bad: dict[Path, BadImage]) -> None:
    if not len(rows):
        first = next(iter(bad.values()), None)
        raise NoPhotosError(f"not one of the photos could be read; the first: {first}")
