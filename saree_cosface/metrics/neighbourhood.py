"""Neighbours by cosine, and how well a map of two coordinates keeps them: pure functions of arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PRODUCTS = 1 << 25
"""Cosines that are held at once: 128 MB, and twice as much for each order of them."""


def centred(features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Features of length 1, without what all have in common: ``(N, F) -> (N, F)``."""
    units = unit(features.astype(np.float32))
    return unit(units - units.mean(axis=0))


def unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Rows of length 1; one of zeros stays as it is."""
    units: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return units


def nearest_neighbours(embeddings: NDArray[np.float32], k: int) -> tuple[NDArray[np.int_], NDArray[np.float32]]:
    """The k nearest other rows of each row by cosine, nearest first: ``(N, D) -> (N, K), (N, K)``.

    Exact, in blocks of rows, so that memory does not grow with N.

    Args:
        embeddings: of length 1.
        k: at most; there are no more than N - 1.

    >>> rows, cosines = nearest_neighbours(np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32), 1)
    >>> rows.tolist(), cosines.round(1).tolist()
    ([[2], [2], [0]], [[0.800000011920929], [0.6000000238418579], [0.800000011920929]])
    """
    count = len(embeddings)
    k = max(0, min(k, count - 1))
    rows, cosines = np.zeros((count, k), np.int_), np.zeros((count, k), np.float32)
    if not k:
        return rows, cosines
    for start, products in _products(embeddings):
        inside = np.arange(len(products))
        products[inside, start + inside] = -np.inf
        near = np.argpartition(products, count - k, axis=1)[:, -k:]
        value = np.take_along_axis(products, near, axis=1)
        order = np.lexsort((near, -value), axis=1)  # equal cosines in the order of the rows
        rows[start : start + len(products)] = np.take_along_axis(near, order, axis=1)
        cosines[start : start + len(products)] = np.take_along_axis(value, order, axis=1)
    return rows, cosines


def map_quality(
    embeddings: NDArray[np.float32], coordinates: NDArray[np.floating], k: int, *, most: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Trustworthiness of a map, and the share of neighbours that it keeps: ``(N, D), (N, 2) -> float, float``.

    Trustworthiness falls the further those that are neighbours only on the map are from each other in truth; it is 1
    where there are none, and about one half where the map is random. The second number is the mean share of a photo's
    k nearest that are among its k nearest on the map.

    Args:
        embeddings: of length 1.
        coordinates: on the map.
        k: neighbours, fewer than half of N; (1, 1) where there are too few photos for it.
        most: photos that are looked at; of more, so many at random, each against all others.
        seed: of that choice.

    References: Venna & Kaski, Neighborhood preservation in nonlinear projection methods, ICANN 2001.
    """
    count = len(embeddings)
    k = min(k, (count - 1) // 2)
    if k < 1:
        return 1.0, 1.0
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    # A photo is its own nearest, unless another lies at the very same place.
    from scipy.spatial import cKDTree  # which nothing else here needs

    near = cKDTree(coordinates).query(coordinates[chosen], k=k + 1)[1]
    apart = near != chosen[:, None]
    apart[apart.all(axis=1), -1] = False
    on_map = near[apart].reshape(len(chosen), k)
    penalty, kept = 0.0, 0
    rows = _rows_at_once(count)
    for start in range(0, len(chosen), rows):
        block = chosen[start : start + rows]
        products = embeddings[block] @ embeddings.T
        products[np.arange(len(block)), block] = np.inf
        order = np.argsort(-products, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(count)[None], axis=1)  # 0 is the photo itself
        ranks = np.take_along_axis(rank, on_map[start : start + rows], axis=1)
        penalty += float(np.maximum(ranks - k, 0).sum())
        kept += int((ranks <= k).sum())
    trust = 1 - penalty * 2 / (len(chosen) * k * (2 * count - 3 * k - 1))
    return trust, kept / (len(chosen) * k)


def _products(embeddings: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    rows = _rows_at_once(len(embeddings))
    for start in range(0, len(embeddings), rows):
        yield start, embeddings[start : start + rows] @ embeddings.T


def _rows_at_once(count: int) -> int:
    return max(1, min(1024, _PRODUCTS // max(count, 1)))
