"""A spreadsheet made a manifest."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import pandas as pd

from saree_cosface.data.images import BadImage
from saree_cosface.data.importing import Draft, ImportReport, finish, resolve
from saree_cosface.data.manifest import ManifestError
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


def import_spreadsheet(
    sheet: Path,
    out: Path,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    source: str | None = None,
) -> ImportReport:
    """Write a manifest from the first sheet of an ``.xlsx`` file, or from a ``.csv`` file, with a header.

    Columns may be headed as people do: image, file or photo for the path; label or tradition for the craft; shop,
    seller or photographer for the source; and so on. Others are kept. Paths are relative to the sheet's folder.

    Args:
        sheet: the spreadsheet; of a CSV file, commas, semicolons or tabs part the fields.
        out: the manifest, ``.csv`` or ``.parquet``; its paths are relative to the folder it lies in.
        taxonomy: resolves labels; ``None`` takes them as they are.
        source: who took the photos for which the sheet does not say.

    Raises:
        ManifestError: the sheet cannot be read, has no column for path or craft or several for one, or there is not
            one valid photo; nothing is written.
    """
    sheet, out = Path(sheet), Path(out)
    if isinstance(taxonomy, str):
        taxonomy = load_taxonomy()
    table = _rename(_read_sheet(sheet), sheet)
    draft = Draft()
    for number, values in enumerate(table.to_dict("records"), start=2):
        row = {str(column): _cell(value) for column, value in values.items()}
        if not any(row.values()):
            continue
        path = row.pop("path").replace("\\", "/")
        if not path:
            draft.skipped.append(BadImage(sheet, f"line {number} has no path"))
            continue
        craft = resolve(row["craft"], taxonomy, draft)
        if craft is not None:
            row.pop("sha256", None)
            draft.add(sheet.parent / path, {**row, "craft": craft, "source": row.get("source") or source or ""})
    return finish(draft, sheet, out)


def _read_sheet(sheet: Path) -> pd.DataFrame:
    try:
        if sheet.suffix.lower() == ".xlsx":
            return pd.read_excel(sheet, dtype=object)
        if sheet.suffix.lower() == ".csv":
            text = sheet.read_bytes().decode("utf-8-sig")
            header = text.partition("\n")[0]
            separator = max(",;\t", key=header.count)
            fields = [row for row in csv.reader(text.splitlines(keepends=True), delimiter=separator) if row]
            if not fields:
                raise ManifestError(f"{sheet}: empty; it needs a header and a row a photo.")
            if len({len(row) for row in fields}) > 1:
                raise ManifestError(f"{sheet}: rows of different length; quote values that hold a {separator!r}.")
            return pd.DataFrame(fields[1:], columns=fields[0], dtype=object)
    except ManifestError:
        raise
    except OSError as error:
        raise ManifestError(f"{sheet}: cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{sheet}: not UTF-8 text (byte {error.start}); save it as 'CSV UTF-8'.") from error
    except (ValueError, KeyError, BadZipFile, csv.Error) as error:
        raise ManifestError(f"{sheet}: not a readable spreadsheet ({error}).") from error
    raise ManifestError(f"{sheet}: a spreadsheet must be .xlsx or .csv.")


def _rename(table: pd.DataFrame, sheet: Path) -> pd.DataFrame:
    names = [str(name).strip() for name in table.columns]
    keys = [name.lower().replace(" ", "").replace("_", "") for name in names]
    for column, spellings in _HEADERS.items():
        # A column that bears the very name wins; its near-synonyms are then something else, and kept.
        positions = [index for index, key in enumerate(keys) if key == column]
        positions = positions or [index for index, key in enumerate(keys) if key in spellings]
        if len(positions) > 1:
            several = ", ".join(names[index] for index in positions)
            raise ManifestError(
                f"{sheet}: several columns for the {column} ({several}); head the right one {column!r}."
            )
        if positions:
            names[positions[0]] = column
        elif column in ("path", "craft"):
            raise ManifestError(
                f"{sheet}: no column for the {column}; head it with one of: {', '.join(spellings[:6])}."
            )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ManifestError(f"{sheet}: the header repeats {', '.join(repeated)}; keep one column of each name.")
    return table.set_axis(names, axis="columns")


def _cell(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value).strip()
