"""Decoding JPEG 2000 at a fraction of its size, which Pillow's ``draft`` does not do."""

from typing import BinaryIO

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

_HEAD = 1 << 20  # bytes in which the codestream must begin
_START, _STYLE = b"\xff\x4f\xff\x51", b"\xff\x52"


def draft(image: Jpeg2KImageFile, file: BinaryIO, short_side: int) -> None:
    """Have a picture decoded at its smallest resolution whose short side has at least so many pixels."""
    halvings = _halvings(file)
    while halvings and min(image.size) >> halvings < short_side:
        halvings -= 1
    # Not by Pillow's ``reduce``, which rounds a half size down where the format rounds it up, and then fails.
    width, height = (-(-side >> halvings) for side in image.size)
    tile = image.tile[0]
    assert isinstance(tile.args, tuple)
    codec, _, *others = tile.args
    image._size = width, height
    image.tile = [tile._replace(extents=(0, 0, width, height), args=(codec, halvings, *others))]


def _halvings(file: BinaryIO) -> int:
    """How many times a picture can be halved; 0 where it does not tell."""
    file.seek(0)
    head = file.read(_HEAD)
    start = head.find(_START)
    style = head.find(_STYLE, start) if start >= 0 else -1
    return head[style + 9] if 0 <= style < len(head) - 9 and head[style + 9] <= 32 else 0
