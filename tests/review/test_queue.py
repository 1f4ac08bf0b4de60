import csv
import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from saree_cosface.answers.collection import see
from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.data.manifest import ManifestError, manifest_of
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.review.queue import COLUMNS, COMPARED, review, unbent_features
from saree_cosface.review.reasons import Reason
from saree_cosface.review.sheets import ENTRIES, _caption, write_sheets
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.tiny import SOME


@pytest.fixture(scope="module")
def mislabelled(tiny_corpus, tmp_path_factory):
    """The photos of three crafts, two with a wrong label, one of them twice, and one that cannot be read."""
    manifest = read_manifest(tiny_corpus, where=SOME)
    table = manifest.table.assign(path=[str(path) for path in manifest.files()])
    folder = tmp_path_factory.mktemp("mislabelled")
    again = folder / "again.png"
    with Image.open(table["path"][3]) as photo:
        photo.save(again)
    other = next(craft for craft in sorted(set(table["craft"])) if craft != table["craft"][3])
    copy = table.iloc[[3]].assign(path=str(again), craft=other, piece="", source="another shop", split="", sha256="")
    broken = table.iloc[[0]].assign(path=str(folder / "=broken.jpg"), piece="", split="", sha256="")
    (folder / "=broken.jpg").write_bytes(b"no photo")
    table = pd.concat([table, copy, broken], ignore_index=True)
    write_manifest(table, folder / "manifest.csv")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def collection(tiny_run, mislabelled, tiny_cache):
    return see(tiny_run, read_manifest(mislabelled), cache=tiny_cache)


@pytest.fixture(scope="module")
def queue(collection, tiny_cache):
    return review(collection, cache=tiny_cache)


def test_a_collection_knows_what_the_run_did_with_each_photo(collection, tiny_run):
    assert len(collection.bad) == 1
    assert collection.bad[0].path.name == "=broken.jpg"
    assert set(collection.parts) == {"train", "test", "validation", "new"}
    assert collection.parts[-1] == "new"
    assert (collection.parts == "train").sum() == len(tiny_run.gallery)
    facts = collection.facts
    assert len(facts) == len(collection) == len(collection.embeddings)
    assert (facts["cosine"] >= facts["own_cosine"]).all()
    taxonomy = load_taxonomy()
    assert facts["family"].tolist() == [taxonomy[craft].family for craft in facts["craft"]]
    assert set(facts["verdict"]) == {""}


@pytest.mark.slow
def test_labels_without_a_reference_have_no_cosine_of_their_own(tiny_run, tiny_corpus, tiny_cache):
    manifest = read_manifest(tiny_corpus, where="craft in ['chanderi', 'patola']")
    seen = see(tiny_run, manifest, cache=tiny_cache)
    assert np.isnan(seen.own_cosines[seen.manifest.crafts == "patola"]).all()
    assert np.isfinite(seen.own_cosines[seen.manifest.crafts == "chanderi"]).all()


def test_a_collection_of_nothing_readable_is_refused(tiny_run, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    table = read_manifest(tiny_run.folder / "manifest.csv").table.iloc[:1].assign(path="a.jpg")
    with pytest.raises(ManifestError, match="none of the 1 photos can be read"):
        see(tiny_run, manifest_of(table, tmp_path))


def test_the_contradiction_leads_the_queue(queue):
    first = queue.entries[:2]
    assert {"contradiction"} <= set(first[0].kinds) & set(first[1].kinds)
    assert queue.collection.manifest.table["path"][max(first[0].row, first[1].row)].endswith("again.png")
    scores = [entry.score for entry in queue.entries]
    assert scores == sorted(scores, reverse=True)
    assert [entry.rank for entry in queue.entries] == list(range(1, len(scores) + 1))


def test_scores_join_as_independent_chances(queue):
    several = next(entry for entry in queue.entries if len(entry.reasons) > 1)
    assert several.score == pytest.approx(1 - np.prod([1 - reason.score for reason in several.reasons]))


def test_what_stands_beside_a_photo(queue):
    manifest = queue.collection.manifest
    for entry in queue.entries:
        assert len(entry.own) <= COMPARED
        assert {manifest.crafts[row] for row in entry.own} <= {manifest.crafts[entry.row]}
        assert len({manifest.pieces[row] for row in entry.own} | {manifest.pieces[entry.row]}) == len(entry.own) + 1
        if entry.reasons[0].kind == "label":
            assert {manifest.crafts[row] for row in entry.others} == {entry.rival}


@pytest.mark.slow
def test_what_curators_settled_leaves_the_queue(collection, queue, tiny_cache):
    first = queue.entries[0]
    photo, craft = collection.sha256[first.row], str(collection.manifest.crafts[first.row])

    def ranked(kind, value):
        made = Decision(1, kind, "x.jpg", photo, value, "Asha", "2026-01-01T00:00:00+00:00", "", "")
        decisions = [made if row == first.row else None for row in range(len(collection))]
        return review(collection, decisions=decisions, cache=tiny_cache)

    for kind, value in (("accept", craft), ("relabel", craft), ("exclude", ""), ("defer", ""), ("duplicate", "y.jpg")):
        found = ranked(kind, value)
        assert first.row not in {entry.row for entry in found.entries}
        assert found.settled >= 1
    assert ranked("relabel", "patola").entries == queue.entries  # the label is still the old one


def test_the_queue_is_written_for_people_and_programs(queue, tmp_path, capsys):
    queue.save(tmp_path)
    document = json.loads((tmp_path / "queue.json").read_text())
    assert document == queue.to_json()
    assert document["queue"][0]["rank"] == 1
    assert document["skipped"][0]["path"].endswith("=broken.jpg")
    assert sum(document["by_kind"].values()) >= len(document["queue"])
    with (tmp_path / "queue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == [row["path"] for row in document["queue"]]


@pytest.mark.slow
def test_sheets_are_drawn_and_old_ones_go(queue, tmp_path):
    (tmp_path / "sheet-099.png").write_bytes(b"old")
    paths = write_sheets(queue, tmp_path, most=ENTRIES + 1)
    assert sorted(tmp_path.iterdir()) == paths
    assert len(paths) == 2
    with Image.open(paths[0]) as sheet:
        assert sheet.width > 1000
        assert np.asarray(sheet.convert("RGB")).std() > 10
    assert write_sheets(queue, tmp_path, most=0) == []
    assert write_sheets(queue, tmp_path, most=-1) == []
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_claims_to_show_the_most_similar_only_where_it_does(queue):
    said = {entry.reasons[0].kind: _caption(entry) for entry in queue.entries}
    assert said["contradiction"] == "what it is compared with"
    assert _caption(replace(queue.entries[0], reasons=(Reason("label", 0, 0.9, "x", "patola"),), rival="patola")) == (
        "most similar of Patola"
    )
    assert _caption(replace(queue.entries[0], others=())) == ""


def test_sheets_of_names_in_any_script_are_drawn_without_a_warning(queue, tmp_path):
    table = queue.collection.manifest.table.copy()
    table["source"] = "बनारस $x$"
    named = replace(queue.collection, manifest=manifest_of(table, queue.collection.manifest.root))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(write_sheets(replace(queue, collection=named), tmp_path, most=1)) == 1


def test_the_table_shows_whole_paths(queue, tmp_path):
    with (tmp_path / "said").open("w") as file:
        queue.print_table(Console(file=file, width=60))
    lines = [line for line in (tmp_path / "said").read_text().splitlines() if "Skipped" not in line]
    assert not any("…" in line for line in lines[: len(queue.entries)])


def test_the_backbone_of_a_frozen_run_is_unbent(collection):
    assert unbent_features(collection) is collection.features


def test_a_backbone_that_learned_is_replaced_by_the_one_it_began_with(collection, tiny_cache, monkeypatch):
    from saree_cosface.review import queue as module

    recipe = module.recorded_recipe(collection.run.folder)
    learned = replace(recipe, model=replace(recipe.model, trainable_stages=1))
    monkeypatch.setattr(module, "recorded_recipe", lambda _: learned)
    found = unbent_features(collection, tiny_cache)
    # This run's backbone did not learn after all, so that both are the same network.
    assert np.allclose(found, collection.features, atol=2e-3)
