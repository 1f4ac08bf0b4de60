"""A map of the embeddings: two coordinates a photo, neighbours by cosine kept near.

What is kept are coordinates, embeddings and parameters. A fitted UMAP object would have to be pickled, breaks between
versions, and places a new photo by the batch that it comes in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from saree_cosface.files import atomic_path, write_json

PLACED_BY = 5
"""Photos of a map by which a new one is placed."""

_PARAMETERS = b"saree_cosface"
"""Key of the parameters in the table."""

_PRODUCTS = 1 << 24  # cosines that are held at once, of 1,024 photos at most: 64 MB

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
        rows = max(1, min(1024, _PRODUCTS // len(self.photos)))
        for start in range(0, len(embeddings), rows):
            some = embeddings[start : start + rows]
            # The product of many rows rounds differently from that of one: it finds some that may be the nearest, whose
            # cosines are then taken one by one.
            wide = min(2 * count, len(self.photos))
            near = np.sort(np.argpartition(some @ self.embeddings.T, -wide, axis=1)[:, -wide:], axis=1)
            cosines = np.einsum("nkd,nd->nk", self.embeddings[near], some)
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
            near, cosines = np.take_along_axis(near, best, axis=1), np.take_along_axis(cosines, best, axis=1)
            distance = np.maximum(1 - cosines, 1e-6)
            placed[start : start + rows] = _geometric_medians(coordinates[near], 1 / distance)
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


def _geometric_medians(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, K, 2), (N, K) -> (N, 2)``."""
    place = _means(points, weights)
    for _ in range(_STEPS):  # Weiszfeld's; a point that is nearly hit would otherwise weigh infinitely much
        away = np.maximum(np.linalg.norm(points - place[:, None], axis=2), 1e-6)
        place = _means(points, weights / away)
    return place


def _means(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    weighted: NDArray[np.float64] = (points * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    return weighted
