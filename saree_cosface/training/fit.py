"""Training an embedder, from options to weights.

``fit`` is the core of ``saree-cosface train`` (see ``saree_cosface.runs.run``), and what ``compare`` calls for every
fold and seed. ``optimise`` is the part that does not care what the images show.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from saree_cosface.data.images import BadImage
from saree_cosface.data.views import RandomViews
from saree_cosface.files import atomic_path, write_text
from saree_cosface.networks.backbones import Precision, create_backbone, faster_precision
from saree_cosface.networks.embedder import Embedder, EmbedderCard, new_embedder
from saree_cosface.options import ModelOptions, Recipe
from saree_cosface.training.datamodule import Photos, SareeData
from saree_cosface.training.module import SCORE, LearningModule, TrainingError, make_head

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class Fitted:
    """What :func:`fit` made.

    Attributes:
        embedder: in evaluation mode, with the weights of the best epoch (the last, where nothing was validated).
        history: a row an epoch, names and values.
        best_epoch: the epoch, from 0, whose weights these are.
        train: the training photos that could be read.
        bad: the photos that could not.
    """

    embedder: Embedder
    history: list[dict[str, float]]
    best_epoch: int
    train: Photos
    bad: tuple[BadImage, ...]


class RunFolder(Checkpoint):
    """After each epoch the state to resume from, and the history as CSV.

    A subclass of Lightning's Checkpoint, so that it runs after all other callbacks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not trainer.is_global_zero:  # takes part in gathering the state, and writes nothing
            trainer.save_checkpoint(self.folder / CHECKPOINT, weights_only=False)
            return
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            trainer.save_checkpoint(temporary, weights_only=False)
        write_history(self.folder / "metrics.csv", cast(LearningModule, module).history)


class Bar(RichProgressBar):
    """Lightning's bar on stderr, with names short enough for one line."""

    def __init__(self) -> None:
        super().__init__(console_kwargs={"stderr": True})

    def get_metrics(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
        known = super().get_metrics(trainer, module)
        names = {"train/loss": "loss", "train/accuracy": "accuracy", SCORE: "held out"}
        return {short: known[name] for name, short in names.items() if name in known}


def fit(
    recipe: Recipe,
    train: Photos,
    validation: Photos | None,
    classes: Sequence[str],
    *,
    cache: Path,
    workers: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    card: EmbedderCard | None = None,
) -> Fitted:
    """Train an embedder.

    Args:
        recipe: network, views, head, optimisation and seed.
        train: photos to learn from; labels index ``classes``.
        validation: photos of other sources, scored after each epoch; their best epoch's weights are taken.
        classes: craft ids.
        cache: of features or decoded photos.
        workers: data-loading processes (only where the backbone learns).
        folder: for checkpoints, history and logs; nothing is written when None.
        resume: go on from the folder's checkpoint.
        progress: show a bar.
        card: what is already known of the embedder; completed by the recipe.

    Raises:
        NoPhotosError: not one photo could be read.
        TrainingError: the loss is no longer a number.
        FileNotFoundError: ``resume`` without a checkpoint.
    """
    L.seed_everything(recipe.seed, verbose=False)
    model = recipe.model
    embedder = new_embedder(
        replace(
            card or EmbedderCard(),
            backbone=model.backbone,
            embedding_dim=model.embedding_dim,
            dropout=model.dropout,
            batch_norm=model.batch_norm,
            precision=resolved_precision(model),
            classes=tuple(classes),
        ),
        pretrained=model.pretrained,
    )
    head = make_head(recipe.head, model.embedding_dim, len(classes), warn=progress)
    module = LearningModule(embedder, head, recipe)
    data = SareeData(
        embedder,
        train,
        validation,
        views=RandomViews(embedder.backbone.preprocessing.size, recipe.views),
        frozen=model.trainable_stages == 0,
        optim=recipe.optim,
        cache=cache,
        workers=workers,
        seed=recipe.seed,
        progress=progress,
    )
    best_epoch = optimise(
        module, data, validates=validation is not None, folder=folder, resume=resume, progress=progress
    )
    return Fitted(embedder, module.history, best_epoch, data.readable("train"), tuple(data.bad.values()))


def optimise(
    module: LearningModule,
    data: L.LightningDataModule,
    *,
    validates: bool = False,
    folder: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    devices: int = 1,
) -> int:
    """Train a module on data, in place, and leave its embedder frozen, in evaluation mode and on the CPU.

    Args:
        module: embedder, head and recipe.
        data: batches of inputs and labels.
        validates: whether there is validation data; the weights of its best epoch are then taken.
        folder: for checkpoints, history and logs; nothing is written when None.
        resume: go on from the folder's checkpoint.
        progress: show a bar.
        devices: how many to train on, in as many processes.

    Returns:
        The epoch, from 0, whose weights the embedder has.

    Raises:
        TrainingError: the loss is no longer a number, or the checkpoint is damaged.
        FileNotFoundError: ``resume`` without a checkpoint.
    """
    checkpoint = None
    if resume:
        if folder is None or not (folder / CHECKPOINT).is_file():
            raise FileNotFoundError(f"{folder}: no {CHECKPOINT} to resume from; train without --resume.")
        checkpoint = folder / CHECKPOINT
    if checkpoint is not None and _ended(checkpoint, module):
        data.setup("fit")
    else:
        with _quietly():
            trainer = _trainer(module.recipe, validates, folder, progress, devices)
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    if folder is not None and first_process():
        from saree_cosface.figures.confusion import (
            learning_curves,  # matplotlib is slow to import and not needed to train
        )

        write_history(folder / "metrics.csv", module.history)
        learning_curves(module.history, folder / "learning_curves.png")
    return module.finish()


def first_process() -> bool:
    """Whether this process writes and speaks: where several train, Lightning runs the whole command in each."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]  # set when Lightning is imported


@contextmanager
def _quietly() -> Iterator[None]:
    """Lightning without its banners and with Ctrl-C as Python has it."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Known and harmless: a validation set is optional, features in memory need no worker processes, and the
            # batch norms of the backbone are meant to be in evaluation mode.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
            warnings.filterwarnings("ignore", message=".*no `val_dataloader`.*|.*defined a `validation_step`.*")
            warnings.filterwarnings("ignore", message=".*`LeafSpec`.*|.*treespec.*|.*isinstance.*LeafSpec.*")
            warnings.filterwarnings("ignore", message=".*Checkpoint directory.*")
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
            yield
    except SystemExit as error:  # what Lightning makes of Ctrl-C, which it then ignores for good
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)


def _ended(checkpoint: Path, module: LearningModule) -> bool:
    """Whether the interrupted training had ended already but for what follows it; its state is then loaded."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises errors of zipfile, pickle and torch
        raise TrainingError(f"{checkpoint}: damaged ({str(error)[:200]}); delete it to start anew.") from error
    optim = module.recipe.optim
    epochs, best = len(state["history"]), state["best"]["epoch"]
    stopped = optim.patience and best >= 0 and epochs - 1 - best >= optim.patience
    complete = state["global_step"] >= optim.steps if optim.steps else epochs >= optim.epochs
    if not complete and not stopped:
        return False
    module.load_state_dict(state["state_dict"])
    module.on_load_checkpoint(state)
    module.on_train_start()
    return True


def resolved_precision(model: ModelOptions) -> Precision:
    """The precision asked for; "auto" is found by timing once a process."""
    if model.precision != "auto":
        return model.precision
    if model.backbone not in _PRECISIONS:
        _PRECISIONS[model.backbone] = faster_precision(create_backbone(model.backbone, pretrained=False).eval())
    return _PRECISIONS[model.backbone]


_PRECISIONS: dict[str, Precision] = {}


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """The history as CSV, a row an epoch."""
    names = list(dict.fromkeys(name for row in history for name in row))
    lines = [",".join(names)] + [",".join(str(row.get(name, "")) for name in names) for row in history]
    write_text(path, "\n".join(lines) + "\n")


def _trainer(recipe: Recipe, validates: bool, folder: Path | None, progress: bool, devices: int) -> L.Trainer:
    optim = recipe.optim
    callbacks: list[Callback] = [] if folder is None else [RunFolder(folder)]
    if validates and optim.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=optim.patience))
    if progress:
        callbacks.append(Bar())
    return L.Trainer(
        accelerator="auto",
        devices=devices,
        max_epochs=optim.steps or optim.epochs,  # where steps count, the module stops in good time
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="tensorboard", version="") if folder else False,
        enable_checkpointing=folder is not None,
        enable_progress_bar=progress,
        enable_model_summary=False,
        gradient_clip_val=optim.gradient_clip or None,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=10,
        deterministic=True,
        limit_val_batches=None if validates else 0,
        default_root_dir=folder,
    )
