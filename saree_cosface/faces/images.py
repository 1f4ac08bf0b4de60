"""Aligned face images: decoded once to one array on disk, 112 pixels high and 112 or 96 wide."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import DECODER, BadImage, decode
from saree_cosface.files import atomic_path, write_json
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located

SIZE = (112, 96)
"""Height and width of the paper's crop. In a face aligned to 112 × 112 it is columns 8 to 103."""

_SIDE = 112
_BLOCK = 512
_VERSION = 1  # of how faces are kept in the cache


class NotAligned(BadImage):
    """An image that is no aligned face of 112 × 112 or 112 × 96 pixels."""


@dataclass(frozen=True, eq=False)
class FaceImages:
    """The faces that could be read.

    Attributes:
        pixels: uint8 RGB ``(N, H, W, 3)``, read-only; with a cache, a memory map of a file there.
        rows: (N,) position of each in the list of files asked for, ascending.
        bad: the others, with the reason.
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    bad: tuple[BadImage, ...]


def crop_face(
    pixels: NDArray[np.uint8], size: tuple[int, int] = SIZE, *, path: Path = Path("image")
) -> NDArray[np.uint8]:
    """An aligned face in the size asked for: ``(112, 112, 3) or (112, 96, 3) -> (*size, 3)``; nothing is resized.

    Args:
        pixels: RGB, or grey ``(H, W)``, which becomes RGB.
        size: height and width, (112, 96) or (112, 112).
        path: where the image is from, for the message.

    Raises:
        NotAligned: ``pixels`` is of another size.
        ValueError: another ``size``, or pixels that are no image.
    """
    if size not in (SIZE, (_SIDE, _SIDE)):
        raise ValueError(f"size is {size}; faces are {SIZE} or {(_SIDE, _SIDE)}, height and width")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels have shape {pixels.shape}; an image is (H, W, 3), or (H, W) if grey")
    height, width = pixels.shape[:2]
    if (height, width) == size:
        return pixels
    if (height, width) == (_SIDE, _SIDE):
        left = (_SIDE - size[1]) // 2
        return pixels[:, left : left + size[1]]
    raise NotAligned(
        path,
        f"is {width} × {height} pixels, not a face aligned to {size[1]} × {size[0]} (width × height); align the photos "
        "first: saree-cosface faces align",
    )


def load_faces(
    files: Sequence[Path | bytes],
    size: tuple[int, int] = SIZE,
    *,
    cache: Path | None = None,
    description: str = "Reading faces",
    progress: bool = True,
) -> FaceImages:
    """Decode aligned faces, or fetch them from the cache. A face that cannot be used is listed, not fatal.

    The cache is found again by the paths of the files, their sizes and the times of their last change (of bytes, by
    their content), so that no photo is opened a second time. A file that was changed is decoded anew, together with
    its list.

    Args:
        files: paths, or the bytes of image files; the latter are called by their position, "0", "1", ...
        size: height and width, (112, 96) or (112, 112).
        cache: folder to keep the decoded faces in: 32 kB each, 37 kB at 112 × 112. None keeps them in memory.
        description: of the progress bar.
        progress: show the bar.

    Raises:
        BadImage: none of the first 512 files can be used.
        NotAligned: likewise, and at least one because it is not aligned.
        ValueError: another ``size``, or no files.
        OSError: the cache cannot be written.
    """
    if not files:
        raise ValueError("no face images were given")
    target = None if cache is None else located(cache) / f"faces-{size[0]}x{size[1]}" / _key(files)
    known = None if target is None else _cached(target, files, size)
    if known is not None:
        return known
    read = _decoded(files, size)
    faces = enumerate(track(read, description, total=len(files)) if progress else read)
    bad: dict[int, BadImage] = {}
    if target is None:
        pixels = np.empty((len(files), *size, 3), np.uint8)
        for place, face in enumerate(_good(faces, bad)):
            pixels[place] = face
        return _faces(pixels[: len(files) - len(bad)], bad, len(files))
    with atomic_path(target.with_suffix(".rgb")) as temporary, temporary.open("wb") as file:
        for face in _good(faces, bad):
            file.write(np.ascontiguousarray(face).data)
    # Written last: where it lies, the pixels are whole.
    write_json(target.with_suffix(".json"), {"bad": {str(row): error.reason for row, error in bad.items()}})
    return _faces(_mapped(target, len(files) - len(bad), size), bad, len(files))


def decode_bytes(content: bytes, name: Path) -> NDArray[np.uint8]:
    """Decode the bytes of an image file, as :func:`~saree_cosface.data.images.decode` decodes a file: ``(H, W, 3)``.

    Raises:
        BadImage: they cannot be decoded; ``name`` stands for the path.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        path.write_bytes(content)
        try:
            return decode(path)
        except BadImage as error:
            raise BadImage(name, error.reason) from error


def _decoded(files: Sequence[Path | bytes], size: tuple[int, int]) -> Iterator[NDArray[np.uint8] | BadImage]:
    """Each face, or why there is none, in order; NotAligned, once a whole block is."""

    def face(row: int) -> NDArray[np.uint8] | BadImage:
        path = _path(files, row)
        source = files[row]
        try:
            pixels = decode_bytes(source, path) if isinstance(source, bytes) else decode(path)
            return crop_face(pixels, size, path=path)
        except BadImage as error:
            return error

    with ThreadPoolExecutor(min(8, threads.count())) as pool:
        for start in range(0, len(files), _BLOCK):
            block = list(pool.map(face, range(start, min(start + _BLOCK, len(files)))))
            bad = [item for item in block if isinstance(item, BadImage)]
            if start == 0 and len(bad) == len(block):
                worst = next((error for error in bad if isinstance(error, NotAligned)), bad[0])
                raise type(worst)(worst.path, f"{worst.reason} (none of the first {len(bad)} photos can be used)")
            yield from block


def _good(
    faces: Iterable[tuple[int, NDArray[np.uint8] | BadImage]], bad: dict[int, BadImage]
) -> Iterator[NDArray[np.uint8]]:
    """The faces; the others are put into ``bad``, by their row."""
    for row, face in faces:
        if isinstance(face, BadImage):
            bad[row] = face
        else:
            yield face


def _faces(pixels: NDArray[np.uint8], bad: dict[int, BadImage], total: int) -> FaceImages:
    pixels.flags.writeable = False
    rows = np.array([row for row in range(total) if row not in bad], dtype=np.int64)
    return FaceImages(pixels, rows, tuple(bad.values()))


def _cached(target: Path, files: Sequence[Path | bytes], size: tuple[int, int]) -> FaceImages | None:
    try:
        reasons = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))["bad"]
        bad = {int(row): BadImage(_path(files, int(row)), str(reason)) for row, reason in reasons.items()}
        return _faces(_mapped(target, len(files) - len(bad), size), bad, len(files))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # not there, or damaged: decoded again
        return None


def _mapped(target: Path, count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    path = target.with_suffix(".rgb")
    shape = (count, *size, 3)
    if path.stat().st_size != count * size[0] * size[1] * 3:
        raise ValueError(f"{path}: does not hold {count} faces")
    return np.memmap(path, np.uint8, mode="r", shape=shape)


def _path(files: Sequence[Path | bytes], row: int) -> Path:
    source = files[row]
    return Path(str(row)) if isinstance(source, bytes) else Path(source)


def _key(files: Sequence[Path | bytes]) -> str:
    digest = hashlib.sha256(f"{_VERSION} {DECODER}\n{len(files)}\n".encode())
    for source in files:
        if isinstance(source, bytes):
            digest.update(hashlib.sha256(source).digest())
            continue
        try:
            found = Path(source).stat()
            state = f"{found.st_size} {found.st_mtime_ns}"
        except (OSError, ValueError):  # decoding finds the words for it
            state = "absent"
        digest.update(os.fsencode(Path(source).absolute()) + f"\0{state}\n".encode())
    return digest.hexdigest()[:32]
