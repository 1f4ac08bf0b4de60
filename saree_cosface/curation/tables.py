"""What people read of a log: its state, its entries, the account of an applied manifest; and the export of all."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from saree_cosface.curation.applying import PARTS
from saree_cosface.curation.chain import broken_at
from saree_cosface.curation.decisions import KINDS, MANIFEST, CurationError, Entry, replay
from saree_cosface.data.csv_text import csv_text
from saree_cosface.files import write_json, write_text

_SHOWN = 40


def status_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """How many decisions of which kind by whom; what stands; open conflicts. One JSON document."""
    standing = replay(entries)
    decided = [entry for entry in entries if entry.kind != MANIFEST]
    by = Counter((entry.by, entry.kind) for entry in decided)
    last = entries[-1] if entries else None
    used = [entry for entry in entries if entry.kind == MANIFEST]
    stands = Counter(entry.kind for entry in standing.verdicts.values())
    return {
        "entries": len(entries),
        "chain": last.chain if last else "",
        "intact": broken_at(entries) is None,
        "manifest": {"path": used[-1].value, "sha256": used[-1].manifest} if used else None,
        "by_curator": {
            name: {kind: by[name, kind] for kind in KINDS if by[name, kind]}
            for name in sorted({entry.by for entry in decided})
        },
        "standing": {
            **{kind: stands[kind] for kind in KINDS if stands[kind]},
            **({"merge": len(standing.merges)} if standing.merges else {}),
            **({"comment": len(standing.comments)} if standing.comments else {}),
        },
        "undone": len(standing.undone),
        "overruled": len(standing.overruled),
        "conflicts": [
            {"photos": list(conflict.photos), "entries": [asdict(entry) for entry in conflict.entries]}
            for conflict in standing.conflicts
        ],
    }


def print_status(document: Mapping[str, Any], path: Path, console: Console) -> None:
    """For people."""
    kinds = [kind for kind in KINDS if any(kind in made for made in document["by_curator"].values())]
    table = Table("curator", title=Text(f"{path}: {document['entries']} entries"), title_justify="left")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for name, made in document["by_curator"].items():
        table.add_row(Text(name), *(str(made.get(kind, "")) for kind in kinds))
    stands = [str(document["standing"].get(kind, "")) for kind in kinds]
    table.add_row("standing", *stands, style="bold", end_section=True)
    console.print(table)
    used = document["manifest"]
    lines = [
        f"Manifest in use: {used['path']} ({used['sha256'][:12]}…)" if used else "No manifest is in use yet.",
        f"Taken back: {document['undone']}; overruled: {document['overruled']}; every entry is as it was written.",
    ]
    for line in lines:
        _say(line, console)
    for conflict in document["conflicts"]:
        _say(f"Open conflict on {', '.join(conflict['photos'])}:", console, "yellow")
        for entry in conflict["entries"]:
            _say(f"  {Entry(**entry)}", console, "yellow")


def require_continuation(entries: Sequence[Entry], account: Path, log: Path) -> None:
    """Make sure that a log still begins with the entries that a manifest was made with.

    Raises:
        CurationError: it does not, or the file is no account of a manifest.
    """
    try:
        told = json.loads(account.read_text(encoding="utf-8"))["log"]
        number, chain = int(told["last_entry"]), str(told["chain"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CurationError(f"{account}: no account of an applied manifest ({error}).") from error
    if number > len(entries) or (entries[number - 1].chain if number > 0 else "") != chain:
        raise CurationError(
            f"{log}: is not the log that {account} was made with, or entries up to {number} were removed or written"
            " anew; compare it with a backup."
        )


def of_photo(entries: Sequence[Entry], end: str) -> list[Entry]:
    """The entries that name a photo whose path is this, or ends in it."""
    return [
        entry
        for entry in entries
        if any(name == end or name.endswith("/" + end) for name in (entry.photo, *entry.others) if name)
    ]


def print_entries(chosen: Sequence[Entry], entries: Sequence[Entry], console: Console) -> None:
    """For people, an entry a line: those that were taken back or overruled are dim."""
    standing = replay(entries)
    for entry in chosen:
        now = "undone" if entry.number in standing.undone else "overruled" if entry.number in standing.overruled else ""
        _say(f"{entry}{now and f' ({now})'}", console, "dim" if now else None)


def print_account(document: Mapping[str, Any], console: Console) -> None:
    """For people: what was changed in which part, and what was left."""
    table = Table("change", *PARTS, title=f"{len(document['changes'])} changes", title_justify="left")
    for kind, counts in document["counts"].items():
        if any(counts.values()):
            table.add_row(kind, *(str(counts[part] or "") for part in PARTS))
    console.print(table)
    for change in document["changes"][:_SHOWN]:
        said = "; ".join(f"{e['by']}, entry {e['number']}" for e in change["entries"])
        after = change["after"] or ("left out" if change["kind"] == "exclude" else "—")
        _say(f"  {change['photo']}: {change['kind']}, {change['before'] or '—'} → {after} ({said})", console)
    if len(document["changes"]) > _SHOWN:
        _say(f"  … and {len(document['changes']) - _SHOWN} more; --json lists all.", console)
    if document["confirmed"]:
        _say(f"Labels that rested on a caption, and rest on a curator now: {document['confirmed']}.", console)
    if document["test_photos_changed"]:
        _say(f"Photos of the test part that people changed: {document['test_photos_changed']}.", console, "yellow")
    for key, said in (
        ("not_in_manifest", "on photos that the manifest does not list"),
        ("left_for_other_files", "on photos whose file is another one now, which stay as they are"),
    ):
        if document[key]:
            first = ", ".join(entry["photo"] for entry in document[key][:5])
            _say(
                f"Decisions {said}: {len(document[key])} ({first}{', …' * (len(document[key]) > 5)}).",
                console,
                "yellow",
            )
    if document["left_for_conflicts"]:
        _say(
            f"Open conflicts, whose photos stay as they are: {len(document['left_for_conflicts'])}.", console, "yellow"
        )
    for key, said in (
        (
            "pieces_across_parts",
            "Merged pieces with photos in several parts: scores would flatter until the split is redone",
        ),
        ("pieces_of_several_crafts", "Pieces whose photos are of several crafts now, as no saree is"),
    ):
        if document[key]:
            _say(f"{said}: {', '.join(document[key][:5])}.", console, "yellow")


def export(entries: Sequence[Entry], out: Path, log: Path) -> list[dict[str, Any]]:
    """Write all entries as CSV or JSON, by the suffix, all or nothing; return them.

    Raises:
        CurationError: neither suffix, or it is the log itself.
    """
    if os.path.realpath(out) == os.path.realpath(log):
        raise CurationError(f"{out}: is the log itself; give --out another name.")
    document = [asdict(entry) for entry in entries]
    if out.suffix.lower() == ".json":
        write_json(out, document)
    elif out.suffix.lower() == ".csv":
        write_text(out, csv_text([field.name for field in fields(Entry)], document))
    else:
        raise CurationError(f"{out}: entries are exported as .csv or .json; name it so.")
    return document


def _say(text: str, console: Console, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)
