"""What the numbers of a picture mean: its colour profile, and the way from there to sRGB."""

import io
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from saree_cosface.data.profiles import (
    ADOBE_CURVE,
    ADOBE_RGB,
    REC709,
    SRGB,
    SRGB_CURVE,
    Chromaticities,
    coded_profile,
    grey_profile,
    matrix_profile,
)
from saree_cosface.data.refusal import Refused
from saree_cosface.data.tiff import greys

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
_EXIF_IFD, _INTEROP_IFD, _COLOR_SPACE, _INTEROP_INDEX = 0x8769, 0xA005, 0xA001, 1
_HEAD = 1 << 20  # bytes among which boxes and chunks that state colours are looked for
_SRGB_GAMMA = 0.45455  # how PNG writers say "about sRGB"


def to_srgb(image: Image.Image, profile: bytes | None, size: tuple[int, int]) -> Image.Image:
    """The decoded picture in RGB and in this size, its colours as the profile means them in sRGB, and what is
    transparent on white.

    A profile that is broken, or of another colour space than the picture, is passed over.

    Raises:
        Refused: greys whose range nobody can know.
    """
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        image = image.convert("RGB")  # the fourth byte was left empty, as it was when there was no transparency
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        grey = image.mode in ("1", "L", "LA", "La")
        layers = image.convert("LA" if grey else "RGBA")
        rgba = _converted(layers.convert("L" if grey else "RGB"), profile)
        rgba.putalpha(layers.getchannel("A"))
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return _resized(Image.alpha_composite(white, rgba).convert("RGB"), size)
    if image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    return _converted(_resized(image, size), profile)  # in this order, since converting takes longer


def stated_profile(image: Image.Image, file: BinaryIO) -> bytes | None:
    """The colour profile of a picture, or one of what it says of its colours by other means; None for sRGB.

    Args:
        image: opened, or loaded.
        file: that it was opened from.

    Raises:
        Refused: it is coded for HDR screens.
    """
    head = b""
    if image.format in ("PNG", "AVIF", "JPEG2000"):
        file.seek(0)
        head = file.read(_HEAD)
    if image.format == "PNG" and (coded := _chunk(head, b"cICP")) and len(coded) >= 2:
        if coded[3:4] == b"\0":
            raise Refused("colours of television's narrow range; save it with the full range")
        return coded_profile(coded[0], coded[1])
    if image.format == "JPEG2000":
        return _profile_of_jpeg2000(head)
    embedded = image.info.get("icc_profile")
    if isinstance(embedded, bytes) and embedded:
        return embedded
    if isinstance(nclx := image.info.get("nclx_profile"), dict):  # HEIC
        return coded_profile(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
    place = head.find(b"colrnclx")  # Pillow keeps this box of AVIF to itself
    if image.format == "AVIF" and place >= 0 and len(head) >= place + 12:
        return coded_profile(*struct.unpack_from(">HH", head, place + 8))
    if image.format == "PNG" and "srgb" not in image.info:
        return _png_colours(image)
    return matrix_profile(ADOBE_RGB, ADOBE_CURVE) if _marked_adobe_rgb(image) else None


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    convert = _way_to_srgb(profile or b"", image.mode) if profile or image.mode == "LAB" else None
    if convert is not None:
        return convert(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=64)
def _way_to_srgb(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """The way from a profile to sRGB; None where there is none, or none is needed."""
    # What both can show stays as it is. Without optimisation, greys are right even where a curve is steep.
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0)
    try:
        if mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        target = ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.ImageCmsTransform(source, target, mode, "RGB", intent, flags=flags)
    except (OSError, ValueError, TypeError):
        return None
    if mode in ("RGB", "L") and _changes_nothing(transform):
        return None
    if mode == "L":
        greys = transform.apply(Image.fromarray(np.arange(256, dtype=np.uint8)[None]))
        table = [value for band in greys.split() for value in band.tobytes()]
        return lambda image: image.convert("RGB").point(table)
    return transform.apply


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB up to rounding: such photos keep their pixels, and take no time."""
    if transform.input_mode == "L":
        colours = np.arange(256, dtype=np.uint8)[None]
    else:
        steps = np.linspace(0, 255, 18, dtype=np.uint8)
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    shown = np.asarray(transform.apply(Image.fromarray(colours)), dtype=np.int16)
    return bool(np.abs(shown - colours.reshape(*colours.shape[:2], -1)).max() <= 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips values at 255 instead of scaling them.
    top, inverted = 1.0 if image.mode == "F" else 65535.0, False
    if isinstance(image, TiffImageFile):
        top, inverted = greys(image)
    values = np.asarray(image)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise Refused(f"grey values of unknown range (mode {image.mode}); save it with 8 or 16 bits a channel")
    if image.mode.startswith("I;16"):
        scaled = np.rint(np.arange(65536) * (255.0 / top)).astype(np.uint8)[values]
    else:
        scaled = np.rint(values * (255.0 / top)).astype(np.uint8)
    if isinstance(see_through := image.info.get("transparency"), int):
        scaled[values == see_through] = 255
    return Image.fromarray(255 - scaled if inverted else scaled)


def _chunk(head: bytes, name: bytes) -> bytes:
    """Content of a chunk of a PNG that stands before its pixels; empty if there is none."""
    place = 8
    while place + 8 <= len(head):
        length, found = struct.unpack_from(">I4s", head, place)
        if found == name:
            return head[place + 8 : place + 8 + length]
        if found == b"IDAT":
            break
        place += 12 + length
    return b""


def _profile_of_jpeg2000(head: bytes) -> bytes | None:
    """The profile in a box of a JPEG 2000 file, of which Pillow reads only those that number a colour space."""
    place = head.find(b"colr")
    while place >= 4:
        (length,) = struct.unpack_from(">I", head, place - 4)
        if head[place + 4 : place + 5] in (b"\2", b"\3"):  # restricted, or any profile
            return head[place + 7 : place - 4 + length] or None
        place = head.find(b"colr", place + 4)
    return None


def _png_colours(image: Image.Image) -> bytes | None:
    """The profile of a PNG's chunks gAMA and cHRM."""
    gamma, chroma = image.info.get("gamma"), image.info.get("chromaticity")
    colours: Chromaticities = REC709
    if chroma is not None and len(chroma) == 8:
        colours = (chroma[:2], chroma[2:4], chroma[4:6], chroma[6:8])
    usual = gamma is None or gamma == 0 or abs(gamma - _SRGB_GAMMA) < 0.005
    if usual and colours == REC709:
        return None
    curve = SRGB_CURVE if gamma is None or usual else (1 / gamma,)
    try:
        return grey_profile(curve) if image.mode in ("1", "L", "LA", "I;16", "I") else matrix_profile(colours, curve)
    except ValueError:  # nonsense is passed over, as a broken profile is
        return None


def _marked_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera says in Exif alone that its colours are Adobe RGB."""
    if b"R03" not in (image.info.get("exif") or b""):
        return False
    try:
        exif = image.getexif()
        index = str(exif.get_ifd(_INTEROP_IFD).get(_INTEROP_INDEX, ""))
        return index.startswith("R03") and exif.get_ifd(_EXIF_IFD).get(_COLOR_SPACE) != 1
    except Exception:  # broken metadata do not spoil the pixels
        return False
