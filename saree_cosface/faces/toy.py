"""Eight classes in two dimensions, where embeddings can be looked at: Figure 4 of the CosFace paper.

The same network learns eight classes under softmax, and under LMCL with margins of 0, 0.1 and 0.2 at one scale. It is
the embedder of the rest of the package with D = 2, under the same heads, trained by the same loop.

What helps in two dimensions, found by trying: batch norms in the backbone but none after the embedding, which would
force eight classes into a round cloud; AdamW at a rate of 0.003. With these no class was stuck behind another in a
dozen trainings with LMCL, so neither a warm-up of the margin nor prototypes that begin evenly on the circle are needed.

Source: Wang et al., CosFace, arXiv:1801.09414, Section 3.5 and Figure 4.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from saree_cosface.console import track
from saree_cosface.data.photos import list_bad
from saree_cosface.faces.datasets import FaceDataError, read_identities
from saree_cosface.faces.images import SIZE, load_faces
from saree_cosface.faces.training import expanded
from saree_cosface.files import write_json
from saree_cosface.heads.scale import maximum_margin
from saree_cosface.networks.backbone import Backbone, Preprocessing
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import FACES
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.sphere import SphereNetwork
from saree_cosface.options import FaceOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, SphereNetworkName
from saree_cosface.training.datasets import Batch
from saree_cosface.training.head import make_head
from saree_cosface.training.loop import optimise
from saree_cosface.training.module import LearningModule

CLASSES = 8
SCALE = 32.0
"""s of LMCL, the same for every margin: with it even m = 0.2 lets a class centre reach a posterior of 0.9 among eight
even classes, whose prototypes stand 45 degrees apart on the circle. The floor of a simplex, ``scale.minimum_scale``, is
far too low here: in two dimensions the neighbours of a class are at a cosine of 0.71, not -0.14."""

HEADS = {
    "softmax": HeadOptions("softmax"),
    "LMCL, m = 0": HeadOptions("cosface", SCALE, 0.0),
    "LMCL, m = 0.1": HeadOptions("cosface", SCALE, 0.1),
    "LMCL, m = 0.2": HeadOptions("cosface", SCALE, 0.2),
}

_FEW = 1000  # images; with fewer, batches are smaller: it takes a thousand steps until prototypes stand evenly
_COVERED = 0.95  # share of a class's images that its arc on the circle covers


@dataclass(frozen=True, eq=False)
class ToyImages:
    """Images of eight classes.

    Attributes:
        name: of the files written: ``toy`` for faces, ``toy_digits``.
        title: what the images are, for people.
        network: the backbone's name.
        pixels: uint8 RGB ``(N, H, W, 3)``.
        labels: (N,) from 0 to 7.
        names: (8,) what to call the classes.
    """

    name: str
    title: str
    network: SphereNetworkName
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trained:
    """What one loss made of the images.

    Attributes:
        name: of the loss.
        embeddings: ``(N, 2)``, of their own lengths.
        prototypes: ``(8, 2)``.
        values: what was measured, as it stands in the document.
    """

    name: str
    embeddings: NDArray[np.float64]
    prototypes: NDArray[np.float64]
    values: Mapping[str, Any]


def digits() -> ToyImages:
    """The digits 0 to 7 of scikit-learn's bundled images, 8 × 8 pixels enlarged to 16 × 16."""
    found = load_digits(n_class=CLASSES)
    grey = (found.images * (255 / 16)).round().astype(np.uint8)
    pixels = np.repeat(grey.repeat(2, axis=1).repeat(2, axis=2)[..., None], 3, axis=3)
    names = tuple(str(digit) for digit in range(CLASSES))
    return ToyImages("toy_digits", "handwritten digits", "laptop10", pixels, found.target.astype(np.int64), names)


def faces(data: FaceOptions) -> ToyImages:
    """The eight people with most photos in the folder of training photos, at half the resolution; numbered, not named.

    Raises:
        FaceDataError: there are fewer than eight people.
        RunError: a variable in the path is not set.
    """
    folder = expanded(data.images, "data.images")
    identities = read_identities(folder, min_photos=data.min_photos)
    if len(identities.names) < CLASSES:
        raise FaceDataError(f"{folder}: photos of {len(identities.names)} people; the toy experiment takes {CLASSES}.")
    most = np.argsort(-np.bincount(identities.labels), kind="stable")[:CLASSES]
    rows = np.flatnonzero(np.isin(identities.labels, most))
    read = load_faces([identities.files[row] for row in rows], cache=data.cache)
    list_bad(read.bad)
    place = {person: index for index, person in enumerate(most.tolist())}
    labels = np.array([place[person] for person in identities.labels[rows[read.rows]].tolist()], dtype=np.int64)
    height, width = SIZE
    small = np.stack(
        [cv2.resize(face, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for face in read.pixels]
    )
    names = tuple(f"person {number + 1}" for number in range(CLASSES))
    return ToyImages("toy", "faces", "laptop10", small, labels, names)


def run_toy(out: Path, images: ToyImages, *, epochs: int = 40, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """Train each loss, and write the figure and what was measured as ``NAME.png`` and ``NAME.json``.

    Args:
        out: folder; trainings that are there already, below ``runs``, are not done again.
        images: to learn, and to embed afterwards: as in the paper these are the training images.
        epochs: passes over the images.
        seed: everything random follows from it.
        progress: show a bar.

    Returns:
        What the JSON file says. Angles are in degrees; see :func:`spread`.

    Raises:
        TrainingError: a loss is no longer a number.
        ValueError: ``epochs`` or ``seed`` is out of its range.
    """
    from saree_cosface.faces.figures import toy_figure  # matplotlib is slow to import

    few = len(images.labels) < _FEW
    optim = OptimOptions(
        epochs=epochs, batch_size=min(16 if few else 64, len(images.labels)), lr=3e-3, backbone_lr=3e-3, layer_decay=1.0
    )
    heads, out = list(HEADS.items()), Path(out)
    found = [
        _trained(out / "runs", name, head, images, optim, seed)
        for name, head in (track(heads, "Training in two dimensions") if progress else heads)
    ]
    document: dict[str, Any] = {
        "experiment": images.name,
        "source": "arXiv:1801.09414, Figure 4",
        "images": images.title,
        "photos": len(images.labels),
        "classes": len(images.names),
        "image": list(images.pixels.shape[1:3]),
        "network": images.network,
        "epochs": epochs,
        "seed": seed,
        "scale": SCALE,
        "maximum_margin": maximum_margin(len(images.names), 2),
        "rows": [trained.values for trained in found],
    }
    vectors = [(trained.embeddings, trained.prototypes) for trained in found]
    toy_figure(vectors, images.labels, images.names, document, out / f"{images.name}.png")
    write_json(out / f"{images.name}.json", document)
    return document


def print_table(document: Mapping[str, Any], console: Console) -> None:
    """What was measured, for people."""
    title = f"{document['photos']} {document['images']}, {document['epochs']} epochs, s = {document['scale']:g}"
    table = Table("loss", title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("smallest angle", "within", "gap", "accuracy"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in document["rows"]:
        angles = (f"{row[angle]:.1f}°" for angle in ("min_angle", "within_angle", "gap"))
        table.add_row(row["name"], *angles, f"{row['accuracy']:.1%}")
    console.print(table)


def _trained(runs: Path, name: str, head: HeadOptions, images: ToyImages, optim: OptimOptions, seed: int) -> Trained:
    """The training of these images and options from its file, or anew."""
    digest = hashlib.sha256(repr((head, optim)).encode())
    digest.update(np.ascontiguousarray(images.pixels).data)
    digest.update(images.labels.data)
    kept = runs / f"{images.name}-{head.name}-m{head.margin:g}-seed{seed}-{digest.hexdigest()[:8]}.json"
    if kept.is_file():
        known = json.loads(kept.read_text(encoding="utf-8"))
        return Trained(name, np.array(known["embeddings"]), np.array(known["prototypes"]), known["values"])
    found = train(name, head, images, optim, seed)
    vectors = {"embeddings": found.embeddings.tolist(), "prototypes": found.prototypes.tolist()}
    write_json(kept, {"values": dict(found.values), **vectors})
    return found


def train(name: str, head: HeadOptions, images: ToyImages, optim: OptimOptions, seed: int) -> Trained:
    """One training, and the embeddings of the images it learned from."""
    L.seed_everything(seed, verbose=False)
    height, width = images.pixels.shape[1:3]
    preprocessing = Preprocessing(height, FACES.mean, FACES.std, False, width)
    network = SphereNetwork(images.network, height=height, width=width)
    card = EmbedderCard(images.network, 2, batch_norm=False, unit_features=False, classes=images.names)
    embedder = Embedder(card, Backbone(images.network, network, preprocessing, learns_norms=True))
    model = ModelOptions(
        images.network, embedding_dim=2, dropout=0.0, batch_norm=False, trainable_stages=4, precision="fp32"
    )
    recipe = Recipe(model=model, head=head, optim=optim, seed=seed)
    # No warnings: they speak of the simplex floor, and SCALE is chosen for the circle.
    made = make_head(head, 2, len(images.names), warn=False)
    module = LearningModule(embedder, made, recipe)
    pixels = torch.from_numpy(np.array(images.pixels)).permute(0, 3, 1, 2)
    labels = torch.from_numpy(images.labels)
    optimise(module, _Batches(pixels, labels, optim.batch_size, seed), progress=False)
    made.cpu()
    with torch.no_grad():
        embeddings = torch.cat([embedder.raw(embedder.features(part)) for part in torch.split(pixels, 256)])
        cosines = made.cosines(embeddings)
        logits = embeddings @ made.weight.T if head.name == "softmax" else cosines
    values = {
        "name": name,
        "head": {"name": head.name, "scale": head.scale, "margin": head.margin},
        "accuracy": float((cosines.argmax(dim=1) == labels).double().mean()),
        "accuracy_with_lengths": float((logits.argmax(dim=1) == labels).double().mean()),
        **spread(embeddings.double().numpy(), images.labels),
    }
    return Trained(name, embeddings.double().numpy(), made.weight.detach().double().numpy(), values)


class _Batches(L.LightningDataModule):
    """All images in memory, each once an epoch."""

    def __init__(self, pixels: Tensor, labels: Tensor, batch_size: int, seed: int) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.seed = TensorDataset(pixels, labels), batch_size, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        order = torch.Generator().manual_seed(self.seed)
        return DataLoader(self.dataset, self.batch_size, shuffle=True, drop_last=True, generator=order)  # type: ignore[arg-type]


def spread(embeddings: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """How classes lie on the circle, in degrees: ``(N, 2), (N,) -> dict``.

    Returns:
        ``min_angle``, the smallest angle between the mean directions of two classes; ``within_angle``, the mean angle
        between an embedding and the mean direction of its class; ``gap``, the arc left free between neighbouring
        classes when each takes the arc, even on both sides of its mean, that covers 95 % of it, averaged over all
        neighbours. The gap is negative where the arcs overlap.

    >>> angles = np.radians([-1.0, 1.0, 89.0, 91.0])
    >>> found = spread(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([0, 0, 1, 1]))
    >>> {name: round(value, 1) for name, value in found.items()}
    {'min_angle': 90.0, 'within_angle': 1.0, 'gap': 178.0}
    """
    angles = np.arctan2(embeddings[:, 1], embeddings[:, 0])
    classes = np.unique(labels)
    means = np.array([np.angle(np.exp(1j * angles[labels == each]).sum()) for each in classes])
    within = np.abs(np.angle(np.exp(1j * (angles - means[np.searchsorted(classes, labels)]))))
    arcs = np.array([np.quantile(within[labels == each], _COVERED) for each in classes])
    order = np.argsort(means)
    steps = np.diff(means[order], append=means[order[0]] + 2 * math.pi)
    free = steps - arcs[order] - np.roll(arcs[order], -1)
    nearest = np.minimum(steps, 2 * math.pi - steps).min()
    values = {"min_angle": nearest, "within_angle": within.mean(), "gap": free.mean()}
    return {name: math.degrees(value) for name, value in values.items()}
