"""The gallery: reference photos as unit vectors, and the prototypes of their traditions.

Search is exact, since an approximate index would miss some: one product with all embeddings, of which only the largest
cosines are put in order (``benchmarks/gallery.py``: up to a million references).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.data.names import tidy
from saree_cosface.data.pieces import piece_keys
from saree_cosface.features.prototypes import prototypes
from saree_cosface.files import atomic_path, write_json
from saree_cosface.runs.any_gallery import EVERY, Only, places_of

COLUMNS = ("craft", "piece", "source", "view", "path", "sha256", "thumbnail", "shared_piece")
INDEX = "gallery.json"


class GalleryError(ValueError):
    """A gallery cannot be used; the message names the file and the remedy."""


def require_postgres() -> None:
    """Make sure that this installation can ask a gallery on a server.

    Raises:
        GalleryError: what talks to it is not installed.
    """
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise GalleryError(
            f"a gallery on a server needs psycopg ({error}): pip install 'saree-cosface[postgres]'."
        ) from error


@dataclass(frozen=True)
class Gallery:
    """Reference photos.

    Attributes:
        embeddings: float32 ``(N, D)`` of length 1; on disk they are kept in half precision.
        references: a row a photo with ``COLUMNS``, those of a manifest; a piece that is unknown is the photo's path.
            Thumbnails are relative to the gallery's folder, "" for none.
        folder: where it was loaded from or saved to; None when it is only in memory.

    >>> photos = {"craft": ["patola", "ikat", "patola"], "piece": ["1", "2", "3"], "source": "", "view": ""}
    >>> files = {"path": ["a", "b", "c"], "sha256": ["a", "b", "c"], "thumbnail": "", "shared_piece": ""}
    >>> table = pd.DataFrame({**photos, **files})
    >>> gallery = Gallery(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32), table)
    >>> gallery.crafts, gallery.nearest(np.array([1.0, 0.0], np.float32), 2)
    (['ikat', 'patola'], [(0, 1.0), (2, 0.6000000238418579)])
    """

    embeddings: NDArray[np.float32]
    references: pd.DataFrame
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.references)

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        return int(self.embeddings.shape[1])

    @cached_property
    def crafts(self) -> list[str]:
        """Craft ids with at least one reference, in alphabetical order: C of them."""
        return [str(craft) for craft in self._craft_codes[1]]

    @cached_property
    def prototypes(self) -> NDArray[np.float32]:
        """Unit prototype of each craft, ``(C, D)``: the mean over its sources, pieces and photos, see
        :func:`saree_cosface.features.prototypes.prototype`."""
        sources = self.references["source"].to_numpy(str)
        return prototypes(self.embeddings, self._craft_codes[0], self._piece_codes, sources, range(len(self.crafts)))

    @cached_property
    def piece_of(self) -> NDArray[np.str_]:
        """Physical saree of each reference, ``(N,)``, by the name that :attr:`saree_cosface.data.manifest.Manifest`
        ``.pieces`` has for it."""
        return np.array(self._piece_keys(), dtype=np.str_)

    @cached_property
    def pieces(self) -> NDArray[np.int_]:
        """How many reference pieces each craft has, ``(C,)``."""
        found = np.unique(np.stack([self._craft_codes[0], self._piece_codes]), axis=1)[0]
        return np.bincount(found, minlength=len(self.crafts)).astype(np.int_)

    @cached_property
    def _craft_codes(self) -> tuple[NDArray[np.int_], Sequence[str]]:
        """Craft of each reference as a number, ``(N,)``, and what the numbers stand for."""
        codes, crafts = pd.factorize(self.references["craft"], sort=True)
        return codes, list(crafts)

    @cached_property
    def _piece_codes(self) -> NDArray[np.int_]:
        """:attr:`piece_of` as numbers, which a million are searched by in no time."""
        return pd.factorize(np.array(self._piece_keys(), dtype=object))[0]

    def _piece_keys(self) -> list[str]:
        known = self.references["piece"].where(self.references["piece"] != self.references["path"], "")
        names = (self.references["source"], known, self.references["shared_piece"], self.references["path"])
        return piece_keys(*(column.astype(str).tolist() for column in names))

    def nearest(self, embedding: NDArray[np.float32], k: int, *, one_a_piece: bool = True) -> list[tuple[int, float]]:
        """The k nearest references of an embedding ``(D,)``: positions and cosines, nearest first.

        Args:
            embedding: of length 1; of a mean of several such, the cosines are the mean.
            k: how many.
            one_a_piece: count photos of one saree once, by its nearest photo.
        """
        cosines = self.embeddings @ embedding
        count = k
        while True:
            found = _largest(cosines, count)
            if one_a_piece:
                _, nearest_of_each = np.unique(self._piece_codes[found], return_index=True)
                found = found[np.sort(nearest_of_each)]
            if len(found) >= k or count >= len(cosines):
                return [(int(position), float(cosines[position])) for position in found[:k]]
            count *= 4  # the nearest are photos of fewer pieces than asked for

    def neighbours(
        self, embedding: NDArray[np.float32], k: int, *, one_a_piece: bool = True, only: Only = EVERY
    ) -> pd.DataFrame:
        """The same as rows of ``references`` with a column ``cosine``.

        Args:
            embedding: as for :meth:`nearest`.
            k: how many.
            one_a_piece: as there.
            only: search these alone.
        """
        searched = self if only == EVERY else self._those(only)
        found = searched.nearest(embedding, k, one_a_piece=one_a_piece)
        rows = searched.references[list(COLUMNS)].iloc[[position for position, _ in found]]
        return rows.reset_index(drop=True).assign(cosine=np.array([cosine for _, cosine in found], np.float64))

    def known(self, sha256: Sequence[str]) -> pd.DataFrame:
        """The references whose photos have these SHA-256."""
        return self.references[self.references["sha256"].isin(list(sha256))]

    def _those(self, only: Only) -> "Gallery":
        table = self.references
        kept = np.ones(len(table), bool)
        if only.craft:
            kept &= (table["craft"] == only.craft).to_numpy()
        if only.source:
            kept &= (table["source"] == only.source).to_numpy()
        if only.place:
            where = {craft: place.lower() for craft, place in zip(self.crafts, places_of(self.crafts), strict=True)}
            kept &= np.array([only.place.lower() in where[craft] for craft in table["craft"]], bool)
        return Gallery(self.embeddings[kept], table[kept].reset_index(drop=True), self.folder)

    def add(self, other: "Gallery") -> "Gallery":
        """Both galleries' references; a photo that is there already (by content) is replaced.

        Raises:
            GalleryError: the embeddings have another length, so they come from another embedder.
        """
        if len(self) and len(other) and self.embeddings.shape[1] != other.embeddings.shape[1]:
            raise GalleryError(
                f"embeddings of {other.embeddings.shape[1]} dimensions cannot join those of "
                f"{self.embeddings.shape[1]}; use the same embedder for both."
            )
        kept = ~self.references["sha256"].isin(other.references["sha256"]).to_numpy()
        references = pd.concat([self.references[kept], other.references], ignore_index=True)
        return Gallery(np.concatenate([self.embeddings[kept], other.embeddings]), references)

    def remove(self, paths: Sequence[str]) -> "Gallery":
        """The gallery without these photos.

        Raises:
            GalleryError: a path is not in it.
        """
        missing = sorted(set(paths) - set(self.references["path"]))
        if missing:
            raise GalleryError(f"not in the gallery: {', '.join(missing[:5])}; nothing was removed.")
        kept = ~self.references["path"].isin(paths).to_numpy()
        return Gallery(self.embeddings[kept], self.references[kept].reset_index(drop=True), self.folder)

    def save(self, folder: Path) -> "Gallery":
        """Write the gallery; a reader sees the old one or the new one, never a mixture.

        Both tables go to files named by their content; the index that names them is replaced last.
        """
        folder = Path(folder)
        embeddings = self.embeddings.astype(np.float16)
        content = hashlib.sha256(np.ascontiguousarray(embeddings).tobytes())
        content.update(pd.util.hash_pandas_object(self.references, index=False).to_numpy().tobytes())
        tag = content.hexdigest()[:16]
        names = {"embeddings": f"embeddings-{tag}.npy", "references": f"references-{tag}.parquet"}
        with atomic_path(folder / names["embeddings"]) as temporary:
            np.save(temporary, embeddings)
        with atomic_path(folder / names["references"]) as temporary:
            self.references.to_parquet(temporary, index=False)
        write_json(folder / INDEX, {"format": 1, "photos": len(self), "crafts": self.crafts, **names})
        for pattern in ("embeddings-*.npy", "references-*.parquet"):
            for old in folder.glob(pattern):
                if old.name not in names.values():
                    old.unlink(missing_ok=True)
        return Gallery(embeddings.astype(np.float32), self.references, folder)

    @classmethod
    def load(cls, folder: Path) -> "Gallery":
        """Read a gallery.

        Raises:
            GalleryError: a file is missing, cut short or foreign.
        """
        folder = Path(folder)
        try:
            try:
                embeddings, references = _read_tables(folder)
            except FileNotFoundError:  # or another process replaced the tables just now: once more
                embeddings, references = _read_tables(folder)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise GalleryError(f"{folder}: not a gallery, or damaged ({error}); build it again.") from error
        if len(embeddings) != len(references) or not set(COLUMNS) <= set(references.columns):
            raise GalleryError(f"{folder}: embeddings and references do not belong together; build the gallery again.")
        return cls(embeddings, references, folder)


def _read_tables(folder: Path) -> tuple[NDArray[np.float32], pd.DataFrame]:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    embeddings = np.load(folder / index["embeddings"], allow_pickle=False).astype(np.float32, copy=False)
    references = pd.read_parquet(folder / index["references"])
    if "shared_piece" not in references.columns:  # a gallery of before there was such a column
        references = references.assign(shared_piece="")
    for column in ("craft", "source", "view"):  # or of before names were read in one spelling
        spelt = {name: tidy(name) for name in references[column].unique()}
        references[column] = references[column].map(spelt)
    return embeddings, references


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.int_]:
    """Positions of the largest values, at least ``count`` of them: the largest first, equals in the order they lie."""
    if count >= len(values):
        return np.argsort(-values, kind="stable")
    least = np.partition(values, len(values) - count)[len(values) - count]
    among = np.flatnonzero(values >= least)
    return among[np.argsort(-values[among], kind="stable")]
