"""The log of curators' decisions: one SQLite file that several people and processes append to, and nobody edits.

A decision is acknowledged when it is on disk: :meth:`CurationLog.decide` returns after the commit. What it comes to is
found by :func:`saree_cosface.curation.decisions.replay`.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Literal, Self

from saree_cosface.curation.chain import broken_at, chained
from saree_cosface.curation.decisions import (
    KINDS,
    LONGEST_VALUE,
    LONGEST_WHY,
    MANIFEST,
    VERDICTS,
    CurationError,
    Entry,
    Standing,
    against,
    replay,
)
from saree_cosface.curation.log_file import COLUMNS, connect, make, require_file, told
from saree_cosface.curation.text import tidy_name, tidy_text


class Clash(CurationError):
    """Another curator decided otherwise, and this decision was made without that one seen.

    Attributes:
        entries: the decisions that stand against it.
    """

    def __init__(self, message: str, entries: Sequence[Entry]) -> None:
        super().__init__(message)
        self.entries = tuple(entries)


class CurationLog:
    """An open log; may be used from several threads, and by several processes that each open it.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a log.

        Raises:
            CurationError: there is none, it is no log, or one of a newer version.
        """
        self.path = Path(path)
        self._lock = RLock()
        require_file(self.path)
        self._owner, self._connection = os.getpid(), connect(self.path)

    @classmethod
    def create(cls, path: Path | str) -> Self:
        """Open a log that may be new; one process of several that begin at once makes it.

        Raises:
            CurationError: the folder cannot be written, or what is there is no log.
        """
        if not os.path.lexists(path):
            make(Path(path))
        return cls(path)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._owner == os.getpid():
                self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def entries(self, upto: int | None = None) -> list[Entry]:
        """All entries by number, or those up to one.

        Raises:
            CurationError: the file is damaged.
        """
        entries = self._select("", ())
        return entries if upto is None else [entry for entry in entries if entry.number <= upto]

    def standing(self) -> Standing:
        """What the log comes to."""
        return replay(self.entries())

    def trusted(self, upto: int | None = None) -> list[Entry]:
        """All entries, found to be as they were written.

        Raises:
            CurationError: one was changed, or there is no entry ``upto``.
        """
        entries = self.entries(upto)
        broken = broken_at(entries)
        if broken is not None:
            raise CurationError(
                f"{self.path}: entry {broken} is not as it was written; somebody changed the file. Restore it from a"
                " backup, and look at it with `saree-cosface curate LOG log`."
            )
        if upto is not None and len(entries) != upto:
            raise CurationError(f"{self.path}: there is no entry {upto}; the last is {len(entries)}.")
        return entries

    def manifests(self) -> list[Entry]:
        """The manifests that decisions were about, in their order; the last is the one in use."""
        return self._select('WHERE "kind" = ?', (MANIFEST,))

    def about(self, photo: str) -> list[Entry]:
        """The entries on a photo, by the log's name of it; for merges and duplicates only those it was named first."""
        return self._select('WHERE "photo" = ?', (photo,))

    def bind(self, manifest: str, place: str, *, by: str) -> Entry:
        """Say which manifest the next decisions are about; nothing is written if it is in use already.

        Args:
            manifest: its fingerprint.
            place: its path, from the folder of the log.
            by: who says so.
        """
        with self._writing() as connection:
            used = _rows(connection, 'WHERE "kind" = ? ORDER BY "number" DESC LIMIT 1', (MANIFEST,))
            if used and (used[0].manifest, used[0].value) == (manifest, place):
                return used[0]
            entry = Entry(
                0, MANIFEST, "", "", tidy_text(place, "the path", LONGEST_VALUE), tidy_name(by), "", "", manifest
            )
            return _append(connection, entry)

    def decide(
        self,
        kind: str,
        photo: str,
        value: str | Sequence[str] = "",
        *,
        by: str,
        why: str = "",
        sha256: str = "",
        manifest: str = "",
        seen: int = 0,
        clash: Literal["refuse", "stand"] = "refuse",
    ) -> Entry:
        """Record a decision; when this returns, it is on disk.

        This takes photos and crafts as given. :func:`saree_cosface.curation.deciding.decide_about` looks them up first.

        Args:
            kind: one of ``KINDS`` but ``undo``.
            photo: the log's name of the photo.
            value: see :class:`~saree_cosface.curation.decisions.Entry`; a merge takes the names of the other photos.
            by: who decides.
            why: the reason; a comment's text.
            sha256: of the photo's file, where known.
            manifest: fingerprint of the manifest that the curator has before them; by default the one in use.
            seen: number of the last entry on this photo that the curator has seen; what it contradicts of those, it
                overrules.
            clash: what becomes of a verdict that contradicts another curator's which it has not seen: it is refused,
                or both stand as a conflict.

        Raises:
            CurationError: the decision makes no sense, or the file cannot be written.
            Clash: it contradicts a decision not seen.
        """
        if kind not in KINDS or kind == "undo":
            raise CurationError(f"{kind!r} is no kind of decision; there are {', '.join(KINDS)}.")
        why = tidy_text(why, "the reason", LONGEST_WHY)
        if kind in ("relabel", "exclude", "comment") and not why:
            raise CurationError(f"{kind} needs its {'text' if kind == 'comment' else 'reason'}: add --why TEXT.")
        if not isinstance(value, str):
            value = json.dumps(
                [tidy_text(name, "the path", LONGEST_VALUE) for name in dict.fromkeys(value)], ensure_ascii=False
            )
        value, photo = tidy_text(value, "the value", LONGEST_VALUE), tidy_text(photo, "the path", LONGEST_VALUE)
        entry = Entry(0, kind, photo, sha256, value, tidy_name(by), "", why, manifest, seen)
        if not photo:
            raise CurationError(f"{kind} needs a photo.")
        if kind in ("accept", "relabel") and not value:
            raise CurationError(f"{kind} needs a craft.")
        if kind in ("duplicate", "merge") and (not all(entry.others) or not entry.others or photo in entry.others):
            raise CurationError(f"{photo}: {kind} needs another photo than this one.")
        with self._writing() as connection:
            if not manifest:
                entry = replace(entry, manifest=self._in_use(connection))
            if not 0 <= seen <= _last(connection)[0]:
                raise CurationError(
                    f"{self.path}: nobody can have seen entry {seen}; the last is {_last(connection)[0]}."
                )
            if clash == "refuse" and kind in VERDICTS:
                _refuse_clash(connection, entry)
            return _append(connection, entry)

    def undo(self, number: int, *, by: str, why: str = "", over: bool = False) -> Entry:
        """Take an entry back, as a new entry; taking an undo back brings the first one into force again.

        Args:
            number: of the entry.
            by: who takes it back.
            why: the reason.
            over: take back what somebody else said, having seen it.

        Raises:
            CurationError: there is no such entry, it says which manifest is in use, or it is taken back already.
            Clash: somebody else made it, and it is not said that this was seen.
        """
        by, why = tidy_name(by), tidy_text(why, "the reason", LONGEST_WHY)
        with self._writing() as connection:
            found = _rows(connection, 'WHERE "number" = ?', (number,)) if abs(number) < 2**63 else []
            if not found:
                raise CurationError(f"{self.path}: there is no entry {number} to take back; `log` lists all.")
            (entry,) = found
            if entry.kind == MANIFEST:
                raise CurationError(f"entry {number} says which manifest is in use; name another with --manifest.")
            same = _rows(connection, 'WHERE "photo" = ?', (entry.photo,))
            if number in replay(same).undone:
                last = max(e.number for e in same if e.kind == "undo" and e.value == str(number))
                raise CurationError(f"entry {number} is taken back already; undo {last} brings it into force again.")
            if entry.by != by and not over:
                raise Clash(
                    f"{entry.photo}: somebody else said so:\n  {entry}\nLook again; if you still take it back, add "
                    f"--over {number}.",
                    found,
                )
            undo = Entry(0, "undo", entry.photo, entry.sha256, str(number), by, "", why, self._in_use(connection))
            return _append(connection, undo)

    def _in_use(self, connection: sqlite3.Connection) -> str:
        used = _rows(connection, 'WHERE "kind" = ? ORDER BY "number" DESC LIMIT 1', (MANIFEST,))
        if not used:
            raise CurationError(
                f"{self.path}: it is not said yet which manifest this is about: add --manifest MANIFEST."
            )
        return used[0].manifest

    def _select(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        with self._lock, told(self.path):
            return _rows(self._mine(), f'{where} ORDER BY "number"', values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the only right to write from its first look until the commit."""
        with self._lock, told(self.path):
            connection = self._mine()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise

    def _mine(self) -> sqlite3.Connection:
        if self._owner != os.getpid():  # a forked process must neither use nor close the connection of its parent
            self._inherited = self._connection
            self._owner, self._connection = os.getpid(), connect(self.path)
        return self._connection


def _rows(connection: sqlite3.Connection, rest: str, values: tuple[object, ...]) -> list[Entry]:
    return [Entry(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM decisions {rest}", values)]


def _last(connection: sqlite3.Connection) -> tuple[int, str]:
    last = connection.execute('SELECT "number", "chain" FROM decisions ORDER BY "number" DESC LIMIT 1').fetchone()
    return (int(last[0]), str(last[1])) if last else (0, "")


def _append(connection: sqlite3.Connection, entry: Entry) -> Entry:
    number, before = _last(connection)
    entry = replace(entry, number=number + 1, when=datetime.now(UTC).isoformat(timespec="seconds"))
    entry = replace(entry, chain=chained(entry, before))
    marks = ", ".join("?" * len(fields(Entry)))
    connection.execute(f"INSERT INTO decisions ({COLUMNS}) VALUES ({marks})", astuple(entry))
    return entry


def _refuse_clash(connection: sqlite3.Connection, entry: Entry) -> None:
    clashing = against(_rows(connection, 'WHERE "photo" = ? ORDER BY "number"', (entry.photo,)), entry)
    if clashing:
        raise Clash(
            f"{entry.photo}: decided otherwise by somebody else:\n"
            + "\n".join(f"  {each}" for each in clashing)
            + f"\nLook again; if you still say so, add --over {' '.join(str(each.number) for each in clashing)}.",
            clashing,
        )
    if entry.kind == "duplicate":
        _refuse_ring(connection, entry)


def _refuse_ring(connection: sqlite3.Connection, entry: Entry) -> None:
    trail: list[Entry] = []
    photo = entry.value
    while photo != entry.photo:
        verdict = replay(_rows(connection, 'WHERE "photo" = ? ORDER BY "number"', (photo,))).verdicts.get(photo)
        if verdict is None or verdict.kind != "duplicate" or verdict in trail:
            return
        trail.append(verdict)
        photo = verdict.value
    raise Clash(
        f"{entry.photo}: it is the one to be kept, by\n"
        + "\n".join(f"  {each}" for each in trail)
        + f"\nso that none would be left. To keep {entry.value} instead, first: undo {trail[-1].number}.",
        trail,
    )
