"""What a log makes of a manifest: the next version's table, and an account of every change. Pure functions."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from saree_cosface.curation.decisions import Conflict, CurationError, Entry, Standing, replay
from saree_cosface.data.manifest import BASIS, CURATOR, Manifest, manifest_of

Find = Callable[[str, str], int | None]

PARTS = ("train", "validation", "test", "unused", "unknown")
"""Where a changed photo may stand; unknown where neither the run nor the column ``split`` says."""

_SPELT = {"training": "train", "val": "validation", "valid": "validation", "testing": "test", "held-out": "test"}
_SHOWN = 20


@dataclass(frozen=True)
class Change:
    """One photo that the new manifest has otherwise, or not at all.

    Attributes:
        photo: its path in the manifest applied to.
        sha256: of its file; "" where unknown.
        part: one of ``PARTS``.
        kind: accept or relabel (the label), exclude, duplicate (the photo leaves), merge (the piece).
        before: label or piece; for a photo that leaves, its label.
        after: label or piece; "" for a photo that is excluded, and the photo kept for a duplicate.
        entries: the decisions that say so.
    """

    photo: str
    sha256: str
    part: str
    kind: str
    before: str
    after: str
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        said = [{"number": e.number, "by": e.by, "when": e.when, "why": e.why} for e in self.entries]
        names = ("photo", "sha256", "part", "kind", "before", "after")
        return {**{name: getattr(self, name) for name in names}, "entries": said}


@dataclass(frozen=True)
class Applied:
    """What a log makes of a manifest.

    Attributes:
        before: the manifest applied to.
        after: the new table, with paths as before.
        changes: in the order of the manifest.
        conflicts: whose photos were left as they are.
        changed: decisions on photos whose file is another one now; these were left as they are.
        missing: decisions on photos that the manifest does not list, or duplicates whose kept photo it does not list.
        deferred: how many photos wait for a decision.
        confirmed: how many labels rested on a caption before, and rest on a curator now.
        straddling: pieces with photos in several parts, after merging.
        mixed: merged pieces, and pieces of which a photo was relabelled, with photos of several crafts.
    """

    before: Manifest
    after: Manifest
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    changed: tuple[Entry, ...]
    missing: tuple[Entry, ...]
    deferred: int
    confirmed: int
    straddling: tuple[str, ...]
    mixed: tuple[str, ...]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Changes by kind and part."""
        found = Counter((change.kind, change.part) for change in self.changes)
        kinds = ("relabel", "accept", "exclude", "duplicate", "merge")
        return {kind: {part: found[kind, part] for part in PARTS} for kind in kinds}

    @property
    def test_photos_changed(self) -> int:
        """How many photos of the test part people changed."""
        return len({change.photo for change in self.changes if change.part == "test"})


def apply_decisions(
    manifest: Manifest,
    entries: Sequence[Entry],
    *,
    names: Sequence[str] | None = None,
    contents: Mapping[str, str] | None = None,
    parts: Mapping[str, str] | None = None,
    leave_conflicts: bool = False,
    leave_changed: bool = False,
    by_content: bool = False,
) -> Applied:
    """Do what the log says to a manifest. The same arguments give the same result, whatever the day and the machine.

    Args:
        manifest: any version.
        entries: of the log.
        names: the log's name of each photo (:func:`~saree_cosface.curation.naming.names_in_log`); by default its
            path.
        contents: SHA-256 of photos by their path in the manifest, where known better than the manifest tells.
        parts: SHA-256 of photos to the part of a run that they were in; by default the column ``split`` says.
        leave_conflicts: leave photos with an open conflict as they are, instead of refusing.
        leave_changed: leave photos as they are whose file is not the one decided on, instead of refusing.
        by_content: find a photo that is not listed under its name by its content.

    Raises:
        CurationError: decisions contradict each other, a file is another one than was decided on, no photo decided on
            is in the manifest, or none would be left.
    """
    standing = replay(entries)
    if standing.conflicts and not leave_conflicts:
        raise CurationError(
            f"{len(standing.conflicts)} open conflict{'s' * (len(standing.conflicts) > 1)}:\n"
            + _listed(standing.conflicts)
            + "\nDecide each once more with --over and the numbers, or leave these photos as they are with"
            " --leave-conflicts."
        )
    paths = manifest.table["path"].tolist()
    listed = {path: content.lower() for path, content in zip(paths, manifest.table["sha256"], strict=True)}
    contents = listed | dict(contents or {})
    part = [
        _part(contents.get(path, ""), split, parts) for path, split in zip(paths, manifest.table["split"], strict=True)
    ]
    find = _finder(paths if names is None else names, [contents.get(path, "") for path in paths], by_content)
    usable, changed, missing = _sort_out(standing, find, [contents.get(path, "") for path in paths])
    if changed and not leave_changed:
        raise CurationError(
            f"{len(changed)} decided on with another file than there is now (its SHA-256 differs):\n"
            + _listed(changed)
            + "\nRestore the files, decide again, or leave these photos as they are with --leave-changed."
        )
    if missing and not usable and not changed:
        raise CurationError(
            f"none of the {len(missing)} photos decided on is in this manifest; the first: {missing[0].photo}. Is it"
            " the right one? Where photos have other names now, --by-content finds them."
        )
    crafts = manifest.table["craft"].tolist()
    changes: dict[tuple[int, str], tuple[str, str, tuple[Entry, ...]]] = {}
    gone: set[int] = set()
    for entry, rows in usable:
        if entry.kind in ("exclude", "duplicate"):
            gone.add(rows[0])
            changes[rows[0], entry.kind] = (
                crafts[rows[0]],
                "" if entry.kind == "exclude" else paths[rows[1]],
                (entry,),
            )
        elif entry.kind in ("accept", "relabel") and crafts[rows[0]] != entry.value:
            changes[rows[0], entry.kind] = (crafts[rows[0]], entry.value, (entry,))
            crafts[rows[0]] = entry.value
    said_to_be = {column: manifest.table[column].tolist() for column in ("piece", "shared_piece")}
    joined = _joined(manifest, [(entry, rows) for entry, rows in usable if entry.kind == "merge"])
    for row, (column, piece, said) in joined.items():
        if row not in gone and said_to_be[column][row] != piece:
            changes[row, "merge"] = (said_to_be[column][row], piece, said)
            said_to_be[column][row] = piece
    decided = {rows[0] for entry, rows in usable if entry.kind in ("accept", "relabel")} - gone
    confirmed = decided & set(manifest.from_captions.nonzero()[0].tolist())
    if confirmed:
        bases = manifest.table[BASIS].tolist()
        said_to_be[BASIS] = [CURATOR if row in confirmed else basis for row, basis in enumerate(bases)]
    made = manifest_of(
        manifest.table.assign(craft=_column(crafts), **{name: _column(each) for name, each in said_to_be.items()}),
        manifest.root,
    )
    left = [row for row in range(len(manifest)) if row not in gone]
    if not left:
        raise CurationError("no photo would be left; undo some of the exclusions.")
    pieces = made.pieces.tolist()
    merged = {row: pieces[row] for row in joined if row not in gone}
    touched = {*merged.values(), *(pieces[row] for row, kind in changes if kind in ("accept", "relabel"))}
    beside = {row: pieces[row] for row in left if pieces[row] in touched}
    shown = dict(zip(pieces, made.piece_names, strict=True))
    return Applied(
        manifest,
        made.select(left),
        tuple(
            Change(paths[row], contents.get(paths[row], ""), part[row], kind, *changes[row, kind])
            for row, kind in sorted(changes)
        ),
        standing.conflicts,
        changed,
        missing,
        sum(entry.kind == "defer" for entry, _ in usable),
        len(confirmed),
        _of_several(merged, {row: part[row] for row in merged if part[row] in ("train", "validation", "test")}, shown),
        _of_several(beside, {row: crafts[row] for row in beside}, shown),
    )


def _column(values: Sequence[str]) -> "pd.Series[Any]":
    return pd.Series(values, dtype=object)  # as a manifest that is read has them


def _part(content: str, split: str, parts: Mapping[str, str] | None) -> str:
    said = split.strip().lower() if parts is None else parts.get(content, "")
    said = _SPELT.get(said, said)
    return said if said in PARTS else "unknown"


def _finder(names: Sequence[str], contents: Sequence[str], by_content: bool) -> Find:
    """Row of a photo by its name in the log, or perhaps by its content if just one photo has it."""
    rows = {name: row for row, name in enumerate(names)}
    holders: dict[str, list[int]] = {}
    if by_content:
        for row, content in enumerate(contents):
            holders.setdefault(content, []).append(row)

    def find(name: str, content: str) -> int | None:
        held = holders.get(content, []) if content else []
        return rows.get(name, held[0] if len(held) == 1 else None)

    return find


def _sort_out(
    standing: Standing, find: Find, contents: Sequence[str]
) -> tuple[list[tuple[Entry, list[int]]], tuple[Entry, ...], tuple[Entry, ...]]:
    """What can be done, with the rows it is about; decisions on files that are others now; on photos not listed."""
    usable: list[tuple[Entry, list[int]]] = []
    changed: list[Entry] = []
    missing: list[Entry] = []
    for entry in sorted([*standing.verdicts.values(), *standing.merges], key=lambda entry: entry.number):
        first = find(entry.photo, entry.sha256)
        # The other photos of an entry go by their names alone: its SHA-256 is that of the first.
        rows = [row for row in dict.fromkeys([first, *(find(name, "") for name in entry.others)]) if row is not None]
        if first is None and entry.kind != "merge":
            missing.append(entry)
        elif first is not None and entry.sha256 and contents[first] and contents[first] != entry.sha256:
            changed.append(entry)
        elif len(rows) < (2 if entry.kind in ("duplicate", "merge") else 1):
            missing.append(entry)  # of a duplicate too: where no other is kept, this one stays
        else:
            usable.append((entry, rows))
    return usable, tuple(changed), tuple(missing)


def _joined(
    manifest: Manifest, merges: Sequence[tuple[Entry, list[int]]]
) -> dict[int, tuple[str, str, tuple[Entry, ...]]]:
    """Each row of a merged piece to the column that says so, the piece's id there, and the decisions.

    A piece of one source goes by ``piece``, one of several by ``shared_piece``. The id is the first that the manifest
    has among those merged, or the path of the first photo: of several sources any, since each has its own numbers.
    """
    pieces = manifest.pieces.tolist()
    root = {piece: piece for piece in pieces}

    def top(piece: str) -> str:
        while root[piece] != piece:
            piece = root[piece]
        return piece

    for _, rows in merges:
        for row in rows[1:]:
            root[top(pieces[row])] = top(pieces[rows[0]])
    said: dict[str, list[Entry]] = {}
    for entry, rows in merges:
        said.setdefault(top(pieces[rows[0]]), []).append(entry)
    members: dict[str, list[int]] = {}
    for row, piece in enumerate(pieces):
        if top(piece) in said:
            members.setdefault(top(piece), []).append(row)
    joined: dict[int, tuple[str, str, tuple[Entry, ...]]] = {}
    for group, rows in members.items():
        table = manifest.table.iloc[rows]
        column = "shared_piece" if table["source"].nunique() > 1 or (table["shared_piece"] != "").any() else "piece"
        listed = [name for name in table[column] if name]
        path = str(table["path"].iloc[0])  # a whole path by itself would say that the piece is unknown
        name = (listed or [f"piece of {path}" if PurePosixPath(path).is_absolute() else path])[0]
        joined |= {row: (column, name, tuple(said[group])) for row in rows}
    return joined


def _of_several(pieces: Mapping[int, str], values: Mapping[int, str], shown: Mapping[str, str]) -> tuple[str, ...]:
    """The pieces whose photos, row to piece, have different values, as they are shown."""
    found: dict[str, set[str]] = {}
    for row, value in values.items():
        found.setdefault(pieces[row], set()).add(value)
    return tuple(sorted(shown[piece] for piece, several in found.items() if len(several) > 1))


def _listed(things: Sequence[Conflict] | Sequence[Entry]) -> str:
    more = f"\n  … and {len(things) - _SHOWN} more" if len(things) > _SHOWN else ""
    return "\n".join(f"  {thing}" for thing in things[:_SHOWN]) + more
