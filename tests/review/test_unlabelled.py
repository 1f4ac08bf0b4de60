import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.review.teaching_sheet import write_choice_sheets
from saree_cosface.review.unlabelled import KNOWN, LISTED, _told, choose, require_photos
from saree_cosface.runs.calibration import CalibrationError
from tests.helpers.tiny import SOME

pytestmark = pytest.mark.slow  # a run is trained and calibrated for them


@pytest.fixture(scope="module")
def run(calibrated_run):
    """Which takes nothing for a stranger, and has forgotten the photos that the tests hide."""
    generous = replace(calibrated_run.calibration, familiarity=-1.0)
    forgetful = replace(calibrated_run, used={}, gallery=calibrated_run.gallery)
    forgetful.__dict__["calibration"] = generous
    return forgetful


@pytest.fixture(scope="module")
def labelled(tiny_corpus):
    return read_manifest(tiny_corpus, where=SOME)


@pytest.fixture(scope="module")
def folder(tiny_corpus, labelled, tmp_path_factory):
    """Photos of three crafts that have no label, in folders of their shops, with copies of known ones and a bad one."""
    folder = tmp_path_factory.mktemp("unlabelled")
    others = read_manifest(tiny_corpus, where="craft in ['patola', 'kanjivaram']")
    for file, source in zip(others.files(), others.sources.tolist(), strict=True):
        (folder / source).mkdir(exist_ok=True)
        shutil.copy(file, folder / source / file.name)
    shutil.copy(labelled.files()[0], folder / "again.jpg")
    with Image.open(labelled.files()[1]) as photo:
        photo.save(folder / "anew.png")
    with Image.open(others.files()[0]) as photo:
        photo.save(folder / others.sources[0] / "twice.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture(scope="module")
def choice(run, labelled, folder, tiny_cache):
    return choose(run, labelled, folder, 10, cache=tiny_cache)


def test_the_chosen_are_of_many_sources_and_say_why(choice, folder):
    document = choice.to_json()
    chosen = document["chosen"]
    assert [each["rank"] for each in chosen] == list(range(1, 11))
    assert len({each["path"] for each in chosen}) == 10
    assert all(each["path"].startswith(str(folder)) and each["reasons"] for each in chosen)
    there = {path.name for path in folder.iterdir() if path.is_dir()}
    assert {each["source"] for each in chosen} == there
    for each in chosen:
        first, second = each["traditions"]
        assert first["probability"] >= second["probability"]
        assert first["name"] in each["reasons"][0]
        assert each["gap"] >= 0
        assert -1 <= each["nearest"] <= 1


def test_scores_are_those_of_a_prediction(choice, run):
    from pathlib import Path

    from saree_cosface.answers.prediction import predict

    first = choice.to_json()["chosen"][0]
    [answer] = predict(run, [Path(first["path"])]).attributions
    assert [each["craft"] for each in first["traditions"]] == [each.craft for each in answer.traditions[:2]]
    assert first["cosine"] == pytest.approx(answer.traditions[0].cosine, abs=2e-3)
    assert first["traditions"][0]["probability"] == pytest.approx(answer.traditions[0].probability, abs=2e-3)
    assert first["gap"] == pytest.approx(answer.gap, abs=2e-3)
    assert first["verdict"] == answer.verdict.kind


def test_copies_and_what_cannot_be_read_are_left_out(choice):
    assert choice.left_out == {KNOWN: 2}
    assert [bad.path.name for bad in choice.bad] == ["broken.jpg"]
    assert not {"again.jpg", "anew.png"} & {path.rsplit("/")[-1] for path in choice.paths}


def test_of_a_picture_there_is_one_photo_and_all_are_taken_where_they_are_few(run, labelled, folder, tiny_cache):
    every = choose(run, labelled, folder, 500, cache=tiny_cache)
    assert len(every.chosen) == 16
    names = [path.rsplit("/")[-1] for path in every.paths]
    assert len(set(names)) == len(names)
    told = [" ".join(one.reasons) for one in every.chosen]
    assert sum("one of 2 photos of one picture" in each for each in told) == 1
    assert sum("first of its source" in each for each in told) == 0  # the shops are those of the manifest


def test_new_sources_come_first_and_are_told(run, labelled, folder, tmp_path, tiny_cache):
    shutil.copytree(folder, tmp_path / "more")
    fair = tmp_path / "more" / "Patola" / "a fair"  # within the folder of a craft, which is no source
    fair.mkdir(parents=True)
    shutil.copy(next(path for path in sorted(folder.rglob("*.jpg")) if path.parent != folder), fair / "new.jpg")
    shutil.rmtree(next(path for path in sorted((tmp_path / "more").iterdir()) if path.is_dir() and path != fair.parent))
    first = choose(run, labelled, tmp_path / "more", 1, cache=tiny_cache)
    assert first.sources == ["a fair"]
    assert "first of its source" in first.chosen[0].reasons


def test_nothing_to_choose_is_an_error_that_says_why(
    run, calibrated_run, tiny_run, labelled, folder, tmp_path, tiny_cache
):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="holds no photo"):
        choose(run, labelled, tmp_path / "empty", 50)
    with pytest.raises(NotADirectoryError, match="not a folder"):
        choose(run, labelled, folder / "broken.jpg", 50)
    with pytest.raises(CalibrationError, match="saree-cosface calibrate"):
        choose(tiny_run, labelled, folder, 50)
    (tmp_path / "broken").mkdir()
    shutil.copy(folder / "broken.jpg", tmp_path / "broken")
    with pytest.raises(ManifestError, match="none of its photos"):
        choose(run, labelled, tmp_path / "broken", 50, cache=tiny_cache)
    with pytest.raises(ManifestError, match="have a label in the manifest already"):
        choose(run, labelled, labelled.files()[0].parent, 50)
    (tmp_path / "copies").mkdir()
    shutil.copy(folder / "again.jpg", tmp_path / "copies")
    with pytest.raises(ManifestError, match="1 show a picture that is there already"):
        choose(run, labelled, tmp_path / "copies", 50, cache=tiny_cache)
    wary = replace(run)
    wary.__dict__["calibration"] = replace(calibrated_run.calibration, familiarity=1.0)
    with pytest.raises(ManifestError, match="unlike every photo"):
        choose(wary, labelled, folder, 50, cache=tiny_cache)


def test_a_name_of_another_encoding_is_skipped_and_spelt(folder, run, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    shutil.copy(folder / "again.jpg", odd)
    with pytest.raises(ManifestError, match="UTF-8"):
        require_photos(run, tmp_path)
    shutil.copy(folder / "again.jpg", tmp_path)
    found, bad = require_photos(run, tmp_path)
    assert [path.name for path in found] == ["again.jpg"]
    assert _told(bad[0].path).endswith("caf\\xe9.jpg")


def test_what_the_manifest_lists_is_not_chosen(run, tiny_corpus, labelled, tiny_cache):
    some = labelled.select(np.arange(len(labelled)) % 2 == 0)
    found = choose(run, some, tiny_corpus.parent / "photos" / labelled.crafts[0], 3, cache=tiny_cache)
    assert found.left_out[LISTED] == int((some.crafts == labelled.crafts[0]).sum())
    assert not set(found.paths) & {str(path) for path in some.files()}


def test_a_contact_sheet_is_drawn_and_an_older_one_goes(choice, tmp_path):
    (tmp_path / "sheet-009.png").write_bytes(b"old")
    [sheet] = write_choice_sheets(choice, tmp_path)
    assert list(tmp_path.iterdir()) == [sheet]
    with Image.open(sheet) as drawn:
        assert drawn.width > 1000
        assert np.asarray(drawn.convert("RGB")).std() > 10
