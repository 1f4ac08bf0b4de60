"""`data import`, `data check` and `loom`: photos and manifests, good and bad, from the command line."""

import json
import shutil

import pytest

from saree_cosface.data.manifest_file import read_manifest
from tests.helpers import altered
from tests.helpers.bad_photos import BAD, save, textured, zero_byte
from tests.helpers.folders import collection
from tests.helpers.processes import python


def test_import_then_check(call, tmp_path):
    folder = collection(tmp_path / "photos")
    code, out, err = call("data", "import", folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["crafts"] == {"banarasi": 4, "kasavu": 4}
    assert "8 photos from 2 sources" in err
    code, out, _ = call("data", "check", document["manifest"], "--crops", "false", "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True
    code, out, err = call("data", "check", document["manifest"], "--crops", "false", "--where", "craft == 'kasavu'")
    assert (code, out) == (0, "")
    assert "4 of 4 photos readable" in err


def test_import_lists_what_it_leaves_out(call, tmp_path):
    folder = collection(tmp_path / "photos")
    save(folder / "organza" / "a.png", textured())
    (folder / "kasavu" / "[red].jpg").write_bytes(b"")
    for number in range(12):
        (folder / "kasavu" / f"notes {number}.txt").write_text("")
    code, out, err = call("data", "import", folder, "--out", tmp_path / "m.parquet")
    assert (code, out) == (0, "")
    for wanted in ("banarasi", "organza (1 photo): ", "[red].jpg: empty", "Left out, 13 files", "… and 3 more"):
        assert wanted in err
    assert len(read_manifest(tmp_path / "m.parquet")) == 8


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "check", "caf\udce9.csv"],
        ["data", "import", "photos", "--out", "caf\udce9.csv"],
        ["train", "--data.manifest", "caf\udce9.csv", "--out", "run"],
        ["train", "--data.manifest", "manifest.csv", "--out", "caf\udce9"],
    ],
)
def test_a_name_that_is_not_utf8_is_told(arguments, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collection(tmp_path / "photos")
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert "caf\\xe9" in err
    assert "is not UTF-8 text; rename it" in err
    assert [each.name for each in tmp_path.iterdir()] == ["photos"]


@pytest.mark.slow
def test_a_photo_of_such_a_name_does_not_cost_the_others(call, tiny_run, tmp_path):
    photos = [tmp_path / "caf\udce9" / "a.png", tmp_path / "ajrakh" / "b\udce9.png", tmp_path / "ajrakh" / "c.png"]
    for number, path in enumerate(photos):
        save(path, textured(seed=number))
    code, out, _ = call("predict", tiny_run.folder, *photos, "--json")
    assert code == 0
    assert [answer["photos"] for answer in json.loads(out)["answers"]] == [[str(path)] for path in photos]
    imported = python("-m", "saree_cosface", "data", "import", tmp_path, "--json")
    assert (imported.returncode, json.loads(imported.stdout)["photos"]) == (0, 1)
    assert "b\\udce9.png: a name with a backslash" in imported.stderr


def test_import_of_a_spreadsheet(call, tmp_path):
    folder = collection(tmp_path)
    (tmp_path / "list.csv").write_text("Image;Label;Shop\nkasavu/shop a/साड़ी 0.png;Kerala saree;a\n", encoding="utf-8")
    code, out, _ = call("data", "import", folder / "list.csv", "--json")
    assert code == 0
    assert json.loads(out)["crafts"] == {"kasavu": 1}
    for wrong in (tmp_path / "missing", tmp_path / "missing.csv", tmp_path / "kasavu" / "shop a"):
        code, out, err = call("data", "import", wrong)
        assert (code, out) == (1, "")
        assert err.startswith("saree-cosface: ")


def test_check_finds_bad_photos_and_says_so_in_the_exit_status(call, tmp_path):
    bad = [make(tmp_path) for make in BAD]
    save(tmp_path / "good.png", textured())
    rows = [f"{path.name},kasavu,shop {row % 2}" for row, path in enumerate([*bad, tmp_path / "good.png"])]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--crops", "false", "--json")
    assert code == 1
    document = json.loads(out)
    unreadable = {
        path for finding in document["findings"] if finding["kind"] == "unreadable" for path in finding["paths"]
    }
    assert unreadable == {path.name for path in bad}
    assert document["readable"] == 1


@pytest.mark.slow
def test_check_finds_crops_of_one_photograph(call, tmp_path):
    whole = altered.photo(altered.woven("patola", 1))
    save(tmp_path / "whole.jpg", whole, quality=90)
    save(tmp_path / "shared.jpg", altered.mirrored(altered.part(whole, 0.3, 0.9)), quality=60)
    save(tmp_path / "other.jpg", altered.photo(altered.woven("patola", 1), seed=1), quality=90)
    rows = ("whole.jpg,patola,shop a,4", "shared.jpg,banarasi,shop b,", "other.jpg,patola,shop b,4")
    (tmp_path / "m.csv").write_text("path,craft,source,piece\n" + "\n".join(rows) + "\n")
    code, out, err = call("data", "check", tmp_path / "m.csv", "--cache", tmp_path / "cache", "--json")
    assert code == 1  # one photograph, two labels
    said = {finding["kind"]: finding for finding in json.loads(out)["findings"]}
    assert said["contradictory"]["paths"] == said["crop"]["paths"] == ["whole.jpg", "shared.jpg"]
    assert said["crop"]["message"].startswith(
        "the same photograph, mirrored: whole.jpg (shop a, 4, patola) and shared.jpg (shop b, banarasi); "
    )
    assert "the same photograph" in err


def test_check_with_the_embeddings_of_a_run(call, tiny_run, tmp_path):
    photo = tiny_run.gallery.references["path"][0]
    shutil.copy(photo, tmp_path / "a.jpg")
    zero_byte(tmp_path)
    (tmp_path / "m.csv").write_text("path,craft,source\na.jpg,chanderi,x\nzero_byte.jpg,chanderi,y\n")
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--run", tiny_run.folder, "--crops", "false", "--json")
    assert code == 1
    assert json.loads(out)["readable"] == 1


BAD_MANIFESTS = {
    "no craft column": (b"path,label\na.jpg,kasavu\n", "column craft is missing"),
    "no path column": (b"file,craft\na.jpg,kasavu\n", "column path is missing"),
    "a longer row": (b"path;craft\na;b.jpg;kasavu\n", "line 2 has 3 fields and the header 2"),
    "a path that is empty": (b"path,craft\n,kasavu\n", "line 2 without a path"),
    "an unknown craft": (b"path,craft\na.jpg,knjivaram\n", "anjivaram"),
    "a material": (b"path,craft\na.jpg,organza\n", "organza"),
    "no label": (b"path,craft\na.jpg,\n", "no label given"),
    "nothing": (b"", "empty; it needs a header"),
    "a header alone": (b"path,craft\n", "lists no photo"),
    "not text": (b"path,craft\n\xff\xfe.jpg,kasavu\n", "not UTF-8"),
    "contradictory rows": (b"path,craft\na.jpg,kasavu\na.jpg,tant\n", "different craft"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_a_bad_manifest_is_told_by_training_and_leaves_nothing(call, tmp_path, case):
    content, said = BAD_MANIFESTS[case]
    (tmp_path / "m.csv").write_bytes(content)
    code, out, err = call("train", "--data.manifest", tmp_path / "m.csv", "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    assert said in err
    assert "m.csv" in err
    assert not (tmp_path / "run").exists()


def test_marks_and_line_ends_of_windows_are_no_matter(call, tmp_path):
    folder = collection(tmp_path)
    rows = ["path,craft,source"] + [
        f"{path.relative_to(folder)},{path.parts[-3]},{path.parts[-2]}" for path in folder.rglob("*.png")
    ]
    (tmp_path / "m.csv").write_bytes("\r\n".join(rows).replace("/", "\\").encode("utf-8-sig"))
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--crops", "false", "--json")
    assert code == 0
    assert json.loads(out)["photos"] == 8


def test_the_loom_draws_from_the_command_line(call, tmp_path, monkeypatch):
    from saree_cosface.loom import corpus

    asked = {}
    monkeypatch.setattr(corpus, "draw_corpus", lambda out, options: asked.update(out=out, options=options) or out / "m")
    code, out, err = call("loom", tmp_path, "--loom.shops", "5", "--loom.seed", "7")
    assert (code, out) == (0, "")
    assert asked["out"] == tmp_path
    assert (asked["options"].shops, asked["options"].seed) == (5, 7)
    assert str(tmp_path / "m") in err.replace(" ", "") or "Manifest:" in err
    code, _, err = call("loom", tmp_path, "--loom.shops", "0")
    assert code in (1, 2)
    assert "shops is 0" in err
