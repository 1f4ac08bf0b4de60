"""Finding faces: the one of several that is taken, and the detectors that may be there."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from saree_cosface.faces import detect
from saree_cosface.faces.align import (
    TEMPLATE_112x96,
)
from saree_cosface.faces.detect import YUNET, Face, NoDetector, choose_face, detect_mtcnn, detect_yunet
from tests.helpers.aligned import moved

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
