"""A map of the embeddings: two coordinates a photo, neighbours by cosine kept near.

What is kept are coordinates, embeddings and parameters. A fitted UMAP object would have to be pickled, breaks between
versions, and places a new photo by the batch that it comes in.
"""

import importlib.metadata
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from saree_cosface.files import atomic_path, write_json
from saree_cosface.metrics.neighbourhood import nearest_neighbours

FEWEST = 5
"""Fewer photos than this are placed by their two principal components: they have no neighbourhoods to keep."""

NEIGHBOURS = 15
MIN_DIST = 0.15

PLACED_BY = 5
"""Photos of a map by which a new one is placed."""

_GENTLE = {"learning_rate": 0.1, "n_epochs": 200}
"""How photos are moved from places they had on another map. At UMAP's own rate of 1 they forget them: of two models of
476 photos, the second map was 0.82 of the first one's spread away from it, and 0.91 without that start; so it is 0.42,
and as trustworthy (0.94 each)."""

_PARAMETERS = b"saree_cosface"
"""Key of the parameters in the table."""

_STEPS = 30  # to the geometric median; the last is far below a pixel


class MapError(ValueError):
    """A map cannot be read or continued; the message names the file and the remedy."""


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """Photos and their places.

    Attributes:
        photos: a row a photo with at least sha256, x and y; whatever else is known of each.
        embeddings: of length 1, ``(N, D)``.
        parameters: what the map was made with, among them the embedder.
    """

    photos: pd.DataFrame
    embeddings: NDArray[np.float32]
    parameters: Mapping[str, Any]

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """``(N, 2)``."""
        return self.photos[["x", "y"]].to_numpy(np.float32)

    def place(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where photos of the same embedder belong, ``(M, D) -> (M, 2)``; no photo of the map moves.

        A photo is put among its nearest by cosine, at their weighted geometric median: unlike a mean, that does not
        put one whose neighbours lie in two clusters into the emptiness between. It depends on nothing else that is
        placed with it.

        Raises:
            MapError: the embeddings are of another length.
        """
        if embeddings.shape[1] != self.embeddings.shape[1]:
            raise MapError(
                f"embeddings of {embeddings.shape[1]} numbers have no place on a map of {self.embeddings.shape[1]}; "
                "make a new map."
            )
        count = min(PLACED_BY, len(self.photos))
        placed = np.zeros((len(embeddings), 2), np.float32)
        if not count:
            return placed
        coordinates = self.coordinates.astype(np.float64)
        for row, embedding in enumerate(embeddings):
            cosines = self.embeddings @ embedding
            near = np.argpartition(-cosines, count - 1)[:count]
            distance = np.maximum(1 - cosines[near], 1e-6)
            placed[row] = _geometric_median(coordinates[near], 1 / distance)
        return placed

    def save(self, coordinates: Path, parameters: Path) -> None:
        """Write a Parquet table (all of ``photos``, and the embeddings) and a JSON document.

        The table holds the document too, so that two files of two maps are not taken for one.
        """
        document = dict(self.parameters)
        table = pa.Table.from_pandas(self.photos, preserve_index=False)
        flat = pa.array(np.ascontiguousarray(self.embeddings, dtype=np.float32).ravel())
        table = table.append_column("embedding", pa.FixedSizeListArray.from_arrays(flat, self.embeddings.shape[1]))
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _PARAMETERS: json.dumps(document)})
        with atomic_path(coordinates) as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        write_json(parameters, document)

    @classmethod
    def load(cls, coordinates: Path, parameters: Path) -> "EmbeddingMap":
        """Read a map.

        Raises:
            MapError: a file is missing, damaged, or something else.
        """
        try:
            table = pq.read_table(coordinates, page_checksum_verification=True)
            column = table.column("embedding").combine_chunks()
            embeddings = np.asarray(column.flatten(), np.float32).reshape(len(table), -1)
            photos = table.drop_columns(["embedding"]).to_pandas()
            if not {"sha256", "x", "y"} <= set(photos.columns) or not np.isfinite(photos[["x", "y"]]).all(axis=None):
                raise ValueError("no map of photos")
            document = json.loads(parameters.read_text(encoding="utf-8"))
            if not isinstance(document, dict) or document != json.loads((table.schema.metadata or {})[_PARAMETERS]):
                raise ValueError(f"{parameters.name} is of another map")
            return cls(photos, embeddings, document)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise MapError(f"{coordinates}: not a map, or damaged ({error}); make it again.") from error


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
        ValueError: an embedding is not finite.

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
        from umap import UMAP  # numba is slow to import

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


def _geometric_median(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # Weiszfeld's steps; a point that is nearly hit would otherwise weigh infinitely much.
    place: NDArray[np.float64] = np.average(points, axis=0, weights=weights)
    for _ in range(_STEPS):
        away = np.maximum(np.linalg.norm(points - place, axis=1), 1e-6)
        place = np.average(points, axis=0, weights=weights / away)
    return place


def _principal(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = embeddings - embeddings.mean(axis=0) if len(embeddings) else embeddings
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    coordinates = np.zeros((len(embeddings), 2), np.float32)
    found = (left * strengths)[:, :2]
    coordinates[:, : found.shape[1]] = found
    return coordinates
