"""Frozen baselines: what the backbone's features tell without any training of ours."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import PhotoFeatures, photo_features
from saree_cosface.features.prototypes import prototypes
from saree_cosface.networks.backbone import unit
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.options import ModelOptions
from saree_cosface.training.whitening import best_shrinkage, whitening

_DIMENSIONS = 256  # as an embedding has by default

Features = NDArray[np.float32]
FrozenMethod = Callable[[Features, NDArray[np.int_], Features, NDArray[np.str_]], NDArray[np.int_]]
"""Classes of test photos ``(N, F)`` from features ``(M, F)``, classes and sources ``(M,)`` of training photos."""


def nearest_neighbour(
    train: Features, labels: NDArray[np.int_], test: Features, sources: NDArray[np.str_] | None = None
) -> NDArray[np.int_]:
    """Class of the nearest training photo by cosine; rows are of length 1."""
    answers: NDArray[np.int_] = labels[(test @ train.T).argmax(axis=1)]
    return answers


def nearest_centroid(
    train: Features, labels: NDArray[np.int_], test: Features, sources: NDArray[np.str_] | None = None
) -> NDArray[np.int_]:
    """Class of the nearest mean of training photos by cosine, in which sources count alike where they are known."""
    present = np.unique(labels)
    of_each = np.arange(len(labels)) if sources is None else sources
    centroids = prototypes(train, labels, np.arange(len(labels)), of_each, present.tolist())
    answers: NDArray[np.int_] = present[(test @ centroids.T).argmax(axis=1)]
    return answers


def whitened_cosine(
    train: Features, labels: NDArray[np.int_], test: Features, sources: NDArray[np.str_]
) -> NDArray[np.int_]:
    """Class of the nearest mean by cosine once the scatter within classes is whitened, which LMCL may start from."""
    shrinkage = best_shrinkage(train, labels, sources, _DIMENSIONS)
    found = whitening(train, labels, _DIMENSIONS, shrinkage)
    return nearest_centroid(found(train), labels, found(test), sources)


def logistic_regression(
    train: Features, labels: NDArray[np.int_], test: Features, sources: NDArray[np.str_] | None = None
) -> NDArray[np.int_]:
    """Class by a class-balanced logistic regression (C = 100)."""
    from sklearn.exceptions import ConvergenceWarning  # scikit-learn is slow to import, and nothing that the app needs
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=100, class_weight="balanced", max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are enough to rank the classes
        answers: NDArray[np.int_] = model.fit(train, labels).predict(test)
    return answers


FROZEN: Mapping[str, FrozenMethod] = {
    "Frozen, nearest neighbour": nearest_neighbour,
    "Frozen, nearest centroid": nearest_centroid,
    "Frozen, logistic regression": logistic_regression,
    "Frozen, whitened cosine": whitened_cosine,
}


@dataclass(frozen=True, eq=False)
class Means:
    """Features as a network pools them, of photos: the mean over their views, of length 1, ``(N, F)``."""

    features: Features

    @classmethod
    def of(cls, read: PhotoFeatures) -> "Means":
        """From those of views."""
        mean = read.features.mean(axis=1, dtype=np.float32)
        return cls(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12))

    def directed_by(self, train: NDArray[np.int_]) -> Features:
        """The same whatever they are learned from."""
        return self.features


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of all channels, of photos.

    Attributes:
        pooling: that has made them.
        features: ``(N, F)``.
        directions: of the channels, that are kept.
    """

    pooling: SecondOrder
    features: NDArray[np.float16]
    directions: int

    @classmethod
    def read(cls, model: ModelOptions, files: Sequence[Path], cache: Path) -> "Moments":
        """Of photos all of which can be read."""
        backbone = create_backbone(model.backbone, pooling="second_order", depths=model.depths)
        assert backbone.pooling is not None
        views = PyramidViews(backbone.preprocessing.size, brief=True)
        said = f"Moments of {model.backbone}"
        read = photo_features(backbone, files, views, cache=cache, description=said, merged=True)
        return cls(backbone.pooling, read.features[:, 0], model.directions)

    def directed_by(self, train: NDArray[np.int_]) -> Features:
        """Their roots in the principal directions of some of the photos, of length 1: ``(N, F')``."""
        features = torch.from_numpy(self.features)
        with torch.inference_mode():
            narrow = self.pooling.narrowed(features[torch.from_numpy(train)], self.directions)
            moved = self.pooling.moved(features, narrow)
            roots: Features = torch.cat([unit(narrow.root(some)) for some in torch.split(moved, 256)]).numpy()
        return roots
