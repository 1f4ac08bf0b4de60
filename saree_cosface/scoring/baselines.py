"""Frozen baselines: what the backbone's features tell without any training of ours."""

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

Features = NDArray[np.float32]
FrozenMethod = Callable[[Features, NDArray[np.int_], Features], NDArray[np.int_]]


def nearest_neighbour(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class of the nearest training photo by cosine: ``(M, F), (M,), (N, F) -> (N,)``; rows are of length 1."""
    answers: NDArray[np.int_] = labels[(test @ train.T).argmax(axis=1)]
    return answers


def nearest_centroid(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class of the nearest mean of training photos by cosine: ``(M, F), (M,), (N, F) -> (N,)``."""
    present = np.unique(labels)
    centroids = np.stack([train[labels == label].mean(axis=0) for label in present])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    answers: NDArray[np.int_] = present[(test @ centroids.T).argmax(axis=1)]
    return answers


def logistic_regression(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class by a class-balanced logistic regression (C = 100): ``(M, F), (M,), (N, F) -> (N,)``."""
    model = LogisticRegression(C=100, class_weight="balanced", max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are enough to rank the classes
        answers: NDArray[np.int_] = model.fit(train, labels).predict(test)
    return answers


FROZEN: Mapping[str, FrozenMethod] = {
    "Frozen, nearest neighbour": nearest_neighbour,
    "Frozen, nearest centroid": nearest_centroid,
    "Frozen, logistic regression": logistic_regression,
}
