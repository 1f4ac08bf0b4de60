"""Manifests read from and written to CSV and Parquet."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.data.manifest import COLUMNS, NAMES, Manifest, ManifestError, manifest_of, rows_of_query
from saree_cosface.data.names import tidy
from saree_cosface.files import atomic_path
from saree_cosface.taxonomy import NotACraft, Taxonomy, UnknownCraft, load_taxonomy

_SHOWN = 8


def read_manifest(
    path: Path,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    where: str | None = None,
    on_unknown: Literal["error", "keep"] = "error",
) -> Manifest:
    """Read a CSV (UTF-8) or Parquet manifest.

    Paths are relative to the manifest's folder; whether the photos exist is found out when they are decoded. Names that
    look alike are one name, however their letters and blanks are written (:mod:`saree_cosface.data.names`).
    Rows that repeat another row are dropped with a warning.

    Args:
        path: a ``.csv`` or ``.parquet`` file with at least the columns path and craft.
        taxonomy: resolves every spelling to its craft id; ``None`` takes the labels as they are.
        where: a pandas query; only its rows are kept. It sees craft ids.
        on_unknown: whether a label that is no craft, among the rows kept, is an error or stays as it is.

    Raises:
        ManifestError: the file cannot be read, a column is missing, a path is listed twice with different facts,
            labels are no crafts, or the query is wrong or leaves no row.

    >>> manifest = read_manifest(manifest_file, where="craft == 'jamdani'")
    >>> len(manifest), set(manifest.crafts.tolist()), len(set(manifest.sources.tolist()))
    (8, {'jamdani'}, 5)
    """
    path = Path(path)
    table = _tidy(_read_table(path), path)
    if isinstance(taxonomy, str):
        taxonomy = load_taxonomy()
    problems = _resolve_crafts(table, taxonomy)
    table = _drop_repeats(table, path)
    if where is not None:
        table = rows_of_query(table, where, str(path))
    if on_unknown == "error":
        _refuse_unknown(table, problems, path)
    if table.empty:
        raise ManifestError(f"{path}: lists no photo; add a row a photo under its header.")
    return manifest_of(table, path.parent)


def write_manifest(table: pd.DataFrame, path: Path) -> None:
    """Write a manifest as CSV or Parquet, by its suffix, all or nothing; the known columns come first.

    Raises:
        ManifestError: neither suffix.
    """
    path = Path(path)
    _require_suffix(path)
    first = [column for column in COLUMNS if column in table.columns]
    ordered = table[first + [column for column in table.columns if column not in COLUMNS]]
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            ordered.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
        else:
            ordered.to_parquet(temporary, index=False)


def _require_suffix(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ManifestError(
            f"{path}: a manifest is a .csv or a .parquet file; for a folder or a spreadsheet, make one with"
            " `saree-cosface data import`."
        )


def _read_table(path: Path) -> pd.DataFrame:
    _require_suffix(path)
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        text = path.read_bytes().decode("utf-8-sig")
        return _read_csv(text, path)
    except ManifestError:
        raise
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such file; make one with `saree-cosface data import FOLDER`.") from error
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}: not UTF-8 text (byte {error.start}); save the spreadsheet as 'CSV UTF-8'."
        ) from error
    except (ValueError, csv.Error) as error:  # pandas' and pyarrow's errors of format are ValueErrors
        raise ManifestError(f"{path}: not a readable table ({error}).") from error


def _read_csv(text: str, path: Path) -> pd.DataFrame:
    lines = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(lines, [])]
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise ManifestError(f"{path}: the header repeats {', '.join(repeated)}; keep one column of each name.")
    for fields in lines:  # pandas would shift or cut such rows
        if len(fields) > len(header):
            raise ManifestError(
                f"{path}: line {lines.line_num} has {len(fields)} fields and the header {len(header)};"
                ' put a value that holds a comma in "double quotes".'
            )
    names = [name or f"unnamed {index}" for index, name in enumerate(header)]
    as_text = {column: str for column in COLUMNS if column in names}
    return pd.read_csv(io.StringIO(text, newline=""), names=names, header=0, index_col=False, dtype=as_text)


def _tidy(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    missing = [column for column in ("path", "craft") if column not in table.columns]
    if missing:
        found = ", ".join(str(column) for column in table.columns) or "nothing"
        hint = " The separator must be a comma." if ";" in found or "\t" in found else ""
        raise ManifestError(f"{path}: the column {' and '.join(missing)} is missing; the header has: {found}.{hint}")
    table = table.reset_index(drop=True).copy()
    for column in COLUMNS:
        values = table[column].tolist() if column in table.columns else [""] * len(table)
        table[column] = pd.Series(["" if pd.isna(value) else str(value).strip() for value in values], dtype=object)
    for column in NAMES:
        table[column] = table[column].map(tidy).astype(object)
    table["path"] = pd.Series([_tidy_path(value) for value in table["path"]], dtype=object)
    nameless = np.flatnonzero(table["path"] == "")
    if nameless.size:
        raise ManifestError(f"{path}: {_rows(nameless)} without a path; fill it in or remove the row.")
    return table


def _tidy_path(text: str) -> str:
    # One spelling for each path, so that "./a.jpg" and a Windows "photos\a.jpg" are known again.
    return str(PurePosixPath(text.replace("\\", "/"))) if text else ""


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


def _drop_repeats(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    repeated = table["path"].duplicated(keep=False)
    if not repeated.any():
        return table
    for photo, rows in table[repeated].groupby("path", sort=False):
        for column in ("craft", "piece", "shared_piece", "source", "split", "sha256"):
            values = rows[column].unique()
            if len(values) > 1:
                said = " and ".join(repr(str(value)) for value in values)
                raise ManifestError(
                    f"{path}: {_rows(rows.index)} list {photo} with different {column}: {said}; keep the right one."
                )
    kept = table[~table["path"].duplicated()]
    dropped = len(table) - len(kept)
    said = "row repeats another and was" if dropped == 1 else "rows repeat others and were"
    console.print(f"{path}: {dropped} {said} dropped.", style="yellow", markup=False, soft_wrap=True)
    return kept


def _refuse_unknown(table: pd.DataFrame, problems: dict[str, str], path: Path) -> None:
    wrong = [label for label in table["craft"].unique() if label in problems]
    if not wrong:
        return
    lines = []
    for label in wrong:
        rows = table.index[table["craft"] == label]
        lines.append(f"  {_rows(rows)}: {problems[label]}")
    count = int(table["craft"].isin(wrong).sum())
    raise ManifestError(
        f"{path}: {count} of {len(table)} photos have labels that are no crafts:\n"
        + "\n".join(lines)
        + "\nCorrect the labels, or leave these rows out with a selection such as `craft not in [...]`."
    )


def _rows(positions: Sequence[int] | NDArray[np.int_] | pd.Index) -> str:
    # As a text editor or a spreadsheet counts: the header is line 1.
    lines = [str(int(position) + 2) for position in positions]
    shown = ", ".join(lines[:_SHOWN]) + (f", … ({len(lines)} in all)" if len(lines) > _SHOWN else "")
    return f"line{'s' * (len(lines) > 1)} {shown}"
