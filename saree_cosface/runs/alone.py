"""One command at a time in a folder: a lock that says who holds it, and that a killed process lets go of."""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from saree_cosface.files import write_json
from saree_cosface.runs.folder import RunError

LOCK, HOLDER = ".lock", ".lock.json"  # dots, so that a folder with nothing else in it is still an empty one

_PAUSE = 0.1  # seconds between two looks at a lock that is waited for


@contextmanager
def alone(folder: Path, command: str, *, patience: float = 0.0) -> Iterator[None]:
    """Within this context no other process, and no other thread, is at work in the folder.

    Args:
        folder: made if it is not there, and removed again if nothing was put into it.
        command: what is done there, as whoever comes meanwhile is told.
        patience: seconds to wait for others who do the same. Nobody waits for those who do something else, which may
            take hours.

    Raises:
        RunError: somebody else is at work there, or it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} exists and is no run: choose another folder.")
    made = not folder.exists()
    lock = None
    try:
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = _acquired(folder, command, patience)
            write_json(folder / HOLDER, {"command": command, "process": os.getpid(), "since": _now()})
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                (folder / HOLDER).unlink(missing_ok=True)
                (folder / LOCK).unlink(missing_ok=True)
            lock.release()
        if made:
            with suppress(OSError):  # something was put into it
                folder.rmdir()


@contextmanager
def alone_at(out: Path, run: Path, command: str) -> Iterator[None]:
    """Nobody else is at work where results about a run are written: in the run, if they go there, else in their own
    folder, since a run that cannot be written can still be looked at."""
    place = run if out.resolve().is_relative_to(run.resolve()) else out  # by whatever link it is named
    with alone(place, command):
        yield


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see to its rights"
        said = f"{folder} cannot be written ({error.strerror or error}): choose another folder, or {remedy}."
        raise RunError(said) from error


def at_work(folder: Path) -> str:
    """Who is at work in a folder, in words; "" for nobody."""
    if not (folder / HOLDER).is_file():
        return ""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        with lock:
            return ""  # its holder was killed
    except Timeout:
        return _words(_holder(folder))
    except (OSError, NotImplementedError):  # it cannot be written, so nobody works there
        return ""


def _acquired(folder: Path, command: str, patience: float) -> FileLock:
    lock = FileLock(folder / LOCK, timeout=0)
    deadline = time.monotonic() + patience
    while True:
        try:
            lock.acquire()
            return lock
        except NotImplementedError:  # a file system without locks, as some network drives are
            return lock
        except Timeout as error:
            holder = _holder(folder)
            if time.monotonic() >= deadline or holder.get("command", command) != command:
                raise RunError(
                    f"{folder}: {_words(holder)} is at work there. Wait until it has ended, or end it, and try again; "
                    "nothing was changed."
                ) from error
            time.sleep(_PAUSE)


def _holder(folder: Path) -> dict[str, object]:
    try:
        return dict(json.loads((folder / HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # it has only just come, or is leaving
        return {}


def _words(holder: dict[str, object]) -> str:
    if not {"command", "process", "since"} <= holder.keys():
        return "another process"
    return f"`saree-cosface {holder['command']}` (process {holder['process']}, since {holder['since']})"


def _now() -> str:
    return f"{datetime.now(UTC):%H:%M} UTC"
