"""What can be set: YAML files, such as the recipes in ``configs/``, and flags on the command line are the same options.

Nothing heavy is imported here, so that ``--help`` is instant. A value out of its range raises ValueError.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

HeadName = Literal[
    "softmax",
    "contrastive",
    "triplet",
    "lsoftmax",
    "center",
    "sphereface",
    "sphereface_normalized",
    "nsl",
    "cosface",
    "cosface_unnormalized",
    "arcface",
]
PoolingName = Literal["mean", "second_order", "token", "token+mean"]
SHARDED: tuple[HeadName, ...] = ("cosface", "cosface_unnormalized", "nsl", "arcface")
"""Heads whose prototypes can be shared out among processes."""
SphereNetworkName = Literal[
    "sphereface4",
    "sphereface10",
    "sphereface20",
    "sphereface36",
    "sphereface64",
    "laptop10",
    "laptop12",
    "laptop12_stride4",
]


@dataclass(frozen=True)
class DataOptions:
    """Which photos are learned from, and which are held out.

    Attributes:
        manifest: CSV or Parquet, a row a photo (see ``saree-cosface data import``).
        where: keep only the rows for which this pandas query holds, such as "core" or "view == 'closeup'".
        split: split file made earlier; without one, the manifest's column split is used if it names photos train, val
            and test, and otherwise sources are dealt into folds.
        folds: folds that the sources are dealt into, stratified by craft.
        test_fold: fold that training never sees, for ``evaluate``; -1 holds none out.
        validation_fold: fold whose sources decide when to stop; -1 for none, which trains for all epochs.
        cache: folder of decoded photos and frozen features, shared by runs; safe to delete.
        workers: processes that prepare photos while the network trains; 0 does it in the training process.
        devices: on how many processors or GPUs of a machine to train, each with a batch of its own.
        nodes: on how many machines; the command is then started on each, by torchrun or Slurm.
        confirmed: keep only photos whose label does not rest on a caption (column basis), or that a curator confirmed:
            in the log of decisions, or in a manifest that ``curate apply`` wrote.
        log: of those decisions; decisions.db beside the manifest by default.

    >>> DataOptions(Path("manifest.csv"), where="view == 'closeup'", test_fold=2).folds
    5
    >>> DataOptions(Path("manifest.csv"), test_fold=1)
    Traceback (most recent call last):
        ...
    ValueError: options data.test_fold and data.validation_fold are both 1: the fold that chooses the epoch cannot be \
the one that scores it.
    """

    manifest: Path
    where: str | None = None
    split: Path | None = None
    folds: int = 5
    test_fold: int = 0
    validation_fold: int = 1
    cache: Path = Path("~/.cache/saree-cosface")
    workers: int = 0
    devices: int = 1
    nodes: int = 1
    confirmed: bool = False
    log: Path | None = None

    def __post_init__(self) -> None:
        _check(self, "data", folds=(2, math.inf), test_fold=(-1, math.inf), validation_fold=(-1, math.inf))
        _check(self, "data", workers=(0, math.inf), devices=(1, math.inf), nodes=(1, math.inf))
        if self.test_fold == self.validation_fold != -1:
            raise ValueError(
                f"options data.test_fold and data.validation_fold are both {self.test_fold}: the fold that chooses the "
                "epoch cannot be the one that scores it."
            )

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.devices * self.nodes


@dataclass(frozen=True)
class FaceOptions:
    """Which faces are learned from, and which are compared. In paths, $VARIABLES of the environment are replaced.

    Attributes:
        images: training photos, aligned, a folder a person.
        min_photos: people with fewer photos are left out.
        together: photos of one person that lie together in a batch, which losses that compare photos need.
        shift: largest random shift in pixels, in each direction; half of the photos are mirrored as well.
        rotation: largest random rotation in degrees, either way.
        zoom: by how much a photo is enlarged or made smaller at most, as a share of its size.
        colour_jitter: strength of random brightness, contrast and saturation.
        cover: chance that a random rectangle is covered.
        lfw_images: aligned photos of Labeled Faces in the Wild, a folder a person.
        lfw_pairs: its list of pairs.
        cache: folder of decoded photos, shared by runs; safe to delete.
        workers: processes that prepare photos while the network trains; 0 does it in the training process.
        devices: on how many processors or GPUs of a machine to train, each with a batch of its own.
        nodes: on how many machines; the command is then started on each, by torchrun or Slurm.
    """

    images: str
    min_photos: int = 2
    together: int = 1
    shift: int = 4
    rotation: float = 0.0
    zoom: float = 0.0
    colour_jitter: float = 0.0
    cover: float = 0.0
    lfw_images: str = "lfw_aligned"
    lfw_pairs: str = "lfw_pairs.txt"
    cache: Path = Path("~/.cache/saree-cosface")
    workers: int = 0
    devices: int = 1
    nodes: int = 1

    def __post_init__(self) -> None:
        _check(self, "data", min_photos=(1, math.inf), together=(1, math.inf), workers=(0, math.inf))
        _check(self, "data", shift=(0, 8), rotation=(0, 45), zoom=(0, 0.5), colour_jitter=(0, 1), cover=(0, 1))
        _check(self, "data", devices=(1, math.inf), nodes=(1, math.inf))

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.devices * self.nodes


@dataclass(frozen=True)
class ModelOptions:
    """The network that turns a photo into a unit vector.

    Attributes:
        backbone: "lite0" (EfficientNet-Lite0, whose weights come with the installation), "lite1" or "lite2" (with the
            extra `backbones`) or any timm model, whose weights are downloaded. "lite0@320" shows it images of another
            size than it was trained with; "lite0+lite2" puts frozen features of both side by side.
        pretrained: begin with the backbone's published weights, whose batch norms keep their statistics; without them
            it learns from random ones, for which all its stages should be trainable. Networks for faces have none.
        pooling: of local features: "mean", or "second_order" for what channels do together, by which weaves differ (see
            ``saree_cosface.networks.pooling``); of transformers also the "token" of the whole view, or "token+mean".
        depths: how many of the network's last depths second moments are taken of.
        directions: principal ones of the channels of each, found on training photos, that are kept.
        embedding_dim: D, length of the embedding.
        dropout: share of backbone features dropped in training.
        batch_norm: normalise the embedding's coordinates over the batch.
        trainable_stages: how many of the backbone's last stages learn; 0 keeps it frozen, so that a run takes seconds.
        precision: of stages that learn: "auto" times bf16 and fp32 on this machine once and takes the faster. What does
            not learn runs in fp32.

    >>> ModelOptions("resnet50.a1_in1k", trainable_stages=2).precision
    'auto'
    """

    backbone: str = "lite0"
    pretrained: bool = True
    embedding_dim: int = 256
    dropout: float = 0.3
    batch_norm: bool = True
    trainable_stages: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    pooling: PoolingName = "mean"
    depths: int = 2
    directions: int = 64

    def __post_init__(self) -> None:
        _check(self, "model", embedding_dim=(2, math.inf), dropout=(0, 0.99), trainable_stages=(0, math.inf))
        _check(self, "model", depths=(1, math.inf), directions=(1, math.inf))
        if "+" in self.backbone and self.trainable_stages:
            raise ValueError(f"option model.trainable_stages must be 0 for {self.backbone}: several stay as they are.")
        if not self.pretrained and not self.trainable_stages:
            raise ValueError(
                "option model.pretrained is false and model.trainable_stages is 0: a network of random weights that "
                "stays as it is tells nothing; raise model.trainable_stages to the number of its stages or more."
            )


@dataclass(frozen=True)
class ViewOptions:
    """What training sees of a photo.

    A frozen backbone sees the 31 views of the pyramid (see ``saree_cosface.data.views``) and as many random ones as are
    asked for, computed once. A backbone that learns sees a new random view every time.

    Attributes:
        random: random views of each photo, beside the pyramid, for a frozen backbone.
        colour_jitter: strength of random brightness, contrast and saturation: colour is not provenance.
        vertical_flip: chance of an upside-down random view, which a border would never show.

    >>> ViewOptions(random=8).colour_jitter
    0.3
    """

    random: int = 0
    colour_jitter: float = 0.3
    vertical_flip: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "views", random=(0, math.inf), colour_jitter=(0, 1), vertical_flip=(0, 1))


@dataclass(frozen=True)
class HeadOptions:
    """The loss.

    Attributes:
        name: cosface is LMCL, nsl the same without a margin; see ``saree_cosface.heads`` for all.
        scale: s, the length that embeddings are given, where the loss gives them one.
        margin: m; in cosine units for cosface, radians for arcface, a whole factor of the angle for lsoftmax and
            sphereface, a distance between unit vectors for contrastive and a squared one for triplet; unused by
            softmax, center and nsl.
        balance: weight of the second term of contrastive and center; -1 takes that of their papers.
        margin_warmup: share of the training over which the margin grows from 0 (cosface and arcface).
        sharded: share the prototypes out among the processes that train, instead of keeping all in each: for classes
            in the hundreds of thousands (cosface, nsl and arcface).
        sample: share of the classes that a step sees beside those of its batch, where they are sharded; the training
            accuracy is then that among these.

    >>> HeadOptions("nsl", scale=16.0).margin_warmup
    0.0
    """

    name: HeadName = "cosface"
    scale: float = 32.0
    margin: float = 0.35
    balance: float = -1.0
    margin_warmup: float = 0.0
    sharded: bool = False
    sample: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "head", margin_warmup=(0, 1), sample=(1e-9, 1))
        if self.sharded and self.name not in SHARDED:
            raise ValueError(f"option head.sharded: {self.name} cannot be; use one of {', '.join(SHARDED)}.")
        if self.sample < 1 and not self.sharded:
            raise ValueError(f"option head.sample is {self.sample:g}, which needs head.sharded to be true.")


@dataclass(frozen=True)
class OptimOptions:
    """How the weights are learned: AdamW and a cosine schedule with warm-up, unless said otherwise.

    Attributes:
        start: of neck and prototypes: "random", or "whitened", a solution in closed form in which the directions in
            which photos of one craft differ, mostly their photographers, count for less.
        shrinkage: of the scatter within crafts towards a sphere in it; -1 takes what tells inner folds of sources best.
        optimizer: adamw; sgd with momentum, as in the papers on faces; or muon, which moves the backbone's weight
            matrices by orthogonal steps and leaves everything else to AdamW.
        momentum: of sgd and muon.
        epochs: passes over the photos.
        steps: training steps, which then count instead of epochs; 0 for none.
        milestones: steps after which the learning rates are divided by 10, instead of the cosine schedule.
        batch_size: photos a step, on each device.
        lr: learning rate of the neck and the head; with muon of all that AdamW learns.
        backbone_lr: learning rate of the last trainable stage of the backbone.
        layer_decay: factor on the learning rate from one backbone stage to the one before it.
        weight_decay: on weight matrices; never on norms and biases.
        warmup: share of the steps over which the learning rate grows.
        gradient_clip: largest norm of the gradient; 0 for none.
        ema: decay of a moving average of the weights, which is then the model; 0 for none.
        balance: what is drawn more evenly than it occurs: crafts, pieces or sources (each within its craft).
        balance_power: 0 draws photos as they occur, 1 every craft equally often.
        patience: epochs without a better validation score after which training stops; 0 never stops early.

    >>> OptimOptions("sgd", epochs=20, lr=0.1).optimizer
    'sgd'
    """

    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    momentum: float = 0.9
    epochs: int = 60
    steps: int = 0
    milestones: tuple[int, ...] = ()
    batch_size: int = 64
    lr: float = 1e-3
    backbone_lr: float = 1e-4
    layer_decay: float = 0.7
    weight_decay: float = 0.01
    warmup: float = 0.1
    gradient_clip: float = 5.0
    ema: float = 0.0
    balance: Literal["craft", "piece", "source"] = "craft"
    balance_power: float = 0.5
    patience: int = 0
    start: Literal["random", "whitened"] = "random"
    shrinkage: float = -1.0

    def __post_init__(self) -> None:
        _check(self, "optim", epochs=(1, math.inf), batch_size=(2, math.inf), lr=(0, math.inf))
        _check(self, "optim", backbone_lr=(0, math.inf), layer_decay=(0, 1), weight_decay=(0, math.inf), warmup=(0, 1))
        _check(self, "optim", gradient_clip=(0, math.inf), ema=(0, 0.999999), balance_power=(0, 1))
        _check(self, "optim", patience=(0, math.inf), momentum=(0, 1), steps=(0, math.inf), shrinkage=(-1, 1))


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but its photos.

    Attributes:
        model: the network.
        views: what training sees of a photo.
        head: the loss.
        optim: how the weights are learned.
        seed: everything random follows from it; on one machine the same seed gives the same weights.

    >>> recipe = Recipe(head=HeadOptions("cosface", scale=16.0, margin=0.2), optim=OptimOptions(epochs=20))
    >>> recipe.model.backbone, recipe.head.margin, recipe.seed
    ('lite0', 0.2, 0)
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    head: HeadOptions = field(default_factory=HeadOptions)
    optim: OptimOptions = field(default_factory=OptimOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optim.start == "whitened" and self.model.batch_norm:
            raise ValueError("option model.batch_norm must be false: it would undo what optim.start whitened gives.")
        if self.model.pooling == "second_order" and not self.model.trainable_stages and self.views.random:
            raise ValueError("option views.random must be 0 where model.pooling is second_order, which adds views up.")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"option seed is {self.seed}; it must be from 0 to {2**32 - 1}.")


def _check(options: object, group: str, **bounds: tuple[float, float]) -> None:
    for name, (least, most) in bounds.items():
        value = getattr(options, name)
        if not least <= value <= most:  # false for NaN too
            wish = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
            raise ValueError(f"option {group}.{name} is {value}; it must be {wish}.")
