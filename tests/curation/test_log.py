"""Curators' decisions: a log that keeps them, a replay that always finds the same, and manifests made of them."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from saree_cosface.cli import main
from saree_cosface.curation import log_file
from saree_cosface.curation.applying import apply_decisions
from saree_cosface.curation.chain import broken_at, chained
from saree_cosface.curation.deciding import decide_about, open_log, verdicts_on
from saree_cosface.curation.decisions import CurationError, Entry, replay
from saree_cosface.curation.log import Clash, CurationLog
from saree_cosface.curation.naming import find_photo
from saree_cosface.curation.tables import print_entries
from saree_cosface.curation.text import tidy_name, tidy_text
from saree_cosface.curation.versions import account, apply_log, write_version
from saree_cosface.data.manifest import COLUMNS, ManifestError, manifest_of
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.files import sha256_of
from tests.helpers.bad_photos import save, textured

ROWS = """path,craft,piece,source,split,accession
shop/a.jpg,jamdani,s1,shop,train,007
shop/b.jpg,Kanchipuram,s2,shop,val,1.50
shop/c.jpg,patola,,museum,test,
museum/c.jpg,bandhani,s4,museum,test,NA
museum/d.jpg,oddity,,museum,,x
"""


@pytest.fixture
def manifest(tmp_path):
    """Five photos in a folder of their own, with their manifest; one label is no craft."""
    path = tmp_path / "first" / "manifest.csv"
    for seed, row in enumerate(csv.DictReader(ROWS.splitlines())):
        save(path.parent / row["path"], textured(seed=seed))
    path.write_text(ROWS)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "first" / "decisions.db"


@pytest.fixture
def log(manifest, path):
    opened, _ = open_log(path, manifest, by="Asha")
    with opened:
        yield opened


@pytest.fixture
def call(capsys):
    """Runs `saree-cosface curate`; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["curate", *(str(argument) for argument in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, " ".join(err.split())

    return run


def about(log, kind, photo, by="Asha", why="seen", **options):
    return decide_about(
        log, read_manifest(log.path.parent / "manifest.csv", on_unknown="keep"), kind, photo, by=by, why=why, **options
    )


def labels(applied):
    return dict(zip(applied.after.table["path"], applied.after.table["craft"], strict=True))


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_from_the_first_decision_to_a_new_manifest(call, manifest, path, tmp_path):
    before = manifest.read_bytes()
    relabel = [path, "relabel", "a.jpg", "--craft", "Patan Patola sarees", "--by", "Asha", "--why", "double ikat"]
    code, out, err = call(*relabel)
    assert (code, out) == (1, "")
    assert "no such log; the first decision makes it, with --manifest" in err
    code, out, err = call(*relabel, "--manifest", manifest, "--json")
    entry = json.loads(out)
    assert (code, entry["number"], entry["value"], entry["photo"]) == (0, 2, "patola", "shop/a.jpg")
    assert entry["manifest"] == read_manifest(manifest, on_unknown="keep").sha256
    assert entry["sha256"] == sha256_of(manifest.parent / "shop" / "a.jpg")
    assert (entry["by"], entry["why"], entry["when"][-6:]) == ("Asha", "double ikat", "+00:00")
    assert call(path, "exclude", manifest.parent / "shop" / "b.jpg", "--by", "Ravi", "--why", "a dupatta")[0] == 0
    assert call(path, "relabel", "museum/c.jpg", "--craft", "leheriya", "--why", "diagonal")[0] == 0
    assert call(path, "merge", "s1", "museum/d.jpg", "--by", "Ravi")[0] == 0
    assert call(path, "comment", "shop/c.jpg", "--by", "Ravi", "--why", "lovely")[0] == 0

    new = tmp_path / "second" / "manifest-2.csv"
    code, out, err = call(path, "apply", manifest, "--out", new, "--json")
    assert code == 0
    assert "Photos of the test part that people changed: 1." in err
    document = json.loads(out)
    assert json.loads((tmp_path / "second" / "manifest-2.curation.json").read_text()) == document
    assert sorted(each.name for each in new.parent.iterdir()) == ["manifest-2.csv", "manifest-2.curation.json"]
    assert manifest.read_bytes() == before
    made = read_manifest(new, on_unknown="keep")
    assert all(file.is_file() for file in made.files())
    assert dict(zip(made.table["path"], made.table["craft"], strict=True)) == {
        "../first/shop/a.jpg": "patola",
        "../first/shop/c.jpg": "patola",
        "../first/museum/c.jpg": "leheriya",
        "../first/museum/d.jpg": "oddity",
    }
    assert made.table["piece"].tolist() == ["s1", "", "s4", ""]
    assert made.table["shared_piece"].tolist() == ["shop/a.jpg", "", "", "shop/a.jpg"]  # of two sources
    assert [row["accession"] for row in csv.DictReader(new.open())] == ["007", "", "NA", "x"]
    assert document["to"] == {"sha256": made.sha256, "photos": 4}
    assert document["from"]["path"] == "../first/manifest.csv"
    assert document["test_photos_changed"] == 1
    assert {kind: sum(parts.values()) for kind, parts in document["counts"].items()} == {
        "relabel": 2,
        "accept": 0,
        "exclude": 1,
        "duplicate": 0,
        "merge": 2,  # both rows bear the shared name
    }
    assert document["counts"]["exclude"]["validation"] == document["counts"]["relabel"]["test"] == 1
    assert document["counts"]["merge"]["unknown"] == document["counts"]["merge"]["train"] == 1
    assert document["pieces_of_several_crafts"] == ["shop/a.jpg"]
    with CurationLog(path) as log:
        assert document["log"]["chain"] == log.entries()[-1].chain
        assert document["log"]["last_entry"] == 6
    import getpass

    assert document["changes"][3]["entries"][0]["by"] == getpass.getuser()

    code, _, err = call(path, "apply", manifest, "--out", new)
    assert (code, "lies there already" in err) == (1, True)
    for out in (manifest, manifest.parent / ".." / "first" / "manifest.csv"):
        code, _, err = call(path, "apply", manifest, "--out", out)
        assert (code, "is the manifest itself" in err) == (1, True)
    assert manifest.read_bytes() == before
    assert call(path, "apply", manifest, "--out", tmp_path / "new.txt")[0] == 1


@pytest.mark.slow
def test_status_log_diff_and_export(call, manifest, path, tmp_path):
    assert (
        call(
            path,
            "relabel",
            "a.jpg",
            "--craft",
            "patola",
            "--by",
            "Asha",
            "--why",
            "[red]no[/red] [/x]",
            "--manifest",
            manifest,
        )[0]
        == 0
    )
    assert call(path, "defer", "b.jpg", "--by", "Ravi")[0] == 0
    code, out, err = call(path, "status", "--json")
    status = json.loads(out)
    assert (code, status["entries"], status["intact"], status["conflicts"]) == (0, 3, True, [])
    assert status["by_curator"] == {"Asha": {"relabel": 1}, "Ravi": {"defer": 1}}
    assert status["standing"] == {"relabel": 1, "defer": 1}
    assert "every entry is as it was written" in err
    code, out, err = call(path, "log", "--photo", "a.jpg", "--json")
    assert [entry["kind"] for entry in json.loads(out)] == ["relabel"]
    assert "[/x]" in err
    assert call(path, "log", "--photo", "jpg")[0] == 1  # an end is whole names
    files = sorted(path.parent.iterdir())
    code, out, err = call(path, "diff", manifest, "--json")
    assert (code, [change["photo"] for change in json.loads(out)["changes"]]) == (0, ["shop/a.jpg"])
    assert "shop/a.jpg: relabel, jamdani → patola (Asha, entry 2)" in err
    assert sorted(path.parent.iterdir()) == files
    for name in ("all.csv", "all.json"):
        assert call(path, "export", "--out", tmp_path / name)[0] == 0
    entries = json.loads((tmp_path / "all.json").read_text())
    assert [str(value) for value in entries[1].values()] == list(csv.reader((tmp_path / "all.csv").open()))[2]
    assert broken_at([Entry(**entry) for entry in entries]) is None
    assert call(path, "export", "--out", tmp_path / "all.txt")[0] == 1
    assert call(path, "export", "--out", path)[0] == 1
    code, _, err = call(path, "undo", 2, "--by", "Ravi", "--why", "wrong photo")
    assert (code, "add --over 2" in err) == (1, True)
    code, _, err = call(path, "undo", 2, "--by", "Ravi", "--why", "wrong photo", "--over", 2)
    assert (code, "undo shop/a.jpg (entry 2), by Ravi" in err) == (0, True)
    assert json.loads(call(path, "diff", manifest, "--json")[1])["changes"] == []
    assert call(path, "undo", 2)[0] == call(path, "undo", 99)[0] == call(path, "undo", 10**30)[0] == 1


@pytest.mark.parametrize(
    "command", ["", "accept", "relabel", "merge", "undo", "status", "log", "diff", "apply", "export"]
)
def test_help_teaches(call, command):
    code, out, _ = call("LOG", *command.split(), "--help")
    assert code == 0
    assert "Example:saree-cosfacecuratedecisions.db" in "".join(out.split())  # lines break at hyphens too


@pytest.mark.parametrize(
    "arguments", [[], ["d.db"], ["d.db", "relabel", "a.jpg"], ["d.db", "undo", "x"], ["d.db", "apply", "m.csv"]]
)
def test_a_wrong_call_is_told_with_status_2(call, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments)[0] == 2
    assert not list(tmp_path.iterdir())


def test_the_command_line_loads_nothing_heavy():
    program = (
        "import sys; from saree_cosface.cli import command_line; command_line(); "
        "print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
def test_a_conflict_is_shown_and_settled_on_the_command_line(call, manifest, path, tmp_path):
    relabel = [path, "relabel", "a.jpg", "--why", "y", "--craft"]
    assert call(*relabel, "patola", "--by", "Asha", "--manifest", manifest)[0] == 0
    code, out, err = call(*relabel, "bandhani", "--by", "Ravi")
    assert (code, out) == (1, "")
    assert "2: relabel shop/a.jpg as patola, by Asha" in err
    assert "add --over 2." in err
    with CurationLog(path) as log:
        assert len(log.entries()) == 2
    assert call(*relabel, "patola", "--by", "Ravi")[0] == 0  # who says the same contradicts nobody
    code, _, err = call(*relabel, "bandhani", "--by", "Meera", "--over", 3)
    assert (code, "which --over does not name" in err, "2: relabel" in err) == (1, True, True)
    code, _, err = call(*relabel, "bandhani", "--by", "Meera", "--over", 1)
    assert (code, "--over 1: is no entry on shop/a.jpg; on it there are: 2, 3." in err) == (1, True)
    assert call(*relabel, "bandhani", "--by", "Meera", "--over", 2, 3)[0] == 0
    with CurationLog(path) as log:
        assert log.standing().overruled == {2, 3}
        about(log, "exclude", "a.jpg", by="Ravi", clash="stand")
    code, out, err = call(path, "status", "--json")
    assert [entry["number"] for entry in json.loads(out)["conflicts"][0]["entries"]] == [4, 5]
    assert "Open conflict on shop/a.jpg: 4: relabel shop/a.jpg as bandhani, by Meera" in err
    new = tmp_path / "new.csv"
    code, _, err = call(path, "apply", manifest, "--out", new)
    assert (code, "1 open conflict" in err, new.exists()) == (1, True, False)
    code, _, err = call(path, "diff", manifest)
    assert (code, "Open conflict: shop/a.jpg" in err) == (0, True)
    code, out, _ = call(path, "apply", manifest, "--out", new, "--leave-conflicts", "--json")
    assert (code, json.loads(out)["left_for_conflicts"], json.loads(out)["changes"]) == (0, [[4, 5]], [])
    assert call(*relabel, "jamdani", "--by", "Devi", "--over", 4, 5)[0] == 1  # it is labelled so: accept
    assert call(path, "accept", "a.jpg", "--by", "Devi", "--over", 4, 5)[0] == 0
    assert call(path, "apply", manifest, "--out", tmp_path / "settled.csv")[0] == 0


# --- bad input -------------------------------------------------------------------------------------------------------


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


def test_a_locked_log_is_told(log, monkeypatch):
    monkeypatch.setattr(log_file, "_PATIENCE", 0.1)
    holder = sqlite3.connect(log.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with CurationLog(log.path) as other, pytest.raises(CurationError, match="another process held it for more than"):
        other.decide("accept", "x.jpg", "patola", by="A")
    holder.execute("ROLLBACK")
    holder.close()
    assert log.decide("accept", "x.jpg", "patola", by="A").number == 2


def test_what_cannot_be_decided(log, manifest):
    for arguments, options, said in (
        (("accept", "e.jpg"), {}, "no photo of the manifest .5 photos.: did you mean"),
        (("accept", "c.jpg"), {}, "2 photos end so: shop/c.jpg, museum/c.jpg"),
        (("accept", "op/c.jpg"), {}, "no photo of the manifest"),
        (("relabel", "a.jpg"), {"craft": "kanjiwarram"}, "'kanjiwarram' is no known craft: did you mean kanjivaram"),
        (("relabel", "a.jpg"), {"craft": "silk"}, "not a craft tradition"),
        (
            ("relabel", "a.jpg"),
            {"craft": "Jamdani saree"},
            "labelled jamdani already; say that it is right with accept",
        ),
        (("relabel", "a.jpg"), {"craft": "patola", "why": " \n"}, "relabel needs its reason: add --why"),
        (("exclude", "a.jpg"), {"why": ""}, "exclude needs its reason"),
        (("comment", "a.jpg"), {"why": ""}, "comment needs its text"),
        (("merge", "a.jpg"), {"others": ["shop/a.jpg"]}, "one piece already"),
        (("merge", "a.jpg"), {"others": ["s1"]}, "one piece already"),
        (("duplicate", "a.jpg"), {"others": ["a.jpg"]}, "needs another photo than this one"),
        (("duplicate", "a.jpg"), {"others": ["x.jpg"]}, "no photo of the manifest"),
        (("remove", "a.jpg"), {}, "'remove' is no kind of decision"),
        (("undo", "a.jpg"), {}, "'undo' is no kind of decision"),
        (("accept", "a.jpg"), {"by": "  "}, "a decision needs a name"),
        (("accept", "a.jpg"), {"by": "x" * 101}, "the name has 101 characters"),
        (("accept", "a.jpg"), {"by": "A\x1b[31m"}, "holds the character U[+]001B"),
        (("accept", "a.jpg"), {"by": "A\u202eB"}, "holds the character U[+]202E"),
        (("accept", "a.jpg"), {"by": "A\udcff"}, "holds the character U[+]DCFF"),
        (("accept", "a.jpg"), {"why": "x" * 4001}, "the reason has 4001 characters; at most 4000"),
        (("accept", "a.jpg"), {"seen": 99}, "nobody can have seen entry 99; the last is 1"),
    ):
        with pytest.raises(ValueError, match=said):
            about(log, *arguments, **options)
    for number in (0, -1, 7, 10**30):
        with pytest.raises(CurationError, match=f"there is no entry {number} to take back"):
            log.undo(number, by="A")
    with pytest.raises(CurationError, match="says which manifest is in use"):
        log.undo(1, by="A")
    assert len(log.entries()) == 1


def test_a_label_that_is_none_can_be_replaced_but_not_accepted(manifest, path):
    manifest.write_text(ROWS.replace("oddity", ""))
    log, read = open_log(path, manifest, by="A")
    with pytest.raises(CurationError, match="has no label to accept"):
        decide_about(log, read, "accept", "d.jpg", by="A")
    given = decide_about(log, read, "relabel", "d.jpg", craft="Mashru of Patan", new=True, by="A", why="satin")
    assert given.value == "Mashru of Patan"
    assert labels(apply_log(log, manifest)[0])["museum/d.jpg"] == "Mashru of Patan"


def test_a_new_label_keeps_its_vowel_signs_and_its_first_capitals(manifest, path):
    log, read = open_log(path, manifest, by="A")

    def label(photo, craft):
        return decide_about(log, read, "relabel", photo, craft=craft, new=True, by="A", why="seen").value

    assert [label("a.jpg", "कैसी"), label("b.jpg", "कसी"), label("d.jpg", "Kalna Tant")] == ["कैसी", "कसी", "Kalna Tant"]
    assert label("shop/c.jpg", "kalna-tant") == "Kalna Tant"


def test_names_and_notes_stay_as_they_are(log, call):
    why = "सूती 😀 👩🏽‍🌾\r\n[bold]not[/bold] <b>, =1+1\n" + "z" * 100
    entry = about(log, "accept", "a.jpg", by="  Jose\u0301   O'Neil ", why=why)
    assert (entry.by, entry.why) == ("José O'Neil", why.replace("\r\n", "\n"))
    assert log.entries()[-1] == entry
    _, out, err = call(log.path, "log", "--json")
    assert json.loads(out)[-1]["why"] == entry.why
    assert "[bold]" in err


def test_a_manifest_that_cannot_be_read_begins_no_log(call, path, tmp_path):
    assert call(path, "accept", "a.jpg", "--manifest", tmp_path / "none.csv", "--by", "A")[0] == 1
    assert not path.exists()


def test_a_log_of_an_awkward_name(manifest, tmp_path):
    path = tmp_path / "a b#1?x=%20.db"
    log, _ = open_log(path, manifest, by="Asha")
    log.close()
    assert path.is_file()
    assert not list(tmp_path.glob(".*"))


# --- the log ---------------------------------------------------------------------------------------------------------


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


# --- what stands -----------------------------------------------------------------------------------------------------


def test_seen_or_not_seen(log):
    first = about(log, "relabel", "a.jpg", craft="patola")
    with pytest.raises(Clash) as clash:
        about(log, "exclude", "a.jpg", by="Ravi", seen=first.number - 1)
    assert clash.value.entries == (first,)
    second = about(log, "exclude", "a.jpg", by="Ravi", seen=first.number)
    assert log.standing().verdicts["shop/a.jpg"] == second
    log.undo(second.number, by="Asha", over=True)
    assert log.standing().verdicts["shop/a.jpg"] == first  # what it overruled is in force again
    deferred = about(log, "defer", "b.jpg", by="Ravi")
    assert about(log, "relabel", "b.jpg", craft="patola").seen == 0  # whoever knows may answer
    assert deferred.number in log.standing().overruled
    with pytest.raises(Clash):
        about(log, "defer", "b.jpg", by="Ravi")
    about(log, "comment", "b.jpg", by="Ravi")  # and a remark contradicts nobody


def test_an_undo_can_be_undone(log):
    entry = about(log, "exclude", "a.jpg")
    with pytest.raises(Clash, match=f"(?s)somebody else said so.*by Asha.*add --over {entry.number}"):
        log.undo(entry.number, by="Ravi")
    assert log.entries()[-1] == entry
    undo = log.undo(entry.number, by="Ravi", over=True)
    assert not log.standing().verdicts
    with pytest.raises(CurationError, match=f"taken back already; undo {undo.number} brings it into force again"):
        log.undo(entry.number, by="Asha")
    log.undo(undo.number, by="Asha", over=True)
    assert log.standing().verdicts == {"shop/a.jpg": entry}
    log.undo(entry.number, by="Ravi", over=True)
    assert log.standing().undone == {entry.number, undo.number}


def test_photos_that_are_copies_of_each_other_in_a_ring(log, manifest):
    about(log, "duplicate", "a.jpg", others=["b.jpg"])
    about(log, "duplicate", "b.jpg", others=["shop/c.jpg"])
    with pytest.raises(Clash, match="so that none would be left. To keep shop/a.jpg instead, first: undo 3"):
        about(log, "duplicate", "shop/c.jpg", others=["a.jpg"])
    applied, _ = apply_log(log, manifest)
    assert set(labels(applied)) == {"shop/c.jpg", "museum/c.jpg", "museum/d.jpg"}
    ring = about(log, "duplicate", "shop/c.jpg", others=["a.jpg"], by="Ravi", clash="stand")
    (conflict,) = log.standing().conflicts
    assert [entry.number for entry in conflict.entries] == [2, 3, ring.number]
    with pytest.raises(CurationError, match="1 open conflict"):
        apply_log(log, manifest)
    assert len(apply_log(log, manifest, leave_conflicts=True)[0].after) == 5
    about(log, "accept", "shop/c.jpg", by="Meera", over=[ring.number])
    assert len(apply_log(log, manifest)[0].after) == 3


# --- applying --------------------------------------------------------------------------------------------------------


def test_pieces_become_one_whatever_the_order(log, manifest):
    about(log, "merge", "museum/d.jpg", others=["shop/c.jpg"])
    table = read_manifest(manifest, on_unknown="keep").table
    write_manifest(table.assign(source="shop"), manifest)
    applied, _ = apply_log(log, manifest)
    assert applied.after.table["piece"].tolist() == ["s1", "s2", "shop/c.jpg", "s4", "shop/c.jpg"]
    about(log, "merge", "shop/c.jpg", others=["s2", "s1"])
    applied, _ = apply_log(log, manifest)
    assert applied.after.table["piece"].tolist() == ["s1", "s1", "s1", "s4", "s1"]
    assert applied.straddling == applied.mixed == ("s1",)
    assert [change.before for change in applied.changes] == ["s2", "", ""]
    assert all([entry.number for entry in change.entries] == [2, 3] for change in applied.changes)
    left_out = about(log, "exclude", "b.jpg")
    changes = apply_log(log, manifest)[0].changes  # a photo that leaves joins nothing
    assert [change.kind for change in changes if change.photo == "shop/b.jpg"] == ["exclude"]
    log.undo(left_out.number, by="A", over=True)
    log.undo(2, by="A", over=True)
    assert apply_log(log, manifest)[0].after.table["piece"].tolist() == ["s1", "s1", "s1", "s4", ""]


def test_what_several_sources_photographed_is_said_apart_from_their_own_numbers(log, manifest):
    about(log, "merge", "museum/d.jpg", others=["shop/c.jpg", "s1"])
    applied, _ = apply_log(log, manifest)
    together = ["shop/a.jpg", "", "shop/a.jpg", "", "shop/a.jpg"]
    assert applied.after.table["piece"].tolist() == ["s1", "s2", "", "s4", ""]
    assert applied.after.table["shared_piece"].tolist() == together
    assert len(set(applied.after.pieces)) == 3
    write_manifest(applied.after.table, manifest)
    about(log, "merge", "shop/b.jpg", others=["shop/a.jpg"])
    assert apply_log(log, manifest)[0].after.table["shared_piece"][1] == "shop/a.jpg"


def test_a_relabelled_photo_leaves_its_saree_between_two_traditions(log, manifest):
    table = read_manifest(manifest, on_unknown="keep").table
    table["piece"], table["craft"] = "s1", "jamdani"
    write_manifest(table, manifest)
    about(log, "comment", "b.jpg")
    assert apply_log(log, manifest)[0].mixed == ()
    about(log, "relabel", "b.jpg", craft="leheriya")
    applied, _ = apply_log(log, manifest)
    assert applied.mixed == ("s1",)
    assert applied.straddling == ()  # as it was before; nobody merged it


def test_the_same_log_serves_the_next_version(log, manifest, tmp_path):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "exclude", "b.jpg")
    second = tmp_path / "elsewhere" / "manifest-2.parquet"
    applied, entries = apply_log(log, manifest)
    write_version(
        applied, account(applied, entries, second.parent, log=log.path, path=manifest, run=None), second, manifest
    )
    again, _ = apply_log(log, second)
    assert (again.changes, [entry.photo for entry in again.missing]) == ((), ["shop/b.jpg"])
    log.close()
    opened, read = open_log(log.path, second, by="Asha")
    with opened:
        entry = decide_about(opened, read, "accept", "shop/a.jpg", by="Ravi")
        assert (entry.photo, entry.value, entry.manifest) == ("shop/a.jpg", "patola", read.sha256)
        # Accepting the new label says of the old manifest that it was wrong.
        assert labels(apply_log(opened, manifest)[0])["shop/a.jpg"] == "patola"
        assert apply_log(opened, manifest, upto=1)[0].after.sha256 == applied.before.sha256
        with pytest.raises(CurationError, match="there is no entry 99; the last is 5"):
            apply_log(opened, manifest, upto=99)
    moved = shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    with CurationLog(moved / "first" / "decisions.db") as there:
        found, _ = apply_log(there, moved / "first" / "manifest.csv")
        assert labels(found) == labels(apply_log(there, manifest)[0])


def test_the_manifest_in_use_is_watched(log, manifest):
    manifest.write_text(ROWS.replace("patola", "bandhani"))
    log.close()
    with pytest.raises(CurationError, match="was changed since entry 1 of .* --manifest"):
        open_log(log.path, by="A")
    opened, _ = open_log(log.path, manifest, by="A")
    assert [entry.kind for entry in opened.entries()] == ["manifest", "manifest"]
    opened.close()
    manifest.unlink()
    with pytest.raises(CurationError, match="is not there any more; say where with --manifest"):
        open_log(log.path, by="A")
    with pytest.raises(ManifestError, match="no such file"):
        open_log(log.path, manifest, by="A")


def test_a_photo_that_is_another_file_now(log, manifest, tmp_path, call):
    about(log, "exclude", "a.jpg")
    about(log, "relabel", "b.jpg", craft="patola")
    save(manifest.parent / "shop" / "a.jpg", textured(seed=77))
    with pytest.raises(CurationError, match="1 decided on with another file than there is now"):
        apply_log(log, manifest)
    applied, _ = apply_log(log, manifest, leave_changed=True)
    assert (labels(applied)["shop/a.jpg"], labels(applied)["shop/b.jpg"], len(applied.changed)) == (
        "jamdani",
        "patola",
        1,
    )
    code, _, err = call(log.path, "diff", manifest)
    assert (code, "whose file is another one now, which stay as they are: 1" in err) == (0, True)
    about(log, "exclude", "a.jpg")  # the new one too
    assert "shop/a.jpg" not in labels(apply_log(log, manifest)[0])
    (manifest.parent / "shop" / "a.jpg").unlink()  # photos need not be at hand
    assert "shop/a.jpg" not in labels(apply_log(log, manifest)[0])


def test_a_file_that_the_manifest_does_not_mean(manifest, path):
    table = read_manifest(manifest, on_unknown="keep").table
    table.assign(sha256="0" * 64).to_csv(manifest, index=False)
    log, read = open_log(path, manifest, by="A")
    with log, pytest.raises(CurationError, match="the file is not the one that the manifest lists"):
        decide_about(log, read, "accept", "a.jpg", by="A")


def test_photos_under_other_names(log, manifest, tmp_path):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "duplicate", "b.jpg", others=["museum/c.jpg"])
    for name in ("a", "b"):
        (manifest.parent / "shop" / f"{name}.jpg").rename(manifest.parent / "shop" / f"{name}{name}.jpg")
    manifest.write_text(
        ROWS.replace("shop/a.", "shop/aa.").replace("shop/b.", "shop/bb.").replace("museum/c", "museum/cc")
    )
    with pytest.raises(CurationError, match="none of the 2 photos decided on .* --by-content"):
        apply_log(log, manifest)
    applied, _ = apply_log(log, manifest, by_content=True)
    assert labels(applied)["shop/aa.jpg"] == "patola"
    # The one to be kept is not there, so that this one stays.
    assert [entry.photo for entry in applied.missing] == ["shop/b.jpg"]
    assert "shop/bb.jpg" in labels(applied)


def test_a_listed_log_cuts_nothing(log, tmp_path):
    about(log, "exclude", "museum/c.jpg", why="a dupatta " * 20 + "unabbreviated" * 5)
    about(log, "duplicate", "shop/a.jpg", others=["shop/b.jpg"])
    with (tmp_path / "said").open("w") as file:
        print_entries(log.entries(), log.entries(), Console(file=file, width=70))
    assert "…" not in (tmp_path / "said").read_text()


def test_of_equal_files_a_verdict_is_on_the_one_that_it_names(log, manifest):
    shutil.copy(manifest.parent / "shop" / "a.jpg", manifest.parent / "museum" / "d.jpg")
    excluded, other = about(log, "exclude", "museum/d.jpg"), about(log, "accept", "shop/b.jpg")

    def found():
        read = read_manifest(manifest, on_unknown="keep")
        contents = [sha256_of(file) for file in read.files()]
        return dict(zip(read.table["path"], verdicts_on(log, read, contents), strict=True))

    assert {path: each for path, each in found().items() if each} == {"museum/d.jpg": excluded, "shop/b.jpg": other}
    (manifest.parent / "shop" / "b.jpg").rename(manifest.parent / "shop" / "moved.jpg")
    manifest.write_text(ROWS.replace("shop/b.", "shop/moved."))
    assert found()["shop/moved.jpg"] == other
    save(manifest.parent / "museum" / "d.jpg", textured(seed=9))
    assert found()["museum/d.jpg"] is None


def test_a_run_tells_which_photos_are_of_the_test_part(log, manifest, tmp_path):
    about(log, "exclude", "a.jpg")
    about(log, "exclude", "shop/c.jpg")
    (tmp_path / "run").mkdir()
    with pytest.raises(CurationError, match="not the parts of a finished run"):
        apply_log(log, manifest, run=tmp_path / "run")
    parts = {"used": {sha256_of(manifest.parent / "shop" / "a.jpg"): "test"}}
    (tmp_path / "run" / "parts.json").write_text(json.dumps(parts))
    applied, _ = apply_log(log, manifest, run=tmp_path / "run")
    assert {change.photo: change.part for change in applied.changes} == {"shop/a.jpg": "test", "shop/c.jpg": "unknown"}
    assert applied.test_photos_changed == 1
    assert apply_log(log, manifest)[0].counts["exclude"] == {
        "train": 1,
        "validation": 0,
        "test": 1,
        "unused": 0,
        "unknown": 0,
    }


def test_photos_that_nobody_decided_on_stay_as_they_are(log, manifest):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "defer", "shop/c.jpg")
    about(log, "comment", "museum/c.jpg")
    applied, _ = apply_log(log, manifest)
    rows = applied.before.table["path"] != "shop/a.jpg"
    assert applied.after.table[rows].equals(applied.before.table[rows])
    assert (applied.test_photos_changed, applied.deferred) == (0, 1)


def test_nothing_is_left(log, manifest, tmp_path, call):
    for photo in ("a.jpg", "b.jpg", "shop/c.jpg", "museum/c.jpg", "d.jpg"):
        about(log, "exclude", photo)
    code, _, err = call(log.path, "apply", manifest, "--out", tmp_path / "new.csv")
    assert (code, "no photo would be left" in err) == (1, True)
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize("theirs", ["new.csv", "new.curation.json"])
def test_nothing_half_written(log, manifest, tmp_path, full_disk, monkeypatch, theirs):
    applied, entries = apply_log(log, manifest)
    document = account(applied, entries, tmp_path, log=log.path, path=manifest, run=None)
    with full_disk(100), pytest.raises(OSError, match="large|space"):
        write_version(applied, document, tmp_path / "new.csv", manifest)
    link = os.link

    def faster(source, target):  # somebody writes the file in the last moment
        if Path(target).name == theirs:
            Path(target).write_text("theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", faster)
    with pytest.raises(CurationError, match="somebody else wrote it meanwhile"):
        write_version(applied, document, tmp_path / "new.csv", manifest)
    assert (tmp_path / theirs).read_text() == "theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["first", theirs]


def test_a_disk_without_links(manifest, path, tmp_path, monkeypatch):
    def none(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    log, _ = open_log(path, manifest, by="A")
    with log:
        about(log, "exclude", "a.jpg")
        applied, entries = apply_log(log, manifest)
    document = account(applied, entries, tmp_path, log=path, path=manifest, run=None)
    write_version(applied, document, tmp_path / "new.csv", manifest)
    assert len(read_manifest(tmp_path / "new.csv", on_unknown="keep")) == 4
    assert (tmp_path / "new.curation.json").is_file()


def test_find_photo_knows_files_through_links(manifest, tmp_path, monkeypatch):
    read = read_manifest(manifest, on_unknown="keep")
    monkeypatch.chdir(manifest.parent / "museum")
    assert find_photo(read, "c.jpg") == 3  # the file here
    assert find_photo(read, "./../shop/c.jpg") == find_photo(read, "shop\\c.jpg") == 2


# --- properties ------------------------------------------------------------------------------------------------------

PHOTOS, CURATORS, CRAFTS = ("a", "b", "c", "d"), ("Asha", "Ravi", "Meera"), ("patola", "jamdani")

steps = st.tuples(
    st.sampled_from(("accept", "relabel", "exclude", "duplicate", "defer", "merge", "comment", "undo", "undo")),
    st.sampled_from(PHOTOS),
    st.sampled_from(PHOTOS),
    st.sampled_from(CRAFTS),
    st.sampled_from(CURATORS),
    st.floats(0, 1),
)


def collection(root):
    table = pd.DataFrame("", index=range(5), columns=list(COLUMNS))
    table["path"], table["craft"] = [*PHOTOS, "untouched"], "bandhani"
    table["piece"], table["split"] = ["", "s", "s", "", "t"], ["train", "", "test", "val", "test"]
    return manifest_of(table.astype(object), root)


def take(log, step):
    """Do a random step, as far as it makes sense."""
    kind, photo, other, craft, by, share = step
    if kind == "undo":
        return log.undo(1 + round(share * 12), by=by, over=True)
    value = {"accept": craft, "relabel": craft, "duplicate": other, "merge": [other]}.get(kind, "")
    seen = round(share * len(log.entries()))
    return log.decide(kind, photo, value, by=by, why="y", seen=seen, clash="stand" if share < 0.7 else "refuse")


def told_otherwise(entries):
    """What stands by the definition, word by word: slower, and written another way than `replay`."""

    def active(entry):
        return not any(e.kind == "undo" and e.value == str(entry.number) and active(e) for e in entries)

    standing = defaultdict(list)
    verdicts = [e for e in entries if e.kind in ("accept", "relabel", "exclude", "duplicate", "defer") and active(e)]
    for old in verdicts:
        later = [e for e in verdicts if e.photo == old.photo and e.number > old.number]
        same = any(e.by == old.by for e in later)
        known = any(e.seen >= old.number for e in later)
        answered = old.kind == "defer" and any(e.kind != "defer" for e in later)
        if not (same or known or answered):
            standing[old.photo].append(old)
    said = {
        p: {("label" if e.kind in ("accept", "relabel") else e.kind, e.value) for e in s} for p, s in standing.items()
    }
    agreed = {photo: made[-1] for photo, made in standing.items() if len(said[photo]) == 1}
    rings = set()
    for photo in agreed:
        trail, at = [], photo
        while at in agreed and agreed[at].kind == "duplicate" and at not in trail:
            trail.append(at)
            at = agreed[at].value
        if at == photo and trail:
            rings.add(photo)
    conflicting = {photo for photo in standing if len(said[photo]) > 1} | rings
    return {photo: entry for photo, entry in agreed.items() if photo not in rings}, conflicting


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=25), st.integers(0, 25), st.randoms())
def test_any_sequence_of_decisions(tmp_path, sequence, cut, chance):
    folder = Path(mkdtemp(dir=tmp_path))
    manifest = collection(folder)
    made = []

    def work(part):
        with CurationLog.create(folder / "log.db") as log:
            log.bind(manifest.sha256, "manifest.csv", by="Asha")
            for step in part:
                try:
                    made.append(take(log, step))
                except CurationError:
                    continue
                assert log.entries()[1:] == made

    work(sequence[:cut])
    prefix = list(made)
    work(sequence[cut:])
    with CurationLog(folder / "log.db") as log:
        entries = log.trusted()
        before = log.trusted(upto=1 + len(prefix))
    assert entries[1:] == made
    # A log that grew in two goes is the log; what was found of its beginning is found again later.
    assert replay(prefix + entries[1 + len(prefix) :]) == replay(entries)
    assert replay(before) == replay(prefix)
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert replay(shuffled) == replay(entries)
    standing = replay(entries)
    verdicts, conflicting = told_otherwise(entries)
    assert standing.verdicts == verdicts
    assert {photo for conflict in standing.conflicts for photo in conflict.photos} == conflicting

    applied = apply_decisions(manifest, entries, leave_conflicts=True)
    again = apply_decisions(manifest, shuffled, leave_conflicts=True)
    places = {"log": folder / "log.db", "path": folder / "manifest.csv", "run": None}
    for name, each in (("one", applied), ("two", again)):
        write_version(each, account(each, entries, folder / name, **places), folder / name / "m.csv", places["path"])
    for name in ("m.csv", "m.curation.json"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()
    kept = applied.after.table.set_index("path")
    for photo in conflicting:
        assert kept.loc[photo, "craft"] == "bandhani"
    assert kept.loc["untouched"].to_dict() == manifest.table.set_index("path").loc["untouched"].to_dict()
    for photo, entry in verdicts.items():
        assert (photo in kept.index) == (entry.kind not in ("exclude", "duplicate"))
        if entry.kind in ("accept", "relabel"):
            assert kept.loc[photo, "craft"] == entry.value

    # Taking everything back gives the manifest back.
    with CurationLog(folder / "log.db") as log:
        for entry in made[::-1]:
            if entry.kind != "undo" and entry.number not in log.standing().undone:
                log.undo(entry.number, by="Meera", over=True)
        cleared = apply_decisions(manifest, log.trusted())
    assert cleared.after.table.equals(manifest.table)
    assert cleared.after.sha256 == manifest.sha256
    assert not cleared.changes


@given(st.text(max_size=60))
def test_any_text_is_kept_or_refused(text):
    try:
        kept = tidy_text(text, "it", 4000)
    except CurationError:
        assert any(not mark.isprintable() for mark in text)
        return
    assert kept.split() == text.split()
    entry = Entry(1, "comment", "a", "", "", "A", "", kept, "")
    assert len(chained(entry, "")) == 64
    if kept.split():
        assert tidy_name(tidy_name(kept)) == tidy_name(kept) or len(kept) > 100


def test_the_chain_holds_every_field():
    entry = Entry(1, "accept", "a", "s", "v", "b", "w", "y", "m", 3)
    whole = chained(entry, "x")
    assert whole != chained(entry, "y")
    for field in ("number", "kind", "photo", "sha256", "value", "by", "when", "why", "manifest", "seen"):
        other = 9 if field in ("number", "seen") else "other"
        assert chained(replace(entry, **{field: other}), "x") != whole
