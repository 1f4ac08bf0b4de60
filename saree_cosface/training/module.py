"""What a training step is: an embedder under a head, its losses and scores, and how its weights are optimised."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as L
import torch
from timm.optim.muon import Muon
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from saree_cosface.console import console
from saree_cosface.heads import (
    ArcFace,
    CosFace,
    Head,
    LargeMarginSoftmax,
    NormalizedSoftmax,
    Softmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
    Triplet,
    scale,
)
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import HeadOptions, OptimOptions, Recipe
from saree_cosface.training.averaging import WeightAverage
from saree_cosface.training.datamodule import Batch

SCORE = "validation/balanced_accuracy"


class TrainingError(ValueError):
    """Training failed; the message says why and what to do."""


class LearningModule(L.LightningModule):
    """An embedder under a head.

    The accuracy in training is read from margin-free cosines: with the margin it would look like 0 for long.
    """

    confusion: Tensor

    def __init__(self, embedder: Embedder, head: Head, recipe: Recipe) -> None:
        super().__init__()
        self.embedder = embedder
        self.head = head
        self.recipe = recipe
        self.target_margin = getattr(head, "margin", 0.0)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"epoch": -1, "score": -math.inf, "weights": {}}
        self.average: WeightAverage | None = None
        self._average_state: dict[str, Any] | None = None
        self.register_buffer("confusion", torch.zeros(0, 0), persistent=False)
        freeze(embedder, recipe.model.trainable_stages)

    def on_train_start(self) -> None:
        if self.recipe.optim.ema:
            self.average = WeightAverage(self, self.recipe.optim.ema)
            if self._average_state is not None:
                self.average.restore(self._average_state)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        # Dropout draws from the global generator, and so do data loaders, at other moments after a resumption. Seeded
        # by the step, a resumed training is the same as one that was never interrupted.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.global_step)
        inputs, labels = batch
        if self.recipe.head.name in ("cosface", "cosface_unnormalized", "arcface"):
            steps = round(self.recipe.head.margin_warmup * self.steps())
            margin = scale.warmup_margin(self.target_margin, self.global_step, steps)
            self.head.margin = margin  # type: ignore[assignment]  # a float on these two heads
        embeddings = self.embedder.raw(inputs if inputs.ndim == 2 else self.embedder.features(inputs))
        loss: Tensor = self.head(embeddings, labels)
        with torch.no_grad():
            accuracy = (self.head.cosines(embeddings).argmax(dim=1) == labels).float().mean()
        values = {"train/loss": loss, "train/accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels), sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        if self.average is not None:
            self.average.update(self)
        # Not the trainer's max_steps: with it Lightning resumes between epochs as if in the midst of one.
        if self.global_step == self.recipe.optim.steps:
            self.trainer.should_stop = True

    def on_train_epoch_end(self) -> None:
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
        else:
            features = inputs
        predictions = self.head.cosines(self.embedder.fuse(features)).argmax(dim=1)
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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]
        self.best = checkpoint["best"]
        self._average_state = checkpoint.get("average")

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
            optimizer = AdamW(groups, lr=optim.lr, weight_decay=optim.weight_decay)
        steps = self.steps()
        schedule = LambdaLR(optimizer, lambda step: rate_factor(optim, step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_factor(optim: OptimOptions, step: int, steps: int) -> float:
    """Factor on the learning rates at ``step`` of ``steps``: linear warm-up, then a half cosine or division by 10.

    >>> [round(rate_factor(OptimOptions(warmup=0.1), step, 100), 2) for step in (0, 9, 10, 55, 100)]
    [0.09, 0.91, 1.0, 0.5, 0.0]
    >>> stepped = OptimOptions(warmup=0.0, milestones=(50, 80))
    >>> [round(rate_factor(stepped, step, 100), 2) for step in (0, 49, 50, 80)]
    [1.0, 1.0, 0.1, 0.01]
    """
    warmup = round(optim.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if optim.milestones:
        return float(10.0 ** -sum(step >= milestone for milestone in optim.milestones))
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_head(options: HeadOptions, embedding_dim: int, num_classes: int, *, warn: bool = True) -> Head:
    """The head that the options name, and (with ``warn``) a warning for each bound of s and m that they break."""
    match options.name:
        case "softmax":
            return Softmax(embedding_dim, num_classes)
        case "sphereface":
            return SphereFace(embedding_dim, num_classes, margin=_whole(options))
        case "sphereface_normalized":
            return SphereFace(embedding_dim, num_classes, margin=_whole(options), scale=options.scale)
        case "lsoftmax":
            return LargeMarginSoftmax(embedding_dim, num_classes, margin=_whole(options))
        case "contrastive":
            balance = {} if options.balance < 0 else {"balance": options.balance}
            return SoftmaxContrastive(embedding_dim, num_classes, margin=options.margin, **balance)
        case "triplet":
            return Triplet(embedding_dim, num_classes, margin=options.margin)
        case "center":
            balance = {} if options.balance < 0 else {"balance": options.balance}
            return SoftmaxCenter(embedding_dim, num_classes, **balance)
        case "cosface_unnormalized":
            return CosFace(embedding_dim, num_classes, scale=None, margin=options.margin)
        case "arcface":
            return ArcFace(embedding_dim, num_classes, scale=options.scale, margin=options.margin)
        case "nsl":
            margin = 0.0
        case "cosface":
            margin = options.margin
    for warning in scale.check(options.scale, margin, num_classes, embedding_dim) if warn else ():
        console.print(f"[yellow]{warning}", highlight=False)
    if options.name == "nsl":
        return NormalizedSoftmax(embedding_dim, num_classes, scale=options.scale)
    return CosFace(embedding_dim, num_classes, scale=options.scale, margin=margin)


def _whole(options: HeadOptions) -> int:
    if options.margin < 1 or options.margin != round(options.margin):
        raise ValueError(
            f"option head.margin is {options.margin:g}: {options.name} multiplies the angle by it, so it must be a "
            "whole number, such as 4."
        )
    return round(options.margin)


def freeze(embedder: Embedder, trainable_stages: int) -> None:
    """Let only the last stages of the backbone learn."""
    stages = embedder.backbone.stages()
    learning = {name for stage in stages[max(0, len(stages) - trainable_stages) :] for name in stage}
    for name, parameter in embedder.backbone.network.named_parameters():
        parameter.requires_grad_(name in learning)


def parameter_groups(embedder: Embedder, head: Head, recipe: Recipe) -> list[dict[str, Any]]:
    """The optimiser's groups: neck and head at ``lr``, backbone stages at rates that fall towards the input.

    Weight decay is off for norms and biases, which are the parameters with at most one dimension. For Muon,
    ``use_fallback`` leaves these to AdamW, and neck and head too: orthogonal steps are for hidden layers.
    """
    optim = recipe.optim
    groups: list[dict[str, Any]] = []
    named = dict(embedder.backbone.network.named_parameters())
    for depth, stage in enumerate(reversed(embedder.backbone.stages())):
        rate = optim.backbone_lr * optim.layer_decay**depth
        groups += _decayed([named[name] for name in stage if named[name].requires_grad], rate, optim.weight_decay)
    rest = _decayed([*embedder.neck.parameters(), *head.parameters()], optim.lr, optim.weight_decay)
    if optim.optimizer == "muon":
        for group in groups:
            group["use_fallback"] = group["params"][0].ndim <= 1
        for group in rest:
            group["use_fallback"] = True
    return groups + rest


def _decayed(parameters: Sequence[torch.nn.Parameter], rate: float, decay: float) -> list[dict[str, Any]]:
    plain = [parameter for parameter in parameters if parameter.ndim <= 1]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    groups = [
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": matrices, "lr": rate, "weight_decay": decay},
    ]
    return [group for group in groups if group["params"]]
