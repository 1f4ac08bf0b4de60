"""The loop that trains a module on data, whatever these show: Lightning, with checkpoints to resume from."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from saree_cosface.machine import threads
from saree_cosface.options import Recipe
from saree_cosface.training.checkpoint import CHECKPOINT, CheckpointEachEpoch, ended, write_history
from saree_cosface.training.module import SCORE, LearningModule

_PATIENCE = timedelta(days=2)
"""How long processes wait for the first one, which may compute the features of all photos meanwhile."""


class Bar(RichProgressBar):
    """Lightning's bar on stderr, with names short enough for one line."""

    def __init__(self) -> None:
        super().__init__(console_kwargs={"stderr": True})

    def get_metrics(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
        known = super().get_metrics(trainer, module)
        names = {"train/loss": "loss", "train/accuracy": "accuracy", SCORE: "held out"}
        return {short: known[name] for name, short in names.items() if name in known}


class EndAfter(Callback):
    """Ends a training after an epoch, from 0: another number of epochs would be another schedule of learning rates."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch >= self.epoch:
            trainer.should_stop = True


def optimise(
    module: LearningModule,
    data: L.LightningDataModule,
    *,
    validates: bool = False,
    folder: Path | None = None,
    resume: bool = False,
    last_epoch: int | None = None,
    progress: bool = True,
    devices: int = 1,
    nodes: int = 1,
) -> int:
    """Train a module on data, in place, and leave its embedder frozen, in evaluation mode and on the CPU.

    Args:
        module: embedder, head and recipe.
        data: batches of inputs and labels.
        validates: whether there is validation data; the weights of its best epoch are then taken.
        folder: for checkpoints, history and logs; nothing is written when None.
        resume: go on from the folder's checkpoint.
        last_epoch: after which it ends, from 0, on the schedule of the recipe; None for the recipe's last.
        progress: show a bar.
        devices: how many to train on, in as many processes, on each machine.
        nodes: how many machines; the command is then started on each, by torchrun or Slurm.

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
    if checkpoint is not None and ended(checkpoint, module):
        data.setup("fit")
    else:
        # The processes that Lightning starts take this one's number; Slurm and torchrun have shared out the processors.
        if devices > 1 and not {"LOCAL_RANK", "SLURM_PROCID"} & os.environ.keys():
            threads.use(threads.share(devices))
        with _quietly():
            trainer = _trainer(module.recipe, validates, folder, progress, devices, nodes)
            if last_epoch is not None:
                trainer.callbacks.append(EndAfter(last_epoch))  # type: ignore[attr-defined]  # Lightning's own list
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    if folder is not None and first_process():
        from saree_cosface.figures.learning_curves import learning_curves  # matplotlib is slow to import

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


def _trainer(
    recipe: Recipe, validates: bool, folder: Path | None, progress: bool, devices: int, nodes: int
) -> L.Trainer:
    optim = recipe.optim
    callbacks: list[Callback] = [] if folder is None else [CheckpointEachEpoch(folder)]
    if validates and optim.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=optim.patience))
    if progress:
        callbacks.append(Bar())
    return L.Trainer(
        accelerator="auto",
        devices=devices,
        num_nodes=nodes,
        strategy=DDPStrategy(timeout=_PATIENCE) if devices * nodes > 1 else "auto",
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
