"""A spreadsheet made a manifest."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from saree_cosface.console import few
from saree_cosface.data.images import BadImage
from saree_cosface.data.importing import Draft, ImportReport, finish, resolve
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import require_name
from saree_cosface.data.paths import listed, locate
from saree_cosface.data.sheet import Sheet, read_csv, read_workbook
from saree_cosface.taxonomy import Taxonomy, load_taxonomy

# How people head their columns; compared in lower case without spaces and underscores.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "image", "imagepath", "imagefile", "images", "file", "filename", "filepath", "photo", "picture"),
    "craft": ("craft", "label", "class", "tradition", "category", "weave", "craftcluster", "cluster", "type"),
    "shared_piece": ("sharedpiece",),
    "piece": ("piece", "pieceid", "saree", "sareeid", "item", "itemid", "object", "objectid", "sku", "accession"),
    "view": ("view", "shot", "angle"),
    "source": ("source", "shop", "seller", "photographer", "collection", "museum", "vendor", "store", "website"),
    "licence": ("licence", "license", "rights", "copyright"),
    "split": ("split", "subset", "partition"),
    "sha256": ("sha256", "checksum"),
    "note": ("note", "notes", "comment", "comments", "remark", "remarks"),
}


_PARTED = " Fields of a text file must be parted by commas, semicolons or tabs."


def import_spreadsheet(
    sheet: Path,
    out: Path,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    source: str | None = None,
) -> ImportReport:
    """Write a manifest from the tables of an ``.xlsx`` workbook, or from a text file, with a header.

    Columns may be headed as people do: image, file or photo for the path; label or tradition for the craft; shop,
    seller or photographer for the source; and so on. Others are kept. The header may stand below a title. Paths are
    relative to the sheet's folder. Text stays as it is written; only an empty cell is unknown.

    Args:
        sheet: a workbook, of which all sheets with such a header are read unless they are hidden; or a ``.csv``,
            ``.tsv`` or ``.txt`` file, UTF-8 or UTF-16, whose fields are parted by commas, semicolons or tabs.
        out: the manifest, ``.csv`` or ``.parquet``; its paths are relative to the folder it lies in.
        taxonomy: resolves labels; ``None`` takes them as they are.
        source: who took the photos for which the sheet does not say.

    Raises:
        ManifestError: the sheet cannot be read, has no column for path or craft or several for one, there is not one
            valid photo, or ``out`` is the sheet itself or no name for a manifest; nothing is written.
    """
    sheet, out = Path(sheet), Path(out)
    require_name(out)
    if out.resolve() == sheet.resolve():
        raise ManifestError(f"{out}: is the table itself, which is never written over; give --out another name.")
    if isinstance(taxonomy, str):
        taxonomy = load_taxonomy()
    tables, others = _read(sheet)
    draft = Draft(skipped=[BadImage(sheet, other) for other in others])
    paths, rows = [], []
    for table in tables:
        header = _columns(table)
        for line, fields in zip(table.lines, table.rows, strict=True):
            row = dict(zip(header, fields, strict=True))
            path = row.pop("path")
            if not path.strip():
                draft.skipped.append(BadImage(Path(table.place), f"line {line} has no path"))
            elif "://" in path and not path.lower().startswith("file:"):
                draft.skipped.append(BadImage(Path(path), "a web address; give the path of a file"))
            elif (craft := resolve(row["craft"].strip(), taxonomy, draft)) is not None:
                row.pop("sha256", None)
                known = row.get("source", "").strip()
                paths.append(path)
                rows.append({**row, "craft": craft, "source": known or source or ""})
    for file, row in zip(_files(sheet.parent, paths), rows, strict=True):
        draft.add(file, row)
    return finish(draft, sheet, out)


def _read(sheet: Path) -> tuple[list[Sheet], list[str]]:
    try:
        if sheet.suffix.lower() == ".xlsx":
            return read_workbook(sheet, _is_header)
        if sheet.suffix.lower() in (".csv", ".tsv", ".txt"):
            return [read_csv(sheet, _is_header)], []
    except OSError as error:
        raise ManifestError(f"{sheet}: cannot be read ({error.strerror or error}).") from error
    raise ManifestError(f"{sheet}: a spreadsheet must be .xlsx or .csv; save it as one of these.")


def _positions(names: Sequence[str], column: str) -> list[int]:
    """Where a column stands. One that bears the very name wins; its near-synonyms are then something else, and kept."""
    keys = [name.lower().replace(" ", "").replace("_", "") for name in names]
    exact = [index for index, key in enumerate(keys) if key == column]
    return exact or [index for index, key in enumerate(keys) if key in _HEADERS[column]]


def _is_header(names: Sequence[str]) -> bool:
    return bool(_positions(names, "path")) and bool(_positions(names, "craft"))


def _columns(table: Sheet) -> list[str]:
    """The header in the words of a manifest."""
    names = list(table.header)
    for column, spellings in _HEADERS.items():
        positions = _positions(names, column)
        if len(positions) > 1:
            several = ", ".join(names[index] for index in positions)
            raise ManifestError(
                f"{table.place}: several columns for the {column} ({several}); head the right one {column!r}."
            )
        if positions:
            names[positions[0]] = column
        elif column in ("path", "craft"):
            raise ManifestError(
                f"{table.place}: no column for the {column} among {few(table.header, 12)}; head it with one of:"
                f" {', '.join(spellings[:6])}.{_PARTED if len(table.header) == 1 else ''}"
            )
    return names


def _files(folder: Path, paths: Sequence[str]) -> list[Path]:
    """The photos that cells name. On Linux a name may hold a backslash, which is for :func:`finish` to refuse."""
    pairs = zip(locate(folder, paths), locate(folder, map(listed, paths)), strict=True)
    return [as_written if os.path.lexists(as_written) else as_listed for as_written, as_listed in pairs]
