"""The gallery: reference photos as unit vectors, and the prototypes of their traditions.

Search is exact: a hundred thousand references take some 20 ms a query, and an approximate index would miss some.
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
from saree_cosface.files import atomic_path, write_json
from saree_cosface.runs.prototypes import prototypes

COLUMNS = ("craft", "piece", "source", "view", "path", "sha256", "thumbnail", "shared_piece")
INDEX = "gallery.json"


class GalleryError(ValueError):
    """A gallery cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Gallery:
    """Reference photos.

    Attributes:
        embeddings: float32 ``(N, D)`` of length 1, possibly memory-mapped.
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

    @cached_property
    def crafts(self) -> list[str]:
        """Craft ids with at least one reference, in alphabetical order: C of them."""
        return sorted(self.references["craft"].unique())

    @cached_property
    def prototypes(self) -> NDArray[np.float32]:
        """Unit prototype of each craft, ``(C, D)``: the mean over its pieces of the mean over their photos."""
        crafts = self.references["craft"].to_numpy(str)
        return prototypes(self.embeddings, crafts, self.piece_of, self.crafts)

    @cached_property
    def piece_of(self) -> NDArray[np.str_]:
        """Physical saree of each reference, ``(N,)``, by the name that :attr:`saree_cosface.data.manifest.Manifest`
        ``.pieces`` has for it."""
        known = self.references["piece"].where(self.references["piece"] != self.references["path"], "")
        names = (self.references["source"], known, self.references["shared_piece"], self.references["path"])
        return piece_keys(*(column.astype(str).tolist() for column in names))

    @cached_property
    def pieces(self) -> NDArray[np.int_]:
        """How many reference pieces each craft has, ``(C,)``."""
        counts = pd.Series(self.piece_of).groupby(self.references["craft"].to_numpy(str)).nunique()
        return np.array([counts[craft] for craft in self.crafts], dtype=np.int_)

    def nearest(self, embedding: NDArray[np.float32], k: int, *, one_a_piece: bool = True) -> list[tuple[int, float]]:
        """The k nearest references of an embedding ``(D,)``: positions and cosines, nearest first.

        Args:
            embedding: of length 1; of a mean of several such, the cosines are the mean.
            k: how many.
            one_a_piece: count photos of one saree once, by its nearest photo.
        """
        cosines = self.embeddings @ embedding
        found: list[tuple[int, float]] = []
        seen: set[str] = set()
        for position in np.argsort(-cosines, kind="stable"):
            if len(found) == k:
                break
            if one_a_piece and self.piece_of[position] in seen:
                continue
            seen.add(self.piece_of[position])
            found.append((int(position), float(cosines[position])))
        return found

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
        content = hashlib.sha256(np.ascontiguousarray(self.embeddings).tobytes())
        content.update(self.references.to_csv(index=False).encode())
        tag = content.hexdigest()[:16]
        names = {"embeddings": f"embeddings-{tag}.npy", "references": f"references-{tag}.parquet"}
        with atomic_path(folder / names["embeddings"]) as temporary:
            np.save(temporary, self.embeddings)
        with atomic_path(folder / names["references"]) as temporary:
            self.references.to_parquet(temporary, index=False)
        write_json(folder / INDEX, {"format": 1, "photos": len(self), "crafts": self.crafts, **names})
        for pattern in ("embeddings-*.npy", "references-*.parquet"):
            for old in folder.glob(pattern):
                if old.name not in names.values():
                    old.unlink(missing_ok=True)
        return Gallery(self.embeddings, self.references, folder)

    @classmethod
    def load(cls, folder: Path) -> "Gallery":
        """Read a gallery, its embeddings memory-mapped.

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
    embeddings = np.load(folder / index["embeddings"], mmap_mode="r", allow_pickle=False)
    references = pd.read_parquet(folder / index["references"])
    if "shared_piece" not in references.columns:  # a gallery of before there was such a column
        references = references.assign(shared_piece="")
    for column in ("craft", "source", "view"):  # or of before names were read in one spelling
        spelt = {name: tidy(name) for name in references[column].unique()}
        references[column] = references[column].map(spelt)
    return embeddings, references
