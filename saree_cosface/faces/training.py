"""Training an embedder on faces: the same embedder, heads and optimisation as for sarees, other pixels."""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import lightning.pytorch as L
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from saree_cosface.console import console
from saree_cosface.data.photos import list_bad
from saree_cosface.data.views import Pixels
from saree_cosface.faces.datasets import TRAINING, read_identities
from saree_cosface.faces.images import SIZE, FaceImages, NotAligned, load_faces
from saree_cosface.faces.views import FaceViews
from saree_cosface.files import write_json, write_text
from saree_cosface.heads.ranks import place
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.embedder import Embedder, new_embedder
from saree_cosface.options import FaceOptions, Recipe
from saree_cosface.runs.alone import alone
from saree_cosface.runs.folder import CONFIG, RunError, check_folder, settings_of, with_precision
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.datasets import Batch
from saree_cosface.training.head import make_head
from saree_cosface.training.loop import first_process, optimise
from saree_cosface.training.module import LearningModule


class FaceDataset(Dataset[Batch]):
    """Random views of aligned faces; item (row, number of the view).

    Args:
        pixels: ``(N, H, W, 3)``, 112 high and at least as wide as the crop.
        labels: ``(N,)`` people.
        views: makes a view of a face.
    """

    def __init__(self, pixels: Pixels, labels: NDArray[np.int_], views: FaceViews) -> None:
        self.pixels = pixels
        self.labels = torch.from_numpy(labels)
        self.views = views

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: tuple[int, int]) -> Batch:
        row, number = item
        view = self.views(self.pixels[row], number)
        return torch.from_numpy(np.ascontiguousarray(view)).permute(2, 0, 1), self.labels[row]


class EveryFaceSampler(Sampler[tuple[int, int]]):
    """Every face once an epoch, in an order that follows from the seed and the epoch's number alone, in whole batches.

    Where several processes train, each draws its own share.

    Args:
        labels: ``(N,)`` people.
        batch_size: of one process.
        seed: of the order and of the random numbers handed to the data set.
        together: how many photos of one person come one after the other.
    """

    def __init__(self, labels: Tensor, batch_size: int, seed: int, together: int = 1) -> None:
        self.labels, self.batch_size, self.seed, self.together = labels, batch_size, seed, together
        self.epoch = 0
        self.processes, self.rank = place()

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels) // self.processes // self.batch_size * self.batch_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        if self.together > 1:
            order = self._grouped(order, generator)
        numbers = torch.randint(2**31 - 1, (len(order),), generator=generator)
        # Batch by batch, so that what lies together stays together in one process.
        batches = zip(torch.split(order, self.batch_size), torch.split(numbers, self.batch_size), strict=True)
        mine = list(batches)[self.rank :: self.processes][: len(self) // self.batch_size]
        for rows, draws in mine:
            yield from zip(rows.tolist(), draws.tolist(), strict=True)

    def _grouped(self, order: Tensor, generator: torch.Generator) -> Tensor:
        """The same faces, with groups of one person's: what is left over in each person is a smaller group."""
        by_person = order[self.labels[order].argsort(stable=True)]
        groups = [
            group
            for person in torch.split(by_person, self.labels.bincount().tolist())
            for group in torch.split(person, self.together)
        ]
        return torch.cat([groups[index] for index in torch.randperm(len(groups), generator=generator)])


class FaceBatches(L.LightningDataModule):
    """Faces for training; the batches of one process each have ``batch_size`` faces."""

    def __init__(self, dataset: FaceDataset, *, batch_size: int, workers: int, seed: int, together: int = 1) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.workers, self.seed = dataset, batch_size, workers, seed
        self.together = together

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            sampler=EveryFaceSampler(self.dataset.labels, self.batch_size, self.seed, self.together),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=partial(threads.in_worker, self.workers),
        )


def train_faces(
    data: FaceOptions, recipe: Recipe, out: Path, *, resume: bool = False, progress: bool = True
) -> Embedder:
    """Train on a folder of people and write the run: ``config.yaml``, ``embedder/``, logs and ``run.json``.

    Args:
        data: faces.
        recipe: network, head, optimisation and seed; the network is trained from its first layer on.
        out: folder of the run; it must be new or empty unless ``resume``.
        resume: go on with an interrupted run of the same options; a finished one is returned as it is.
        progress: show a bar.

    Raises:
        RunError: the folder holds something else, another process is at work in it, or there are too few people or
            faces.
    """
    out = Path(out)
    # A finished run is only looked at. Of several processes of one training the first holds the folder.
    free = (out / "run.json").is_file() or not first_process()
    with nullcontext() if free else alone(out, "faces train"):
        return _train(data, recipe, out, resume, progress and first_process())


def _train(data: FaceOptions, recipe: Recipe, out: Path, resume: bool, progress: bool) -> Embedder:
    recipe = with_precision(recipe, out)
    settings = settings_of(data, recipe)
    if first_process():
        check_folder(out, settings, resume)
    if (out / "run.json").is_file():
        return Embedder.load(out / "embedder")
    identities = read_identities(expanded(data.images, "data.images"), data.min_photos, data=TRAINING)
    if len(identities.names) < 2:
        raise RunError(f"{data.images}: photos of {len(identities.names)} people; at least 2 are needed.")
    faces = _load(identities.files, data.cache, progress)
    if first_process():
        list_bad(identities.bad + faces.bad)
    labels = identities.labels[faces.rows]
    if len(labels) < recipe.optim.batch_size * data.processes:
        raise RunError(
            f"{data.images}: {len(labels)} faces do not fill a batch of {recipe.optim.batch_size} on {data.processes} "
            "devices; lower optim.batch_size."
        )
    if first_process() and not (out / CONFIG).is_file():
        write_text(out / CONFIG, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    if progress:
        console.print(f"{len(labels)} faces of {len(identities.names)} people.", highlight=False)
    module = face_module(recipe, identities.names, warn=progress)
    optimise(
        module,
        FaceBatches(
            FaceDataset(faces.pixels, labels, FaceViews(data)),
            batch_size=recipe.optim.batch_size,
            workers=data.workers,
            seed=recipe.seed,
            together=data.together,
        ),
        folder=out,
        resume=resume and (out / CHECKPOINT).is_file(),
        progress=progress,
        devices=data.devices,
        nodes=data.nodes,
    )
    embedder = module.embedder
    last = module.history[-1]
    embedder.card = replace(embedder.card, metrics={name: last[name] for name in last if name != "epoch"})
    if first_process():
        embedder.save(out / "embedder")
        write_json(out / "run.json", {"faces": len(labels), "people": len(identities.names), **embedder.card.metrics})
    return embedder


def _load(files: Sequence[Path], cache: Path, progress: bool) -> FaceImages:
    """Faces of 112 × 112, whose margins shifts can use; or of 112 × 96, as others distribute them."""
    try:
        return load_faces(files, size=(SIZE[0], SIZE[0]), cache=cache, progress=progress)
    except NotAligned:
        return load_faces(files, size=SIZE, cache=cache, progress=progress)


def face_module(recipe: Recipe, classes: tuple[str, ...], *, warn: bool = True) -> LearningModule:
    """A new embedder under the recipe's head. Features keep their lengths, as in the papers."""
    L.seed_everything(recipe.seed, verbose=False)
    model = recipe.model
    if model.precision == "auto":
        raise ValueError("the precision must be decided before: see saree_cosface.runs.folder.with_precision")
    card = EmbedderCard(
        backbone=model.backbone,
        embedding_dim=model.embedding_dim,
        dropout=model.dropout,
        batch_norm=model.batch_norm,
        unit_features=False,
        precision=model.precision,
        classes=classes,
    )
    embedder = new_embedder(card, pretrained=model.pretrained, faces=True)
    return LearningModule(embedder, make_head(recipe.head, model.embedding_dim, len(classes), warn=warn), recipe)


def expanded(path: str, option: str) -> Path:
    """A path with the variables of the environment replaced.

    Raises:
        RunError: a variable is not set.
    """
    replaced = os.path.expandvars(located(path))
    if "$" in replaced:
        raise RunError(f"option {option} is {path}, and that variable is not set: set it, or give a path.")
    return Path(replaced)
