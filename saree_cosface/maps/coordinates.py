"""Two coordinates a photo: UMAP by cosine, and how one map is turned onto another."""

import importlib.metadata
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from saree_cosface.metrics.neighbourhood import nearest_neighbours

FEWEST = 5
"""Fewer photos than this are placed by their two principal components: they have no neighbourhoods to keep."""

NEIGHBOURS = 15
MIN_DIST = 0.15

_GENTLE = {"learning_rate": 0.1, "n_epochs": 200}
"""How photos are moved from places they had on another map. At UMAP's own rate of 1 they forget them: of two models of
476 photos, the second map was 0.82 of the first one's spread away from it, and 0.91 without that start; so it is 0.42,
and as trustworthy (0.94 each)."""


def umap_coordinates(
    embeddings: NDArray[np.float32],
    seed: int,
    near: tuple[NDArray[np.int_], NDArray[np.float32]] | None = None,
    start: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """UMAP coordinates by cosine: ``(N, D) -> (N, 2)``, float32. The same seed gives the same map on one machine.

    Args:
        embeddings: of length 1.
        seed: of the places that photos start from, and of the order in which they are moved.
        near: what :func:`nearest_neighbours` gives for at least ``neighbours(N) - 1`` neighbours, if it is known.
        start: places to start from, ``(N, 2)``, so that another map is kept in mind.

    Raises:
        ValueError: an embedding is not finite, or UMAP cannot be loaded.

    >>> umap_coordinates(np.eye(3, dtype=np.float32), seed=0).shape
    (3, 2)
    """
    embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings with NaN or infinity cannot be mapped; leave unreadable photos out")
    count = len(embeddings)
    if count < FEWEST:
        return _principal(embeddings)
    rows, cosines = nearest_neighbours(embeddings, neighbours(count) - 1) if near is None else near
    others = neighbours(count) - 1
    # UMAP counts a photo as the first of its neighbours. Its own search is approximate, and slower than the exact one.
    index = np.concatenate([np.arange(count)[:, None], rows[:, :others]], axis=1)
    distance = np.concatenate([np.zeros((count, 1), np.float32), np.maximum(1 - cosines[:, :others], 0)], axis=1)
    with warnings.catch_warnings():
        # Known and harmless: a seed means one thread, a map of few photos starts at random, and a map that is not to
        # be asked for the places of new photos needs no search index.
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        warnings.filterwarnings("ignore", message=".*(?i:spectral initiali[sz]ation|graph is not fully connected).*")
        warnings.filterwarnings("ignore", message=".*precomputed_knn.*")
        UMAP = _umap()

        reducer = UMAP(
            n_neighbors=neighbours(count),
            min_dist=MIN_DIST,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(index, distance),
            **({} if start is None else {"init": start, **_GENTLE}),
        )
        coordinates = reducer.fit_transform(embeddings)
    return np.asarray(coordinates, dtype=np.float32)


def _umap() -> Any:
    """UMAP, which takes numba, that is slow to import.

    UMAP has most of itself compiled anew in every process, which takes a hundred times as long as a map of some dozen
    photos; numba keeps it on disk where it is told to.

    Raises:
        ValueError: numba keeps what it compiles on disk, and finds no folder for that.
    """
    try:
        from umap import UMAP, layouts, umap_

        for each in (*vars(umap_).values(), *vars(layouts).values()):
            if hasattr(each, "enable_caching"):  # which what numba compiles has
                each.enable_caching()
    except RuntimeError as error:
        raise ValueError(
            f"no map can be drawn ({error}); set NUMBA_CACHE_DIR or TMPDIR to a folder that can be written."
        ) from error
    return UMAP


def neighbours(count: int) -> int:
    """How many neighbours a map of ``count`` photos keeps near, each photo itself counted: 15, or a third of them, at
    least 2.

    >>> neighbours(1000), neighbours(12), neighbours(5)
    (15, 4, 2)
    """
    return max(2, min(NEIGHBOURS, count // 3))


def align(coordinates: NDArray[np.float32], onto: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """The turn, reflection, scale and shift that bring places nearest to others: Procrustes, ``(S, 2), (S, 2)``.

    Returns:
        A matrix ``(3, 2)`` for coordinates with a 1 appended, and the distance that is left, root mean square, as a
        share of the spread of ``onto``: 0 where both maps have one shape.

    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    >>> matrix, left = align(2 * square[:, ::-1] + 5, square)
    >>> (np.c_[2 * square[:, ::-1] + 5, np.ones(4)] @ matrix).round(6).tolist() == square.tolist(), round(left, 6)
    (True, 0.0)
    """
    here, there = coordinates.mean(axis=0, dtype=np.float64), onto.mean(axis=0, dtype=np.float64)
    left, right = coordinates - here, onto - there
    turn, strength = orthogonal_procrustes(left, right)
    scale = strength / max(float((left**2).sum()), 1e-12)
    matrix = np.concatenate([scale * turn, (there - scale * here @ turn)[None]])
    off = scale * left @ turn - right
    return matrix, float(np.sqrt((off**2).sum() / max(float((right**2).sum()), 1e-12)))


def map_parameters(count: int, seed: int) -> dict[str, Any]:
    """What a map of ``count`` photos is made with."""
    if count < FEWEST:
        return {"method": "principal components", "photos": count}
    return {
        "method": "UMAP",
        "umap-learn": importlib.metadata.version("umap-learn"),
        "photos": count,
        "metric": "cosine",
        "n_neighbors": neighbours(count),
        "min_dist": MIN_DIST,
        "seed": seed,
    }


def _principal(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = embeddings - embeddings.mean(axis=0) if len(embeddings) else embeddings
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    coordinates = np.zeros((len(embeddings), 2), np.float32)
    found = (left * strengths)[:, :2]
    coordinates[:, : found.shape[1]] = found
    return coordinates
