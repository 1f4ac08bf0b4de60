"""What a training step is: an embedder under a head, its losses and scores, and how its weights are optimised."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from timm.optim.muon import Muon
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from saree_cosface.heads import Head, ShardedHead, scale
from saree_cosface.heads.ranks import clip_gradients
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import Recipe
from saree_cosface.training import rows
from saree_cosface.training.averaging import WeightAverage
from saree_cosface.training.datasets import Batch
from saree_cosface.training.optimiser import freeze, parameter_groups, rate_factor
from saree_cosface.training.whitening import start

SCORE = "validation/balanced_accuracy"


class TrainingError(ValueError):
    """Training failed; the message says why and what to do."""


class LearningModule(L.LightningModule):
    """An embedder under a head.

    The accuracy in training is read from margin-free cosines: with the margin it would look like 0 for long.

    Where the recipe says so, the head is sharded: it gets its prototypes in ``configure_model``, when the processes are
    joined.
    """

    confusion: Tensor

    def __init__(self, embedder: Embedder, head: Head, recipe: Recipe) -> None:
        super().__init__()
        self.embedder = embedder
        self.head: Head | ShardedHead = head
        if recipe.head.sharded:
            self.head = ShardedHead(head, sample=recipe.head.sample)
        self.recipe = recipe
        self.target_margin = getattr(head, "margin", 0.0)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"epoch": -1, "score": -math.inf, "weights": {}}
        self.average: WeightAverage | None = None
        self._average_state: dict[str, Any] | None = None
        self._seen = torch.zeros(3)  # sums over the epoch: of losses, of photos that were right, of photos
        self.register_buffer("confusion", torch.zeros(0, 0), persistent=False)
        freeze(embedder, recipe.model.trainable_stages)

    def configure_model(self) -> None:
        if isinstance(self.head, ShardedHead):
            self.head.spread(self.recipe.seed)
            self._ddp_params_and_buffers_to_ignore = ["head.formula.weight"]  # where DistributedDataParallel looks

    def on_fit_start(self) -> None:
        if self.recipe.optim.start == "whitened" and not self.trainer.ckpt_path:
            features, photos = self.trainer.datamodule.start()  # type: ignore[attr-defined]  # SareeData
            start(self.embedder, self.head, features, photos, self.recipe)

    def on_train_start(self) -> None:
        if self.recipe.optim.ema:
            self.average = WeightAverage(self, self.recipe.optim.ema)
            if self._average_state is not None:
                self.average.restore(self._average_state)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        # Dropout draws from the global generator, and so do data loaders, at other moments after a resumption. Seeded
        # by the step, a resumed training is the same as one that was never interrupted.
        _seed(self.recipe.seed * 1_000_003 + self.global_step)
        inputs, labels = batch
        if self.head.warms_up:
            steps = round(self.recipe.head.margin_warmup * self.steps())
            margin = scale.warmup_margin(self.target_margin, self.global_step, steps)
            self.head.margin = margin
        frozen = inputs.ndim == 2  # features as the neck takes them, rather than pixels
        embeddings = self.embedder.neck(inputs) if frozen else self.embedder.raw(self.embedder.features(inputs))
        loss: Tensor = self.head(embeddings, labels)
        with torch.no_grad():
            right = (self.head.predictions(embeddings) == labels).sum()
            self._seen += torch.stack([loss.detach() * len(labels), right, right.new_full((), len(labels))])
        return loss

    def on_train_epoch_start(self) -> None:
        # Added up here: Lightning's own account of every step takes as long as the step of a frozen backbone.
        self._seen = torch.zeros(3, dtype=torch.float64, device=self.device)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        if self.average is not None:
            self.average.update(self)
        # Not the trainer's max_steps: with it Lightning resumes between epochs as if in the midst of one.
        if self.global_step == self.recipe.optim.steps:
            self.trainer.should_stop = True

    def on_train_epoch_end(self) -> None:
        loss, right, count = self._seen
        means = {"train/loss": (loss / count).float(), "train/accuracy": (right / count).float()}
        self.log_dict(means, prog_bar=True, sync_dist=True)
        values = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        if not math.isfinite(values["train/loss"]):
            raise TrainingError(
                f"the loss is {values['train/loss']} after epoch {self.current_epoch + 1}: the weights are spoilt. "
                "Lower optim.lr or optim.backbone_lr, or keep optim.gradient_clip above 0."
            )
        rate = float(self.trainer.optimizers[0].param_groups[-1]["lr"])
        self.history.append({"epoch": self.current_epoch, "learning_rate": rate, **values})

    def on_validation_epoch_start(self) -> None:
        # Made here: that of the ten thousand people of a large face set, which are not validated, would fill a memory.
        self.confusion = self.confusion.new_zeros(self.head.num_classes, self.head.num_classes)
        if self.average is not None:
            self.average.swap(self)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        inputs, labels = batch
        if inputs.ndim == 5:  # pixels (B, V, 3, S, S) rather than features (B, V, F)
            features = self.embedder.features(inputs.flatten(0, 1)).view(*inputs.shape[:2], -1)
            embeddings = self.embedder.fuse(features)
        else:
            embeddings = self.embedder.fuse_normal(inputs)
        predictions = self.head.predictions(embeddings)
        ones = torch.ones_like(labels, dtype=self.confusion.dtype)
        self.confusion.index_put_((labels, predictions), ones, accumulate=True)

    def on_validation_epoch_end(self) -> None:
        right, counts = self.confusion.diagonal(), self.confusion.sum(dim=1)
        values = {SCORE: (right / counts)[counts > 0].mean(), "validation/accuracy": right.sum() / counts.sum()}
        self.log_dict(values, prog_bar=True)
        if float(values[SCORE]) > self.best["score"]:
            self._keep_best(float(values[SCORE]))
        if self.average is not None:
            self.average.swap(self)

    def _keep_best(self, score: float) -> None:
        weights = {name: value.detach().clone() for name, value in self.embedder.state_dict().items()}
        self.best = {"epoch": self.current_epoch, "score": score, "weights": weights}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["best"] = self.best
        if self.average is not None:
            checkpoint["average"] = self.average.state()
        if isinstance(self.head, ShardedHead):
            rows.take_out(checkpoint, self.head, self.trainer.optimizers[0])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if isinstance(self.head, ShardedHead) and self.head.spread_out:  # not where only the embedder is wanted
            rows.put_in(checkpoint, Path(str(self.trainer.ckpt_path)).parent, self.head)
        self.history = checkpoint["history"]
        self.best = checkpoint["best"]
        self._average_state = checkpoint.get("average")

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        if not isinstance(self.head, ShardedHead):
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            learned = [each for each in self.parameters() if each is not self.head.weight]
            clip_gradients(learned, self.head.weight, gradient_clip_val)

    def finish(self) -> int:
        """Give the embedder its final weights, those of the best epoch if there is one, and return that epoch."""
        best = int(self.best["epoch"])
        if best >= 0:
            self.embedder.load_state_dict(self.best["weights"])
        elif self.average is not None:
            self.average.swap(self)
        self.embedder.requires_grad_(False).cpu().eval()
        return best if best >= 0 else len(self.history) - 1

    def steps(self) -> int:
        """How many steps the whole training takes."""
        return self.recipe.optim.steps or int(self.trainer.estimated_stepping_batches)

    def configure_optimizers(self) -> Any:
        optim = self.recipe.optim
        groups = parameter_groups(self.embedder, self.head, self.recipe)
        optimizer: Optimizer
        if optim.optimizer == "sgd":
            optimizer = SGD(groups, lr=optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay)
        elif optim.optimizer == "muon":
            # Three Newton-Schulz iterations take little more than half the time of the usual five on a CPU.
            optimizer = Muon(groups, lr=optim.lr, momentum=optim.momentum, nesterov=True, ns_steps=3)
        else:
            optimizer = AdamW(groups, lr=optim.lr, weight_decay=optim.weight_decay, fused=True)
        steps = self.steps()
        schedule = LambdaLR(optimizer, lambda step: rate_factor(optim, step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _seed(number: int) -> None:
    """As ``torch.manual_seed``, which writes down where it was called from, once for each kind of device that is not
    there, and takes a fifth of the time of a step by that."""
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)
