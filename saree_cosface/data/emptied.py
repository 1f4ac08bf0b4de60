"""Pixels lost where decoders do not notice: files that were emptied in part, by a card or a copy that broke off.

What an encoder writes looks like noise, so a long run of zeros within it is no picture. JPEG has its own test
(:mod:`saree_cosface.data.jpeg`), PNG and GIF have checksums or end early; in TIFF and BMP zeros may be black.
"""

import struct
from typing import BinaryIO

from saree_cosface.data.refusal import Refused
from saree_cosface.languages.said import said

_OF_BOXES = ("HEIF", "AVIF")
_RUN = 3000
"""Zeros within a file of boxes that are no picture: what Windows leaves free in Exif for later is 2,060 bytes."""

_RUN_WEBP = 256  # within the chunks that hold pixels
_PIXELS_OF_WEBP = (b"VP8 ", b"VP8L", b"ALPH", b"ANMF")


def require_whole(file: BinaryIO, kind: str | None) -> None:
    """Refuse a picture a part of which is zeros; files of kinds that are not looked at pass.

    Args:
        file: opened.
        kind: the format, by Pillow's name.

    Raises:
        Refused: with the number of bytes that are lost.
    """
    if kind != "WEBP" and kind not in _OF_BOXES:
        return
    file.seek(0)
    content = file.read()
    lost = _lost_of_webp(content) if kind == "WEBP" else _run(content, 0, len(content), _RUN)
    if lost:
        raise Refused(said("photo.zeros", lost=int(lost)))


def _lost_of_webp(content: bytes) -> int:
    place = 12
    while place + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        if name in _PIXELS_OF_WEBP and (lost := _run(content, place + 8, place + 8 + length, _RUN_WEBP)):
            return lost
        place += 8 + length + length % 2
    return 0


def _run(content: bytes, start: int, end: int, least: int) -> int:
    """Length of the first run of so many zeros; 0 if there is none, or it is space that a box leaves free."""
    place = content.find(bytes(least), start, end)
    if place < 0 or content[max(0, place - 16) : place].find(b"free") >= 0:
        return 0
    rest = content[place:end]
    return len(rest) - len(rest.lstrip(b"\0"))
