"""Aligning faces: five landmarks are moved onto a template by a similarity transform.

The template is that of SphereFace and CosFace, for crops 112 pixels high and 96 wide; with 8 columns more on either
side it is that of the crops of 112 × 112, of which the narrow ones are columns 8 to 103.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from rich.console import Console
from rich.text import Text

from saree_cosface.console import track
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.photos import find_photos
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.detect import CHOICE, Detector, Face, choose_face
from saree_cosface.faces.images import SIZE
from saree_cosface.faces.pair_lists import text_lines
from saree_cosface.faces.pairs import safe_name
from saree_cosface.files import atomic_path, write_json, write_text

TEMPLATE_112x96 = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
"""(5, 2) x and y of the eyes, the tip of the nose and the corners of the mouth in a crop 96 wide and 112 high."""

TEMPLATE_112x112 = TEMPLATE_112x96 + np.array([8.0, 0.0])
"""The same in a crop of 112 × 112."""

_TEMPLATES: Mapping[tuple[int, int], NDArray[np.float64]] = {SIZE: TEMPLATE_112x96, (112, 112): TEMPLATE_112x112}
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_SETTINGS = "alignment.json"
_SHOWN = 10


@dataclass(frozen=True)
class AlignmentReport:
    """What became of a folder of photos.

    Attributes:
        out: the folder written.
        aligned: photos aligned now.
        kept: photos that had been aligned before.
        skipped: (name, reason) of the others; ``skipped.csv`` lists them too.
        several: photos aligned now in which several faces were found.
        detector: who found the landmarks.
    """

    out: Path
    aligned: int
    kept: int
    skipped: tuple[tuple[str, str], ...]
    several: int
    detector: str

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "out": str(self.out),
            "aligned": self.aligned,
            "kept": self.kept,
            "skipped": [{"path": name, "reason": reason} for name, reason in self.skipped],
            "several_faces": self.several,
            "choice": CHOICE,
            "detector": self.detector,
        }

    def print_table(self, console: Console) -> None:
        """For people: how many, how a face was chosen, and what was skipped."""
        before = f", {self.kept} were aligned before" if self.kept else ""
        console.print(Text(f"{self.aligned} photos aligned to {self.out}{before} ({self.detector})."), soft_wrap=True)
        if self.several:
            console.print(Text(f"{self.several} photos show several faces. {CHOICE}"), soft_wrap=True)
        if self.skipped:
            console.print(Text(f"Skipped, {len(self.skipped)} photos, listed in {self.out / 'skipped.csv'}:", "yellow"))
        for name, reason in self.skipped[:_SHOWN]:
            console.print(Text(f"  {name}: {reason}"), soft_wrap=True)
        if len(self.skipped) > _SHOWN:
            console.print(f"  … and {len(self.skipped) - _SHOWN} more", highlight=False)


def similarity_transform(landmarks: ArrayLike, template: ArrayLike) -> NDArray[np.float64]:
    """Rotation, scale and shift that best move landmarks onto a template: ``(P, 2), (P, 2) -> (2, 3)``.

    The sum of squared distances is least; mirroring is not among the choices. In the plane, read as complex numbers
    z and w about their means, this is the linear regression w = a z, which Umeyama (1991) solves in any dimension.

    Raises:
        ValueError: the shapes differ or are not (P, 2) with two points or more, a number is not finite, or all
            landmarks lie in one point.

    >>> similarity_transform([[0, 0], [2, 0]], [[1, 1], [1, 5]]).round(6)
    array([[ 0., -2.,  1.],
           [ 2.,  0.,  1.]])
    """
    source, target = (np.asarray(points, dtype=np.float64) for points in (landmarks, template))
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(f"landmarks {source.shape} and template {target.shape} must both be (P, 2), P at least 2")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("a landmark is not finite")
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (source - from_mean, target - to_mean))
    spread = float(np.sum(np.abs(z) ** 2))
    if spread <= 1e-12 * max(1.0, float(np.abs(source).max()) ** 2):
        raise ValueError("all landmarks lie in one point")
    a = np.sum(np.conj(z) * w) / spread
    rotation = np.array([[a.real, -a.imag], [a.imag, a.real]])
    return np.column_stack([rotation, to_mean - rotation @ from_mean])


def align(pixels: NDArray[np.uint8], landmarks: ArrayLike, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A face moved onto the template: ``(H, W, 3), (5, 2) -> (*size, 3)``; what lies outside the photo is black.

    Args:
        pixels: RGB.
        landmarks: x and y of the eyes, the tip of the nose and the corners of the mouth, left before right as seen.
        size: height and width, (112, 96) or (112, 112).

    Raises:
        ValueError: another size, or landmarks as in :func:`similarity_transform`.
    """
    transform = similarity_transform(landmarks, _template(size))
    aligned = cv2.warpAffine(pixels, transform, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(aligned, dtype=np.uint8)


def read_landmarks(path: Path | str) -> dict[str, NDArray[np.float64]]:
    """Landmarks (5, 2) by image name, from CSV rows ``name, x, y, x, y, x, y, x, y, x, y``; a header is skipped.

    Raises:
        FaceDataError: a row is malformed, or a name occurs twice; the message gives the line.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    found: dict[str, NDArray[np.float64]] = {}
    for number, (line, text) in enumerate(text_lines(path)):
        fields = next(csv.reader([text]))
        try:
            points = np.array([float(field) for field in fields[1:]])
        except ValueError as error:
            if number == 0 and len(fields) == 11:
                continue
            raise FaceDataError(f"{path}, line {line}: {error}") from error
        if len(points) != 10 or not np.isfinite(points).all():
            raise FaceDataError(f"{path}, line {line}: a row is a name and ten numbers, x and y of five points")
        try:
            name = safe_name(fields[0])
        except ValueError as error:
            raise FaceDataError(f"{path}, line {line}: {error}") from error
        if name in found:
            raise FaceDataError(f"{path}, line {line}: {name} occurs twice")
        found[name] = points.reshape(5, 2)
    return found


def align_folder(
    folder: Path | str,
    out: Path | str,
    *,
    size: tuple[int, int] = (112, 112),
    detector: Detector | None = None,
    landmarks: Mapping[str, NDArray[np.float64]] | None = None,
    progress: bool = True,
) -> AlignmentReport:
    """Align every photo below a folder to the same name below another one.

    JPEGs stay JPEGs, of quality 95; everything else becomes PNG. Photos that were aligned before by the same means are
    kept, so that an interrupted call goes on where it stopped. Photos without a face and unreadable ones are listed,
    with the reason, in ``skipped.csv``.

    Args:
        folder: photos.
        out: a new or empty folder outside ``folder``, or one that this function began to fill the same way.
        size: height and width, (112, 112) or (112, 96).
        detector: finds the faces.
        landmarks: by name relative to ``folder``, instead of a detector.
        progress: show a bar.

    Raises:
        FaceDataError: ``out`` holds other files, or faces that were aligned by other means.
        NotADirectoryError: ``folder`` is no folder.
        ValueError: neither or both of ``detector`` and ``landmarks`` are given, another size, or one folder lies in
            the other.
    """
    folder, out = Path(folder), Path(out)
    if (detector is None) == (landmarks is None):
        raise ValueError("give either a detector or landmarks")
    _template(size)  # or an error at once
    here, there = folder.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ValueError(f"{out}: lies in {folder} or the other way round; take a folder apart from it")
    photos, unreadable = find_photos(folder)
    means = detector.name if detector else f"landmarks {_fingerprint(landmarks or {})}"
    _claim(out, {"folder": str(here), "size": list(size), "landmarks": means})
    targets = _targets(folder, out, photos)
    skipped = {bad.path.relative_to(folder).as_posix(): bad.reason for bad in unreadable}
    aligned = kept = several = 0
    for photo in track(photos, "Aligning faces", total=len(photos)) if progress else photos:
        name = photo.relative_to(folder).as_posix()
        target = targets[photo]
        if target is None:
            skipped[name] = "another photo has the same name but for its suffix"
            continue
        if target.is_file():
            kept += 1
            continue
        try:
            face, many = _aligned(photo, name, size, detector, landmarks)
        except BadImage as error:
            skipped[name] = error.reason
            continue
        with atomic_path(target) as temporary:
            _save(temporary, face)
        aligned += 1
        several += many
    # A file name that is not UTF-8 is spelled with escapes.
    rows = tuple(sorted((name.encode(errors="backslashreplace").decode(), why) for name, why in skipped.items()))
    _write_skipped(out / "skipped.csv", rows)
    return AlignmentReport(out, aligned, kept, rows, several, means)


def _template(size: tuple[int, int]) -> NDArray[np.float64]:
    if size not in _TEMPLATES:
        raise ValueError(f"size is {size}; faces are aligned to {' or '.join(map(str, _TEMPLATES))}, height and width")
    return _TEMPLATES[size]


def _aligned(
    photo: Path,
    name: str,
    size: tuple[int, int],
    detector: Detector | None,
    landmarks: Mapping[str, NDArray[np.float64]] | None,
) -> tuple[NDArray[np.uint8], bool]:
    """The aligned face, and whether there were several; BadImage, if there is no face to align."""
    if landmarks is not None and name not in landmarks:
        raise BadImage(photo, "the landmarks do not list it")
    pixels = decode(photo)
    faces: Sequence[Face] = ()
    if detector is not None:
        try:
            faces = detector.find(pixels)
        except Exception as error:  # networks fail in their own ways on a photo of a few pixels
            raise BadImage(photo, f"the detector failed on it ({error})") from error
        if not faces:
            raise BadImage(photo, "no face was found")
    points = landmarks[name] if landmarks else choose_face(faces, pixels.shape[1], pixels.shape[0]).landmarks
    try:
        return align(pixels, points, size), len(faces) > 1
    except (ValueError, cv2.error) as error:
        raise BadImage(photo, f"cannot be aligned ({error})") from error


def _claim(out: Path, settings: Mapping[str, Any]) -> None:
    path = out / _SETTINGS
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FaceDataError(f"{path}: damaged ({error}); align to another folder") from error
        if before != settings:
            raise FaceDataError(f"{out}: holds faces aligned otherwise ({before}); align to another folder")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FaceDataError(f"{out}: holds something else; align to a new or empty folder")
    else:
        write_json(path, settings)


def _targets(folder: Path, out: Path, photos: list[Path]) -> dict[Path, Path | None]:
    """Where each photo goes; None where another one goes already."""
    taken: set[Path] = set()
    targets: dict[Path, Path | None] = {}
    # Those which keep their name come first, so that nothing takes it from them.
    for photo in sorted(photos, key=lambda photo: photo.suffix.lower() not in (*_JPEG, ".png")):
        target = out / photo.relative_to(folder)
        if target.suffix.lower() not in (*_JPEG, ".png"):
            target = target.with_suffix(".png")
        targets[photo] = None if target in taken else target
        taken.add(target)
    return targets


def _save(path: Path, face: NDArray[np.uint8]) -> None:
    if path.suffix.lower() in _JPEG:
        Image.fromarray(face).save(path, format="JPEG", quality=95, subsampling=0)
    else:
        Image.fromarray(face).save(path, format="PNG")


def _write_skipped(path: Path, rows: tuple[tuple[str, str], ...]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("path", "reason"), *rows])
    write_text(path, text.getvalue())


def _fingerprint(landmarks: Mapping[str, NDArray[np.float64]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(landmarks):
        digest.update(name.encode() + b"\0" + np.asarray(landmarks[name], dtype="<f8").tobytes())
    return digest.hexdigest()[:12]
