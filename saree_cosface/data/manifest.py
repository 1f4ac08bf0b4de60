"""The manifest: one table, a row a photo, that says what is known of each."""

import ast
import hashlib
import json
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.data.names import tidy
from saree_cosface.data.paths import locate
from saree_cosface.data.pieces import piece_keys
from saree_cosface.data.values import as_said

COLUMNS = ("path", "craft", "piece", "view", "source", "licence", "split", "sha256", "note", "shared_piece")
NAMES = ("craft", "piece", "view", "source", "shared_piece")
"""Columns of names that people give, which are read in one spelling (:func:`saree_cosface.data.names.tidy`)."""

BASIS, CAPTION, CURATOR = "basis", "caption", "curator"
"""A further column that says what a label rests on, and two things that it may say: the words under a photo, which
nobody has compared with the cloth, and the decision of a curator, who has."""

_IDENTITY = ("path", "craft", "piece", "source", "split", "sha256")


class ManifestError(ValueError):
    """A manifest cannot be used; the message names the file, the rows and the remedy."""


@dataclass(frozen=True)
class Manifest:
    """Photos and what is known of each.

    Attributes:
        table: a row a photo, numbered from 0. All of ``COLUMNS`` are there as text, "" where unknown; further columns
            are numbers or truth values where that keeps their text, else text (see :mod:`saree_cosface.data.values`).
        root: the folder that the paths are relative to.
        sha256: fingerprint of the content that training and splits depend on (path, craft, piece, source, split,
            sha256, and shared_piece where it says anything), whatever the order of rows and columns.
    """

    table: pd.DataFrame
    root: Path
    sha256: str

    def __len__(self) -> int:
        return len(self.table)

    def files(self) -> list[Path]:
        """Where each photo lies (:func:`saree_cosface.data.paths.locate`)."""
        return locate(self.root, self.table["path"])

    def file(self, row: int) -> Path:
        """Where the photo of a row lies."""
        return locate(self.root, [self.table["path"].iloc[row]])[0]

    def select(self, rows: Sequence[int] | NDArray[np.int_] | NDArray[np.bool_]) -> "Manifest":
        """The given rows, in the order given; positions or a mask."""
        positions = np.asarray(rows)
        if positions.dtype == np.bool_:
            positions = np.flatnonzero(positions)
        return manifest_of(self.table.iloc[positions.astype(np.intp)], self.root)

    @property
    def crafts(self) -> NDArray[np.str_]:
        """Craft id of each photo, ``(N,)``."""
        return self._column("craft")

    @property
    def pieces(self) -> NDArray[np.str_]:
        """Physical saree of each photo, ``(N,)``, by a name that is the same in every manifest and gallery
        (:func:`saree_cosface.data.pieces.piece_keys`): two manifests may both have a photo 1.jpg."""
        paths = [os.path.abspath(path) for path in self.files()]  # noqa: PTH100  # Path.resolve would follow links
        source, piece, shared = (self.table[name].tolist() for name in ("source", "piece", "shared_piece"))
        return np.array(piece_keys(source, piece, shared, paths), dtype=np.str_)

    @property
    def piece_names(self) -> list[str]:
        """What each photo's piece is called, for people: by all its sources or by the photo's own; the path of a photo
        of unknown piece."""
        columns = (self.table[name].tolist() for name in ("shared_piece", "piece", "path"))
        return [shared or piece or path for shared, piece, path in zip(*columns, strict=True)]

    @property
    def sources(self) -> NDArray[np.str_]:
        """Who photographed it, ``(N,)``; "" where unknown."""
        return self._column("source")

    @property
    def views(self) -> NDArray[np.str_]:
        """What part of the saree is seen, ``(N,)``; "" where unknown."""
        return self._column("view")

    @property
    def from_captions(self) -> NDArray[np.bool_]:
        """Whether the label of each photo rests on a caption alone, ``(N,)``."""
        said = self.table[BASIS].tolist() if BASIS in self.table.columns else [""] * len(self)
        return np.array([str(basis).strip().lower() == CAPTION for basis in said], dtype=np.bool_)

    @property
    def drawn(self) -> bool:
        """Whether all photos were drawn by the loom, by what is noted of them or what lies beside the manifest."""
        noted = bool(len(self)) and all("drawn by the loom" in str(note) for note in self.table["note"])
        return noted or (self.root / "loom.json").is_file()

    def _column(self, name: str) -> NDArray[np.str_]:
        return np.array(self.table[name].tolist(), dtype=np.str_)


def manifest_of(table: pd.DataFrame, root: Path) -> Manifest:
    """Wrap a table that already follows the rules of ``Manifest``: columns present, ids resolved, paths unique."""
    table = table.reset_index(drop=True)
    identity = (*_IDENTITY, "shared_piece") if (table["shared_piece"] != "").any() else _IDENTITY
    rows = sorted(zip(*(table[column].tolist() for column in identity), strict=True))
    content = json.dumps([identity, rows], ensure_ascii=False, separators=(",", ":"))
    return Manifest(table=table, root=root, sha256=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest())


_NAMES = frozenset({"craft", "piece", "source", "view", "shared_piece"})
"""Columns that are read in one spelling."""


def _respelt(query: str) -> str:
    """A query with the text that it compares with names in their spelling; one that is no plain Python stays."""
    try:
        parsed = ast.parse(query.strip(), mode="eval")
    except (SyntaxError, ValueError):  # with `names in backticks`, or wrong
        return query
    for part in ast.walk(parsed):
        asked = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)} - {"str"}
        if isinstance(part, ast.Compare | ast.Call) and asked and asked <= _NAMES:
            for each in ast.walk(part):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    each.value = tidy(each.value)
    return ast.unparse(parsed)


def rows_of_query(table: pd.DataFrame, query: str, name: str) -> pd.DataFrame:
    """The rows for which a pandas query holds; ``name`` is that of the manifest, for the error.

    What a query says of sources, pieces, views and crafts may be spelt as the file has it: it is read as names are
    (:func:`saree_cosface.data.names.tidy`). A column that is kept as written is asked as written too. To the query a
    further column of numbers is one, however they are written: 007 is 7, and NA is not known.
    """
    columns = ", ".join(str(column) for column in table.columns)
    further = [column for column in table.columns if column not in COLUMNS]
    seen = table.assign(**{str(column): as_said(table[column]) for column in further})
    try:
        for asked in dict.fromkeys((_respelt(query), unicodedata.normalize("NFC", query))):
            selected = seen.query(asked, local_dict={}, global_dict={})
            if not isinstance(selected, pd.DataFrame) or len(selected):
                break
    except Exception as error:  # a query can fail in as many ways as Python can
        raise ManifestError(f"{name}: cannot select {query!r} ({error}); columns: {columns}.") from error
    if not isinstance(selected, pd.DataFrame) or selected.empty:
        raise ManifestError(f"{name}: no photo of {len(table)} has {query!r}; columns: {columns}.")
    return table.loc[selected.index]
