"""What a training leaves after each epoch: the state to resume from, and its history."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Checkpoint

from saree_cosface.files import atomic_path, write_text
from saree_cosface.heads import ShardedHead
from saree_cosface.training import rows
from saree_cosface.training.module import LearningModule, TrainingError

CHECKPOINT = "last.ckpt"


class CheckpointEachEpoch(Checkpoint):
    """After each epoch the state to resume from, and the history as CSV.

    The prototypes of a sharded head lie beside it, in files of their own (:mod:`saree_cosface.training.rows`).

    A subclass of Lightning's Checkpoint, so that it runs after all other callbacks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        learning = cast(LearningModule, module)
        if isinstance(learning.head, ShardedHead):
            averages = {} if learning.average is None else learning.average.tensors
            rows.save(self.folder, trainer.global_step, learning.head, trainer.optimizers[0], averages)
            trainer.strategy.barrier()  # what names them is written when all are there
        if not trainer.is_global_zero:  # takes part in gathering the state, and writes nothing
            trainer.save_checkpoint(self.folder / CHECKPOINT, weights_only=False)
            return
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            trainer.save_checkpoint(temporary, weights_only=False)
        if isinstance(learning.head, ShardedHead):
            rows.delete_others(self.folder, trainer.global_step)
        write_history(self.folder / "metrics.csv", learning.history)


def ended(checkpoint: Path, module: LearningModule) -> bool:
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


def write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    """The history as CSV, a row an epoch."""
    names = list(dict.fromkeys(name for row in history for name in row))
    lines = [",".join(names)] + [",".join(str(row.get(name, "")) for name in names) for row in history]
    write_text(path, "\n".join(lines) + "\n")
