"""A start in closed form: an embedding in which photos of one craft differ alike in all directions.

With a handful of sources a craft, the directions in which photos of one craft differ are mostly those of photographers:
light, backdrop, distance. Divided by the scatter within crafts, they no longer weigh more in a cosine than others do.
This is Fisher's discriminant without its last step, known from speaker recognition as within-class covariance
normalisation (Hatch, Kajarekar, Stolcke, Within-Class Covariance Normalization for SVM-based Speaker Recognition,
Interspeech 2006), where the channel takes the photographer's part.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from saree_cosface.features.prototypes import prototypes
from saree_cosface.heads import Head, ShardedHead
from saree_cosface.metrics.neighbourhood import unit
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import Recipe
from saree_cosface.training.labelled import Photos

SHRINKAGES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""That are tried on inner folds."""

_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Whitening:
    """An affine map of features to embeddings.

    Attributes:
        matrix: ``(F, D)``.
        centre: of the features, which is taken off first, ``(F,)``.
    """

    matrix: NDArray[np.float32]
    centre: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit embeddings: ``(N, F) -> (N, D)``."""
        return unit(((features - self.centre) @ self.matrix).astype(np.float32, copy=False))


def whitening(features: NDArray[np.float32], labels: NDArray[np.int_], dimensions: int, shrinkage: float) -> Whitening:
    """Whiten the scatter within classes, on the principal components of features.

    Args:
        features: ``(N, F)``.
        labels: ``(N,)``.
        dimensions: D, at most; there are no more than photos less one, and the rest of the columns are 0.
        shrinkage: of the scatter towards a sphere of the same size, from 0 to 1.
    """
    return _Scatter.of(features, labels, dimensions).whitening(shrinkage)


@dataclass(frozen=True, eq=False)
class _Scatter:
    """Of features within their classes, on their principal components, which are the same for every shrinkage."""

    centre: NDArray[np.float32]
    components: NDArray[np.float32]
    within: NDArray[np.float64]
    dimensions: int

    @classmethod
    def of(cls, features: NDArray[np.float32], labels: NDArray[np.int_], dimensions: int) -> "_Scatter":
        centre = features.mean(axis=0)
        centred = features - centre
        # By the products of photos, of which there are fewer than features.
        values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
        order = np.argsort(-values)[: min(dimensions, len(features) - 1)]
        order = order[values[order] > 1e-10 * values.max(initial=0.0)]
        components = centred.T @ (vectors[:, order] / np.sqrt(values[order])).astype(np.float32)
        placed = (centred @ components).astype(np.float64)
        _, code = np.unique(labels, return_inverse=True)
        means = np.zeros((code.max(initial=-1) + 1, placed.shape[1]))
        np.add.at(means, code, placed)
        counts = np.bincount(code)
        # Each class counts alike: else the photographers of a few large ones would be all that is whitened.
        inner = (placed - (means / counts[:, None])[code]) / np.sqrt(counts * len(counts))[code][:, None]
        return cls(centre, components, inner.T @ inner, dimensions)

    def root(self, shrinkage: float) -> NDArray[np.float32]:
        """What whitens components, symmetric: ``(D', D')``, where there are so many components."""
        size = len(self.within)
        sphere = np.eye(size) * np.trace(self.within) / max(size, 1)
        values, vectors = np.linalg.eigh((1 - shrinkage) * self.within + shrinkage * sphere)
        root = (vectors / np.sqrt(np.maximum(values, 1e-12 * values.max(initial=1.0)))) @ vectors.T
        result: NDArray[np.float32] = root.astype(np.float32)
        return result

    def whitening(self, shrinkage: float) -> Whitening:
        """The map of features to whitened components; columns beyond these are 0."""
        matrix = np.zeros((len(self.centre), self.dimensions), np.float32)
        matrix[:, : len(self.within)] = self.components @ self.root(shrinkage)
        return Whitening(matrix, self.centre)


def best_shrinkage(
    features: NDArray[np.float32], labels: NDArray[np.int_], sources: NDArray[np.str_], dimensions: int
) -> float:
    """The shrinkage by which photos of inner folds of sources are told best, each craft counting alike.

    Where there are no two sources, the one in the middle.
    """
    folds = min(_FOLDS, len(set(sources.tolist())))
    if folds < 2:
        return SHRINKAGES[len(SHRINKAGES) // 2]
    from sklearn.model_selection import GroupKFold  # slow to import, and nothing that the app needs

    answers = {shrinkage: np.full(len(labels), -1) for shrinkage in SHRINKAGES}
    for train, test in GroupKFold(folds, shuffle=True, random_state=0).split(features, labels, sources):
        scatter = _Scatter.of(features[train], labels[train], dimensions)
        placed = (features - scatter.centre) @ scatter.components  # once for all shrinkages, since it takes longest
        present = np.unique(labels[train])
        for shrinkage, given in answers.items():
            found = unit((placed @ scatter.root(shrinkage)).astype(np.float32, copy=False))
            means = prototypes(found[train], labels[train], train, sources[train], present.tolist())
            given[test] = present[(found[test] @ means.T).argmax(axis=1)]
    right = {
        shrinkage: float(np.mean([np.mean(given[labels == label] == label) for label in np.unique(labels)]))
        for shrinkage, given in answers.items()
    }
    return max(SHRINKAGES, key=right.__getitem__)


def start(
    embedder: Embedder, head: Head | ShardedHead, features: NDArray[np.float32], photos: Photos, recipe: Recipe
) -> None:
    """Let the neck be the whitening of the features of training photos, and the prototypes the means of the classes.

    What learns from there is the map of the principal components, not that of all features, of which there are many
    times as many as photos.

    Args:
        embedder: whose neck has components and no batch norm.
        head: with a prototype for each class; a sharded one holds those of its rank.
        features: as the neck takes them, ``(N, F)``.
        photos: they are of.
        recipe: with the shrinkage.
    """
    components, linear = (layer for layer in embedder.neck if isinstance(layer, nn.Linear))
    shrinkage = recipe.optim.shrinkage
    if shrinkage < 0:
        shrinkage = best_shrinkage(features, photos.labels, photos.sources, embedder.card.embedding_dim)
    scatter = _Scatter.of(features, photos.labels, embedder.card.embedding_dim)
    root = scatter.root(shrinkage)
    size = len(root)
    # Components as large as the features of a network usually are, and weights as large as random ones: then learning
    # rates mean what they usually do.
    spread = float(np.sqrt(np.mean(((features - scatter.centre) @ scatter.components) ** 2)))
    weights = root / np.sqrt(3 * size * np.mean(root**2))
    with torch.no_grad():
        for parameter in (components.weight, components.bias, linear.weight, linear.bias):
            parameter.zero_()
        components.weight[:size] = torch.from_numpy(scatter.components.T / spread)
        components.bias[:size] = torch.from_numpy(-(scatter.centre @ scatter.components) / spread)
        linear.weight[:size, :size] = torch.from_numpy(weights)
        present = np.unique(photos.labels)
        embeddings = scatter.whitening(shrinkage)(features)
        means = prototypes(embeddings, photos.labels, photos.pieces, photos.sources, present.tolist())
        held = head.rows if isinstance(head, ShardedHead) else range(head.num_classes)
        length = head.weight.norm(dim=1).mean()
        for label, mean in zip(present.tolist(), means, strict=True):
            if label in held:
                head.weight[label - held.start] = torch.from_numpy(mean).to(head.weight) * length
