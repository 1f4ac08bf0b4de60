"""Calibration where training photos are away, or are others."""

import pytest

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.scoring import out_of_fold
from saree_cosface.scoring.calibrate import calibrate
from tests.helpers.bad_photos import save, textured
from tests.helpers.moved import moved_run

OPTIONS = {"false_accepts": 0.4, "folds": 2, "groups": 3}


@pytest.fixture
def run(tiny_run, tmp_path):
    return moved_run(tiny_run, tmp_path)


@pytest.fixture
def no_training(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a training was begun")

    monkeypatch.setattr(out_of_fold, "fit", fail)


def training_photos(run, craft):
    return read_manifest(run.folder / "manifest.csv", where=f"split == 'train' and craft == '{craft}'").files()


def test_a_craft_whose_photos_are_away_is_not_taken_for_one_enrolled_later(run, tiny_cache, no_training, capsys):
    files = training_photos(run, "jamdani")
    for number, away in enumerate(files, start=1):
        away.unlink()
        if 2 * number >= len(files):
            said = rf"no more than half .* left of jamdani \({len(files) - number} of {len(files)}\)\. Restore"
            with pytest.raises(CalibrationError, match=said):
                calibrate(run, cache=tiny_cache, **OPTIONS)
            assert f"{number} photos cannot be used" in " ".join(capsys.readouterr().err.split())
    assert not (run.folder / "calibration").exists()


def test_files_that_are_others_count_as_gone(run, tiny_cache, no_training, capsys):
    for path in training_photos(run, "chanderi"):
        save(path, textured(64, 64, 3))
    with pytest.raises(CalibrationError, match=r"chanderi \(0 of"):
        calibrate(run, cache=tiny_cache, **OPTIONS)
    assert "changed since its checksum was recorded" in capsys.readouterr().err.replace("\n", "")


def test_where_nothing_is_left(run, tiny_cache, no_training):
    (run.folder.parent / "photos").rename(run.folder.parent / "away")
    with pytest.raises(CalibrationError, match="none of the .* training photos can be read; the first: .*no such file"):
        calibrate(run, cache=tiny_cache, **OPTIONS)


@pytest.mark.slow
def test_a_photo_that_is_gone_is_listed_and_the_others_are_scored(run, tiny_cache, capsys):
    files = training_photos(run, "jamdani")
    files[0].unlink()
    count = sum(part == "train" for part in run.used.values())
    found = calibrate(run, cache=tiny_cache, **OPTIONS)
    assert found.found["photos"] <= count - 1
    assert found.crafts == run.classes
    assert f"{files[0]}: no such file" in capsys.readouterr().err.replace("\n", "")
