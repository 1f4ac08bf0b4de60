"""The tabs for curators and readers: the atlas, the review, enrolment and what is told of a model."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import gradio as gr
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.about import about_tab
from app.curators_map import map_tab
from app.curators_review import _place, _plainly, _show, review_tab
from app.desk import Desk
from app.enrol import _list, enrol_tab
from app.enrol import _plainly as enrol_plainly
from app.opening import heard, note
from app.traditions import traditions_tab
from saree_cosface.atlas import drawn_example, make_atlas
from saree_cosface.atlas_page import atlas_page, found
from saree_cosface.console import telling, track
from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.log import Clash, CurationLog
from saree_cosface.data.manifest import read_manifest, write_manifest
from saree_cosface.enrolment import EnrolmentError, enrol, enrolments, undo
from saree_cosface.keeping import Provenance
from saree_cosface.model_card import failures, model_card
from saree_cosface.model_card_page import model_page
from saree_cosface.prediction import predict
from saree_cosface.review.bench import (
    candidates,
    decide,
    decided,
    is_copy,
    log_beside,
    next_open,
    said_of,
    set_up,
    take_back,
)
from saree_cosface.review.card import card, clash_note, progress_bar, sentence
from saree_cosface.run_folder import recorded_cache
from saree_cosface.runs import load_run

pytestmark = pytest.mark.slow  # a run is trained for them

SCRIPT = "</div><script>window.hacked = 1</script>"
IMAGE = "<img src=x onerror='window.hacked = 1'>"
HOSTILE = f"{SCRIPT}{IMAGE} ${{window.hacked = 1}} {{{{constructor}}}} ساڑی 🧵 {'x' * 200}"


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("img", "br", "input", "link", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def tame(html):
    """The text of a page that is well formed, and in which nothing can run."""
    parser = _Tags()
    parser.feed(html)
    assert parser.open == []
    for tag, attributes in parser.found:
        assert tag not in ("script", "iframe", "object", "embed", "svg", "style")
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert attributes.get(name, "data:image/").startswith("data:image/")
    return "".join(parser.text)


@pytest.fixture
def run(tiny_run, tmp_path):
    """A run of its own to change."""
    return load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.fixture
def collection(tiny_run, tmp_path):
    """Manifest of the photos trained on, and of two copies of them with other labels, whose names are hostile: four
    photos that come first in any review."""
    folder = tmp_path / "collection"
    folder.mkdir()
    table = read_manifest(tiny_run.folder / "manifest.csv", taxonomy=None).table.drop(columns="split")
    copies = pd.concat([table[table["craft"] == craft].iloc[:1] for craft in ("chanderi", "leheriya")])
    paths = [shutil.copy(path, folder / f"{number} {IMAGE}.jpg") for number, path in enumerate(copies["path"])]
    copies = copies.assign(path=paths, craft=["leheriya", "chanderi"], source=HOSTILE, piece=["copy 0", "copy 1"])
    write_manifest(pd.concat([table, copies], ignore_index=True), folder / "manifest.csv")
    return folder / "manifest.csv"


@pytest.fixture
def bench(run, collection, tiny_cache):
    return set_up(run, collection, cache=tiny_cache)


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
    hashes = [path.stem for path in chanderi.pictures]
    assert mine.set_index("sha256").loc[hashes, "source"].nunique() == 3


def test_atlas_says_what_was_measured_and_what_was_not(run):
    before = make_atlas(run)
    assert not before.evaluated
    assert before.cards[0].measured is None
    assert "was not measured for this model" in tame(atlas_page(before))
    evaluate(run)
    atlas = make_atlas(run)
    by_craft = {card.craft.id: card for card in atlas.cards}
    assert (by_craft["jamdani"].measured.right, by_craft["jamdani"].measured.photos) == (4, 10)
    assert [(each.craft, each.taken, each.gave) for each in by_craft["jamdani"].sisters] == [
        ("chanderi", 3, 1),
        ("leheriya", 3, 0),
    ]
    text = tame(atlas_page(atlas))
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
    assert "cannot be told" in tame(atlas_page(atlas))
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
    text = tame(atlas_page(atlas))
    assert "enrolled after training" in text
    # A craft that the loom draws and the gallery does not have is shown by a drawing, which says so.
    assert "Drawn by the loom, no photograph" in text


# --- the review


def test_review_remembers_decisions_over_a_restart(run, bench, collection, tiny_cache):
    assert bench.log == collection.parent / "decisions.db" == log_beside(collection)
    assert not bench.log.exists()
    assert decided(bench)[1].decided == 0
    entry = decide(bench, 0, "accept", by="Asha  Rao", why=HOSTILE)
    assert (entry.kind, entry.by) == ("accept", "Asha Rao")
    decide(bench, 1, "relabel", by="Ben", craft="Jamdani" if bench.label(1) != "jamdani" else "Chanderi", why="tercha")
    again = set_up(run, collection, cache=tiny_cache)
    done, progress = decided(again)
    assert [again.path(index) for index in sorted(done)] == [bench.path(0), bench.path(1)]
    assert (progress.total, progress.decided, dict(progress.by)) == (len(bench), 2, {"Asha Rao": 1, "Ben": 1})
    assert next_open(again, 0, done) == 2
    assert said_of(again, 0).verdict == entry
    text = tame(f"{progress_bar(progress, 0)}{card(again, 0, said_of(again, 0))}")
    assert HOSTILE in text


def test_two_curators_clash_and_one_overrules(bench):
    seen = said_of(bench, 0).seen
    decide(bench, 0, "accept", by="Asha", why=HOSTILE, seen=seen)
    with pytest.raises(Clash) as clash:
        decide(bench, 0, "exclude", by="Ben", why="blurred", seen=seen)
    (other,) = clash.value.entries
    assert other.by == "Asha"
    assert HOSTILE in tame(clash_note(clash.value.entries, "exclude"))
    assert said_of(bench, 0).verdict.kind == "accept"
    decide(bench, 0, "exclude", by="Ben", why="blurred", seen=seen, over=[other.number])
    assert said_of(bench, 0).verdict.kind == "exclude"
    assert "blurred" in tame(card(bench, 0, said_of(bench, 0)))


def test_a_copy_stands_beside_the_photo_that_it_may_be_one_of(bench):
    first = candidates(bench, 0)[0]
    assert is_copy(bench.queue.entries[0])
    assert (IMAGE in first) != (IMAGE in bench.path(0))
    shown = _show(bench, 0)
    assert shown[3]["value"] == first
    assert decide(bench, 0, "duplicate", by="Asha", kept=first).value.endswith(Path(first).name)


def test_undo_takes_back_ones_own_last_decision(bench):
    decide(bench, 0, "defer", by="Asha")
    decide(bench, 1, "defer", by="Ben")
    entry, where = take_back(bench, "Asha")
    assert (entry.photo.endswith(Path(bench.path(0)).name), where) == (True, 0)
    assert decided(bench)[0] == {1}
    with pytest.raises(CurationError, match="Asha has decided nothing"):
        take_back(bench, "Asha")
    with pytest.raises(CurationError, match="nobody has decided nothing|decided nothing"):
        take_back(bench, "")
    assert len(said_of(bench, 0).undone) == 1


def test_review_refuses_a_manifest_that_changed_and_a_log_that_is_none(run, bench, collection, tiny_cache, tmp_path):
    table = read_manifest(collection, on_unknown="keep").table
    write_manifest(table.assign(craft="jamdani"), collection)
    with pytest.raises(CurationError, match="was changed since this queue was ranked"):
        decide(bench, 0, "defer", by="Asha")
    assert not bench.log.exists()
    other = tmp_path / "notes.db"
    other.write_text("not a log")
    with pytest.raises(CurationError, match=r"notes\.db"):
        set_up(run, collection, other, cache=tiny_cache)


def test_card_stands_without_its_photo(bench, collection):
    files = bench.queue.collection.manifest.files()
    index = next(index for index in range(4) if files[bench.queue.entries[index].row].parent == collection.parent)
    before = tame(card(bench, index, said_of(bench, index)))
    assert HOSTILE in before
    assert IMAGE in before
    files[bench.queue.entries[index].row].unlink()
    assert "cannot be read any more" in tame(card(bench, index, said_of(bench, index)))


def test_review_tab_says_what_is_wrong(bench):
    assert _place("3:0", bench) == (3, 0)
    for nonsense in ("", None, "3", "a:b", "-1:0", "99999:0", "1:0:2"):
        with pytest.raises(ValueError, match="photo"):
            _place(nonsense, bench)
    assert _plainly(ValueError("relabel needs its reason: add --why TEXT.")) == "relabel needs its reason"
    shown = _show(bench, 0, note(HOSTILE, problem=True))
    assert HOSTILE in tame(shown[0])
    assert shown[1] == "0:0"
    assert tame(f"<p>{sentence(decide(bench, 0, 'comment', by=IMAGE, why=SCRIPT))}</p>").count("hacked") == 2


# --- enrolment


@pytest.fixture
def phone_photos(tiny_corpus, tmp_path):
    """Two photos as a phone leaves them: turned, and with the place where they were taken."""
    paths = []
    for number, source in enumerate(sorted((tiny_corpus.parent / "photos" / "patola").iterdir())[:2]):
        image = Image.open(source)
        exif = Image.Exif()
        exif[0x0112] = 6
        exif.get_ifd(0x8825)[2] = (22.0, 18.0, 30.5)
        exif[0x010F] = "Secret Camera"
        paths.append(tmp_path / f"IMG {number} <b>.jpg")
        image.save(paths[-1], exif=exif)
    return paths


def test_enrolled_uploads_are_kept_without_their_place(run, phone_photos):
    raw = phone_photos[0].read_bytes()
    assert b"Secret Camera" in raw
    done = enrol(run.folder, "Patola", phone_photos, source="museum", note="T.1", keep=True)
    kept = [Path(path) for path in done.enrolment.photos]
    assert {path.parent for path in kept} == {run.folder / "gallery" / "photos"}
    with Image.open(kept[0]) as copy, Image.open(phone_photos[0]) as original:
        assert not dict(copy.getexif())
        assert "exif" not in copy.info
        assert copy.size == original.size[::-1]
    assert b"Secret Camera" not in kept[0].read_bytes()
    for path in phone_photos:
        path.unlink()
    grown = load_run(run.folder)
    assert grown.gallery.references["path"].isin(done.enrolment.photos).sum() == 2
    assert set(grown.gallery.references.query("craft == 'patola'")["piece"]) == set(done.enrolment.photos)
    answer = predict(grown, kept[:1]).attributions[0]
    assert answer.traditions[0].craft == "patola"
    thumbnails = [
        run.folder / "gallery" / name for name in grown.gallery.references.query("craft == 'patola'")["thumbnail"]
    ]
    assert all(path.is_file() for path in thumbnails)
    others = set((run.folder / "gallery").rglob("*.jpg")) - {*kept, *thumbnails}
    undo(run.folder)
    assert not any(path.exists() for path in (*kept, *thumbnails))
    assert all(path.exists() for path in others)
    assert "patola" not in load_run(run.folder).gallery.crafts


def test_enrolling_twice_is_refused_by_content(run, phone_photos):
    enrol(run.folder, "Patola", phone_photos, keep=True)
    with pytest.raises(EnrolmentError, match="references already") as refused:
        enrol(run.folder, "Patola", phone_photos, keep=True)
    assert str(phone_photos[0].parent) not in enrol_plainly(refused.value, phone_photos)
    with pytest.raises(EnrolmentError) as unknown:
        enrol(run.folder, "Patolaa Zzzz", phone_photos)
    assert "--new" not in enrol_plainly(unknown.value, phone_photos)


def test_provenance_is_a_line_a_fact_and_refuses_what_lies():
    assert (
        Provenance(owner=" A  B ", made="Patan\n1890").note()
        == "Owner or collection: A B\nMade where and when: Patan 1890"
    )
    assert Provenance().note() == ""
    with pytest.raises(CurationError, match=r"U\+202E"):
        Provenance(weaver="abc\u202egpj").note()
    with pytest.raises(CurationError, match="1001 characters"):
        Provenance(remark="x" * 1001).note()


def test_enrolments_are_listed_and_escaped(run, phone_photos):
    desk = Desk(run.folder)
    assert "Nothing was enrolled yet" in tame(_list(desk)[0])
    enrol(run.folder, "Patola", phone_photos, source=HOSTILE, note=f"Owner: {SCRIPT}\nRemark: {IMAGE}", keep=True)
    html, row, which = _list(desk)
    text = tame(html)
    assert HOSTILE in text
    assert f"Owner: {SCRIPT}Remark: {IMAGE}" in text
    assert (row["visible"], which["value"]) == (True, 1)
    assert "patola" in desk.run.gallery.crafts  # at once
    undo(run.folder)
    assert _list(desk)[1]["visible"] is False
    assert "patola" not in desk.run.gallery.crafts
    assert len(enrolments(run.folder)) == 1


# --- about the model


def test_card_of_a_model_that_was_not_measured(run):
    card_ = model_card(run)
    assert card_["evaluation"] is None
    assert card_["calibration"] is None
    assert card_["photos"]["drawn"] is True
    assert card_["photos"]["parts"]["train"]["photos"] == len(run.gallery)
    json.dumps(card_)
    text = tame(model_page(card_))
    for expected in ("learned from drawings", "Not measured.", "Not calibrated.", "To authenticate", card_["model"]):
        assert expected in text


def test_card_of_a_model_tells_its_failures(run):
    document = evaluate(run, skipped={HOSTILE: 3}, remarks=[HOSTILE])
    card_ = model_card(run)
    assert (
        card_["failures"]
        == failures(document)
        == [
            "Jamdani: 4 of 10 photos named rightly; taken for Chanderi (3), Leheriya (3).",
            "It depends on who took the photo: 90% named rightly for one source that it never saw, 50% for another.",
        ]
    )
    text = tame(model_page(card_))
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
    text = tame(model_page(card_))
    assert "their list is gone" in text
    assert "Not measured." in text


# --- what the tabs share


def test_tabs_build_beside_each_other(run):
    desk = Desk(run.folder)
    with gr.Blocks() as page, gr.Tabs():
        for build in (traditions_tab, map_tab, review_tab, enrol_tab, about_tab):
            with gr.Tab(build.__name__):
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
    assert told == [("Counting", done, 3) for done in range(4)]
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


def test_log_is_only_made_by_a_decision(bench):
    said_of(bench, 0), decided(bench)
    assert not bench.log.exists()
    decide(bench, 0, "comment", by="Asha", why="look")
    with CurationLog(bench.log) as log:
        assert [entry.kind for entry in log.entries()] == ["manifest", "comment"]
    assert decided(bench)[0] == set()
    assert pd.notna(said_of(bench, 0).seen)
