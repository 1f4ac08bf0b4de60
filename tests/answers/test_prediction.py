import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers.bad_photos import BAD, named_in_unicode, one_pixel
from tests.helpers.tiny import SOME


@pytest.fixture(scope="module")
def photos(tiny_corpus):
    return read_manifest(tiny_corpus, where=SOME).files()[:4]


def printed(answers):
    console = Console(file=io.StringIO(), width=160)
    answers.print_answers(console)
    answers.print_remarks(console)
    return console.file.getvalue()


def test_each_photo_gets_an_answer(tiny_run, photos):
    answers = predict(tiny_run, photos)
    assert [answer.photos for answer in answers.attributions] == [(str(photo),) for photo in photos]
    for answer in answers.attributions:
        assert [tradition.craft for tradition in answer.traditions] == sorted(
            tiny_run.classes, key=lambda craft: -next(t.cosine for t in answer.traditions if t.craft == craft)
        )
        assert answer.gap == pytest.approx(answer.traditions[0].cosine - answer.traditions[1].cosine)
    assert answers.bad == ()


def test_one_piece_gets_one_answer(tiny_run, photos):
    answers = predict(tiny_run, photos, one_piece=True, top=2)
    assert len(answers.attributions) == 1
    assert answers.attributions[0].photos == tuple(map(str, photos))
    assert len(answers.attributions[0].traditions) == len(answers.attributions[0].references) == 2


def test_each_photo_of_a_piece_has_its_say(tiny_run):
    references = tiny_run.gallery.references.drop_duplicates("craft")
    photos = [Path(path) for path in references["path"]]  # of three crafts: not all can agree
    answers = predict(tiny_run, photos, one_piece=True)
    (answer,) = answers.attributions
    assert answer.disagreeing
    shown = printed(answers)
    for say in answer.says:
        assert f"{Path(say.photo).name} by itself, counting {say.weight:.0%}: {say.name} {say.cosine:.3f}" in shown
    assert shown.count("it disagrees") == len(answer.disagreeing)
    assert answers.to_json()["answers"][0]["says"][0]["photo"] == str(photos[0])
    assert "by itself" not in printed(predict(tiny_run, photos[:1]))


@pytest.mark.slow
def test_a_photo_of_a_piece_given_twice_counts_once(tiny_run, photos, tmp_path):
    copy = Path(shutil.copy(photos[1], tmp_path / "again.jpg"))
    once = predict(tiny_run, photos[:2], one_piece=True)
    twice = predict(tiny_run, [photos[0], photos[1], copy, photos[1]], one_piece=True)
    assert twice.attributions == once.attributions
    assert twice.bad == ()
    assert f"Skipped {copy}: the same picture as {photos[1].name}, which counts once" in printed(twice)
    assert len(twice.to_json()["skipped"]) == 2
    assert len(predict(tiny_run, [photos[1], copy]).attributions) == 2  # as pieces of their own they are two


def test_evidence_that_cannot_be_written_costs_no_time(tiny_run, photos, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("saree_cosface.answers.prediction.embed_each", lambda *_: pytest.fail("it was embedded first"))
    with pytest.raises(FileExistsError, match="file"):
        predict(tiny_run, photos[:1], evidence=tmp_path / "file")


def test_a_reference_is_nearest_to_itself(tiny_run):
    path = tiny_run.gallery.references["path"][3]
    answer = predict(tiny_run, [Path(path)]).attributions[0]
    assert answer.references[0].path == path
    assert answer.references[0].cosine == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_folders_are_searched(tiny_run, tiny_corpus):
    answers = predict(tiny_run, [tiny_corpus.parent / "photos" / "chanderi"])
    assert len(answers.attributions) == 8


def test_bad_photos_are_skipped_with_the_reason(tiny_run, tmp_path):
    bad = [make(tmp_path) for make in BAD]
    odd = [named_in_unicode(tmp_path), one_pixel(tmp_path)]
    missing = tmp_path / ("n" * 300 + ".jpg")
    answers = predict(tiny_run, [*bad[:3], *odd, *bad[3:12], *bad[13:], missing])
    assert [answer.photos[0] for answer in answers.attributions] == list(map(str, odd))
    document = answers.to_json()
    skipped = {entry["path"] for entry in document["skipped"]}
    assert skipped == {str(path) for path in [*bad[:12], *bad[13:], missing]}  # bad[12] is a folder
    assert all(entry["reason"] for entry in document["skipped"])
    assert json.loads(json.dumps(document, allow_nan=False)) == json.loads(json.dumps(document))
    assert "बनारसी" in printed(answers)
    assert "Skipped" in printed(answers)


def test_nothing_but_bad_photos(tiny_run, tmp_path):
    bad = tmp_path / "empty.jpg"
    bad.write_bytes(b"")
    for one_piece in (False, True):
        answers = predict(tiny_run, [bad], one_piece=one_piece)
        assert answers.attributions == ()
        assert len(answers.bad) == 1
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="no photo in"):
        predict(tiny_run, [tmp_path / "folder"])


def test_an_empty_gallery_is_an_error(tiny_run, photos):
    empty = replace(tiny_run, gallery=tiny_run.gallery.remove(tiny_run.gallery.references["path"].tolist()))
    with pytest.raises(ValueError, match="add references first"):
        predict(empty, photos[:1])


def test_rows_and_tables_tell_the_same(tiny_run, photos):
    answers = predict(tiny_run, photos[:2])
    rows = list(answers.csv_rows())
    assert [tuple(row) for row in rows] == [answers.csv_columns()] * 6
    assert [row["rank"] for row in rows] == [1, 2, 3] * 2
    first = answers.attributions[0].traditions[0]
    assert rows[0]["craft"] == first.craft
    assert rows[0]["cosine"] == f"{first.cosine:.4f}"
    shown = printed(answers)
    for wanted in (photos[0].name, first.name, first.family, f"{first.cosine:.3f}", "Ahead of the second by"):
        assert wanted in shown


def test_names_with_brackets_are_shown_as_they_are(tiny_run, photos, tmp_path):
    path = tmp_path / "[bold] saree [draft].jpg"
    path.write_bytes(photos[0].read_bytes())
    assert "[bold] saree [draft].jpg" in printed(predict(tiny_run, [path]))


@pytest.mark.slow
def test_answers_do_not_depend_on_the_other_photos(tiny_run, photos):
    together = predict(tiny_run, photos).attributions
    alone = [predict(tiny_run, [photo]).attributions[0] for photo in photos]
    for one, other in zip(together, alone, strict=True):
        assert [t.craft for t in one.traditions] == [t.craft for t in other.traditions]
        np.testing.assert_allclose([t.cosine for t in one.traditions], [t.cosine for t in other.traditions], atol=1e-6)


@pytest.mark.slow
def test_evidence_has_a_place_whatever_the_photo_is_called(tiny_run, photos, tmp_path):
    names = ["न" * 80, os.fsdecode(b"a$\\foo$\nnew line\xff")]
    named = [tmp_path / f"{name}.jpg" for name in names] + [tmp_path / "folder" / f"{names[1]}.jpg"]
    named[-1].parent.mkdir()
    for path in named:
        shutil.copy(photos[0], path)
    answers = predict(tiny_run, named, evidence=tmp_path / "evidence")
    assert answers.bad == ()
    figures = [Path(entries[0]["heat_map"]) for entries in answers.evidence]
    assert len(set(figures)) == len(named)
    assert all(figure.is_file() for figure in figures)


@pytest.mark.slow
def test_evidence_that_cannot_be_written_is_listed_and_the_answer_is_there(tiny_run, photos, tmp_path):
    (tmp_path / f"000-{photos[0].stem}").touch()  # where a folder should be
    answers = predict(tiny_run, photos[:2], evidence=tmp_path)
    assert len(answers.attributions) == 2
    assert [len(entries) for entries in answers.evidence] == [0, 1]
    (missing,) = answers.bad
    assert missing.path == tmp_path / f"000-{photos[0].stem}"
    assert missing.reason.startswith("this evidence is missing (")
    assert f"Evidence: {tmp_path}" in printed(answers)
