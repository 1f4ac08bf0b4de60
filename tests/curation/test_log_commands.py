"""The commands of `saree-cosface curate`, from the first decision to a new manifest."""

import csv
import json
import subprocess
import sys

import pytest

from saree_cosface.curation.chain import broken_at
from saree_cosface.curation.decisions import Entry
from saree_cosface.curation.log import CurationLog
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import sha256_of
from tests.helpers.decided import about


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
