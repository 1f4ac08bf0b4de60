"""Aligning a folder of photos: names kept, photos skipped, and a second call."""

import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from saree_cosface.data.images import decode
from saree_cosface.faces.align import (
    TEMPLATE_112x112,
    align,
    align_folder,
)
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.detect import Detector, Face
from tests.helpers import bad_photos as bad
from tests.helpers.aligned import moved, smooth

LANDMARKS = moved(TEMPLATE_112x112, 0.1, 1.2, [50, 40])


@pytest.fixture
def folder(tmp_path):
    """Photos of 250 × 250, one of each kind that occurs."""
    folder = tmp_path / "photos"
    bad.save(folder / "A" / "1.jpg", smooth(250, 250, 1), quality=95)
    bad.save(folder / "A" / "2.png", smooth(250, 250, 2))
    bad.save(folder / "B" / "deep" / "3.webp", smooth(250, 250, 3))
    bad.save(folder / "B" / "grey.JPG", smooth(250, 250, 4)[..., 0], format="JPEG")
    (folder / "B" / "broken.jpg").write_bytes(b"")
    bad.save(folder / "C" / "empty.jpg", np.zeros((250, 250, 3), np.uint8))
    return folder


def finder(*faces, fail=None):
    """Finds these faces wherever the photo is not black."""

    def find(pixels):
        if fail is not None:
            raise fail
        return faces if pixels.any() else []

    return Detector("a fake detector", find)


ONE = Face(np.array([60.0, 60.0, 100.0, 120.0]), LANDMARKS, 0.9)
ASIDE = Face(np.array([0.0, 0.0, 40.0, 40.0]), LANDMARKS - 40, 1.0)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def skipped(out):
    with (out / "skipped.csv").open(newline="", encoding="utf-8") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_a_folder_keeps_its_names_and_lists_what_it_skips(folder, tmp_path):
    out = tmp_path / "out"
    report = align_folder(folder, out, detector=finder(ASIDE, ONE), progress=False)
    assert files(out) == ["A/1.jpg", "A/2.png", "B/deep/3.png", "B/grey.JPG", "alignment.json", "skipped.csv"]
    assert (report.aligned, report.kept, report.several) == (4, 0, 4)
    assert (
        skipped(out) == dict(report.skipped) == {"B/broken.jpg": "empty (0 bytes)", "C/empty.jpg": "no face was found"}
    )
    exact = align(decode(folder / "A" / "2.png"), LANDMARKS, (112, 112))
    np.testing.assert_array_equal(decode(out / "A" / "2.png"), exact)
    lossy = align(decode(folder / "A" / "1.jpg"), LANDMARKS, (112, 112))
    assert np.abs(decode(out / "A" / "1.jpg").astype(int) - lossy).mean() < 1.5
    grey = decode(out / "B" / "grey.JPG")
    assert grey.shape == (112, 112, 3)
    assert np.ptp(grey.astype(int), axis=2).max() <= 4
    text = json.dumps(report.to_json())
    assert "nearest the photo's centre" in text
    assert "a fake detector" in text


def test_the_table_says_which_face_was_taken(folder, tmp_path):
    report = align_folder(folder, tmp_path / "out", detector=finder(ASIDE, ONE))
    console = Console(record=True, width=200, file=io.StringIO())
    report.print_table(console)
    shown = console.export_text()
    assert "4 photos aligned" in shown
    assert "4 photos show several faces. Of several faces in a photo, the one whose centre is nearest" in shown
    assert "C/empty.jpg: no face was found" in shown


def test_a_second_call_goes_on_where_the_first_stopped(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def interrupt(pixels):
        calls.append(pixels)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return [ONE]

    calls = []
    with pytest.raises(KeyboardInterrupt):
        align_folder(folder, out, detector=Detector("a fake detector", interrupt), progress=False)
    first = {name: (out / name).stat().st_mtime_ns for name in files(out) if name != "alignment.json"}
    assert len(first) == 2
    report = align_folder(folder, out, detector=finder(ONE), progress=False)
    assert (report.aligned, report.kept, report.several) == (2, 2, 0)
    assert {name: (out / name).stat().st_mtime_ns for name in first} == first
    again = align_folder(folder, out, detector=finder(ONE), progress=False)
    assert (again.aligned, again.kept, len(again.skipped)) == (0, 4, 2)


def test_faces_aligned_otherwise_are_never_mixed_or_overwritten(folder, tmp_path):
    out = tmp_path / "out"
    align_folder(folder, out, detector=finder(ONE), progress=False)
    before = {name: (out / name).read_bytes() for name in files(out)}
    other = tmp_path / "other"
    bad.save(other / "A" / "1.jpg", smooth(250, 250, 9))
    for changed in (
        lambda: align_folder(folder, out, detector=finder(ONE), size=(112, 96), progress=False),
        lambda: align_folder(folder, out, landmarks={"A/1.jpg": LANDMARKS}, progress=False),
        lambda: align_folder(other, out, detector=finder(ONE), progress=False),
    ):
        with pytest.raises(FaceDataError, match="out: holds faces aligned otherwise"):
            changed()
    with pytest.raises(FaceDataError, match="other: holds something else"):
        align_folder(folder, other, detector=finder(ONE), progress=False)
    (out / "alignment.json").write_text("{")
    with pytest.raises(FaceDataError, match="damaged"):
        align_folder(folder, out, detector=finder(ONE), progress=False)
    del before["alignment.json"]
    assert {name: (out / name).read_bytes() for name in before} == before


def test_landmarks_instead_of_a_detector(folder, tmp_path):
    landmarks = {"A/1.jpg": LANDMARKS, "A/2.png": np.ones((5, 2)), "C/empty.jpg": LANDMARKS}
    report = align_folder(folder, tmp_path / "out", size=(112, 96), landmarks=landmarks, progress=False)
    assert report.aligned == 2
    assert decode(tmp_path / "out" / "A" / "1.jpg").shape == (112, 96, 3)
    assert dict(report.skipped) == {
        "A/2.png": "cannot be aligned (all landmarks lie in one point)",
        "B/broken.jpg": "the landmarks do not list it",
        "B/deep/3.webp": "the landmarks do not list it",
        "B/grey.JPG": "the landmarks do not list it",
    }
    assert align_folder(folder, tmp_path / "none", landmarks={}, progress=False).aligned == 0


def test_a_detector_that_fails_on_a_photo_is_no_reason_to_stop(folder, tmp_path):
    report = align_folder(folder, tmp_path / "out", detector=finder(fail=RuntimeError("too small")), progress=False)
    assert report.aligned == 0
    assert dict(report.skipped)["A/1.jpg"] == "the detector failed on it (too small)"


def test_photos_that_would_get_one_name(tmp_path):
    folder = tmp_path / "photos"
    for name in ("1.png", "1.webp", "1.bmp", "2.bmp", "2.webp"):
        bad.save(folder / name, smooth(250, 250))
    report = align_folder(folder, tmp_path / "out", detector=finder(ONE), progress=False)
    assert files(tmp_path / "out") == ["1.png", "2.png", "alignment.json", "skipped.csv"]
    assert [name for name, reason in report.skipped if "same name" in reason] == ["1.bmp", "1.webp", "2.webp"]


def test_names_that_are_not_utf8_are_spelled_with_escapes(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    try:
        (folder / "a\udcff.jpg").write_bytes(b"")
    except OSError:
        pytest.skip("this file system has no such names")
    report = align_folder(folder, tmp_path / "out", detector=finder(ONE), progress=False)
    assert report.skipped == (("a\\udcff.jpg", "empty (0 bytes)"),)
    assert skipped(tmp_path / "out") == dict(report.skipped)


def test_calls_that_make_no_sense(folder, tmp_path):
    for out in (folder, folder / "out", folder.parent):
        with pytest.raises(ValueError, match="apart from it"):
            align_folder(folder, out, detector=finder(ONE))
    with pytest.raises(ValueError, match="either a detector or landmarks"):
        align_folder(folder, tmp_path / "out")
    with pytest.raises(ValueError, match="either a detector or landmarks"):
        align_folder(folder, tmp_path / "out", detector=finder(ONE), landmarks={})
    with pytest.raises(ValueError, match="size is"):
        align_folder(folder, tmp_path / "out", detector=finder(ONE), size=(96, 96))
    with pytest.raises(NotADirectoryError, match="nothing"):
        align_folder(tmp_path / "nothing", tmp_path / "out", detector=finder(ONE))
    assert not (tmp_path / "out").exists()
