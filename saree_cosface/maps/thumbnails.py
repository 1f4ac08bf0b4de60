"""Thumbnails that travel inside a page: as large as a budget of bytes allows, each file decoded once."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.photos import map_files

# Longer side in pixels and quality of WebP, the largest first: what a page of few and of very many photos can afford.
_LADDER = ((192, 78), (160, 76), (128, 74), (112, 72), (96, 68), (80, 64), (64, 60), (56, 54), (48, 48), (40, 42))
_SMALLEST = (32, 36)
_SAMPLE = 48
_MARGIN = 0.9  # the sample may be of pictures that are plainer than the rest


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Pictures of photos, as base64 of WebP.

    Attributes:
        pictures: one for each file that could be read.
        codes: picture of each photo, ``(N,)``; -1 where the file is gone or no photo.
        side: longer side in pixels.
    """

    pictures: tuple[str, ...]
    codes: NDArray[np.int32]
    side: int


def thumbnails(files: Sequence[Path]) -> Thumbnails:
    """Thumbnails of files, in the largest size of which all together stay within :func:`budget`.

    The size is found on a sample of the files. A file that cannot be read has none.
    """
    distinct = list(dict.fromkeys(Path(file) for file in files))
    side, quality = _size(distinct, budget(len(distinct)) / max(len(distinct), 1))
    made = map_files(lambda file: _thumbnail(file, side, quality), distinct, "Thumbnails")
    position: dict[Path, int] = {}
    pictures: list[str] = []
    for file, picture in zip(distinct, made, strict=True):
        position[file] = len(pictures) if picture else -1
        if picture:
            pictures.append(picture)
    return Thumbnails(tuple(pictures), np.array([position[Path(file)] for file in files], np.int32), side)


def budget(count: int) -> int:
    """Bytes of base64 that ``count`` thumbnails may take: 8 MB up to 5,000, 21 MB at 20,000 and beyond.

    >>> budget(300), budget(5_000), budget(20_000), budget(100_000)
    (8000000, 8000000, 21000000, 21000000)
    """
    return 8_000_000 + round(13_000_000 * min(max(count - 5_000, 0) / 15_000, 1))


def _size(files: Sequence[Path], allowance: float) -> tuple[int, int]:
    rows = sorted(set(np.linspace(0, len(files) - 1, min(_SAMPLE, len(files))).astype(int).tolist()))
    sample = [image for image in (_image(files[row], _LADDER[0][0]) for row in rows) if image is not None]
    for side, quality in _LADDER:
        if not sample or np.mean([len(_encode(image, side, quality)) for image in sample]) <= _MARGIN * allowance:
            return side, quality
    return _SMALLEST


def _thumbnail(file: Path, side: int, quality: int) -> str:
    image = _image(file, side)
    return "" if image is None else _encode(image, side, quality)


def _image(file: Path, side: int) -> Image.Image | None:
    try:
        return Image.fromarray(decode(file, shrink_to=side))
    except BadImage:
        return None


def _encode(image: Image.Image, side: int, quality: int) -> str:
    image = image.copy()
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
