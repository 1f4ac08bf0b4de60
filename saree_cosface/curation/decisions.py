"""What curators decide, and what follows from it: decisions as plain values, and their replay.

Everything here is a pure function of the entries: no clock, no file, no machine. Whoever replays the same entries finds
the same decisions standing and the same conflicts open.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

VERDICTS = ("accept", "relabel", "exclude", "duplicate", "defer")
"""What becomes of a photo: at most one of these stands for it."""

KINDS = (*VERDICTS, "merge", "comment", "undo")
"""All that a curator can decide. A log also holds entries of the kind ``MANIFEST``."""

MANIFEST = "manifest"
"""Kind of the entry that says which manifest the decisions after it are about; its value is where that lay."""

LONGEST_NAME, LONGEST_WHY, LONGEST_VALUE = 100, 4000, 100_000


class CurationError(ValueError):
    """A decision cannot be recorded, or a log not be used; the message says why and what to do."""


@dataclass(frozen=True)
class Entry:
    """One line of the log. It is never changed; what takes it back is another entry.

    Attributes:
        number: from 1, without gaps.
        kind: one of ``KINDS``, or ``MANIFEST``.
        photo: path of the photo, as the first manifest of the log spells it; "" for a manifest.
        sha256: of the photo's file; "" where it was not known.
        value: the craft that was accepted or given; the photo that a duplicate is one of; the other photos of a merged
            piece as a JSON list; the number that an undo takes back; the place of a manifest; else "".
        by: who decided.
        when: UTC, ISO 8601.
        why: the reason, or the comment; may have several lines.
        manifest: fingerprint (``Manifest.sha256``) of the manifest that the curator had before them.
        seen: number of the last entry on this photo that the curator had seen; 0 for none. What a decision contradicts
            and has seen, it overrules.
        chain: SHA-256 of this entry together with the chain of the one before.
    """

    number: int
    kind: str
    photo: str
    sha256: str
    value: str
    by: str
    when: str
    why: str
    manifest: str
    seen: int = 0
    chain: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """The other photos that a merge or a duplicate names."""
        if self.kind == "merge":
            return tuple(str(name) for name in json.loads(self.value))
        return (self.value,) if self.kind == "duplicate" else ()

    @property
    def effect(self) -> tuple[str, str]:
        """What a verdict comes to: accepting a label and giving the same one are one thing."""
        return ("label" if self.kind in ("accept", "relabel") else self.kind, self.value)

    def __str__(self) -> str:
        """In words, for people.

        >>> print(Entry(7, "relabel", "a.jpg", "", "jamdani", "Asha", "2026-01-02T03:04:05+00:00", "", ""))
        7: relabel a.jpg as jamdani, by Asha, 2026-01-02T03:04:05+00:00
        """
        joined = {
            "accept": f" as {self.value}",
            "relabel": f" as {self.value}",
            "duplicate": f" of {self.value}",
            "merge": f" with {', '.join(self.others)}",
            "undo": f" (entry {self.value})",
            MANIFEST: self.value,
        }.get(self.kind, "")
        why = f": {' '.join(self.why.split())}" if self.why else ""
        return f"{self.number}: {self.kind} {self.photo}{joined}, by {self.by}, {self.when}{why}"


@dataclass(frozen=True)
class Conflict:
    """Decisions that cannot all be right, of which none has overruled the others.

    Attributes:
        photos: whom it concerns: one photo, or a ring of photos that are each a duplicate of the next.
        entries: the contradicting decisions.
    """

    photos: tuple[str, ...]
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        return "\n".join([f"{', '.join(self.photos)}:", *(f"  {entry}" for entry in self.entries)])


@dataclass(frozen=True)
class Standing:
    """What a log comes to.

    Attributes:
        verdicts: each photo that has one, to the last entry of those that stand and agree.
        merges: which photos show one piece.
        comments: that were not taken back.
        conflicts: open ones; their photos have no verdict.
        undone: numbers of the entries that were taken back.
        overruled: numbers of the verdicts that a later one replaced.
    """

    verdicts: Mapping[str, Entry]
    merges: tuple[Entry, ...]
    comments: tuple[Entry, ...]
    conflicts: tuple[Conflict, ...]
    undone: frozenset[int]
    overruled: frozenset[int]


def replay(entries: Iterable[Entry]) -> Standing:
    """Find which decisions stand and which contradict each other.

    A verdict overrules an earlier one on its photo if the same curator made both, if it was made with the earlier one
    seen, or if the earlier one only deferred. Verdicts that come to the same stand together. The order in which entries
    are handed over does not matter: their numbers do.
    """
    ordered = sorted(entries, key=lambda entry: entry.number)
    undone = _undone(ordered)
    active = [entry for entry in ordered if entry.number not in undone]
    by_photo: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in active:
        if entry.kind in VERDICTS:
            by_photo[entry.photo].append(entry)
    verdicts: dict[str, Entry] = {}
    conflicts: list[Conflict] = []
    overruled: set[int] = set()
    for photo, made in by_photo.items():
        left = _not_overruled(made)
        overruled |= {entry.number for entry in made} - {entry.number for entry in left}
        if len({entry.effect for entry in left}) > 1:
            conflicts.append(Conflict((photo,), tuple(left)))
        else:
            verdicts[photo] = left[-1]
    for ring in _rings(verdicts):
        conflicts.append(Conflict(ring, tuple(verdicts.pop(photo) for photo in ring)))
    return Standing(
        verdicts,
        tuple(entry for entry in active if entry.kind == "merge"),
        tuple(entry for entry in active if entry.kind == "comment"),
        tuple(sorted(conflicts, key=lambda conflict: conflict.entries[0].number)),
        undone,
        frozenset(overruled),
    )


def overrules(later: Entry, earlier: Entry) -> bool:
    """Whether a verdict replaces an earlier one on its photo."""
    if earlier.kind == "defer" and later.kind != "defer":
        return True  # a question that was left open is there to be answered
    return later.by == earlier.by or later.seen >= earlier.number


def against(made: Sequence[Entry], new: Entry) -> list[Entry]:
    """Which of the entries made on a photo, in their order, stand against a new verdict that does not overrule them."""
    undone = _undone(made)
    left = _not_overruled([entry for entry in made if entry.kind in VERDICTS and entry.number not in undone])
    return [entry for entry in left if entry.effect != new.effect and not overrules(new, entry)]


def _not_overruled(made: Sequence[Entry]) -> list[Entry]:
    return [entry for index, entry in enumerate(made) if not any(overrules(e, entry) for e in made[index + 1 :])]


def _undone(ordered: Sequence[Entry]) -> frozenset[int]:
    # An entry is only taken back by a later one, so that the last undo is certain and decides over those before.
    undone: set[int] = set()
    for entry in reversed(ordered):
        if entry.kind == "undo" and entry.number not in undone:
            undone.add(int(entry.value))
    return frozenset(undone)


def _rings(verdicts: Mapping[str, Entry]) -> list[tuple[str, ...]]:
    """Photos that are duplicates of each other in a circle: none of them would be left."""
    rings: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in verdicts:
        trail: dict[str, None] = {}
        photo = start
        while photo not in done and photo not in trail and photo in verdicts and verdicts[photo].kind == "duplicate":
            trail[photo] = None
            photo = verdicts[photo].value
        if photo in trail:
            ring = list(trail)[list(trail).index(photo) :]
            rings.append(tuple(sorted(ring, key=lambda name: verdicts[name].number)))
        done |= set(trail)
    return rings
