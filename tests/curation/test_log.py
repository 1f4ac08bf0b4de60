"""A log of decisions: entries that nobody changes, written by several at once, on whatever disk it lies."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from saree_cosface.curation import log_file
from saree_cosface.curation.deciding import open_log
from saree_cosface.curation.decisions import CurationError, Entry
from saree_cosface.curation.log import Clash, CurationLog
from tests.helpers.decided import about


def test_a_log_of_an_awkward_name(manifest, tmp_path):
    path = tmp_path / "a b#1?x=%20.db"
    log, _ = open_log(path, manifest, by="Asha")
    log.close()
    assert path.is_file()
    assert not list(tmp_path.glob(".*"))


def test_entries_cannot_be_changed_or_removed(log):
    about(log, "accept", "a.jpg")
    entries = log.entries()
    connection = sqlite3.connect(log.path)
    columns = connection.execute("SELECT * FROM decisions").fetchone()
    for statement in (
        "UPDATE decisions SET why = 'other'",
        "DELETE FROM decisions",
        f"INSERT OR REPLACE INTO decisions VALUES {columns}",
        f"INSERT INTO decisions VALUES {(9, *columns[1:])}",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="decisions are (never|only)"):
            connection.execute(statement)
    connection.close()
    assert log.entries() == entries


def test_a_full_disk_loses_nothing(log, full_disk):
    about(log, "accept", "a.jpg")
    with full_disk(log.path.stat().st_size), pytest.raises(CurationError, match="nothing was recorded"):
        for _ in range(1000):
            about(log, "comment", "b.jpg", why="x" * 4000)
    entries = log.trusted()
    assert about(log, "comment", "b.jpg").number == len(entries) + 1


def test_threads_and_forks_share_a_log(log):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: log.decide("accept", f"p{n}.jpg", "patola", by=f"c{n % 3}").number, range(100)))
    assert sorted(made) == list(range(2, 102))
    parents = log._connection
    child = os.fork()
    if child == 0:
        try:
            log.decide("accept", "of the child.jpg", "patola", by="child")
            os._exit(2 if log._connection is parents else 0)  # SQLite loses data where two processes share one
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert log.decide("accept", "of the parent.jpg", "patola", by="parent").number == 103
    assert [entry.by for entry in log.trusted()[-2:]] == ["child", "parent"]


def test_many_begin_a_log_at_once(manifest, path):
    def begin(n):
        opened, _ = open_log(path, manifest, by=f"c{n}")
        with opened as log:
            return log.decide("accept", f"p{n}.jpg", "patola", by=f"c{n}").number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(begin, range(16))) == list(range(2, 18))
    with CurationLog(path) as log:
        assert [entry.kind for entry in log.trusted()].count("manifest") == 1
    assert not list(path.parent.glob(".*"))


def test_two_curators_at_once_do_not_overwrite_each_other(log):
    """Many rounds in which two decide on one photo that neither has seen a decision on: one is told, always."""

    def say(arguments):
        with CurationLog(log.path) as mine:
            try:
                return mine.decide("relabel", arguments[0], arguments[1], by=arguments[1], why="y")
            except Clash as clash:
                return clash

    with ThreadPoolExecutor(2) as pool:
        for turn in range(20):
            results = list(pool.map(say, [(f"p{turn}.jpg", "patola"), (f"p{turn}.jpg", "jamdani")]))
            (told,) = [result for result in results if isinstance(result, Clash)]
            (made,) = [result for result in results if isinstance(result, Entry)]
            assert told.entries == (made,)
    assert not log.standing().conflicts


def test_a_locked_log_is_told(log, monkeypatch):
    monkeypatch.setattr(log_file, "_PATIENCE", 0.1)
    holder = sqlite3.connect(log.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with CurationLog(log.path) as other, pytest.raises(CurationError, match="another process held it for more than"):
        other.decide("accept", "x.jpg", "patola", by="A")
    holder.execute("ROLLBACK")
    holder.close()
    assert log.decide("accept", "x.jpg", "patola", by="A").number == 2


def test_a_file_system_without_shared_memory(manifest, path, monkeypatch):
    uri = log_file._uri
    monkeypatch.setattr(log_file, "_uri", lambda path: uri(path) + "&vfs=unix-dotfile")  # which cannot do WAL
    with pytest.raises(CurationError, match="cannot keep a log that several people write"):
        open_log(path, manifest, by="Asha")
    assert not path.exists()


def test_a_log_that_may_not_be_written_can_be_read(log, manifest, tmp_path):
    about(log, "accept", "a.jpg")
    log.close()
    # A superuser may write anywhere, so that another user looks.
    program = f"""
import os, sys
from saree_cosface.curation.log import CurationLog
if os.getuid() == 0:
    os.setuid(65534)
log = CurationLog({str(log.path)!r})
print(len(log.trusted()))
try:
    log.decide("accept", "x.jpg", "patola", by="Nobody")
except ValueError as error:
    print(error)
try:
    CurationLog.create({str(log.path.with_name("new.db"))!r})
except ValueError as error:
    print(error)
"""
    for folder in log.path.parents:
        if folder.is_relative_to(tmp_path):
            folder.chmod(0o555)
    opened = [folder for folder in tmp_path.parents if folder.stat().st_mode & 0o055 != 0o055 and os.getuid() == 0]
    modes = [folder.stat().st_mode for folder in opened]
    try:
        for folder in opened:
            folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2]
        )
    finally:
        for folder, mode in zip(opened, modes, strict=True):
            folder.chmod(mode)
        for folder in (tmp_path, log.path.parent):
            folder.chmod(0o755)
    assert not done.stderr
    count, refused, unmade = done.stdout.splitlines()
    assert count == "2"
    assert "nothing was recorded; it is write-protected" in refused
    assert "no log can be made there (Permission denied)" in unmade
