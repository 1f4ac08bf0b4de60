import csv
import io
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from saree_cosface.data.images import decode
from saree_cosface.faces import detect
from saree_cosface.faces.align import (
    TEMPLATE_112x96,
    TEMPLATE_112x112,
    align,
    align_folder,
    read_landmarks,
    similarity_transform,
)
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.detect import YUNET, Detector, Face, NoDetector, choose_face, detect_mtcnn, detect_yunet
from saree_cosface.faces.images import crop_face
from tests.helpers import bad_photos as bad


def umeyama(source, target):
    """Equations 38 to 43 of Umeyama (1991), for any dimension."""
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - to_mean).T @ (source - from_mean) / len(source)
    u, d, vt = np.linalg.svd(covariance)
    sign = np.ones(source.shape[1])
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[-1] = -1
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / ((source - from_mean) ** 2).sum() * len(source)
    return np.column_stack([scale * rotation, to_mean - scale * rotation @ from_mean])


def moved(points, angle, scale, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def apply(transform, points):
    return points @ transform[:, :2].T + transform[:, 2]


# --- the transform ------------------------------------------------------------------------------------------------


def test_the_template_of_the_paper():
    assert TEMPLATE_112x96.shape == (5, 2)
    np.testing.assert_allclose(TEMPLATE_112x112 - TEMPLATE_112x96, [[8, 0]] * 5)
    assert (TEMPLATE_112x96[[0, 3], 0] < 48).all()  # left of the middle, as seen
    assert (TEMPLATE_112x96[[1, 4], 0] > 48).all()


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.floats(0.05, 20), st.floats(0, 30), st.booleans())
def test_the_transform_is_umeyamas(seed, angle, scale, noise, mirrored):
    rng = np.random.default_rng(seed)
    landmarks = moved(TEMPLATE_112x96, angle, scale, rng.uniform(-500, 500, 2)) + noise * rng.normal(size=(5, 2))
    if mirrored:
        landmarks = landmarks * [-1, 1]
    np.testing.assert_allclose(
        similarity_transform(landmarks, TEMPLATE_112x96), umeyama(landmarks, TEMPLATE_112x96), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("angle", [0.0, 0.3, -2.5, np.pi])
def test_what_was_moved_is_moved_back_exactly(angle):
    landmarks = moved(TEMPLATE_112x112, angle, 3.7, [40, -9])
    transform = similarity_transform(landmarks, TEMPLATE_112x112)
    np.testing.assert_allclose(apply(transform, landmarks), TEMPLATE_112x112, atol=1e-9)


def test_opencv_agrees_where_no_landmark_is_an_outlier():
    rng = np.random.default_rng(3)
    landmarks = moved(TEMPLATE_112x96, 0.4, 2.0, [30, 60]) + 0.2 * rng.normal(size=(5, 2))
    theirs, inliers = cv2.estimateAffinePartial2D(
        landmarks, TEMPLATE_112x96, method=cv2.RANSAC, ransacReprojThreshold=50, refineIters=100
    )
    assert inliers.all()
    np.testing.assert_allclose(similarity_transform(landmarks, TEMPLATE_112x96), theirs, atol=1e-3)


def test_no_small_change_fits_better():
    rng = np.random.default_rng(1)
    landmarks = moved(TEMPLATE_112x96, -0.7, 1.4, [3, 4]) + 4 * rng.normal(size=(5, 2))
    best = similarity_transform(landmarks, TEMPLATE_112x96)
    distance = np.sum((apply(best, landmarks) - TEMPLATE_112x96) ** 2)
    for _ in range(100):
        a, b, x, y = 1e-3 * rng.normal(size=4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert np.sum((apply(other, landmarks) - TEMPLATE_112x96) ** 2) > distance


@pytest.mark.parametrize(
    ("landmarks", "pattern"),
    [
        (np.full((5, 2), 7.0), "in one point"),
        (np.full((5, 2), 1e8), "in one point"),
        (np.full((5, 2), np.nan), "not finite"),
        (np.full((5, 2), np.inf), "not finite"),
        (np.zeros((4, 2)), "must both be"),
        (np.zeros((5, 3)), "must both be"),
        (np.zeros(10), "must both be"),
    ],
)
def test_landmarks_that_tell_no_transform(landmarks, pattern):
    with pytest.raises(ValueError, match=pattern):
        similarity_transform(landmarks, TEMPLATE_112x96)


# --- aligning one face --------------------------------------------------------------------------------------------


def smooth(width, height, seed=0):
    """A picture that bilinear interpolation hardly changes."""
    return cv2.GaussianBlur(bad.textured(width, height, seed), (0, 0), 3)


@pytest.mark.parametrize(("size", "template"), [((112, 96), TEMPLATE_112x96), ((112, 112), TEMPLATE_112x112)])
def test_an_aligned_face_stays_as_it_is(size, template):
    face = bad.textured(size[1], size[0])
    np.testing.assert_array_equal(align(face, template, size), face)


def test_both_sizes_are_crops_of_one_another():
    photo = smooth(250, 250)
    landmarks = moved(TEMPLATE_112x96, 0.2, 1.3, [60, 50])
    wide, narrow = align(photo, landmarks, (112, 112)), align(photo, landmarks)
    assert wide.shape == (112, 112, 3)
    assert narrow.shape == (112, 96, 3)
    assert np.abs(crop_face(wide).astype(int) - narrow).max() <= 1


def test_a_turned_and_enlarged_face_comes_back_upright():
    face = smooth(112, 112)
    angle, scale, shift = 0.5, 1.7, np.array([120.0, 40.0])
    forward = np.column_stack([moved(np.eye(2), angle, scale, 0).T, shift])
    photo = cv2.warpAffine(face, forward, (400, 400))
    landmarks = moved(TEMPLATE_112x112, angle, scale, shift)
    np.testing.assert_allclose(apply(forward, TEMPLATE_112x112), landmarks)
    back = align(photo, landmarks, (112, 112))
    assert np.abs(back[3:-3, 3:-3].astype(int) - face[3:-3, 3:-3]).mean() < 1.5


def test_outside_the_photo_it_is_black():
    face = align(np.full((112, 112, 3), 255, np.uint8), TEMPLATE_112x112 - [30, 0], (112, 112))
    assert (face[:, :29] == 0).all()
    assert (face[:, 31:] == 255).all()


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"size is \(96, 112\)"):
        align(smooth(50, 50), TEMPLATE_112x96, (96, 112))


# --- landmarks from a table ---------------------------------------------------------------------------------------


def table(path, rows, end="\n"):
    path.write_bytes(end.join(",".join(map(str, row)) for row in rows).encode("utf-8-sig"))
    return path


ROW = ["A/1.jpg", *range(10)]
HEADER = ["name", *(f"{axis}{i}" for i in range(1, 6) for axis in "xy")]


@pytest.mark.parametrize("header", [[], [HEADER]])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_landmarks_of_a_table(header, end, tmp_path):
    path = table(tmp_path / "l.csv", [*header, ROW, ['"B, C/2.jpg"', *np.arange(10) + 0.5]], end)
    found = read_landmarks(path)
    assert list(found) == ["A/1.jpg", "B, C/2.jpg"]
    np.testing.assert_array_equal(found["A/1.jpg"], np.arange(10).reshape(5, 2))


@pytest.mark.parametrize(
    ("row", "pattern"),
    [
        (ROW, "A/1.jpg occurs twice"),
        (["./A/1.jpg", *range(10)], "A/1.jpg occurs twice"),
        (["b.jpg", *range(9)], "ten numbers"),
        (["b.jpg", *range(9), "nan"], "ten numbers"),
        (["b.jpg", *range(9), "x"], "x"),
        (["../../etc/passwd", *range(10)], "leads out"),
        (["b.jpg"], "ten numbers"),
        (HEADER, "x1"),
    ],
)
def test_rows_that_are_no_landmarks(row, pattern, tmp_path):
    with pytest.raises(FaceDataError, match=f"l.csv, line 2: .*{pattern}"):
        read_landmarks(table(tmp_path / "l.csv", [ROW, row]))


# --- choosing a face ----------------------------------------------------------------------------------------------


def face_at(x, y, width=20, height=20, score=0.9):
    box = np.array([x - width / 2, y - height / 2, width, height], dtype=float)
    return Face(box, moved(TEMPLATE_112x96, 0, width / 96, box[:2]), score)


def test_the_face_nearest_the_centre_is_taken_not_the_largest_or_surest():
    near, large, sure = face_at(120, 130), face_at(60, 60, 90, 90), face_at(200, 200, score=1.0)
    assert choose_face([large, near, sure], 250, 250) is near
    assert choose_face([large, near, sure], 120, 120) is large


def test_of_two_as_near_the_larger_is_taken():
    left, right = face_at(105, 125, 20, 20), face_at(145, 125, 22, 22)
    assert choose_face([left, right], 250, 250) is right
    assert choose_face([right, left], 250, 250) is right


def test_no_face_to_choose():
    with pytest.raises(ValueError, match="no face"):
        choose_face([], 10, 10)


# --- detectors ----------------------------------------------------------------------------------------------------


class FakeYuNet:
    """Answers as cv2.FaceDetectorYN does: one face whose red box it measures in the picture it is given."""

    def setInputSize(self, size):
        self.size = size

    def detect(self, image):
        assert image.shape[1::-1] == self.size
        rows, columns = np.nonzero(image[..., 2] > 128)  # red is the third channel of BGR
        if not len(rows):
            return 1, None
        x, y, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        points = [x, y, right, y, (x + right) / 2, (y + bottom) / 2, x, bottom, right, bottom]
        broken = [np.nan] * 15
        return 1, np.array([[x, y, right - x, bottom - y, *points, 0.8], broken], dtype=np.float32)


@pytest.fixture
def yunet(tmp_path, monkeypatch):
    model = tmp_path / YUNET
    model.write_bytes(b"weights")
    made = []

    def create(path, config, size, score):
        made.append(path)
        return FakeYuNet()

    monkeypatch.setattr(detect.cv2, "FaceDetectorYN", SimpleNamespace(create=create))
    return SimpleNamespace(model=model, made=made)


@pytest.mark.parametrize(("width", "height"), [(250, 250), (1280, 960), (30, 3000)])
def test_yunet_sees_bgr_shrunk_and_its_answers_are_scaled_back(width, height, yunet):
    detector = detect_yunet(yunet.model)
    photo = np.zeros((height, width, 3), np.uint8)
    box = np.array([0.2 * width, 0.3 * height, 0.5 * width, 0.4 * height])
    left, top, right, bottom = (*box[:2].astype(int), *(box[:2] + box[2:]).astype(int))
    photo[top:bottom, left:right, 0] = 255
    (face,) = detector.find(photo)
    shrunk = max(width, height, 640) / 640
    np.testing.assert_allclose(face.box, [left, top, right - left, bottom - top], atol=2 * shrunk)
    np.testing.assert_allclose(face.landmarks[0], [left, top], atol=2 * shrunk)
    np.testing.assert_allclose(face.landmarks[4], [right, bottom], atol=2 * shrunk)
    assert face.score == pytest.approx(0.8)
    assert detector.find(np.zeros((50, 50, 3), np.uint8)) == []
    assert detector.name.startswith(f"YuNet {YUNET} ")


def test_yunet_is_sought_in_the_usual_places(yunet, tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    monkeypatch.setenv("HOME", str(home))
    (here / "models").mkdir(parents=True)
    monkeypatch.chdir(here)
    with pytest.raises(NoDetector, match=f"{YUNET}.*opencv_zoo"):
        detect_yunet()
    for place in (home / ".cache" / "saree-cosface", here / "models", here):
        place.mkdir(parents=True, exist_ok=True)
        (place / YUNET).write_bytes(b"weights")
        detect_yunet()
    assert yunet.made[0] == str(home / ".cache" / "saree-cosface" / YUNET)
    assert yunet.made[1:] == [f"models/{YUNET}", YUNET]


def test_a_yunet_that_is_absent_or_something_else(tmp_path):
    with pytest.raises(NoDetector, match=f"not at .*nothing.onnx.*{YUNET}|{YUNET} is not at .*nothing.onnx"):
        detect_yunet(tmp_path / "nothing.onnx")
    (tmp_path / "other.onnx").write_bytes(b"this is no network")
    with pytest.raises(NoDetector, match="other.onnx: OpenCV cannot read it"):
        detect_yunet(tmp_path / "other.onnx")


def no_package(monkeypatch, *names):
    monkeypatch.setattr(detect, "find_spec", lambda name: None if name in names else SimpleNamespace(name=name))


def test_mtcnn_without_its_packages(monkeypatch):
    no_package(monkeypatch, "facenet_pytorch", "mtcnn")
    with pytest.raises(NoDetector, match="facenet-pytorch.*YuNet"):
        detect_mtcnn()


def test_mtcnn_of_facenet_pytorch(monkeypatch):
    class MTCNN:
        def __init__(self, keep_all, device):
            assert keep_all

        def detect(self, image, landmarks):
            if not image.any():
                return None, [None], None
            return np.array([[10.0, 20.0, 40.0, 60.0]]), [0.97], TEMPLATE_112x96[None].astype(np.float32)

    no_package(monkeypatch)
    monkeypatch.setitem(sys.modules, "facenet_pytorch", SimpleNamespace(MTCNN=MTCNN))
    detector = detect_mtcnn()
    assert detector.find(np.zeros((9, 9, 3), np.uint8)) == []
    (face,) = detector.find(np.ones((9, 9, 3), np.uint8))
    assert face.box.tolist() == [10, 20, 30, 40]
    np.testing.assert_allclose(face.landmarks, TEMPLATE_112x96, atol=1e-4)
    assert face.score == 0.97


def test_mtcnn_of_mtcnn(monkeypatch):
    class MTCNN:
        def detect_faces(self, image):
            eyes = {"right_eye": (5, 1), "left_eye": (1, 1)}
            points = {"nose": (3, 3), "mouth_right": (5, 5), **eyes, "mouth_left": (1, 5)}
            return [{"box": [0, 0, 6, 7], "confidence": 0.9, "keypoints": points}] if image.any() else []

    no_package(monkeypatch, "facenet_pytorch")
    monkeypatch.setitem(sys.modules, "mtcnn", SimpleNamespace(MTCNN=MTCNN))
    detector = detect_mtcnn()
    assert detector.find(np.zeros((9, 9, 3), np.uint8)) == []
    (face,) = detector.find(np.ones((9, 9, 3), np.uint8))
    assert face.landmarks.tolist() == [[1, 1], [5, 1], [3, 3], [1, 5], [5, 5]]
    assert face.box.tolist() == [0, 0, 6, 7]


# --- folders ------------------------------------------------------------------------------------------------------

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
