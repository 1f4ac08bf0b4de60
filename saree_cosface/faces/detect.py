"""Finding faces and their five landmarks: OpenCV's YuNet, or MTCNN where its package is installed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.files import sha256_of
from saree_cosface.machine.caches import located

YUNET = "face_detection_yunet_2023mar.onnx"

CHOICE = (
    "Of several faces in a photo, the one whose centre is nearest the photo's centre is taken, the larger one of two "
    "as near: photos of LFW are centred on the person they are named after."
)
"""What :func:`choose_face` does, for whoever reads a result."""

_LONGEST = 640  # YuNet was trained to find faces of 10 to 300 pixels
_SCORE = 0.6


class NoDetector(ValueError):
    """A detector's model or package is not there, or not what it should be; the message names what is needed."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found.

    Attributes:
        box: (4,) left, top, width and height in pixels.
        landmarks: (5, 2) x and y in pixels of the eyes, the tip of the nose and the corners of the mouth; of two, the
            one on the left of the image comes first.
        score: how sure the detector is, from 0 to 1.
    """

    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    score: float


@dataclass(frozen=True)
class Detector:
    """A detector and what to call it in a report; ``find`` takes RGB pixels ``(H, W, 3)``."""

    name: str
    find: Callable[[NDArray[np.uint8]], Sequence[Face]]


def choose_face(faces: Sequence[Face], width: int, height: int) -> Face:
    """The face to take from a photo, as :data:`CHOICE` says.

    Raises:
        ValueError: there is none.
    """
    if not faces:
        raise ValueError("no face was found, so that none can be chosen")

    def rank(face: Face) -> tuple[float, float]:
        left, top, across, down = face.box
        distance = float(np.hypot(left + across / 2 - width / 2, top + down / 2 - height / 2))
        return round(distance, 6), -float(across * down)

    return min(faces, key=rank)


def detect_yunet(model: Path | str | None = None) -> Detector:
    """OpenCV's YuNet (Wu et al. 2023). Photos are shrunk to 640 pixels for it, its landmarks scaled back.

    Args:
        model: its file; by default it is sought in the current folder, in ``models`` there, and in
            ``~/.cache/saree-cosface``.

    Raises:
        NoDetector: there is no such file, or OpenCV cannot read it.
    """
    path = _yunet_file(model)
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (_LONGEST, _LONGEST), _SCORE)
    except cv2.error as error:
        raise NoDetector(f"{path}: OpenCV cannot read it as YuNet ({error}); it should be {YUNET}") from error

    def find(pixels: NDArray[np.uint8]) -> list[Face]:
        height, width = pixels.shape[:2]
        factor = min(1.0, _LONGEST / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = pixels if factor == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        network.setInputSize(size)
        found = network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        scale = np.array([width / size[0], height / size[1]])
        rows = np.zeros((0, 15)) if found is None else np.asarray(found, dtype=np.float64)
        # Each row: box, five points as Face has them, score.
        return [
            Face((row[:4].reshape(2, 2) * scale).reshape(4), row[4:14].reshape(5, 2) * scale, float(row[14]))
            for row in rows
            if np.isfinite(row).all()
        ]

    return Detector(f"YuNet {path.name} {sha256_of(path)[:12]}, score from {_SCORE}", find)


def detect_mtcnn() -> Detector:
    """MTCNN (Zhang et al. 2016), as in the paper, from the package ``facenet_pytorch`` or ``mtcnn``.

    Raises:
        NoDetector: neither is installed.
    """
    if find_spec("facenet_pytorch"):
        return Detector("MTCNN of facenet_pytorch", _facenet_pytorch(import_module("facenet_pytorch")))
    if find_spec("mtcnn"):
        return Detector("MTCNN of mtcnn", _mtcnn(import_module("mtcnn")))
    raise NoDetector(
        "MTCNN needs the package mtcnn, or facenet-pytorch (which asks for an old torch: pip install --no-deps "
        f"facenet-pytorch requests), and neither is installed; or take YuNet, which needs only the file {YUNET}"
    )


def _yunet_file(model: Path | str | None) -> Path:
    places = (Path(), Path("models"), located("~/.cache/saree-cosface"))
    candidates = [place / YUNET for place in places] if model is None else [located(model)]
    for path in candidates:
        if path.is_file():
            return path
    raise NoDetector(
        f"YuNet's model {YUNET} is not at {', '.join(map(str, candidates))}; the OpenCV Zoo has it "
        "(https://github.com/opencv/opencv_zoo, models/face_detection_yunet). Save it there or give its path"
    )


def _facenet_pytorch(package: Any) -> Callable[[NDArray[np.uint8]], list[Face]]:
    network = package.MTCNN(keep_all=True, device="cpu")

    def find(pixels: NDArray[np.uint8]) -> list[Face]:
        boxes, scores, points = network.detect(pixels, landmarks=True)
        if boxes is None:
            return []
        corners = np.asarray(boxes, dtype=np.float64)  # left, top, right, bottom
        corners[:, 2:] -= corners[:, :2]
        landmarks = np.asarray(points, dtype=np.float64)
        return [Face(box, five, float(score)) for box, five, score in zip(corners, landmarks, scores, strict=True)]

    return find


def _mtcnn(package: Any) -> Callable[[NDArray[np.uint8]], list[Face]]:
    network = package.MTCNN()
    points = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

    def find(pixels: NDArray[np.uint8]) -> list[Face]:
        return [
            Face(
                np.array(found["box"], dtype=np.float64),
                np.array([found["keypoints"][point] for point in points], dtype=np.float64),
                float(found["confidence"]),
            )
            for found in network.detect_faces(pixels)
        ]

    return find
