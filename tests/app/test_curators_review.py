"""What curators do in the app: review and enrol."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from app.curators_review import _place, _plainly, _show
from app.desk import Desk
from app.enrol import _list
from app.enrol import _plainly as enrol_plainly
from app.opening import note
from saree_cosface.answers.enrolment import enrol, undo
from saree_cosface.answers.enrolment_log import EnrolmentError, enrolments
from saree_cosface.answers.prediction import predict
from saree_cosface.answers.provenance import Provenance
from saree_cosface.curation.deciding import log_beside
from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.log import Clash, CurationLog
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.languages.packaged import english
from saree_cosface.review.bench import (
    candidates,
    decide,
    decided,
    is_copy,
    next_open,
    said_of,
    set_up,
    take_back,
)
from saree_cosface.review.card import card, clash_note, progress_bar, sentence
from saree_cosface.review.reasons import Reason
from saree_cosface.runs.run import load_run
from tests.helpers.hostile import HOSTILE, IMAGE, SCRIPT, tame

pytestmark = pytest.mark.slow  # a run is trained for them


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
    text = tame(f"{progress_bar(progress, 0, english())}{card(again, 0, said_of(again, 0), english())}")
    assert HOSTILE in text


def test_two_curators_clash_and_one_overrules(bench):
    seen = said_of(bench, 0).seen
    decide(bench, 0, "accept", by="Asha", why=HOSTILE, seen=seen)
    with pytest.raises(Clash) as clash:
        decide(bench, 0, "exclude", by="Ben", why="blurred", seen=seen)
    (other,) = clash.value.entries
    assert other.by == "Asha"
    assert HOSTILE in tame(clash_note(clash.value.entries, "exclude", english()))
    assert said_of(bench, 0).verdict.kind == "accept"
    decide(bench, 0, "exclude", by="Ben", why="blurred", seen=seen, over=[other.number])
    assert said_of(bench, 0).verdict.kind == "exclude"
    assert "blurred" in tame(card(bench, 0, said_of(bench, 0), english()))


def test_a_copy_stands_beside_the_photo_that_it_may_be_one_of(bench):
    first = candidates(bench, 0)[0]
    assert is_copy(bench.queue.entries[0])
    assert (IMAGE in first) != (IMAGE in bench.path(0))
    shown = _show(bench, 0, english())
    assert shown[3]["value"] == first
    assert decide(bench, 0, "duplicate", by="Asha", kept=first).value.endswith(Path(first).name)


def test_undo_takes_back_ones_own_last_decision(bench):
    decide(bench, 0, "defer", by="Asha")
    decide(bench, 1, "defer", by="Ben")
    entry, where = take_back(bench, "Asha")
    assert (entry.photo.endswith(Path(bench.path(0)).name), where) == (True, 0)
    assert decided(bench)[1].put_off == {1}
    with pytest.raises(CurationError, match="Asha has decided nothing"):
        take_back(bench, "Asha")
    with pytest.raises(CurationError, match="nobody has decided nothing|decided nothing"):
        take_back(bench, "")
    assert len(said_of(bench, 0).undone) == 1


def test_what_is_put_off_is_not_decided_and_comes_last(bench):
    decide(bench, 0, "defer", by="Asha")
    decide(bench, 1, "accept", by="Asha")
    done, progress = decided(bench)
    assert (done, progress.decided, progress.put_off) == ({1}, 1, {0})
    assert "1 decided · 1 put off" in tame(progress_bar(progress, 0, english()))
    assert next_open(bench, -1, done, put_off=progress.put_off) == 2
    assert next_open(bench, 3, set(range(1, len(bench))), put_off=progress.put_off) == 0
    decide(bench, 0, "accept", by="Ben")  # whoever knows may answer
    assert decided(bench)[1].put_off == set()


def test_a_photo_is_known_by_more_than_its_place_in_the_queue(bench):
    assert len({bench.mark(index) for index in range(len(bench))}) == len(bench)
    assert _show(bench, 1, english())[1] == f"1:0:{bench.mark(1)}"


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


def test_that_nobody_has_looked_yet_speaks_for_no_other_craft(bench):
    first = bench.queue.entries[0]
    caption = Reason("caption", first.row, 0.1, "“Red saree”, by Asha")
    entries = [
        replace(first, rival="patola", reasons=reasons)
        for reasons in ((caption,), (caption, Reason("outlier", first.row, 0.3, "odd")))
    ]
    alone, doubted = (
        card(replace(bench, queue=replace(bench.queue, entries=(entry,))), 0, said_of(bench, 0), english())
        for entry in entries
    )
    assert "Label from a caption" in alone
    assert "Perhaps Patola instead" not in alone
    assert "Perhaps Patola instead" in doubted


def test_card_stands_without_its_photo(bench, collection):
    files = bench.queue.collection.manifest.files()
    index = next(index for index in range(4) if files[bench.queue.entries[index].row].parent == collection.parent)
    before = tame(card(bench, index, said_of(bench, index), english()))
    assert HOSTILE in before
    assert IMAGE in before
    files[bench.queue.entries[index].row].unlink()
    assert "cannot be read any more" in tame(card(bench, index, said_of(bench, index), english()))


def test_a_photo_put_in_the_place_of_another_is_neither_shown_nor_decided_on(bench, collection):
    files = bench.queue.collection.manifest.files()
    index = next(index for index in range(4) if files[bench.queue.entries[index].row].parent == collection.parent)
    Image.new("RGB", (96, 96), "teal").save(files[bench.queue.entries[index].row])
    assert "was changed since the queue was ranked" in tame(card(bench, index, said_of(bench, index), english()))
    with pytest.raises(CurationError, match="was changed since this queue was ranked; rank it anew"):
        decide(bench, index, "accept", by="Asha")
    assert not bench.log.exists()


def test_the_tab_says_how_many_photos_are_in_no_queue(run, collection, tiny_cache):
    with collection.open("a") as file:
        file.write("gone.jpg,chanderi\n")
    bench = set_up(run, collection, cache=tiny_cache)
    assert "1 photo could not be read, or has changed, and is in no queue" in _show(bench, 0, english())[-1]


def test_review_tab_says_what_is_wrong(bench):
    assert _place(f"3:0:{'0' * 16}") == (3, 0, "0" * 16)
    for nonsense in ("", None, "3", "a:b", "3:0", f"-1:0:{'0' * 16}", "1:0:2", f"{'9' * 5000}:0:{'0' * 16}"):
        with pytest.raises(ValueError, match="photo"):
            _place(nonsense)
    assert _plainly("relabel needs its reason: add --why TEXT.") == "relabel needs its reason"
    shown = _show(bench, 0, english(), note(HOSTILE, problem=True))
    assert HOSTILE in tame(shown[0])
    assert shown[1] == f"0:0:{bench.mark(0)}"
    assert tame(f"<p>{sentence(decide(bench, 0, 'comment', by=IMAGE, why=SCRIPT), english())}</p>").count("hacked") == 2


def test_log_is_only_made_by_a_decision(bench):
    said_of(bench, 0), decided(bench)
    assert not bench.log.exists()
    decide(bench, 0, "comment", by="Asha", why="look")
    with CurationLog(bench.log) as log:
        assert [entry.kind for entry in log.entries()] == ["manifest", "comment"]
    assert decided(bench)[0] == set()
    assert pd.notna(said_of(bench, 0).seen)


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
    assert str(phone_photos[0].parent) not in enrol_plainly(str(refused.value), files=phone_photos, say=english())
    with pytest.raises(EnrolmentError) as unknown:
        enrol(run.folder, "Patolaa Zzzz", phone_photos)
    assert "--new" not in enrol_plainly(str(unknown.value), files=phone_photos, say=english())


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
    assert "Nothing was enrolled yet" in tame(_list(desk, english())[0])
    enrol(run.folder, "Patola", phone_photos, source=HOSTILE, note=f"Owner: {SCRIPT}\nRemark: {IMAGE}", keep=True)
    html, row, which = _list(desk, english())
    text = tame(html)
    assert HOSTILE in text
    assert f"Owner: {SCRIPT}Remark: {IMAGE}" in text
    assert (row["visible"], which["value"]) == (True, 1)
    assert "patola" in desk.run.gallery.crafts  # at once
    undo(run.folder)
    assert _list(desk, english())[1]["visible"] is False
    assert "patola" not in desk.run.gallery.crafts
    assert len(enrolments(run.folder)) == 1
