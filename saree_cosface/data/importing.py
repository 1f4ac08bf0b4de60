"""Making a manifest from folders that are named after crafts, and what every import reports."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.kinds import named_like_photo
from saree_cosface.data.manifest import COLUMNS, NAMES, ManifestError
from saree_cosface.data.manifest_file import require_name, write_manifest
from saree_cosface.data.names import tidy
from saree_cosface.data.photos import find_photos, map_files
from saree_cosface.files import sha256_of
from saree_cosface.taxonomy import NotACraft, Taxonomy, UnknownCraft, load_taxonomy

_SHOWN = 10

# A manifest is UTF-8 text with a line a row, and its paths are written with slashes.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\\]")


@dataclass(frozen=True)
class ImportReport:
    """What became of a folder or a spreadsheet.

    Attributes:
        manifest: the file written.
        photos: how many photos it lists.
        crafts: photos of each craft.
        sources: how many sources are named.
        unknown: labels (or folders) that name no craft, with the reason; their photos are not listed.
        unknown_photos: how many photos bear each of these labels.
        skipped: files that are not listed, with the reason.
    """

    manifest: Path
    photos: int
    crafts: Mapping[str, int]
    sources: int
    unknown: Mapping[str, str]
    unknown_photos: Counter[str]
    skipped: tuple[BadImage, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "manifest": str(self.manifest),
            "photos": self.photos,
            "crafts": dict(self.crafts),
            "sources": self.sources,
            "unknown": dict(self.unknown),
            "unknown_photos": dict(self.unknown_photos),
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in self.skipped],
        }

    def print_table(self, console: Console) -> None:
        """For people: photos of each craft, and what was left out, with the reason."""
        sources = f"{self.sources} source{'s' * (self.sources != 1)}"
        table = Table(title=f"{self.photos} photos from {sources} in {self.manifest}", title_justify="left")
        table.add_column("craft")
        table.add_column("photos", justify="right")
        for craft, photos in self.crafts.items():
            table.add_row(Text(craft), str(photos))
        console.print(table)
        counts = self.unknown_photos
        labels = [f"{label or 'no label'} ({_photos(counts[label])}): {why}" for label, why in self.unknown.items()]
        for kind, lines in (
            (f"{_photos(counts.total())}, whose labels name no craft ({len(labels)})", labels),
            (f"{len(self.skipped)} files or rows", [str(bad) for bad in self.skipped]),
        ):
            if lines:
                console.print(Text(f"Left out, {kind}:", "yellow"))
            for line in lines[:_SHOWN]:
                console.print(Text(f"  {line}"), soft_wrap=True)
            if len(lines) > _SHOWN:
                console.print(f"  … and {len(lines) - _SHOWN} more; --json lists all.", highlight=False)


@dataclass
class Draft:
    """A manifest in the making: its rows, and what was noticed on the way."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    unknown_photos: Counter[str] = field(default_factory=Counter)
    skipped: list[BadImage] = field(default_factory=list)

    def add(self, file: Path, row: dict[str, Any]) -> None:
        self.files.append(file)
        self.rows.append(row)


def import_folder(
    folder: Path,
    out: Path,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    source: str | None = None,
) -> ImportReport:
    """Write a manifest of a tree of photos: ``craft/photo``, ``craft/source/photo`` or ``craft/source/piece/photo``.

    The three depths may be mixed. Every photo is decoded once, and its checksum recorded.

    Args:
        folder: holds a folder for each craft, under any spelling.
        out: the manifest, ``.csv`` or ``.parquet``; its paths are relative to the folder it lies in.
        taxonomy: resolves folder names; ``None`` takes them as labels.
        source: who took the photos that lie directly in a craft's folder; unknown when not given.

    Raises:
        NotADirectoryError: ``folder`` is not a folder.
        ManifestError: ``out`` is no name for a manifest, or there is not one valid photo; nothing is written.
    """
    folder, out = Path(folder), Path(out)
    require_name(out)
    if isinstance(taxonomy, str):
        taxonomy = load_taxonomy()
    photos, bad = find_photos(folder)
    draft = Draft(skipped=[*bad, *_not_photos(folder, {*photos, *(each.path for each in bad)})])
    for photo in photos:
        *above, _ = photo.relative_to(folder).parts
        if not above:
            draft.skipped.append(BadImage(photo, "not in the folder of a craft"))
            continue
        craft = resolve(above[0], taxonomy, draft)
        if craft is not None:
            seller = above[1] if len(above) > 1 else source or ""
            piece = "/".join(above) if len(above) > 2 else ""
            draft.add(photo, {"craft": craft, "source": seller, "piece": piece})
    return finish(draft, folder, out)


def resolve(label: str, taxonomy: Taxonomy | None, draft: Draft) -> str | None:
    """The craft id of a photo's label, or None if it is left out; the draft notes what is wrong, and counts."""
    if label not in draft.unknown:
        try:
            if not label:
                raise UnknownCraft(label)
            return taxonomy.resolve(label).id if taxonomy is not None else label
        except (UnknownCraft, NotACraft) as error:
            draft.unknown[label] = str(error) if label else "no label given"
    draft.unknown_photos[label] += 1
    return None


def finish(draft: Draft, origin: Path, out: Path) -> ImportReport:
    """Look at every photo of a draft, write the manifest of those that can be read, and report."""
    reasons = map_files(_examine, draft.files, "Reading photos")
    base = out.parent.resolve()
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for file, row, outcome in zip(draft.files, draft.rows, reasons, strict=True):
        if isinstance(outcome, BadImage):
            draft.skipped.append(outcome)
            continue
        path = Path(os.path.relpath(file.parent.resolve() / file.name, base)).as_posix()
        if _UNWRITABLE.search(path):
            reason = "a name with a backslash, a line break or broken text; rename the file or its folder"
            draft.skipped.append(BadImage(file, reason))
        elif path in seen:
            draft.skipped.append(BadImage(file, "listed more than once; the first row is kept"))
        else:
            seen.add(path)
            named = {column: tidy(value) if column in NAMES else value for column, value in row.items()}
            rows.append({"path": path, **named, "sha256": outcome})
    if not rows:
        because = [*(f"{label or 'no label'}: {why}" for label, why in draft.unknown.items()), *map(str, draft.skipped)]
        shown = "".join(f"\n  {line}" for line in because[:8])
        shown += f"\n  … and {len(because) - 8} more" if len(because) > 8 else ""
        raise ManifestError(
            f"{origin}: not one valid photo of a known craft, so no manifest was written."
            f" Photos must lie in folders named after crafts, or be named in a sheet.{shown}"
        )
    table = pd.DataFrame(rows).fillna("")
    for column in COLUMNS:
        if column not in table.columns:
            table[column] = ""
    write_manifest(table, out)
    return ImportReport(
        manifest=out,
        photos=len(rows),
        crafts=dict(sorted(Counter(row["craft"] for row in rows).items())),
        sources=len({row["source"] for row in rows} - {""}),
        unknown=draft.unknown,
        unknown_photos=draft.unknown_photos,
        skipped=tuple(sorted(draft.skipped, key=lambda bad: bad.path)),
    )


def _photos(count: int) -> str:
    return f"{count} photo{'s' * (count != 1)}"


def _examine(path: Path) -> str | BadImage:
    """The file's checksum, or why it is no photo."""
    try:
        decode(path, shrink_to=64)
        return sha256_of(path)
    except BadImage as error:
        return error
    except OSError as error:  # the file went away between decoding and hashing its bytes
        return BadImage(path, f"cannot be read ({error.strerror or error})")


def _not_photos(folder: Path, known: set[Path]) -> list[BadImage]:
    others = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not (name.startswith(".") or named_like_photo(name) or Path(parent, name) in known):
                others.append(BadImage(Path(parent, name), "not a photo by its name or its first bytes"))
    return others
