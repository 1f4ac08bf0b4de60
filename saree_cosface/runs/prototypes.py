"""Prototypes of traditions: unit means of the embeddings of their pieces."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def prototype(embeddings: NDArray[np.float32], pieces: NDArray[Any]) -> NDArray[np.float32]:
    """Unit mean over pieces of the mean over their photos: ``(N, D), (N,) -> (D,)``.

    >>> prototype(np.array([[1, 0], [1, 0], [0, 1]], np.float32), np.array(["a", "a", "b"])).round(3).tolist()
    [0.7070000171661377, 0.7070000171661377]
    """
    _, piece, counts = np.unique(pieces, return_inverse=True, return_counts=True)
    mean = (embeddings / counts[piece][:, None]).sum(axis=0)
    result: NDArray[np.float32] = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return result


def prototypes(
    embeddings: NDArray[np.float32], labels: NDArray[Any], pieces: NDArray[Any], classes: Sequence[Any]
) -> NDArray[np.float32]:
    """The prototype of each class: ``(N, D), (N,), (N,), C classes -> (C, D)``."""
    rows = [prototype(embeddings[labels == label], pieces[labels == label]) for label in classes]
    return np.stack(rows) if rows else np.zeros((0, embeddings.shape[1]), np.float32)
