"""A gallery on a PostgreSQL server, which several people search and add to.

It is asked like one in a folder (:class:`saree_cosface.runs.any_gallery.AnyGallery`). Prototypes are made on the server
from all references, as those of a folder are, and stand for the gallery as it was when they were read; the nearest
references are searched at each question. That search is exact until somebody builds the index
(``saree-cosface gallery index``): then HNSW finds them, sooner and not always all.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Cursor

from saree_cosface.console import track
from saree_cosface.runs import shared_search as search
from saree_cosface.runs import shared_tables as tables
from saree_cosface.runs.any_gallery import EVERY, Only
from saree_cosface.runs.gallery import COLUMNS, Gallery, GalleryError
from saree_cosface.runs.postgres import Database, Refused, read_address

_CHUNK = 1000  # references that are sent between two steps of the progress bar


@dataclass(frozen=True, eq=False)
class SharedGallery:
    """References on a server, as they were when this was read; the search sees those of today.

    Attributes:
        database: where they lie.
        about: whose embeddings they are, and how many changes there were.
        crafts, prototypes, pieces: as a :class:`saree_cosface.runs.gallery.Gallery` has them.
        photos: how many each craft has, ``(C,)``.
        folder: what thumbnails are relative to, on this machine; None for none.
    """

    database: Database
    about: tables.About
    crafts: list[str] = field(repr=False)
    prototypes: NDArray[np.float32] = field(repr=False)
    pieces: NDArray[np.int_] = field(repr=False)
    photos: NDArray[np.int_] = field(repr=False)
    folder: Path | None = None

    def __len__(self) -> int:
        return int(self.photos.sum())

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        return self.about.dimensions

    @cached_property
    def whole(self) -> Gallery:
        """All references, fetched at once, for what looks at each of them, such as a map."""
        with self.database.transaction() as cursor:
            return tables.everything(cursor, self._name)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Of :attr:`whole`."""
        return self.whole.embeddings

    @property
    def references(self) -> pd.DataFrame:
        """Of :attr:`whole`."""
        return self.whole.references

    @property
    def piece_of(self) -> NDArray[np.str_]:
        """Of :attr:`whole`."""
        return self.whole.piece_of

    def neighbours(
        self,
        embedding: NDArray[np.float32],
        k: int,
        *,
        one_a_piece: bool = True,
        only: Only = EVERY,
        exact: bool = False,
    ) -> pd.DataFrame:
        """The k nearest references of an embedding ``(D,)``: their rows with a column ``cosine``, nearest first.

        Args:
            embedding: as for :meth:`saree_cosface.runs.gallery.Gallery.neighbours`.
            k: how many.
            one_a_piece: count photos of one saree once, by its nearest photo.
            only: search these alone.
            exact: do without the index. That is done anyway where the index leads to fewer than there are.

        Raises:
            GalleryError: the server cannot be asked.
        """
        found: list[tuple[Any, ...]] = []
        with self.database.transaction() as cursor:
            for by_index in (True, False) if self.about.indexed and not exact else (False,):

                def nearest(count: int, exact: bool = not by_index) -> list[tuple[Any, ...]]:
                    return search.nearest(cursor, self._name, embedding, count, only, exact=exact)

                found = _of_pieces(nearest, k) if one_a_piece else nearest(k)
                if len(found) == k:
                    break
        table = pd.DataFrame([(*row[: len(COLUMNS)], row[-1]) for row in found], columns=[*COLUMNS, "cosine"])
        return table.astype({"cosine": np.float64})

    def known(self, sha256: Sequence[str]) -> pd.DataFrame:
        """The references whose photos have these SHA-256."""
        with self.database.transaction() as cursor:
            return tables.known(cursor, self._name, sha256)

    def changed(self) -> bool:
        """Whether references came or left since this was read, or the index.

        Raises:
            GalleryError: the server cannot be asked.
        """
        with self.database.transaction() as cursor:
            return tables.about(cursor, self._name) != self.about

    def read_again(self) -> "SharedGallery":
        """The gallery as it is now."""
        return _read(self.database, self.folder, self.about.embedder)

    def add(self, other: Gallery) -> tuple[int, int]:
        """Send references, all or none; a photo that is there already (by content) is replaced where it differs.

        Returns:
            how many are new, and how many were replaced.

        Raises:
            GalleryError: the server cannot be asked, or this account not write.
        """
        steps = range(0, len(other), _CHUNK)
        with self.changing() as cursor:
            tables.stage(cursor, self._name)
            for start in track(steps, "Sending references"):
                rows = slice(start, start + _CHUNK)
                tables.send(cursor, Gallery(other.embeddings[rows], other.references[rows]))
            return tables.merge(cursor, self._name)

    def remove(self, sha256: Sequence[str]) -> None:
        """Remove the references of these photos, all or none.

        Raises:
            GalleryError: one of them is not in the gallery; or the server cannot be asked, or this account not write.
        """
        with self.changing() as cursor:
            there = set(tables.known(cursor, self._name, sha256)["sha256"])
            missing = sorted(set(sha256) - there)
            if missing:
                raise Refused(f"not in the gallery: {', '.join(missing[:5])}; nothing was removed.")
            tables.remove(cursor, self._name, sha256)

    def index(self) -> None:
        """Build the HNSW index; those who enrol wait meanwhile.

        Raises:
            GalleryError: the embeddings are too long for it; or the server cannot be asked, or this account not do so.
        """
        if self.dimensions > search.LARGEST_INDEX:
            raise GalleryError(f"embeddings of {self.dimensions} dimensions are too long for an index: search exactly.")
        with self.changing() as cursor:
            search.index(cursor, self._name)

    def drop_index(self) -> None:
        """Remove the HNSW index."""
        with self.changing() as cursor:
            search.drop_index(cursor, self._name)

    @contextmanager
    def changing(self) -> Iterator[Cursor[Any]]:
        """A transaction that changes the gallery: others who do so wait, and it is still of this embedder.

        Raises:
            GalleryError: the server cannot be asked, or this account not write.
        """
        with self.database.transaction(writing=True) as cursor:
            if tables.about(cursor, self._name, changing=True).embedder != self.about.embedder:
                raise Refused("the gallery was made anew meanwhile, of another embedder; nothing was changed.")
            yield cursor

    @property
    def _name(self) -> str:
        return self.database.address.name


def open_gallery(url: str, embedder: str, folder: Path | None = None) -> SharedGallery:
    """The gallery at an address.

    Args:
        url: ``postgresql://USER@HOST/DATABASE#NAME``, see :func:`saree_cosface.runs.postgres.read_address`.
        embedder: whose embeddings it must hold (:func:`saree_cosface.networks.fingerprint.embedder_version`).
        folder: that thumbnails are relative to.

    Raises:
        GalleryError: the server cannot be reached, or has no such gallery, or one of another embedder.
    """
    return _read(Database(read_address(url)), folder, embedder)


def create_gallery(url: str, embedder: str, dimensions: int, folder: Path | None = None) -> SharedGallery:
    """The same; made where there is none.

    Raises:
        GalleryError: as above; or it cannot be made there.
    """
    database = Database(read_address(url))
    with database.transaction(writing=True) as cursor:
        tables.create(cursor, database.address.name, embedder, dimensions)
    return _read(database, folder, embedder)


def _read(database: Database, folder: Path | None, embedder: str) -> SharedGallery:
    name = database.address.name
    with database.transaction() as cursor:
        about = tables.about(cursor, name)
        if about.embedder != embedder:
            raise Refused(
                f"holds embeddings of another embedder ({about.embedder}; this run's is {embedder}), which cannot be "
                "compared with: give the run that the gallery was made with, or another name after a # in the address."
            )
        found = tables.per_craft(cursor, name)
    means = np.stack([mean for *_, mean in found]) if found else np.zeros((0, about.dimensions), np.float32)
    return SharedGallery(
        database,
        about,
        [craft for craft, *_ in found],
        means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12),
        np.array([pieces for _, _, pieces, _ in found], np.int_),
        np.array([photos for _, photos, _, _ in found], np.int_),
        folder,
    )


def _of_pieces(nearest: Callable[[int], list[tuple[Any, ...]]], k: int) -> list[tuple[Any, ...]]:
    """The nearest photo of each of the k nearest pieces."""
    count = 4 * k
    while True:
        rows = nearest(count)
        first: dict[str, tuple[Any, ...]] = {}
        for row in rows:
            first.setdefault(row[len(COLUMNS)], row)
        if len(first) >= k or len(rows) < count:
            return list(first.values())[:k]
        count *= 4  # the nearest are photos of fewer pieces than asked for
