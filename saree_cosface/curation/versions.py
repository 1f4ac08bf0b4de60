"""Versions of a manifest: reading one with what decisions need to know, and writing the next, never over the old."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from saree_cosface.curation.applying import Applied, apply_decisions
from saree_cosface.curation.decisions import CurationError, Entry, replay
from saree_cosface.curation.log import CurationLog
from saree_cosface.curation.naming import content_of, names_in_log, relative
from saree_cosface.data.manifest import manifest_of
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.files import shortened, write_json

SUFFIX = ".curation.json"
"""In the place of a manifest's suffix: the account of how it was made."""


def apply_log(
    log: CurationLog,
    path: Path,
    *,
    run: Path | None = None,
    upto: int | None = None,
    leave_conflicts: bool = False,
    leave_changed: bool = False,
    by_content: bool = False,
) -> tuple[Applied, list[Entry]]:
    """What a log makes of a manifest, with the entries that were applied; nothing is written.

    Args:
        log: open; it is first made sure that nobody changed it.
        path: of the manifest.
        run: folder of a run that says which photos were trained on and which tested; else the column ``split`` does.
        upto: apply the log as it was after this entry.
        leave_conflicts, leave_changed, by_content: see :func:`~saree_cosface.curation.applying.apply_decisions`.

    Raises:
        CurationError: the log was changed or cannot be applied, or the run is none.
        ManifestError: the manifest cannot be read.
    """
    entries = log.trusted(upto)
    manifest = read_manifest(path, on_unknown="keep")
    names = names_in_log(manifest, [entry for entry in entries if entry.kind == "manifest"], log.path.parent)
    decided = {name for entry in entries for name in (entry.photo, *entry.others)}
    everywhere = run is not None or by_content
    contents = {
        manifest.table["path"].iloc[row]: content_of(manifest, row)
        for row, name in enumerate(names)
        if everywhere or name in decided
    }
    applied = apply_decisions(
        manifest,
        entries,
        names=names,
        contents=contents,
        parts=None if run is None else _parts(run),
        leave_conflicts=leave_conflicts,
        leave_changed=leave_changed,
        by_content=by_content,
    )
    return applied, entries


def account(
    applied: Applied, entries: Sequence[Entry], folder: Path, *, log: Path, path: Path, run: Path | None
) -> dict[str, Any]:
    """What was changed, by whom and why, as one JSON document; without a date, so that it can be made again.

    Args:
        applied: what was done.
        entries: the entries that did it.
        folder: that the paths in the account are relative to.
        log, path, run: of the log, of the manifest applied to, and of the run that told the parts.
    """
    standing = replay(entries)
    return {
        "format": 1,
        "from": {"path": relative(path, folder), "sha256": applied.before.sha256, "photos": len(applied.before)},
        "to": {"sha256": applied.after.sha256, "photos": len(applied.after)},
        "log": {
            "path": relative(log, folder),
            "last_entry": entries[-1].number if entries else 0,
            "chain": entries[-1].chain if entries else "",
            "decided_about": list(dict.fromkeys(entry.manifest for entry in entries)),
        },
        "parts_from": "the column split" if run is None else relative(run, folder),
        "counts": applied.counts,
        "test_photos_changed": applied.test_photos_changed,
        "deferred": applied.deferred,
        "confirmed": applied.confirmed,
        "undone": len(standing.undone),
        "pieces_across_parts": list(applied.straddling),
        "pieces_of_several_crafts": list(applied.mixed),
        "left_for_conflicts": [[entry.number for entry in conflict.entries] for conflict in applied.conflicts],
        "left_for_other_files": [_brief(entry) for entry in applied.changed],
        "not_in_manifest": [_brief(entry) for entry in applied.missing],
        "changes": [change.to_json() for change in applied.changes],
    }


def require_new(out: Path, path: Path) -> Path:
    """Refuse to write over a manifest; return where its account goes.

    Raises:
        CurationError: something is there already, or it is no name for a manifest.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise CurationError(f"{out}: a manifest is a .csv or a .parquet file; name it so.")
    beside = out.with_suffix(SUFFIX)
    if os.path.abspath(out) == os.path.abspath(path):  # noqa: PTH100  # Path.resolve follows links
        raise CurationError(f"{out}: is the manifest itself, which is never edited; give --out another name.")
    for there in (out, beside):
        if os.path.lexists(there):
            raise CurationError(f"{there}: lies there already, and is never overwritten; give --out another name.")
    return beside


def write_version(applied: Applied, document: Mapping[str, Any], out: Path, path: Path) -> dict[str, Any]:
    """Write the new manifest, with paths from its own folder and crafts by their ids, and its account beside it.

    Returns the account.

    Raises:
        CurationError: something of that name is there already.
        OSError: the folder cannot be written.
    """
    beside = require_new(out, path)
    paths = [_moved(listed, applied.after.root, out.parent) for listed in applied.after.table["path"]]
    made = manifest_of(applied.after.table.assign(path=pd.Series(paths, dtype=object)), out.parent)
    document = {"manifest": out.name, **document, "to": {**document["to"], "sha256": made.sha256}}
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary = TemporaryDirectory(prefix=f".{shortened(out.stem)}-", dir=out.parent)
    except OSError as error:  # which names the temporary folder, that nobody asked for
        raise OSError(error.errno, error.strerror, str(out)) from error
    with temporary as folder:
        written, told = Path(folder) / out.name, Path(folder) / beside.name
        write_manifest(made.table, written)
        write_json(told, document)
        _publish(told, beside)  # first: a manifest without its account would look like any other
        try:
            _publish(written, out)
        except BaseException:
            beside.unlink()
            raise
    return document


def _publish(made: Path, target: Path) -> None:
    try:
        try:
            os.link(made, target)  # which, unlike renaming, fails where somebody was faster
        except FileExistsError:
            raise
        except OSError:  # a memory card has no links
            with target.open("xb"):  # the name is ours, from here on
                made.replace(target)
    except FileExistsError as error:
        raise CurationError(f"{target}: somebody else wrote it meanwhile; give --out another name.") from error


def _moved(path: str, root: Path, folder: Path) -> str:
    """A path from the folder of one manifest, as it is from another's; absolute ones stay."""
    if PurePosixPath(path).is_absolute() or Path(path).is_absolute():
        return path
    # Real folders, since ".." leaves a linked one elsewhere than its name says; the photo keeps its name.
    start, end = os.path.realpath(folder), os.path.realpath(root)
    return path if start == end else relative(Path(end) / path, Path(start))


def _parts(run: Path) -> dict[str, str]:
    path = run / "parts.json"
    try:
        used = json.loads(path.read_text(encoding="utf-8"))["used"]
        return {str(content): str(part) for content, part in used.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CurationError(f"{path}: not the parts of a finished run ({error}); name the folder of a run.") from error


def _brief(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, "kind": entry.kind, "photo": entry.photo, "value": entry.value, "by": entry.by}
