"""From what a curator says to an entry of the log: which manifest, which photo, which craft."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from saree_cosface.curation.decisions import CurationError, Entry, against
from saree_cosface.curation.log import Clash, CurationLog
from saree_cosface.curation.naming import content_of, find_photo, find_piece, names_in_log, relative
from saree_cosface.curation.text import tidy_name
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.names import craft_label

LOG = "decisions.db"


def log_beside(manifest: Path) -> Path:
    """Where decisions on a manifest go unless it is said otherwise: beside it, where its photos' names hold."""
    return manifest.parent / LOG


def open_log(path: Path, manifest: Path | None = None, *, by: str) -> tuple[CurationLog, Manifest]:
    """Open a log with the manifest that decisions are about: the one given, from now on, or the one in use.

    Where a manifest is given, the log may be new.

    Raises:
        CurationError: it is no log, or no manifest is given or in use, or the one in use is gone or was changed.
        ManifestError: the manifest cannot be read.
    """
    if manifest is None:
        log = CurationLog(path)
        try:
            return log, manifest_in_use(log)
        except BaseException:
            log.close()
            raise
    read, by = read_manifest(manifest, on_unknown="keep"), tidy_name(by)
    log = CurationLog.create(path)
    log.bind(read.sha256, relative(manifest, path.parent), by=by)
    return log, read


def manifest_in_use(log: CurationLog) -> Manifest:
    """The manifest that the log's decisions are about now.

    Raises:
        CurationError: there is none yet, or it is gone or was changed.
    """
    used = log.manifests()
    if not used:
        raise CurationError(f"{log.path}: it is not said yet which manifest this is about: add --manifest MANIFEST.")
    place = Path(os.path.normpath(log.path.parent / used[-1].value))
    if not place.is_file():
        raise CurationError(f"{place}: the manifest in use is not there any more; say where with --manifest MANIFEST.")
    manifest = read_manifest(place, on_unknown="keep")
    if manifest.sha256 != used[-1].manifest:
        raise CurationError(
            f"{place}: was changed since entry {used[-1].number} of {log.path} took it into use; restore it, or go on"
            f" with what it is now: --manifest {place}."
        )
    return manifest


def verdicts_on(log: CurationLog, manifest: Manifest, contents: Sequence[str]) -> list[Entry | None]:
    """The verdict that stands on each photo of a manifest, ``(N,)``; None where there is none, or on another file.

    A photo is known by its name in the log, and by its content where no photo here has the name decided on: of two
    equal files, what was said of one is not said of the other.

    Args:
        log: open.
        manifest: any.
        contents: SHA-256 of each photo, ``(N,)``.
    """
    names, verdicts = names_in_log(manifest, log.manifests(), log.path.parent), log.standing().verdicts
    here = set(names)
    elsewhere = {entry.sha256: entry for name, entry in verdicts.items() if name not in here and entry.sha256}
    found = [verdicts.get(name, elsewhere.get(content)) for name, content in zip(names, contents, strict=True)]
    return [
        entry if entry is not None and entry.sha256 in ("", content) else None
        for entry, content in zip(found, contents, strict=True)
    ]


def decide_about(
    log: CurationLog,
    manifest: Manifest,
    kind: str,
    photo: Path | str,
    *,
    by: str,
    craft: str = "",
    new: bool = False,
    others: Sequence[Path | str] = (),
    why: str = "",
    seen: int = 0,
    over: Sequence[int] = (),
    clash: Literal["refuse", "stand"] = "refuse",
) -> Entry:
    """Record a decision on a photo of a manifest.

    Args:
        log: open.
        manifest: that the curator has before them.
        kind: see :data:`~saree_cosface.curation.decisions.KINDS`.
        photo: as :func:`find_photo` takes it.
        by: who decides.
        craft: of a relabel, in any spelling.
        new: the craft is one that the taxonomy does not know; its label is the name as it is typed.
        others: of a duplicate the one photo that is kept; of a merge photos or ids of pieces.
        why: the reason.
        seen: number of the last entry on this photo that the curator has seen.
        over: numbers of all decisions that this one overrules; another way to say what was seen.
        clash: what becomes of a contradiction not seen (:meth:`CurationLog.decide`).

    Raises:
        CurationError: the photo is not listed, or not the one listed; the decision makes no sense.
        Clash: somebody else decided otherwise.
        UnknownCraft, NotACraft: the craft is none.
    """
    names = names_in_log(manifest, log.manifests(), log.path.parent)
    row = find_piece(manifest, photo) if kind == "merge" else find_photo(manifest, photo)
    path = manifest.table["path"].iloc[row]
    content = content_of(manifest, row)
    listed = manifest.table["sha256"].iloc[row].lower()
    if listed and content != listed:
        raise CurationError(
            f"{path}: the file is not the one that the manifest lists (its SHA-256 differs); restore it, or bring the"
            " manifest up to date and name it with --manifest."
        )
    value: str | list[str] = ""
    if kind == "accept":
        value = str(manifest.crafts[row])
        if not value:
            raise CurationError(f"{path}: has no label to accept; give it one with relabel.")
    elif kind == "relabel":
        given = [entry.value for entry in log.entries() if entry.kind == "relabel"]
        value = craft_label(craft, new=new, known=[*manifest.crafts.tolist(), *given])
        if value == manifest.crafts[row]:
            raise CurationError(f"{path}: is labelled {value} already; say that it is right with accept.")
    elif kind == "duplicate":
        if len(others) != 1:
            raise CurationError(f"{path}: name the one photo that it is a duplicate of.")
        value = names[find_photo(manifest, others[0])]
    elif kind == "merge":
        rows = list(dict.fromkeys([row, *(find_piece(manifest, other) for other in others)]))
        if len({manifest.pieces[each] for each in rows}) < 2:
            raise CurationError(
                f"{path}: one piece already; name photos or pieces that the manifest takes for several."
            )
        value = [names[each] for each in rows[1:]]
    if over:
        seen = max(seen, _named(log, names[row], over, Entry(0, kind, "", "", str(value), by, "", "", "")))
    return log.decide(
        kind,
        names[row],
        value,
        by=by,
        why=why,
        sha256=content,
        manifest=manifest.sha256,
        seen=seen,
        clash=clash,
    )


def _named(log: CurationLog, name: str, over: Sequence[int], new: Entry) -> int:
    made = log.about(name)
    elsewhere = sorted(set(over) - {entry.number for entry in made})
    if elsewhere:
        known = ", ".join(str(entry.number) for entry in made) or "none"
        raise CurationError(f"--over {elsewhere[0]}: is no entry on {name}; on it there are: {known}.")
    unnamed = [entry for entry in against(made, new) if entry.number not in over]
    if unnamed:
        raise Clash(
            f"{name}: another decision stands against this one, which --over does not name:\n"
            + "\n".join(f"  {entry}" for entry in unnamed),
            unnamed,
        )
    return max(over)
