"""TIFFs of scanners, cameras and museums: which page is the picture, and what is not read rightly and so refused."""

import struct
from typing import BinaryIO

from PIL import ImagePalette, TiffImagePlugin
from PIL.TiffImagePlugin import TiffImageFile

from saree_cosface.data.refusal import Refused

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 258, 259, 262
_ROWS_OF_STRIP, _PLANES, _COLOUR_MAP, _SUB_IFDS, _INK_SET, _SAMPLE_FORMAT = 278, 284, 320, 330, 332, 339
_WHITE_IS_ZERO, _SEPARATED, _YCBCR, _SIGNED, _FLOAT = 0, 5, 6, 2, 3

_EXTRA_SAMPLES, _PREMULTIPLIED, _PROFILE = 338, 1, 34675
_PAGES = 50  # of a document of more the first ones are looked at

_RAW = "a camera's raw picture; develop it, and save it as JPEG or TIFF"
_SAVE = "save it as a TIFF of 8 or 16 bits a channel"
_KINDS = {
    0: "greys",
    1: "greys",
    2: "RGB",
    3: "a palette",
    4: "a mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIE Lab",
    9: "ICC Lab",
    10: "ITU Lab",
    32844: "LogL",
    32845: "LogLuv",
}
_UNREAD_COMPRESSIONS = {34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}


def whole_page(image: TiffImageFile) -> None:
    """Turn to the picture itself: the first page that is neither a thumbnail nor a mask, or a much larger one that has
    its shape, since not all thumbnails say what they are.

    Raises:
        Refused: the picture itself lies where it is not read, as in cameras' raw files.
    """
    hidden = _in_part(image) and _SUB_IFDS in image.tag_v2
    chosen, size = (None, (0, 0)) if _in_part(image) else (0, image.size)
    for page in range(1, _PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        except (SyntaxError, KeyError):  # of a kind that is not read
            hidden = hidden or not _in_part(image)
            continue
        if not _in_part(image) and (chosen is None or _larger(image.size, size)):
            chosen, size = page, image.size
    if chosen is None and hidden:
        raise Refused(f"holds only a thumbnail that is read here: probably {_RAW}")
    image.seek(chosen or 0)
    if _PROFILE not in image.tag_v2:
        image.info.pop("icc_profile", None)  # that of another page


def _larger(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a page has four times the pixels of another, and its shape."""
    same_shape = abs(one[0] * other[1] - one[1] * other[0]) <= 0.03 * one[0] * other[1]
    return same_shape and one[0] * one[1] >= 4 * other[0] * other[1]


def check(image: TiffImageFile) -> None:
    """Refuse what Pillow would read as something else than the file says, and mend its palette.

    Raises:
        Refused: with what to do about it.
    """
    tags = image.tag_v2
    bits, kinds = max(tags.get(_BITS, (1,))), tags.get(_SAMPLE_FORMAT, (1,))
    compressed = tags.get(_COMPRESSION, 1) != 1
    if tags.get(_COMPRESSION) in _UNREAD_COMPRESSIONS:
        raise Refused(_compressed(tags[_COMPRESSION]))
    if _SIGNED in kinds:
        raise Refused(f"signed numbers, of which nobody knows what is white; {_SAVE}")
    if bits > 16 and _FLOAT not in kinds:
        raise Refused(f"whole numbers of {bits} bits a channel; {_SAVE}")
    if _FLOAT in kinds and compressed and tags.prefix == b"MM":
        raise Refused(f"compressed floating-point numbers in big-endian order; {_SAVE}")
    if tags.get(_PLANES, 1) == 2 and bits > 8 and not compressed:
        raise Refused(f"uncompressed planes of {bits} bits, one for each channel; save it compressed (LZW)")
    if tags.get(_PLANES, 1) == 2 and _PREMULTIPLIED in tags.get(_EXTRA_SAMPLES, ()):
        raise Refused("planes, one for each channel, of colours that are premultiplied; save it without transparency")
    if tags.get(_PHOTOMETRIC) == _YCBCR and not compressed:
        raise Refused("uncompressed YCbCr; save it as RGB")
    if tags.get(_PHOTOMETRIC) == _SEPARATED and tags.get(_INK_SET, 1) != 1:
        raise Refused("printing inks other than cyan, magenta, yellow and black; save it as RGB")
    colours = tags.get(_COLOUR_MAP, ())
    if image.mode == "P" and colours and max(colours) < 256:  # written by those who took 8 bits for the 16 of the norm
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def strip(image: TiffImageFile) -> int:
    """Bytes of the strips or tiles that are unpacked at once, at most."""
    tags, (width, height) = image.tag_v2, image.size
    if tags.get(_COMPRESSION, 1) == 1:
        return 0
    rows = min(tags.get(_ROWS_OF_STRIP, height), max(width, height))  # it may lie on its side
    return int(max(width, height) * rows * sum(tags.get(_BITS, (1,)))) // 8


def greys(image: TiffImageFile) -> tuple[float, bool]:
    """The number that stands for white, and whether it stands for black instead."""
    tags = image.tag_v2
    top = 1.0 if _FLOAT in tags.get(_SAMPLE_FORMAT, (1,)) else 2.0 ** max(tags.get(_BITS, (1,))) - 1
    return top, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def unread(file: BinaryIO) -> str:
    """Why a TIFF that cannot be opened is not read, as far as its first page tells."""
    try:
        file.seek(0)
        head = file.read(8)
        if head.startswith(b"MM\0+"):
            return f"a BigTIFF in big-endian order; {_SAVE}, in little-endian order"
        if head[2:3] == b"+":
            head += file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        photometric, bits, compression = tags.get(_PHOTOMETRIC, -1), tags.get(_BITS, (1,)), tags.get(_COMPRESSION, 1)
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, struct.error):
        return "a TIFF that is damaged, or of a kind not read here"
    if photometric in (32803, 34892):
        return _RAW
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        return _compressed(compression)
    kind = _KINDS.get(photometric, "other colours")
    numbers = "floating-point numbers" if _FLOAT in tags.get(_SAMPLE_FORMAT, (1,)) else f"{max(bits)} bits a channel"
    return f"a TIFF of a kind not read here ({kind}, {numbers}, {len(bits)} channels); {_SAVE}, RGB"


def _in_part(image: TiffImageFile) -> bool:
    reduced_or_mask = image.tag_v2.get(_SUBFILE, 0) & 5
    return bool(reduced_or_mask) or image.tag_v2.get(_OLD_SUBFILE) == 2


def _compressed(number: int) -> str:
    name = _UNREAD_COMPRESSIONS.get(number, f"method {number}")
    return f"a TIFF compressed in a way not read here ({name}); save it uncompressed or with LZW"
