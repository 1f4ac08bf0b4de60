"""JPEGs decoded so that lost pixels are noticed.

Where data are damaged, libjpeg goes on as well as it can and paints what is lost grey. It warns, but Pillow does not
pass its warnings on. So another binding of libjpeg-turbo decodes, which does; its pixels are Pillow's.
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import simplejpeg
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from saree_cosface.data.refusal import Refused
from saree_cosface.languages.said import said

_SCAN, _END, _PROGRESSIVE = 0xDA, 0xD9, (0xC2, 0xCA)
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # which the coded pixels between segments never hold

_LOST = re.compile(
    "premature end|bad (huffman|arithmetic) code|found marker .* instead of RST|inconsistent progression", re.IGNORECASE
)
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")
_FEW = 3  # bytes that some cameras leave over at the end
_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def load(image: JpegImageFile, file: BinaryIO) -> Image.Image:
    """The pixels of a JPEG at the size that ``draft`` has set.

    Raises:
        Refused: part of them is lost.
    """
    file.seek(0)
    content = file.read()
    width, height = image.size
    try:
        pixels = simplejpeg.decode_jpeg(content, _COLOURS[image.mode], min_height=height, min_width=width)
    except ValueError as error:  # a warning, or what Pillow has words for
        _refuse_loss(content, str(error))
        image.load()
        return image
    if image.info.get("progressive"):
        _refuse_missing_scans(content)
    if image.mode == "CMYK":
        return Image.frombytes("CMYK", (width, height), (255 - pixels).tobytes())  # inks are stored inverted
    return Image.fromarray(pixels[..., 0] if image.mode == "L" else np.asarray(pixels))


def interleaved(file: BinaryIO, colours: int) -> bool:
    """Whether the first scan of a JPEG has all its colours, so that it can be decoded line by line."""
    file.seek(0)
    head = file.read(1 << 20)
    return next((head[start] == colours for marker, start in _segments(head) if marker == _SCAN), False)


def _refuse_loss(content: bytes, warning: str) -> None:
    left = _LEFT_OVER.search(warning)
    if _LOST.search(warning) or (left is not None and not _is_padding(content, int(left[1]), int(left[2], 16))):
        raise Refused(said("photo.part_lost", detail=str(warning)))


def _is_padding(content: bytes, count: int, marker: int) -> bool:
    """Whether bytes that are left over before a marker are padding, and no pixels for which there was no room."""
    if count <= _FEW:
        return True
    ends = [start - 4 for found, start in _segments(content) if found == marker == _END]
    return bool(ends) and len(set(content[max(0, ends[0] - count) : ends[0]])) == 1


def _refuse_missing_scans(content: bytes) -> None:
    """Refuse a progressive JPEG that ends before its pixels are as fine as its coefficients."""
    bits: dict[int, list[int | None]] = {}  # of each coefficient of each colour: lowest that was sent
    for marker, start in _segments(content):
        if marker in _PROGRESSIVE:
            bits = {content[start + 6 + 3 * colour]: [None] * 64 for colour in range(content[start + 5])}
        elif marker == _SCAN:
            colours = content[start]
            first, last, precision = content[start + 1 + 2 * colours : start + 4 + 2 * colours]
            for colour in range(colours):
                known = bits.get(content[start + 1 + 2 * colour], [])
                known[first : last + 1] = [precision & 15] * len(known[first : last + 1])
    if any(lowest != 0 for known in bits.values() for lowest in known):
        raise Refused(said("photo.scans_missing"))


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Marker, and start of what it tells, of each segment up to the end of the picture."""
    place = 2
    while (found := _MARKER.search(content, place)) is not None:
        marker, start = found[0][1], found.end() + 2
        yield marker, start
        if marker == _END or start > len(content):
            return
        place = found.end() + max(2, struct.unpack_from(">H", content, found.end())[0])
