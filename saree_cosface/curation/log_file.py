"""The file of a log of decisions: an SQLite database that is made whole, refuses to be edited, and tells what is wrong.

The write-ahead log (WAL) lets people read while one writes; ``synchronous = FULL`` has a commit on disk before it
returns; triggers refuse to change or remove a row, and to add one elsewhere than at the end.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from saree_cosface.curation.decisions import CurationError, Entry
from saree_cosface.files import shortened

VERSION = 1
"""Of the tables, kept in the file's ``user_version``."""

_APPLICATION = 0x5A12EE01  # marks the file as ours among all SQLite databases
_PATIENCE = 30.0  # seconds until a lock that another process holds is given up

COLUMNS = ", ".join(f'"{field.name}"' for field in fields(Entry))
_SCHEMA = f"""
CREATE TABLE decisions (
  "number" INTEGER PRIMARY KEY, "kind" TEXT NOT NULL, "photo" TEXT NOT NULL, "sha256" TEXT NOT NULL,
  "value" TEXT NOT NULL, "by" TEXT NOT NULL, "when" TEXT NOT NULL, "why" TEXT NOT NULL, "manifest" TEXT NOT NULL,
  "seen" INTEGER NOT NULL, "chain" TEXT NOT NULL
);
CREATE INDEX decisions_of_a_photo ON decisions ("photo");
CREATE TRIGGER never_changed BEFORE UPDATE ON decisions
  BEGIN SELECT RAISE(ABORT, 'decisions are never changed: add an undo'); END;
CREATE TRIGGER never_removed BEFORE DELETE ON decisions
  BEGIN SELECT RAISE(ABORT, 'decisions are never removed: add an undo'); END;
CREATE TRIGGER one_after_the_other BEFORE INSERT ON decisions
  WHEN NEW."number" <> (SELECT coalesce(max("number"), 0) + 1 FROM decisions)
  BEGIN SELECT RAISE(ABORT, 'decisions are only added at the end'); END;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""


def require_file(path: Path) -> None:
    """Refuse a path that can be no log: a folder, an empty file, nothing.

    Raises:
        CurationError: it is one of these.
    """
    try:
        kind = "a folder" if path.is_dir() else "" if path.is_file() else "no such file"
        size = path.stat().st_size if not kind else 0
    except (OSError, ValueError) as error:
        raise CurationError(f"{path}: cannot be read ({error}).") from error
    if kind == "a folder":
        raise CurationError(f"{path}: is a folder; a log of decisions is a file, such as {path / 'decisions.db'}.")
    if kind:
        raise CurationError(f"{path}: no such log; the first decision makes it, with --manifest MANIFEST.")
    if size == 0:
        raise CurationError(f"{path}: is empty, not a log of decisions; remove it, or name another file.")


def make(path: Path) -> None:
    """Make an empty log; nothing happens if somebody else makes it meanwhile.

    Raises:
        CurationError: the folder cannot be written, or its file system cannot share a log.
    """
    # Made beside and linked into place: nobody ever opens half a log, and of several who begin at once one wins.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{shortened(path.name)}-", dir=path.parent) as folder:
            made = Path(folder) / "log.db"
            with told(path):
                connection = _connect(made)
                try:
                    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                    if mode != "wal":
                        raise CurationError(
                            f"{path}: this file system cannot keep a log that several people write (SQLite's WAL mode),"
                            " as most network drives cannot; keep the log on a disk of this machine."
                        )
                    connection.executescript(_SCHEMA)
                finally:
                    connection.close()
            try:
                os.link(made, path)
            except FileExistsError:
                pass
            except OSError:  # a memory card has no links
                if not path.exists():
                    made.rename(path)
    except OSError as error:
        raise CurationError(f"{path}: no log can be made there ({error.strerror or error}).") from error


def _connect(path: Path) -> sqlite3.Connection:
    # autocommit: transactions are begun by hand. The lock of CurationLog, not SQLite, keeps threads apart.
    connection = sqlite3.connect(_uri(path), uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA fullfsync = ON")  # for macOS, whose fsync leaves data in the drive's memory
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk before it is acknowledged
    return connection


def _uri(path: Path) -> str:
    place = Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve follows links
    uri = place.as_uri() + "?mode=rw"
    if path.exists() and not os.access(path.parent, os.W_OK) and not place.with_name(place.name + "-wal").exists():
        return place.as_uri() + "?immutable=1"  # WAL writes even to read, unless the medium is said not to change
    return uri if path.exists() else uri + "c"


def connect(path: Path) -> sqlite3.Connection:
    """Open a log and make sure that it is one.

    Raises:
        CurationError: it is another database, or of a newer version.
    """
    with told(path):
        return _checked(_connect(path), path)


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise CurationError(f"{path}: a database, but no log of decisions; name another file.")
        if version != VERSION:
            raise CurationError(
                f"{path}: a log of version {version}, and this program knows version {VERSION}; update saree-cosface."
            )
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors in words that name the file and the remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = str(error)
        if "not a database" in said:
            raise CurationError(f"{path}: not a log of decisions; name another file.") from error
        for sign, remedy in (
            ("readonly", "it is write-protected: ask for the right to write, or work on a copy"),
            ("unable to open", "it cannot be opened: look at the rights of the file and of its folder"),
            ("locked", f"another process held it for more than {_PATIENCE:.0f} s: try again"),
            ("locking protocol", "its file system cannot share it: keep the log on a disk of this machine"),
            ("full", "the disk is full: make room and decide again"),
            ("malformed", "it is damaged: restore it from a backup"),
        ):
            if sign in said:
                raise CurationError(f"{path}: nothing was recorded; {remedy} ({said}).") from error
        raise CurationError(f"{path}: nothing was recorded ({said}).") from error
