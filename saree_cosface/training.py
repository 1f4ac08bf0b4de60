"""Training an embedder: one file, readable from top to bottom.

``fit`` is the core of ``saree-cosface train`` (see ``saree_cosface.runs``), and what ``compare`` calls for every fold
and seed.
"""

import logging
import math
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
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from saree_cosface import scale
from saree_cosface.averaging import WeightAverage
from saree_cosface.backbones import Precision, create_backbone, faster_precision
from saree_cosface.console import console
from saree_cosface.data.datamodule import Batch, Photos, SareeData
from saree_cosface.data.images import BadImage
from saree_cosface.data.views import RandomViews
from saree_cosface.embedder import Embedder, EmbedderCard, new_embedder
from saree_cosface.files import atomic_path, write_text
from saree_cosface.heads import ArcFace, CosFace, Head, NormalizedSoftmax, Softmax, SphereFace
from saree_cosface.options import HeadOptions, ModelOptions, Recipe

SCORE = "validation/balanced_accuracy"
CHECKPOINT = "last.ckpt"


class TrainingError(ValueError):
    """Training failed; the message says why and what to do."""


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
        self.register_buffer("confusion", torch.zeros(head.num_classes, head.num_classes), persistent=False)
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
        if self.recipe.head.name in ("cosface", "arcface"):
            steps = round(self.recipe.head.margin_warmup * self.trainer.estimated_stepping_batches)
            margin = scale.warmup_margin(self.target_margin, self.global_step, steps)
            self.head.margin = margin  # type: ignore[assignment]  # a float on these two heads
        embeddings = self.embedder.raw(inputs if inputs.ndim == 2 else self.embedder.features(inputs))
        loss: Tensor = self.head(embeddings, labels)
        with torch.no_grad():
            accuracy = (self.head.cosines(embeddings).argmax(dim=1) == labels).float().mean()
        values = {"train/loss": loss, "train/accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        if self.average is not None:
            self.average.update(self)

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
        self.confusion.zero_()
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

    def configure_optimizers(self) -> Any:
        optim = self.recipe.optim
        groups = parameter_groups(self.embedder, self.head, self.recipe)
        optimizer = AdamW(groups, lr=optim.lr, weight_decay=optim.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = round(optim.warmup * steps)

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}}


class RunFolder(Checkpoint):
    """After each epoch the state to resume from, and the history as CSV.

    A subclass of Lightning's Checkpoint, so that it runs after all other callbacks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
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
        )
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
    checkpoint = None
    if resume:
        if folder is None or not (folder / CHECKPOINT).is_file():
            raise FileNotFoundError(f"{folder}: no {CHECKPOINT} to resume from; train without --resume.")
        checkpoint = folder / CHECKPOINT
    if checkpoint is not None and _ended(checkpoint, module):
        data.setup("fit")
    else:
        with _quietly():
            trainer = _trainer(recipe, validation is not None, folder, progress)
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    if folder is not None:
        from saree_cosface.figures import learning_curves  # matplotlib is slow to import and not needed to train

        write_history(folder / "metrics.csv", module.history)
        learning_curves(module.history, folder / "learning_curves.png")
    return _fitted(module, data)


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
    if epochs < optim.epochs and not stopped:
        return False
    module.load_state_dict(state["state_dict"])
    module.on_load_checkpoint(state)
    module.on_train_start()
    return True


def _fitted(module: LearningModule, data: SareeData) -> Fitted:
    embedder = module.embedder
    if module.best["epoch"] >= 0:
        embedder.load_state_dict(module.best["weights"])
    elif module.average is not None:
        module.average.swap(module)
    best = module.best["epoch"] if module.best["epoch"] >= 0 else len(module.history) - 1
    embedder.requires_grad_(False)
    return Fitted(embedder.cpu().eval(), module.history, best, data.readable("train"), tuple(data.bad.values()))


def make_head(options: HeadOptions, embedding_dim: int, num_classes: int, *, warn: bool = True) -> Head:
    """The head that the options name, and (with ``warn``) a warning for each bound of s and m that they break."""
    match options.name:
        case "softmax":
            return Softmax(embedding_dim, num_classes)
        case "sphereface":
            if options.margin < 1 or options.margin != round(options.margin):
                raise ValueError(
                    f"option head.margin is {options.margin:g}: sphereface multiplies the angle by it, so it must be a "
                    "whole number, such as 4."
                )
            return SphereFace(embedding_dim, num_classes, margin=round(options.margin))
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


def freeze(embedder: Embedder, trainable_stages: int) -> None:
    """Let only the last stages of the backbone learn."""
    stages = embedder.backbone.stages()
    learning = {name for stage in stages[len(stages) - trainable_stages :] for name in stage}
    for name, parameter in embedder.backbone.network.named_parameters():
        parameter.requires_grad_(name in learning)


def parameter_groups(embedder: Embedder, head: Head, recipe: Recipe) -> list[dict[str, Any]]:
    """AdamW's groups: neck and head at ``lr``, backbone stages at rates that fall towards the input.

    Weight decay is off for norms and biases, which are the parameters with at most one dimension.
    """
    optim = recipe.optim
    groups: list[dict[str, Any]] = []
    named = dict(embedder.backbone.network.named_parameters())
    for depth, stage in enumerate(reversed(embedder.backbone.stages())):
        rate = optim.backbone_lr * optim.layer_decay**depth
        groups += _decayed([named[name] for name in stage if named[name].requires_grad], rate, optim.weight_decay)
    return groups + _decayed([*embedder.neck.parameters(), *head.parameters()], optim.lr, optim.weight_decay)


def _decayed(parameters: Sequence[torch.nn.Parameter], rate: float, decay: float) -> list[dict[str, Any]]:
    plain = [parameter for parameter in parameters if parameter.ndim <= 1]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    groups = [
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": matrices, "lr": rate, "weight_decay": decay},
    ]
    return [group for group in groups if group["params"]]


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


def _trainer(recipe: Recipe, validates: bool, folder: Path | None, progress: bool) -> L.Trainer:
    optim = recipe.optim
    callbacks: list[Callback] = [] if folder is None else [RunFolder(folder)]
    if validates and optim.patience:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=optim.patience))
    if progress:
        callbacks.append(Bar())
    return L.Trainer(
        accelerator="auto",
        devices=1,  # several would each run the whole command; a few thousand photos do not need them
        max_epochs=optim.epochs,
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
