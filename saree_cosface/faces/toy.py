"""Eight classes in two dimensions, where embeddings can be looked at: Figure 4 of the CosFace paper."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from saree_cosface.backbones import Backbone, Preprocessing
from saree_cosface.data.datamodule import Batch
from saree_cosface.embedder import Embedder, EmbedderCard
from saree_cosface.faces.datasets import read_identities
from saree_cosface.faces.images import load_faces
from saree_cosface.faces.training import expanded
from saree_cosface.files import write_json
from saree_cosface.learning import LearningModule, make_head
from saree_cosface.options import FaceOptions, HeadOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.sphere_networks import SphereNetwork
from saree_cosface.training import optimise

CLASSES = 8
SCALE = 24.0
HEADS = {
    "softmax": HeadOptions("softmax"),
    "LMCL, m = 0": HeadOptions("cosface", scale=SCALE, margin=0.0),
    "LMCL, m = 0.1": HeadOptions("cosface", scale=SCALE, margin=0.1),
    "LMCL, m = 0.2": HeadOptions("cosface", scale=SCALE, margin=0.2),
}


@dataclass(frozen=True, eq=False)
class ToyImages:
    name: str
    title: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int_]
    names: tuple[str, ...]


def digits() -> ToyImages:
    from sklearn.datasets import load_digits

    found = load_digits(n_class=CLASSES)
    grey = np.repeat(np.repeat(found.images, 4, axis=1), 4, axis=2) * (255 / 16)
    pixels = np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=3)
    return ToyImages("toy_digits", "Digits", pixels, found.target.astype(np.int64), tuple("01234567"))


def faces(data: FaceOptions) -> ToyImages:
    identities = read_identities(expanded(data.images, "data.images"), min_photos=data.min_photos)
    counts = np.bincount(identities.labels)
    people = np.sort(np.argsort(-counts, kind="stable")[:CLASSES])
    rows = np.flatnonzero(np.isin(identities.labels, people))
    read = load_faces([identities.files[row] for row in rows], cache=data.cache.expanduser())
    labels = np.searchsorted(people, identities.labels[rows][read.rows])
    return ToyImages("toy", "People", read.pixels, labels, tuple(identities.names[p] for p in people))


class _Batches(L.LightningDataModule):
    def __init__(self, images, batch_size, seed):
        super().__init__()
        pixels = torch.from_numpy(np.ascontiguousarray(images.pixels)).permute(0, 3, 1, 2)
        self.dataset = TensorDataset(pixels, torch.from_numpy(images.labels))
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self):
        generator = torch.Generator().manual_seed(self.seed)
        return DataLoader(self.dataset, self.batch_size, shuffle=True, drop_last=True, generator=generator)


def train(images, head, optim, seed, backbone="laptop10", even=False):
    L.seed_everything(seed, verbose=False)
    model = ModelOptions(backbone, 2, dropout=0.0, batch_norm=False, trainable_stages=4, precision="fp32")
    height, width = images.pixels.shape[1:3]
    pre = Preprocessing(height, (0.5,) * 3, (128 / 255,) * 3, False, width)
    network = SphereNetwork(backbone, height=height, width=width)
    card = EmbedderCard(backbone, 2, batch_norm=False, unit_features=False, preprocessing=asdict(pre), classes=images.names)
    embedder = Embedder(card, Backbone(backbone, network, pre, learns_norms=True))
    recipe = Recipe(model=model, head=head, optim=optim, seed=seed)
    module = LearningModule(embedder, make_head(head, 2, len(images.names), warn=False), recipe)
    if even:
        angles = torch.arange(CLASSES) * 2 * torch.pi / CLASSES
        with torch.no_grad():
            module.head.weight.copy_(torch.stack([angles.cos(), angles.sin()], 1))
    optimise(module, _Batches(images, optim.batch_size, seed), progress=False)
    return module


def embed(module, images):
    pixels = torch.from_numpy(np.ascontiguousarray(images.pixels)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return torch.cat([module.embedder.raw(module.embedder.features(p)) for p in pixels.split(256)])


def measure(embeddings, labels, head):
    with torch.inference_mode():
        acc = float((head.cosines(embeddings).argmax(1).numpy() == labels).mean())
    u = embeddings.numpy(); u = u / np.linalg.norm(u, axis=1, keepdims=True)
    means = np.stack([u[labels == c].mean(0) for c in range(CLASSES)])
    ang = np.arctan2(means[:, 1], means[:, 0])
    dev = np.abs(np.angle(np.exp(1j * (np.arctan2(u[:, 1], u[:, 0]) - ang[labels]))))
    s = np.sort(ang); gaps = np.diff(np.append(s, s[0] + 2 * np.pi))
    edge = np.array([np.quantile(dev[labels == c], .95) for c in range(CLASSES)])[np.argsort(ang)]
    clear = gaps - edge - np.roll(edge, -1)
    d = np.degrees
    return dict(acc=round(acc, 3), min=round(d(gaps.min()), 1), within=round(d(dev.mean()), 2), clear_mean=round(d(clear.mean()), 1), clear_min=round(d(clear.min()), 1))
