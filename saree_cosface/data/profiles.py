"""Colour profiles (ICC) made from numbers, for files that state their colours without one.

A display's colours are those of its three primaries and its white, and a curve from stored values to light. Pictures
say these in words of their own: H.273 codes in HEIC, AVIF and PNG (``nclx``, ``cICP``), chromaticities and a gamma in
PNG (``cHRM``, ``gAMA``), "R03" in Exif. Here all of them become a profile, which littlecms reads as it does others.
"""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

from saree_cosface.data.refusal import Refused

Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""CIE xy of white, red, green and blue."""

Curve = tuple[float, ...]
"""From stored values to light, both 0 to 1: ``(g,)`` is ``v ** g``; ``(g, a, b, c, d)`` is ``(a v + b) ** g`` from
``d`` on and ``c v`` below."""

_D65, _DCI = (0.3127, 0.3290), (0.314, 0.351)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_NTSC = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))

REC709: Chromaticities = (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE_RGB: Chromaticities = (_D65, (0.640, 0.330), (0.210, 0.710), (0.150, 0.060))

_PRIMARIES: dict[int, Chromaticities] = {  # by their number in H.273
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, *_NTSC),
    7: (_D65, *_NTSC),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (_DCI, *_P3),
    12: (_D65, *_P3),
}
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_CURVE: Curve = (563 / 256,)
# Pictures marked with the curve of a television camera (1, 6, 14, 15) are shown like any others.
_CURVES: dict[int, Curve] = {4: (2.2,), 5: (2.8,), 8: (1.0,)}
_BEYOND_SCREENS = {9: "logarithmically", 10: "logarithmically", 16: "for HDR screens (PQ)", 18: "for HDR screens (HLG)"}

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _built_in() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]  # without the time of its making, so that it is always the same


SRGB: bytes = _built_in()
"""The profile to put into a picture that is sRGB."""


def coded_profile(primaries: int, transfer: int) -> bytes:
    """The profile of colours that are stated in the code points of H.273; sRGB where they are left open.

    Raises:
        Refused: the picture is coded for HDR screens, and shown plainly it would look grey.
    """
    if transfer in _BEYOND_SCREENS:
        raise Refused(f"its brightness is coded {_BEYOND_SCREENS[transfer]}; save it as an ordinary (SDR) photo")
    return matrix_profile(_PRIMARIES.get(primaries, REC709), _CURVES.get(transfer, SRGB_CURVE))


@lru_cache(maxsize=32)
def matrix_profile(colours: Chromaticities, curve: Curve) -> bytes:
    """An ICC profile of a display with these primaries, white and curve.

    Raises:
        ValueError: there is no such display: its primaries lie on a line, or a value is no positive number.
    """
    xyz = (b"XYZ \0\0\0\0" + _fixed(column) for column in _to_d50(colours).T)
    shapes = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _shape(curve))
    return _assembled(b"RGB ", dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True)) | shapes)


def grey_profile(curve: Curve) -> bytes:
    """An ICC profile of greys with this curve.

    Raises:
        ValueError: a value of it cannot stand in a profile.
    """
    return _assembled(b"GRAY", {b"kTRC": _shape(curve)})


def _shape(curve: Curve) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", 0 if len(curve) == 1 else 3, 0) + _fixed(np.array(curve))


def _assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(_D50), **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    kind = struct.pack(">4sI4s4s4s", bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    header = kind + bytes(12) + b"acsp" + bytes(28) + _fixed(_D50) + bytes(48)
    return struct.pack(">I", start + len(data)) + header + table + data


def _to_d50(colours: Chromaticities) -> NDArray[np.float64]:
    """XYZ of red, green and blue as columns, seen by an eye that is used to D50, the light of all profiles."""
    xyz = np.array([(x / y, 1.0, (1 - x - y) / y) if y > 0 else (np.nan,) * 3 for x, y in colours])
    white, primaries = xyz[0], xyz[1:].T
    if not np.isfinite(xyz).all() or abs(np.linalg.det(primaries)) < 1e-6:
        raise ValueError(f"no display has the chromaticities {colours}")
    columns = primaries * np.linalg.solve(primaries, white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD @ columns
    result: NDArray[np.float64] = adapted
    return result


def _fixed(values: NDArray[np.float64]) -> bytes:
    whole = np.rint(values * 65536)
    if not np.isfinite(whole).all() or np.abs(whole).max() >= 2**31:
        raise ValueError(f"{values} cannot stand in a profile")
    return whole.astype(">i4").tobytes()
