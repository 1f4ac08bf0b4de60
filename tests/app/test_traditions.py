"""The atlas, the page about a model, and what the tabs of the app share."""

import json
import shutil
from functools import partial
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from app.about import about_tab
from app.curators_map import map_tab
from app.curators_review import review_tab
from app.desk import Desk
from app.enrol import enrol_tab
from app.opening import heard
from app.traditions import traditions_tab
from saree_cosface.answers.enrolment import enrol
from saree_cosface.console import announce, telling, track
from saree_cosface.languages.packaged import english
from saree_cosface.pages.atlas import atlas_page
from saree_cosface.pages.atlas_cards import drawn_example, folded, make_atlas, search_text
from saree_cosface.pages.model_card import model_page
from saree_cosface.runs.folder import recorded_cache
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.failures import failures
from saree_cosface.scoring.found_accuracy import WHOSE
from saree_cosface.scoring.model_card import model_card
from tests.helpers.hostile import HOSTILE, tame

pytestmark = pytest.mark.slow  # a run is trained for them


def found(atlas, text="", family="", known=False):
    """What ``app/traditions.js`` finds, in Python: every word of the text must stand somewhere on the card."""
    words = folded(text).split()
    return [
        card
        for card in atlas.cards
        if (not family or card.craft.family == family)
        and (card.known or not known)
        and all(word in search_text(card.craft) for word in words)
    ]


@pytest.fixture
def run(tiny_run, tmp_path):
    """A run of its own to change."""
    return load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))


def evaluate(run, **more):
    """An evaluation by hand: ten photos each; three of jamdani taken for chanderi, one of chanderi for jamdani."""
    matrix = [[9, 1, 0], [3, 4, 3], [0, 0, 10]]
    crafts = ["chanderi", "jamdani", "leheriya"]
    answers = [
        (craft, other, n)
        for craft, row in zip(crafts, matrix, strict=True)
        for other, n in zip(crafts, row, strict=True)
    ]
    document = {
        "protocol": "source", "manifest_sha256": "", "metrics": {"top1": {"value": 0.77, "low": 0.6, "high": 0.9}},
        "photos": [{"sha256": "", "craft": c, "answer": o} for c, o, n in answers for _ in range(n)],
        "counts": {"photos": 30, "pieces": 30, "sources": 2, "crafts": 3},
        "per_craft": {c: {"photos": 10, "top1": matrix[i][i] / 10} for i, c in enumerate(crafts)},
        "per_source": {"a": {"photos": 15, "top1": 0.9}, "b": {"photos": 15, "top1": 0.5}},
        "confusion": {"classes": crafts, "matrix": matrix},
        "shortcut_gap": None, "confidence": None, "remarks": [], "skipped": {}, **more,
    }  # fmt: skip
    folder = run.folder / "evaluation" / "source"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    return document


# --- the atlas


def test_atlas_begins_with_the_crafts_that_the_run_knows(run):
    atlas = make_atlas(run)
    assert {card.craft.id for card in atlas.cards[:3]} == set(run.gallery.crafts)
    assert all(card.known and card.learned for card in atlas.cards[:3])
    assert not any(card.known for card in atlas.cards[3:])
    chanderi = next(card for card in atlas.cards if card.craft.id == "chanderi")
    mine = run.gallery.references.query("craft == 'chanderi'")
    assert (chanderi.photos, chanderi.sources) == (len(mine), mine["source"].nunique())
    assert len(chanderi.pictures) == 3
    # Pictures of different sources, as there are several.
    drawn = [f"thumbnails/{path.name}" for path in chanderi.pictures]
    assert mine.set_index("thumbnail").loc[drawn, "source"].nunique() == 3


def test_atlas_says_what_was_measured_and_what_was_not(run):
    before = make_atlas(run)
    assert not before.evaluated
    assert before.cards[0].measured is None
    assert "was not measured for this model" in tame(atlas_page(before, english()))
    evaluate(run)
    atlas = make_atlas(run)
    by_craft = {card.craft.id: card for card in atlas.cards}
    assert (by_craft["jamdani"].measured.right, by_craft["jamdani"].measured.photos) == (4, 10)
    assert [(each.craft, each.taken, each.gave) for each in by_craft["jamdani"].sisters] == [
        ("chanderi", 3, 1),
        ("leheriya", 3, 0),
    ]
    text = tame(atlas_page(atlas, english()))
    assert "30 photos of 2 sources" in text
    assert "4 of 10 photos" in text
    assert "taken for it 3 times, mistaken for this 1 time" in text
    document = atlas.to_json()
    json.dumps(document)
    assert document["crafts"][0]["measured"]["photos"] == 10
    assert str(run.folder) not in json.dumps(document)


def test_atlas_names_an_evaluation_that_is_damaged(run):
    evaluate(run)
    (run.folder / "evaluation" / "source" / "evaluation.json").write_text("{")
    atlas = make_atlas(run)
    assert "cannot be read" in atlas.problem
    assert str(run.folder) not in atlas.problem
    assert "cannot be told" in tame(atlas_page(atlas, english()))
    evaluate(run)
    (run.folder / "evaluation" / "source" / "evaluation.json").write_text('{"counts": {}}')
    assert "lacks confusion" in make_atlas(run).problem


def test_atlas_finds_by_spelling_family_place_and_mark(run):
    atlas = make_atlas(run)
    assert [card.craft.id for card in found(atlas, "Kānchīpuram")] == ["kanjivaram"]
    assert [card.craft.id for card in found(atlas, "dhakai-jamdani")] == ["jamdani"]
    assert {card.craft.family for card in found(atlas, family="ikat")} == {"ikat"}
    assert {"habaspuri", "kotpad"} <= {card.craft.id for card in found(atlas, "odisha extra weft")}
    assert {card.craft.id for card in found(atlas, known=True)} == set(run.gallery.crafts)
    assert found(atlas, "zzz") == []


def test_atlas_shows_drawings_as_drawings():
    assert drawn_example("habaspuri") is None
    first = drawn_example("patola")
    drawn_example.cache_clear()
    assert np.array_equal(first, drawn_example("patola"))


def test_atlas_of_hostile_names(run, tiny_corpus):
    photos = sorted((tiny_corpus.parent / "photos" / "patola").iterdir())[:2]
    enrol(run.folder, "Our <b>own</b>" + "y" * 300, photos, new=True, source=HOSTILE)
    evaluate(run, per_craft={HOSTILE: {"photos": 3, "top1": 0.1}})
    atlas = make_atlas(load_run(run.folder))
    assert sum(card.known for card in atlas.cards) == 4
    enrolled = next(card for card in atlas.cards if card.known and not card.learned)
    assert enrolled.photos == 2
    text = tame(atlas_page(atlas, english()))
    assert "enrolled after training" in text
    # A craft that the loom draws and the gallery does not have is shown by a drawing, which says so.
    assert "Drawn by the loom, no photograph" in text


# --- about the model


def test_card_of_a_model_that_was_not_measured(run):
    card_ = model_card(run)
    assert card_["evaluation"] is None
    assert card_["calibration"] is None
    assert card_["photos"]["drawn"] is True
    assert card_["photos"]["parts"]["train"]["photos"] == len(run.gallery)
    json.dumps(card_)
    text = tame(model_page(card_, english()))
    for expected in ("learned from drawings", "Not measured.", "Not calibrated.", "To authenticate", card_["model"]):
        assert expected in text


def test_card_of_a_model_tells_its_failures(run):
    document = evaluate(run, skipped={HOSTILE: 3}, remarks=[HOSTILE])
    card_ = model_card(run)
    assert (
        card_["failures"]
        == failures(document)
        == [
            "Jamdani: 4 of 10 photos nearest to it; the others to Chanderi (3), Leheriya (3).",
            "It depends on who took the photo: the nearest is right in 90% for one source that it never saw, 50% for another.",
        ]
    )
    text = tame(model_page(card_, english()))
    assert "30 photos of 30 pieces by 2 sources" in text
    assert text.count(HOSTILE) == 2
    gap = {"nearest": {"gap": 0.11}}
    confidence = {"ece": {"value": 0.2}, "sets": {"promised": 0.9, "covered": {"value": 0.85}}}
    told = " ".join(failures({**document, "shortcut_gap": gap, "confidence": confidence}))
    for expected in ("recognises shops", "11 points", "85% of photos; 90% were promised", "20 points off"):
        assert expected in told


def test_card_of_a_model_says_what_it_cannot_read(run):
    evaluate(run)
    (run.folder / "evaluation" / "source" / "evaluation.json").write_text("[]")
    (run.folder / "manifest.csv").unlink()
    (run.folder / "config.yaml").write_text("{")
    card_ = model_card(run)
    assert len(card_["problems"]) == 3
    text = tame(model_page(card_, english()))
    assert "their list is gone" in text
    assert "Not measured." in text


@pytest.fixture(scope="module")
def calibrated_copy(calibrated_run, tmp_path_factory):
    return load_run(shutil.copytree(calibrated_run.folder, tmp_path_factory.mktemp("calibrated") / "run"))


def test_what_calibration_found_stands_where_nothing_was_evaluated(calibrated_copy):
    run = calibrated_copy
    found = run.calibration.found
    text = tame(model_page(model_card(run), english()))
    assert "Not measured." not in text
    assert f"Found by calibration: {WHOSE}" in text
    assert "This model itself was not scored" in text
    for score in (found["top1"], found["balanced_accuracy"]):
        assert f"{score['value']:.0%}{score['low']:.0%} – {score['high']:.0%}" in text
    assert set(found["per_craft"]) == set(run.classes)
    atlas = make_atlas(run)
    assert (atlas.evaluated, atlas.calibrated, atlas.photos) == (False, True, found["photos"])
    page = tame(atlas_page(atlas, english()))
    assert "not measured" not in page.lower()
    assert page.count(WHOSE) == 1 + len(run.classes)
    for card in atlas.cards[:3]:
        score = found["per_craft"][card.craft.id]
        assert card.measured.by == "calibration"
        assert card.measured.right / card.measured.photos == pytest.approx(score["value"])
        assert f"{card.measured.right} of {score['photos']} photos; 95 % interval" in page
    json.dumps(atlas.to_json())


def test_an_evaluation_comes_before_what_calibration_found(calibrated_copy, tmp_path):
    run = load_run(shutil.copytree(calibrated_copy.folder, tmp_path / "run"))
    scores = {"chanderi": {"photos": 10, "top1": 0.9}, "jamdani": {"photos": 10, "top1": 0.4}}
    evaluate(run, per_craft=scores)  # of leheriya no photo was held out
    atlas = make_atlas(run)
    measured = {card.craft.id: card.measured for card in atlas.cards[:3]}
    assert [measured[craft].by for craft in ("chanderi", "jamdani", "leheriya")] == [
        *("evaluation", "evaluation", "calibration")
    ]
    assert (measured["jamdani"].right, measured["jamdani"].photos) == (4, 10)
    text = tame(model_page(model_card(run), english()))
    assert text.index("30 photos of 30 pieces by 2 sources") < text.index("Found by calibration")


def test_a_card_says_that_its_photos_are_of_one_source(calibrated_copy):
    card_ = model_card(calibrated_copy)
    found = dict(card_["calibration"]["found"])
    alone = {craft: dict(score) for craft, score in found["per_craft"].items() if craft != "leheriya"}
    del alone["jamdani"]["low"], alone["jamdani"]["high"]
    text = tame(
        model_page(
            {**card_, "calibration": {**card_["calibration"], "found": {**found, "per_craft": alone}}}, english()
        )
    )
    assert "one source" in text
    assert "Not to be told of Leheriya" in text


# --- what the tabs share


def test_tabs_build_beside_each_other(run):
    desk = Desk(run.folder)
    with gr.Blocks() as page, gr.Tabs():
        reviewing = partial(review_tab, remembered=gr.BrowserState(""))
        for build in (traditions_tab, map_tab, reviewing, enrol_tab, about_tab):
            with gr.Tab(str(build)):
                build(desk)
    assert all(fn.api_visibility == "private" for fn in page.fns.values() if fn.fn is not None)
    labels = [
        block for block in page.blocks.values() if isinstance(block, (gr.Textbox, gr.Dropdown, gr.File, gr.Radio))
    ]
    assert len(labels) > 10
    assert all(block.label for block in labels)


def test_progress_is_heard_and_the_ends_are_never_left_out():
    told = []
    with telling(lambda *each: told.append(each)):
        list(track(range(3), "Counting"))
        announce("Drawing")
    assert told == [*(("Counting", done, 3) for done in range(4)), ("Drawing", 0, None)]
    told.clear()

    def heard_by(done, desc=None, **_):
        told.append((desc, *done))

    with heard(heard_by):
        list(track(iter("abcd"), "Reading", total=4))
    assert told[0] == ("Reading", 0, 4)
    assert told[-1] == ("Reading", 4, 4)
    list(track([], "Nobody listens"))


def test_features_are_looked_for_where_the_run_left_them(run, tiny_cache):
    assert recorded_cache(run.folder) == tiny_cache
    config = run.folder / "config.yaml"
    config.write_text(config.read_text().replace(str(tiny_cache), str(tiny_cache / "gone")))
    assert recorded_cache(run.folder) == Path("~/.cache/saree-cosface").expanduser()
