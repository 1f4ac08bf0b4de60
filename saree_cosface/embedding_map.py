"""A map of the embeddings: two coordinates a photo, neighbours by cosine kept near.

What is kept are coordinates and parameters. A fitted UMAP object would have to be pickled, breaks between versions, and
places a new photo by the batch that it comes in.
"""

import importlib.metadata
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.files import atomic_path, write_json

FEWEST = 5
"""Fewer photos than this are placed by their two principal components: they have no neighbourhoods to keep."""

NEIGHBOURS = 15
MIN_DIST = 0.15


def umap_coordinates(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """UMAP coordinates by cosine: ``(N, D) -> (N, 2)``, float32. The same seed gives the same map on one machine.

    Raises:
        ValueError: an embedding is not finite.

    >>> umap_coordinates(np.eye(3, dtype=np.float32), seed=0).shape
    (3, 2)
    """
    embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings with NaN or infinity cannot be mapped; leave unreadable photos out")
    if len(embeddings) < FEWEST:
        return _principal(embeddings)
    with warnings.catch_warnings():
        # Known and harmless: a seed means one thread, and a map of few photos starts at random.
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        warnings.filterwarnings("ignore", message=".*(?i:spectral initiali[sz]ation|graph is not fully connected).*")
        from umap import UMAP  # numba is slow to import

        reducer = UMAP(
            n_neighbors=neighbours(len(embeddings)), min_dist=MIN_DIST, metric="cosine", random_state=seed, n_jobs=1
        )
        coordinates = reducer.fit_transform(embeddings)
    return np.asarray(coordinates, dtype=np.float32)


def neighbours(count: int) -> int:
    """How many neighbours a map of ``count`` photos keeps near: 15, or a third of them, at least 2.

    >>> neighbours(1000), neighbours(12), neighbours(5)
    (15, 4, 2)
    """
    return max(2, min(NEIGHBOURS, count // 3))


def save_map(
    coordinates: NDArray[np.float32], columns: Mapping[str, Sequence[str]], seed: int, path: Path
) -> tuple[Path, Path]:
    """Write coordinates as CSV, and beside it as JSON what they were made with; returns both paths.

    Args:
        coordinates: ``(N, 2)``.
        columns: what is known of each photo, such as path, craft and source.
        seed: as given to :func:`umap_coordinates`.
        path: of the CSV.
    """
    table = pd.DataFrame({**columns, "x": coordinates[:, 0], "y": coordinates[:, 1]})
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n", float_format="%.5f")
    parameters = path.with_suffix(".json")
    write_json(parameters, map_parameters(len(table), seed))
    return path, parameters


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
