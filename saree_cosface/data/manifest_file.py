"""Manifests read from and written to CSV and Parquet."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from saree_cosface.console import console, few
from saree_cosface.data.manifest import COLUMNS, NAMES, Manifest, ManifestError, manifest_of, rows_of_query
from saree_cosface.data.names import tidy
from saree_cosface.data.paths import listed
from saree_cosface.data.sheet import numbered, read_csv
from saree_cosface.data.values import as_kept, as_written, text_of
from saree_cosface.files import atomic_path, require_utf8
from saree_cosface.taxonomy import NotACraft, Taxonomy, UnknownCraft, load_taxonomy

_SHOWN = 8

_TEXT = {"path": listed, **dict.fromkeys(NAMES, tidy), "split": str.strip, "sha256": str.strip}
"""How the text of a column is read where it is not taken as it stands."""


def read_manifest(
    path: Path,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    where: str | None = None,
    on_unknown: Literal["error", "keep"] = "error",
) -> Manifest:
    """Read a CSV (UTF-8) or Parquet manifest.

    Paths are relative to the manifest's folder; whether the photos exist is found out when they are decoded. Names that
    look alike are one name, however their letters and blanks are written (:mod:`saree_cosface.data.names`). All other
    text is as it stands there: a source NA is called NA, and only an empty field is unknown.
    Rows that repeat another row are dropped with a warning.

    Args:
        path: a ``.csv`` or ``.parquet`` file with at least the columns path and craft.
        taxonomy: resolves every spelling to its craft id; ``None`` takes the labels as they are.
        where: a pandas query; only its rows are kept. It sees craft ids.
        on_unknown: whether a label that is no craft, among the rows kept, is an error or stays as it is.

    Raises:
        ManifestError: the file cannot be read, a column is missing, a path is listed twice with different facts,
            labels are no crafts, or the query is wrong or leaves no row.
        ValueError: the path is no UTF-8 text.

    >>> manifest = read_manifest(manifest_file, where="craft == 'jamdani'")
    >>> len(manifest), set(manifest.crafts.tolist()), len(set(manifest.sources.tolist()))
    (8, {'jamdani'}, 5)
    """
    path = Path(path)
    table, places = _read_table(path)
    table = _tidy(table, places, path)
    if isinstance(taxonomy, str):
        taxonomy = load_taxonomy()
    problems = _resolve_crafts(table, taxonomy)
    table = _drop_repeats(table, places, path)
    if where is not None:
        table = rows_of_query(table, where, str(path))
    if on_unknown == "error":
        _refuse_unknown(table, problems, places, path)
    if table.empty:
        raise ManifestError(f"{path}: lists no photo; add a row a photo under its header.")
    return manifest_of(table, path.parent)


def write_manifest(table: pd.DataFrame, path: Path) -> None:
    """Write a manifest as CSV or Parquet, by its suffix, all or nothing; the known columns come first.

    Raises:
        ManifestError, ValueError: as in :func:`require_name`.
    """
    path = Path(path)
    require_name(path)
    first = [column for column in COLUMNS if column in table.columns]
    ordered = table[first + [column for column in table.columns if column not in COLUMNS]]
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            ordered = pd.DataFrame({column: as_written(ordered[column]) for column in ordered.columns})
            # The writer leaves a carriage return unquoted, and no reader takes that.
            broken = any(isinstance(value, str) and "\r" in value for value in ordered.to_numpy(object).flat)
            quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if broken else csv.QUOTE_MINIMAL
            ordered.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n", quoting=quoting)
        else:
            ordered.to_parquet(temporary, index=False)


def require_name(path: Path) -> None:
    """Make sure that a manifest may be called so, before there is something to write.

    Raises:
        ManifestError: it is neither ``.csv`` nor ``.parquet``.
        ValueError: its path is no UTF-8 text, and photos are told by paths from it.
    """
    require_utf8(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps ".."
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ManifestError(
            f"{path}: a manifest is a .csv or a .parquet file; for a folder or a spreadsheet, make one with"
            " `saree-cosface data import`."
        )


@dataclass(frozen=True)
class _Places:
    """Where the rows of a table, numbered from 0, stand in its file."""

    word: str
    numbers: Sequence[int]

    def __call__(self, rows: Iterable[int]) -> str:
        return numbered([self.numbers[row] for row in rows], _SHOWN, self.word)


def _read_table(path: Path) -> tuple[pd.DataFrame, _Places]:
    require_name(path)
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path).reset_index(drop=True)
            return table, _Places("row", range(1, len(table) + 1))
        sheet = read_csv(path, lambda names: {"path", "craft"} <= set(names))
    except ManifestError:
        raise
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such file; make one with `saree-cosface data import FOLDER`.") from error
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:  # as pyarrow's errors of format are
        raise ManifestError(f"{path}: not a readable table ({error}).") from error
    table = pd.DataFrame(sheet.rows, columns=list(sheet.header), dtype=object)
    for column in set(sheet.header) - set(COLUMNS):
        table[column] = as_kept(table[column].where(table[column] != "", np.nan))
    return table, _Places("line", sheet.lines)


def _tidy(table: pd.DataFrame, places: _Places, path: Path) -> pd.DataFrame:
    missing = [column for column in ("path", "craft") if column not in table.columns]
    if missing:
        found = few(table.columns.tolist(), 12) or "nothing"
        raise ManifestError(
            f"{path}: the column {' and '.join(missing)} is missing; the header has: {found}. `saree-cosface data"
            " import` makes a manifest of a table with other headers."
        )
    table = table.copy()
    for column in COLUMNS:
        values = table[column].tolist() if column in table.columns else [""] * len(table)
        table[column] = pd.Series([_TEXT.get(column, str)(text_of(value)) for value in values], dtype=object)
    nameless = np.flatnonzero(table["path"] == "")
    if nameless.size:
        raise ManifestError(f"{path}: {places(nameless)} without a path; fill it in or remove the row.")
    return table


def _resolve_crafts(table: pd.DataFrame, taxonomy: Taxonomy | None) -> dict[str, str]:
    """Put ids in the place of spellings; return what is wrong with each label that has none."""
    problems = {"": "no label given."}
    ids: dict[str, str] = {}
    for label in table["craft"].unique():
        ids[label] = label
        if taxonomy is not None and label:
            try:
                ids[label] = taxonomy.resolve(label).id
            except (UnknownCraft, NotACraft) as error:
                problems[label] = str(error)
    table["craft"] = table["craft"].map(ids).astype(object)
    return problems


def _drop_repeats(table: pd.DataFrame, places: _Places, path: Path) -> pd.DataFrame:
    repeated = table["path"].duplicated(keep=False)
    if not repeated.any():
        return table
    for photo, rows in table[repeated].groupby("path", sort=False):
        for column in ("craft", "piece", "shared_piece", "source", "split", "sha256"):
            values = rows[column].unique()
            if len(values) > 1:
                said = " and ".join(repr(str(value)) for value in values)
                raise ManifestError(
                    f"{path}: {places(rows.index)} list {photo} with different {column}: {said}; keep the right one."
                )
    kept = table[~table["path"].duplicated()]
    dropped = len(table) - len(kept)
    said = "row repeats another and was" if dropped == 1 else "rows repeat others and were"
    console.print(f"{path}: {dropped} {said} dropped.", style="yellow", markup=False, soft_wrap=True)
    return kept


def _refuse_unknown(table: pd.DataFrame, problems: dict[str, str], places: _Places, path: Path) -> None:
    wrong = [label for label in table["craft"].unique() if label in problems]
    if not wrong:
        return
    lines = [f"  {places(table.index[table['craft'] == label])}: {problems[label]}" for label in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        lines.append(f"  … and {len(wrong) - _SHOWN} more labels; `saree-cosface data check --json` lists all.")
    count = int(table["craft"].isin(wrong).sum())
    raise ManifestError(
        f"{path}: {count} of {len(table)} photos have labels that are no crafts:\n"
        + "\n".join(lines)
        + "\nCorrect the labels, or leave these rows out with a selection such as `craft not in [...]`. Photos of a"
        " tradition that the taxonomy does not know can be enrolled after the training (`saree-cosface enrol --new`)."
    )
