"""The shortcut audit names what is a shortcut, and only that."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.reading import read_photos
from saree_cosface.pages.audit import write_audit_page
from saree_cosface.scoring import audit
from saree_cosface.scoring.cheap_features import colour_histogram, thumbnail
from saree_cosface.scoring.confounding import confounded_sources, copies_across_parts, dominated_crafts
from saree_cosface.scoring.findings import findings
from saree_cosface.scoring.hidden_parts import hide_border, hide_centre
from saree_cosface.scoring.probes import EvaluationError, unseen_probes
from saree_cosface.scoring.source_readability import source_readability
from saree_cosface.taxonomy import craft_name
from tests.helpers.moved import moved_run
from tests.helpers.tiny import CRAFTS, SOME


def test_the_looms_confounded_shops_are_named_and_no_others(tiny_corpus):
    manifest = read_manifest(tiny_corpus)
    table = manifest.table
    built_in = set(table["source"][table["confounded"].astype(str).str.lower() == "true"])
    assert built_in
    found = confounded_sources(manifest.crafts, manifest.sources)
    assert {each["source"] for each in found} == built_in
    for each in found:
        mine = table["craft"][table["source"] == each["source"]]
        assert each["craft"] == mine.mode()[0]


def test_small_and_even_sources_are_not_called_confounded():
    rng = np.random.default_rng(0)
    crafts = rng.choice(["a", "b", "c"], 300)
    sources = rng.choice([f"shop {number}" for number in range(10)], 300)
    assert confounded_sources(crafts, sources) == []
    # Two photos of one craft prove nothing; a whole shop of it does.
    assert confounded_sources(np.append(crafts, ["a", "a"]), np.append(sources, ["new", "new"])) == []
    found = confounded_sources(np.append(crafts, ["a"] * 30), np.append(sources, ["new"] * 30))
    assert [(each["source"], each["craft"], each["of_it"]) for each in found] == [("new", "a", 30)]
    assert confounded_sources(np.array(["a", "b"]), np.array(["", ""])) == []


def test_a_craft_of_one_source_is_pointed_out():
    crafts = np.array(["a"] * 4 + ["b"] * 4)
    sources = np.array(["x", "x", "x", "y", "w", "x", "y", "z"])
    found = dominated_crafts(crafts, sources)
    assert [(each["craft"], each["share"], each["warning"]) for each in found] == [
        ("a", 0.75, True),
        ("b", 0.25, False),
    ]
    assert found[0]["largest"] == "x"


def places(readable, seed=0, pieces=60, photos=2):
    """Unit vectors of two crafts from three shops; where ``readable``, a shop's lie together."""
    rng = np.random.default_rng(seed)
    piece = np.repeat(np.arange(pieces), photos)
    craft, shop = piece % 2, (piece // 2) % 3
    offsets = rng.normal(size=(3, 16))
    vectors = rng.normal(size=(pieces, 16))[piece] + 0.1 * rng.normal(size=(len(piece), 16))
    vectors += readable * 2 * offsets[shop]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.array(["a", "b"])[craft], np.array(["x", "y", "z"])[shop], piece.astype(str)


def test_a_source_that_can_be_read_is_found_and_one_that_cannot_is_not():
    found = source_readability(*places(True), permutations=200)
    assert found["share"] > 0.8
    assert found["p"] < 0.01
    assert found["photos"] == 120
    chance = [source_readability(*places(False, seed), permutations=200) for seed in range(20)]
    assert np.mean([each["share"] for each in chance]) == pytest.approx(1 / 3, abs=0.05)
    assert sum(each["p"] < 0.05 for each in chance) <= 4  # photos of one piece do not count as evidence
    assert chance[0]["low"] <= chance[0]["expected"] <= chance[0]["high"]


def test_nothing_is_read_where_there_is_nothing_to_tell():
    vectors, crafts, sources, pieces = places(True)
    assert source_readability(vectors, crafts, np.full(len(crafts), "x"), pieces) is None
    assert source_readability(vectors, crafts, np.where(sources == "x", "", sources), pieces) is None


def test_cheap_features():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert np.linalg.norm(colour_histogram(pixels)) == pytest.approx(1)
    shuffled = np.random.default_rng(1).permutation(pixels.reshape(-1, 3)).reshape(pixels.shape)
    assert np.array_equal(colour_histogram(shuffled), colour_histogram(pixels))  # where a colour is does not matter
    assert thumbnail(pixels).shape == (768,)
    assert thumbnail(np.full((9, 9, 3), 7, np.uint8)).tolist() == [0.0] * 768
    half = np.zeros((32, 32, 3), np.uint8)
    half[16:] = 200
    assert thumbnail(half)[-1] > 0 > thumbnail(half)[0]


def test_what_is_hidden_is_half_of_the_photo():
    pixels = np.zeros((100, 60, 3), np.uint8)
    pixels[:, :, 0] = np.arange(60)
    centre, border = hide_centre(pixels), hide_border(pixels)
    assert np.array_equal(centre[0], pixels[0])
    assert np.array_equal(border[50, 30], pixels[50, 30])
    hidden = (centre != pixels).any(axis=2)
    assert hidden.mean() == pytest.approx(0.5, abs=0.03)
    assert not (hidden & (border != pixels).any(axis=2)).any()  # together they show everything once


def context(**changes):
    made = {
        **{"looked_at": 9, "of": 9, "seed": 0, "masked_by": "GrabCut", "photos": 9, "chance": 0.1},
        "all": {"whole": {"value": 0.8}, "cloth": {"value": 0.7}, "background": {"value": 0.2}},
        "ratio": {"value": 0.3},
        "usual": {"craft": "patola", "share": 0.4},
    }
    return {**made, **changes}


def document(**changes):
    score = {"value": 0.2}
    made = {
        "photos": 9,
        "unread": [],
        "copies": [],
        "confounded_sources": [],
        "dominated_crafts": [],
        "shortcut_gap": None,
        "source_in_embedding": None,
        "cheap_features": {name: {"source": score, "random": 0.3} for name in ("colours", "thumbnail")},
        "hidden": {"all": {"whole": {"value": 0.8}, "centre hidden": score, "border hidden": {"value": 0.8}}},
        "context": context(),
    }
    return {**made, **changes}


def test_findings_warn_of_what_is_wrong_alone():
    assert not any(finding["warning"] for finding in findings(document()))
    suspect = document()["hidden"]["all"] | {"centre hidden": {"value": 0.75}}
    by_room = context()["all"] | {"background": {"value": 0.6}}
    for wrong in (
        {"unread": [{"path": "a.jpg", "reason": "no such file"}]},
        {"copies": [{"trained_on": "a.jpg", "copy": "b.jpg", "part": "test"}]},
        {"shortcut_gap": {"nearest": {"random": 0.9, "source": 0.6, "gap": 0.3}}},
        {"source_in_embedding": {"share": 0.9, "expected": 0.3, "p": 0.001}},
        {"hidden": {"all": suspect}},
        {"context": context(all=by_room)},
    ):
        warned = [finding for finding in findings(document(**wrong)) if finding["warning"]]
        assert len(warned) == 1


def read(manifest):
    return read_photos(manifest.files(), manifest.table["sha256"].tolist())


def test_copies_on_both_sides_of_the_split(tiny_run, tiny_cache, tmp_path):
    manifest = read_manifest(tiny_run.folder / "manifest.csv", taxonomy=None)
    assert copies_across_parts(tiny_run, manifest, read(manifest), tiny_cache) == []
    rows = manifest.table.query("split == 'train'").index[:1]
    original = manifest.files()[rows[0]]
    (tmp_path / "m.csv").write_text(f"path,craft\n{original},{CRAFTS[0]}\ncopy.jpg,{CRAFTS[0]}\n")
    Image.open(original).resize((80, 80)).save(tmp_path / "copy.jpg")
    listed = read_manifest(tmp_path / "m.csv")
    found = copies_across_parts(tiny_run, listed, read(listed), tiny_cache)
    assert [(each["trained_on"], each["copy"], each["part"]) for each in found] == [
        (str(original), "copy.jpg", "unused")
    ]


@pytest.mark.slow
def test_the_command_writes_a_page(tiny_run, tiny_corpus, tiny_cache, tmp_path, capsys):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                *("audit", str(run), str(tiny_corpus), "--out", str(tmp_path / "out")),
                *("--cache", str(tiny_cache), "--photos", "5", "--json"),
            ]
        )
    assert ended.value.code == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found == json.loads((tmp_path / "out" / "audit.json").read_text())
    assert found["held_out"] == len(read_manifest(tiny_run.folder / "manifest.csv", where="split == 'test'"))
    assert found["photos"] == len(read_manifest(tiny_corpus, where=SOME))
    page = (tmp_path / "out" / "audit.html").read_text()
    assert page.count('src="data:image/png;base64,') == 3
    assert "The cloth, with whoever wears it, was found by" in page
    for finding in found["findings"]:
        assert finding["says"][:25].replace("'", "&#x27;") in page
        assert finding["says"][:12] in captured.err.replace("\n", " ")
    for name in ("colours", "thumbnail"):
        assert 0 <= found["cheap_features"][name]["source"]["value"] <= 1
    assert set(found["hidden"]["all"]) == {"whole", "centre hidden", "border hidden"}
    looked = found["context"]
    assert (looked["looked_at"], looked["of"]) == (5, found["held_out"])
    assert 0 < looked["photos"] <= 5
    assert sum(each["photos"] for each in looked["by_source"].values()) == looked["photos"]
    for craft in looked["by_craft"]:
        assert re.search(rf">{craft_name(craft)}</th>", page)


def test_of_photos_without_background_the_page_says_so_and_draws_nothing(tmp_path):
    found = {
        **document(context={**context(), "photos": 0}, findings=[], held_out=9, run="run", manifest="m.csv"),
        "cheap_features": {**document()["cheap_features"], "commonest": 0.4},
    }
    found["hidden"]["by_view"] = {}
    write_audit_page(found, tmp_path)
    page = (tmp_path / "audit.html").read_text()
    assert "0 have both a cloth and a background" in page
    assert page.count('src="data:image/png;base64,') == 2


def test_other_photos_than_those_trained_on_cannot_be_audited(tiny_run, tiny_corpus, tmp_path, capsys):
    held_out = read_manifest(tiny_run.folder / "manifest.csv", where="split == 'test'")
    write_manifest(held_out.table, tmp_path / "manifest.csv")
    with pytest.raises(SystemExit) as stopped:
        main(["audit", str(tiny_run.folder), str(tmp_path / "manifest.csv"), "--out", str(tmp_path / "audit")])
    assert stopped.value.code == 1
    assert "give the manifest trained on" in capsys.readouterr().err
    assert not (tmp_path / "audit").exists()


@pytest.mark.slow
def test_photos_that_are_away_are_told_and_without_most_there_is_no_audit(tiny_run, tmp_path, tiny_cache, monkeypatch):
    run = moved_run(tiny_run, tmp_path)
    manifest = read_manifest(run.folder / "manifest.csv")
    probes = unseen_probes(run, manifest, cache=tiny_cache)
    for name in (
        "score",
        "cheap_features",
        "hidden_parts",
        "context_ratio",
        "source_readability",
    ):  # which are of photos that are there
        monkeypatch.setattr(audit, name, lambda *_: {"shortcut_gap": None})
    monkeypatch.setattr(audit, "findings", lambda _: [])
    trained = [path for path, part in zip(manifest.files(), manifest.table["split"], strict=True) if part == "train"]
    trained[0].unlink()
    found = audit.audit_document(run, manifest, probes)
    assert found["photos"] == len(manifest) - 1
    assert found["unread"] == [{"path": str(trained[0]), "reason": "no such file"}]
    for path in trained[1:]:
        path.unlink()
    with pytest.raises(EvaluationError, match="too few of the photos trained on can be read; the first that cannot: "):
        audit.audit_document(run, manifest, probes)
