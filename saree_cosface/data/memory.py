"""What decoding a picture takes of memory, known from its header, and the bound on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, JpegImagePlugin

from saree_cosface.data.refusal import Refused
from saree_cosface.languages.said import said
from saree_cosface.machine.photo_memory import limit, told

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Bytes of a pixel in Pillow's memory; 4 in any other mode."""

_BESIDE = {"JPEG": 3, "MPO": 3, "WEBP": 16, "HEIF": 12, "AVIF": 12, "JPEG2000": 20, "GIF": 4}
"""Bytes a pixel that decoders of these formats hold beside."""

_ALPHA, _DEEP, _COLOURS = 22, 12, 4
"""Bytes a pixel on the way to RGB: where alpha is laid on white, from more than 8 bits, from palettes."""

_RESULT = 10
"""Bytes of a pixel of the result: resized, turned, and as an array."""

_LARGE = 16  # what takes more than this part of the bound is decoded alone
_alone = threading.Lock()


@contextmanager
def decoding(image: Image.Image, whole: tuple[int, int], size: tuple[int, int], buffered: int) -> Iterator[None]:
    """Within this context a picture is decoded, large ones one at a time, however many threads decode.

    Args:
        image: opened, and set to the size that it is decoded at.
        whole: its full size.
        size: of the result.
        buffered: bytes that its decoder holds whatever that size is.

    Raises:
        Refused: it would take more memory than is allowed.
    """
    need = buffered + memory_needed(image, size)
    allowed = limit()
    if need > allowed:
        raise Refused(
            said("photo.too_large", size=f"{whole[0]} × {whole[1]}", needed=told(need), allowed=told(allowed))
        )
    if need <= allowed // _LARGE:
        yield
        return
    with _alone:
        yield


def memory_needed(image: Image.Image, size: tuple[int, int]) -> int:
    """Bytes that decoding an opened picture, and making RGB of a size of it, takes at its peak."""
    a_pixel = _STORED.get(image.mode, 4) + _BESIDE.get(image.format or "", 0)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        a_pixel += _ALPHA
    elif image.mode.startswith(("I", "F")):
        a_pixel += _DEEP
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        a_pixel += _COLOURS
    return a_pixel * image.size[0] * image.size[1] + _RESULT * size[0] * size[1]


def coefficients(image: Image.Image, interleaved: bool) -> int:
    """Bytes that a JPEG's decoder holds for the whole picture in its full size, at whatever size it is decoded.

    Where all scans refine one picture (progressive), or each has a colour of its own, all coefficients are kept.

    Args:
        image: opened, and not yet set to a smaller size.
        interleaved: whether the first scan has all colours.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not image.layer:
        return 0
    if interleaved and not image.info.get("progressive"):
        return 0
    across, down = max(layer[1] for layer in image.layer), max(layer[2] for layer in image.layer)
    samples = sum(layer[1] * layer[2] for layer in image.layer) / max(1, across * down)
    return round(2 * samples * image.size[0] * image.size[1])
