"""The one place where images are decoded: safely, upright, always to 8-bit RGB that means sRGB."""

import errno
import os
import stat
import struct
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, Jpeg2KImagePlugin, JpegImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from saree_cosface.data import jpeg, jpeg2000, tiff
from saree_cosface.data.colour import stated_profile, to_srgb
from saree_cosface.data.emptied import require_whole
from saree_cosface.data.memory import coefficients, decoding
from saree_cosface.data.refusal import Refused
from saree_cosface.languages.said import said
from saree_cosface.machine.photo_memory import PhotoMemoryError

DECODER = 2
"""Version of what decoding makes of a file; whatever is kept by a photo's content is kept by this too."""

PHOTO_SUFFIXES: frozenset[str] = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2"),
        *(".heic", ".heif", ".avif"),
    }
)

# An explicit list: Pillow also reads formats that start other programs (EPS) or decode while opening (ICO).
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "HEIF", "AVIF")

_LOOKS_LIKE = (
    (b"<svg", "svg"),
    (b"<!doctype html", "html"),
    (b"<html", "html"),
    (b"<?xml", "xml"),
    (b"%pdf", "pdf"),
    (b"%!ps", "postscript"),
    (b"pk\x03\x04", "zip"),
    (b"{", "json"),
    (b"version https://git-lfs", "pointer"),
)

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_ORIENTATION = 0x0112
_FIRST_ON_ITS_SIDE = 5  # of the orientations, from which on width and height change places
pillow_heif.register_heif_opener()


class BadImage(ValueError):
    """A file that cannot be used as a photo.

    Attributes:
        path: the file.
        reason: what is wrong with it, in words for the person who owns the file.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:  # crosses process borders
        return type(self), (self.path, self.reason)


def decode(path: Path, *, shrink_to: int | None = None) -> NDArray[np.uint8]:
    """Decode a photo to 8-bit RGB pixels ``(H, W, 3)``, upright.

    The EXIF orientation is applied, colours are converted to sRGB from what the file says they are, transparency is
    laid on white, 16-bit greyscale is scaled to 8 bits, and of an animation the first frame is taken.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF, JPEG 2000, HEIC or AVIF; the content decides, not the suffix.
        shrink_to: bound on the short side in pixels; larger photos are shrunk with antialiasing, smaller ones are
            left as they are. JPEGs are then decoded at a fraction of their size, which is several times faster and
            takes less memory: a larger photo stays within what is allowed (:mod:`saree_cosface.machine.photo_memory`).

    Raises:
        BadImage: for whatever is wrong with the file.
        PhotoMemoryError: the environment variable that bounds the memory holds no amount.
    """
    if shrink_to is not None and shrink_to < 1:
        raise ValueError(f"shrink_to must be at least 1 pixel, not {shrink_to}")
    path = Path(path)
    head = _read_head(path)
    try:
        with warnings.catch_warnings():
            # Only filters of messages, so that threads which leave in another order than they entered do no harm.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound is on memory
            warnings.filterwarnings("ignore", message="Corrupt EXIF")  # the pixels are sound
            warnings.filterwarnings("error", message="(?i).*truncated")
            with path.open("rb") as file, _opened(file) as image:
                return _pixels(file, image, shrink_to)
    except (BadImage, PhotoMemoryError):
        raise
    except MemoryError as error:
        raise BadImage(path, said("photo.no_memory")) from error
    except Refused as error:
        raise BadImage(path, error.args[0]) from error
    except UnidentifiedImageError as error:
        raise BadImage(path, _unidentified(head)) from error
    except Exception as error:  # plug-ins raise almost anything on hostile bytes: SyntaxError, struct.error, ...
        detail = str(error) or type(error).__name__
        raise BadImage(path, said("photo.damaged", detail=detail)) from error


def size_and_format(path: Path) -> tuple[int, int, str]:
    """Width and height of a photo in pixels, as it is seen upright, and its format by Pillow's name, undecoded.

    Raises:
        BadImage: its header cannot be read. One whose header can may still be damaged: :func:`decode` finds that out.
    """
    path = Path(path)
    head = _read_head(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file, _opened(file) as image:
            warnings.filterwarnings("ignore", message="Corrupt EXIF")
            # Of a TIFF Pillow tells the size that it will have upright.
            width, height = image._tile_size if isinstance(image, TiffImageFile) else image.size
            if _orientation(image) >= _FIRST_ON_ITS_SIDE:
                width, height = height, width
            return width, height, str(image.format)
    except Refused as error:
        raise BadImage(path, error.args[0]) from error
    except UnidentifiedImageError as error:
        raise BadImage(path, _unidentified(head)) from error
    except Exception as error:  # as in decode
        raise BadImage(path, said("photo.damaged", detail=str(error) or type(error).__name__)) from error


def _read_head(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadImage(path, irregular(mode))
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise BadImage(path, os_reason(path, error)) from error
    except ValueError as error:
        if isinstance(error, BadImage):
            raise
        raise BadImage(path, f"not a usable file name ({error})") from error
    if not head:
        raise BadImage(path, said("photo.empty"))
    return head


def _opened(file: BinaryIO) -> ImageFile:
    """As ``Image.open``, without Pillow's bound on pixels: it is one for the whole process, the app's uploads too."""
    prefix = file.read(16)
    for name in _FORMATS:
        if name not in Image.OPEN:
            Image.init()
        factory, accept = Image.OPEN[name]
        if accept is not None and accept(prefix) is not True:
            continue
        try:
            file.seek(0)
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if name == "TIFF":
                raise Refused(tiff.unread(file)) from error
    raise UnidentifiedImageError


def _pixels(file: BinaryIO, image: ImageFile, shrink_to: int | None) -> NDArray[np.uint8]:
    if isinstance(image, TiffImageFile):
        tiff.whole_page(image)
        tiff.check(image)
    see_through = image.info.get("transparency")
    if isinstance(see_through, tuple) and image.tile and str(image.tile[0].args).endswith(";16B"):
        image.info["transparency"] = tuple(value >> 8 for value in see_through)  # as its pixels are read
    width, height = size = image.size
    if width * height == 0:
        raise Refused(said("photo.no_pixels"))
    buffered = os.fstat(file.fileno()).st_size
    if isinstance(image, TiffImageFile):
        buffered += tiff.strip(image)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        buffered += coefficients(image, jpeg.interleaved(file, image.layers))
    if shrink_to is not None and min(size) > shrink_to:
        size = _scaled(width, height, shrink_to)
        # The decoder may leave up to twice the size, for the antialiased step to finish.
        image.draft(None, _scaled(width, height, 2 * shrink_to))
        if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
            jpeg2000.draft(image, file, 2 * shrink_to)
    with decoding(image, (width, height), size, buffered):
        require_whole(file, image.format)
        if isinstance(image, TiffImageFile):
            image.im = Image.new(image.mode, image._tile_size).im  # or Pillow would ask for its own bound
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            loaded = jpeg.load(image, file)
        else:
            image.load()
            loaded = image
        rgb = to_srgb(loaded, stated_profile(image, file), size)
        transpose = _TRANSPOSE.get(_orientation(image))
        if transpose is not None:
            rgb = rgb.transpose(transpose)
        return np.array(rgb, dtype=np.uint8)


def _scaled(width: int, height: int, short_side: int) -> tuple[int, int]:
    factor = short_side / min(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata do not spoil the pixels: they stay as stored
        return 1


def irregular(mode: int) -> str:
    """What a path is that is no file, in words."""
    return said("photo.folder") if stat.S_ISDIR(mode) else said("photo.irregular")


def os_reason(path: Path, error: OSError) -> str:
    """Why the system refused a file, in words for the person who owns it."""
    if error.errno == errno.ENOENT:
        return said("photo.dead_link") if path.is_symlink() else said("photo.gone")
    if error.errno == errno.ELOOP:
        return "a link that leads back to itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return said("photo.forbidden")
    return said("photo.unreadable", detail=str(error.strerror or error))


def _unidentified(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<?xml") and b"<svg" in start:
        return said("photo.looks_like", kind=said("kind.svg"))
    for prefix, name in _LOOKS_LIKE:
        if start.startswith(prefix):
            return said("photo.looks_like", kind=said(f"kind.{name}"))
    return said("photo.unknown")
