"""Colours of categories on a map: hue by family, lightness by craft within it, and a marker where colour is not enough.

Two crafts that look alike to a reader with deuteranopia, the most common colour blindness, get different markers. All
colours stand on white paper; they depend on the set of names alone, not on their order.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from saree_cosface.figures.palette import PALETTE
from saree_cosface.taxonomy import load_taxonomy

MARKERS = ("o", "s", "^", "D", "P", "v", "X", "*", "p", "<", "h", ">")
"""Matplotlib's markers in the order in which they are taken, those that differ most first."""

_APART = 0.115
"""Distance in OKLab below which two points of one marker could be taken for each other (about 12 of CIEDE2000)."""

_DARKEST, _LIGHTEST = 0.40, 0.74

# Linear sRGB to cone responses and on to OKLab (Ottosson 2020).
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# Linear sRGB as seen with deuteranopia (Machado, Oliveira and Fernandes 2009, severity 1).
_DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def craft_colours(crafts: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each craft, as ``("#rrggbb", matplotlib marker)``, in the order given, repeats once.

    A family has a hue, and its crafts run from dark to light. Markers are as few as keep any two crafts of one marker
    apart, to readers with and without deuteranopia. A craft that the taxonomy does not know is a family of its own.

    >>> craft_colours(["patola", "kanjivaram"])["patola"][1]
    'o'
    """
    taxonomy = load_taxonomy()
    wanted = list(dict.fromkeys(crafts))
    known = [craft.id for craft in taxonomy.crafts if craft.id in set(wanted)]
    families: dict[str, list[str]] = {}
    for craft in known:
        families.setdefault(taxonomy.families[craft], []).append(craft)
    for craft in sorted(set(wanted) - set(known)):
        families[f"unknown: {craft}"] = [craft]
    found: dict[str, tuple[str, str]] = {}
    taken: dict[str, list[NDArray[np.float64]]] = {marker: [] for marker in MARKERS}
    for index, members in enumerate(families.values()):
        hue = 25 + 360 * index / len(families)
        for craft, lightness in zip(members, _lightnesses(len(members), index), strict=True):
            colour = _hex(lightness, hue)
            views = _views(colour)
            room = {marker: min((_gap(views, other) for other in taken[marker]), default=9.0) for marker in MARKERS}
            marker = next((marker for marker in MARKERS if room[marker] >= _APART), max(room, key=room.__getitem__))
            taken[marker].append(views)
            found[craft] = (colour, marker)
    return {craft: found[craft] for craft in wanted}


def colours(names: Iterable[str]) -> dict[str, str]:
    """Colour of each name, "#rrggbb", in the order given, repeats once; the first six in sorted order are of Wong's
    palette.

    Further ones are each as far as can be from those before, to readers with and without deuteranopia. Beyond some
    dozens nobody tells them apart, and from about 400 they repeat.

    >>> colours(["museum", "shop"])
    {'museum': '#0072b2', 'shop': '#d55e00'}
    """
    wanted = list(dict.fromkeys(names))
    chosen = [colour.lower() for colour in PALETTE[: min(6, len(wanted))]]
    if len(wanted) > len(chosen):
        candidates = [
            _hex(lightness, hue, chroma)
            for lightness in np.linspace(_DARKEST, _LIGHTEST, 6)
            for hue in range(0, 360, 10)
            for chroma in (0.07, 0.15)
        ]
        views = np.stack([_views(colour) for colour in candidates])
        nearest = np.min([_gap(views, _views(colour)) for colour in chosen], axis=0)
        while len(chosen) < len(wanted):
            best = int(nearest.argmax())
            chosen.append(candidates[best])
            nearest = np.minimum(nearest, _gap(views, views[best]))
            if nearest.max() < 1e-3:
                chosen += [chosen[index % len(chosen)] for index in range(len(wanted) - len(chosen))]
    by_name = dict(zip(sorted(wanted), chosen, strict=True))
    return {name: by_name[name] for name in wanted}


def _lightnesses(count: int, family: int) -> list[float]:
    if count == 1:  # families of one craft, whose hues are close where there are many, differ in lightness instead
        return [(0.50, 0.66, 0.58)[family % 3]]
    return [float(lightness) for lightness in np.linspace(_DARKEST, _LIGHTEST, count)]


def _hex(lightness: float, hue: float, chroma: float = 0.15) -> str:
    # The chroma is lowered until the screen can show it: clipping would change lightness and hue.
    angle = np.deg2rad(hue)
    while True:
        oklab = np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])
        linear = np.linalg.solve(_LMS, np.linalg.solve(_OKLAB, oklab) ** 3)
        if (linear >= 0).all() and (linear <= 1).all():
            break
        chroma *= 0.97
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in srgb)


def _views(colour: str) -> NDArray[np.float64]:
    """OKLab of a colour as most readers and as readers with deuteranopia see it, ``(2, 3)``."""
    srgb = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.stack([linear, np.clip(_DEUTERANOPIA @ linear, 0, 1)])
    return np.asarray(np.cbrt(seen @ _LMS.T) @ _OKLAB.T)


def _gap(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smaller of the two distances: ``(..., 2, 3), (2, 3) -> (...)``."""
    return np.asarray(np.linalg.norm(left - right, axis=-1).min(axis=-1))
