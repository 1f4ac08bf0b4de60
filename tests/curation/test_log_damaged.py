"""Files that are no log of decisions, and logs that are damaged, cut, tampered with or too new."""

import sqlite3
from pathlib import Path

import pytest

from tests.helpers.bad_photos import save, textured
from tests.helpers.decided import about


@pytest.mark.slow
def test_what_is_no_log(call, manifest, tmp_path):
    picture = save(tmp_path / "photo.jpg", textured())
    empty, folder, other, text = (tmp_path / name for name in ("empty.db", "folder", "other.db", "text.db"))
    empty.touch()
    folder.mkdir()
    text.write_text("path,craft\n" * 100)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE history (url TEXT)")
    connection.close()
    for path, said in (
        (picture, "not a log of decisions"),
        (text, "not a log of decisions"),
        (empty, "is empty, not a log"),
        (folder, "is a folder"),
        (other, "a database, but no log"),
        (Path("/proc/decisions.db"), "no log can be made there"),
        (picture / "decisions.db", "no log can be made there"),
    ):
        kept = path.read_bytes() if path.is_file() else None
        code, out, err = call(path, "accept", "a.jpg", "--by", "A", "--manifest", manifest)
        assert (code, out) == (1, ""), path
        assert said in err
        assert str(path) in err
        assert kept is None or path.read_bytes() == kept
        assert call(path, "status")[0] == 1
    assert not list(tmp_path.glob(".*"))


def test_a_log_of_a_newer_version(call, log):
    log.close()
    connection = sqlite3.connect(log.path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    code, _, err = call(log.path, "status")
    assert (code, "a log of version 9, and this program knows version 1; update" in err) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["photo", "value", "by", "when", "why", "seen", "sha256", "manifest", "kind"])
def test_tampering_is_found(log, call, field, manifest, tmp_path):
    for photo in ("a.jpg", "b.jpg", "museum/c.jpg"):
        about(log, "accept", photo)
    log.close()
    assert call(log.path, "status")[0] == 0
    connection = sqlite3.connect(log.path)
    connection.execute("DROP TRIGGER never_changed")
    connection.execute(f'UPDATE decisions SET "{field}" = 3 WHERE "number" = 3')
    connection.commit()
    connection.close()
    code, _, err = call(log.path, "status")
    assert (code, "entry 3 is not as it was written" in err) == (1, True)
    assert call(log.path, "apply", manifest, "--out", tmp_path / "new.csv")[0] == 1
    code, _, err = call(log.path, "log")  # to look at
    assert (code, "Entry 3 is not as it was written" in err) == (0, True)


def test_entries_cut_off_the_end_are_found_with_the_account_of_a_manifest(log, call, manifest, tmp_path):
    for photo in ("a.jpg", "b.jpg"):
        about(log, "accept", photo)
    log.close()
    new, applied = tmp_path / "new.csv", tmp_path / "new.curation.json"
    assert call(log.path, "apply", manifest, "--out", new)[0] == 0
    assert call(log.path, "accept", "shop/c.jpg", "--by", "A")[0] == 0
    assert call(log.path, "status", "--applied", applied)[0] == 0
    connection = sqlite3.connect(log.path)
    connection.execute("DROP TRIGGER never_removed")
    connection.execute('DELETE FROM decisions WHERE "number" > 2')
    connection.commit()
    connection.close()
    assert call(log.path, "status")[0] == 0
    code, _, err = call(log.path, "status", "--applied", applied)
    assert (code, "entries up to 3 were removed" in err) == (1, True)
    assert call(log.path, "status", "--applied", new)[0] == 1


@pytest.mark.slow
def test_a_damaged_log_is_told(log, call):
    for _ in range(200):
        about(log, "comment", "a.jpg", why="x" * 500)
    log.close()
    content = bytearray(log.path.read_bytes())
    content[4096:20480] = bytes(16384)
    log.path.write_bytes(content)
    code, _, err = call(log.path, "status")
    assert (code, str(log.path) in err) == (1, True)
