"""Prototypes of traditions: unit means of the embeddings of their sources.

A source with many photos of a tradition would otherwise lend the prototype its backdrop and light.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def prototype(
    embeddings: NDArray[np.float32], pieces: NDArray[Any], sources: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Unit mean over sources of the mean over their pieces of the mean over photos: ``(N, D), (N,), (N,) -> (D,)``.

    A photo whose source is unknown, "", is of one of its own; so are all where no sources are given.

    >>> photos = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> prototype(photos, np.array(["a", "a", "b"])).round(3).tolist()
    [0.7070000171661377, 0.7070000171661377]
    >>> prototype(photos, np.array(["a", "b", "c"]), np.array(["x", "x", "y"])).round(3).tolist()
    [0.7070000171661377, 0.7070000171661377]
    """
    mean = shares(pieces, sources) @ embeddings
    result: NDArray[np.float32] = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return result


def shares(pieces: NDArray[Any], sources: NDArray[Any] | None = None) -> NDArray[np.float32]:
    """How much each photo of a tradition counts in its prototype: ``(N,), (N,) -> (N,)``, summing to 1."""
    piece = np.unique(pieces, return_inverse=True)[1]
    source = piece
    if sources is not None:
        unknown = np.equal(sources, "") if sources.dtype.kind in "OUT" else np.zeros(len(sources), np.bool_)
        source = np.unique(sources, return_inverse=True)[1]
        source = np.where(unknown, len(source) + piece, source)
    # A piece that two sources have photographed is one of each.
    _, first, of, photos = np.unique(
        np.stack([source, piece]), axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    _, owner, counts = np.unique(source[first], return_inverse=True, return_counts=True)
    weights = 1 / (photos[of.ravel()] * counts[owner][of.ravel()])
    result: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return result


def prototypes(
    embeddings: NDArray[np.float32],
    labels: NDArray[Any],
    pieces: NDArray[Any],
    sources: NDArray[Any],
    classes: Sequence[Any],
) -> NDArray[np.float32]:
    """The prototype of each class: ``(N, D), (N,), (N,), (N,), C classes -> (C, D)``."""
    each = [labels == label for label in classes]
    rows = [prototype(embeddings[mine], pieces[mine], sources[mine]) for mine in each]
    return np.stack(rows) if rows else np.zeros((0, embeddings.shape[1]), np.float32)
