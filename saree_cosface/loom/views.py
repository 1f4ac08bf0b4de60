"""How a saree lies before the camera: flat, folded, draped on a form or over a rod, or so close that threads show.

Each view turns pixels into places on the cloth. Positions in the frame are shares of its longer side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, sin
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.loom.cloth import BORDER, GROUND, LENGTH, WIDTH, Cloth
from saree_cosface.loom.light import Layer, Picture, Plane


@dataclass(frozen=True)
class Frame:
    """The picture's pixels: ``x`` and ``y`` (height, width) as shares of ``size``, the longer side in pixels."""

    x: Plane
    y: Plane
    size: int

    @property
    def middle(self) -> tuple[float, float]:
        """The centre of the frame."""
        return self.x.shape[1] / self.size / 2, self.x.shape[0] / self.size / 2


def frame(height: int, width: int) -> Frame:
    """The frame of a picture of so many pixels."""
    size = max(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return Frame((x + 0.5) / size, (y + 0.5) / size, size)


@dataclass(frozen=True)
class Scene:
    """What stands before the camera: solids painted in one colour first, then layers of cloth from back to front."""

    layers: list[Layer]
    solids: list[tuple[Plane, NDArray[np.float64]]]


def _creases(rng: np.random.Generator, at: Frame, count: int, depth: float) -> tuple[Plane, Plane]:
    """Slopes of a cloth that was not ironed: a few broad waves and some narrow ridges."""
    x, y = at.x[::4, ::4], at.y[::4, ::4]  # creases are smooth: every fourth pixel says enough
    slope_x, slope_y = np.zeros_like(x), np.zeros_like(y)
    for k in range(count):
        angle, phase = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)
        wave = rng.uniform(5, 14) if k % 2 else rng.uniform(12, 34)
        along = cos(angle) * x + sin(angle) * y
        side = -sin(angle) * x + cos(angle) * y
        rise = np.sin(wave * along + phase + 1.5 * np.sin(4 * side + phase))
        if k % 2 == 0:
            rise = rise * rise * rise
        rise *= depth * rng.uniform(0.4, 1.0) * (0.55 + 0.45 * np.sin(3 * side + 2 * phase))
        slope_x += cos(angle) * rise
        slope_y += sin(angle) * rise
    height, width = at.x.shape
    return _f32(cv2.resize(slope_x, (width, height))), _f32(cv2.resize(slope_y, (width, height)))


def _place(rng: np.random.Generator, cloth: Cloth, span: float, body: float = 0.14) -> tuple[float, float]:
    """Where the camera points: a border, the beginning of the pallu, a corner or, with chance ``body``, the body."""
    what = rng.choice(4, p=np.array((0.44, 0.3, 0.26, 0)) * (1 - body) + np.array((0, 0, 0, body)))
    u, v = rng.uniform(span * 0.5, cloth.pallu - span * 0.3), rng.uniform(0.3, 0.7) * WIDTH
    if what in (0, 2):
        v = cloth.border + rng.uniform(-0.1, 0.3) * span
        v = v if rng.random() < 0.3 else WIDTH - v
    if what in (1, 2):
        u = cloth.pallu + rng.uniform(-0.15, 0.3) * span
    room = 0.3 * span  # else the backdrop fills the frame
    return float(np.clip(u, room, LENGTH - room)), float(np.clip(v, room, WIDTH - room))


def _soft(edge: Plane, width: float) -> Plane:
    return _f32(np.clip(edge / width + 0.5, 0, 1))


def flat(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    """Laid out and seen from above, at a slight angle."""
    span = float(rng.uniform(380, 760))
    u0, v0 = _place(rng, cloth, span)
    angle = float(rng.choice((0.0, np.pi / 2, -np.pi / 2), p=(0.5, 0.35, 0.15)) + rng.normal(0, 0.16))
    mx, my = at.middle
    x, y = at.x - mx, at.y - my
    depth = 1 + float(rng.uniform(0, 0.45)) * (0.4 - y)
    x, y = x * depth, y * depth
    slope_x, slope_y = _creases(rng, at, 6, float(rng.uniform(0.05, 0.22)))
    u = u0 + span * (cos(angle) * x + sin(angle) * y) + 9 * slope_x
    v = v0 + span * (-sin(angle) * x + cos(angle) * y) + 9 * slope_y
    cover = _soft(np.minimum(np.minimum(u, LENGTH - u), np.minimum(v, WIDTH - v)), 2 * span / at.size)
    return Scene([_layer(u, v, slope_x, slope_y, cover, span / at.size, 0.012)], [])


def macro(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    """So close that the weave can be read, over one soft fold."""
    span = float(rng.uniform(140, 280))
    u0, v0 = _place(rng, cloth, span, 0.08)
    angle = float(rng.uniform(-np.pi, np.pi)) if rng.random() < 0.4 else float(rng.normal(0, 0.3))
    mx, my = at.middle
    x, y = at.x - mx, at.y - my
    slope_x, slope_y = _creases(rng, at, 3, float(rng.uniform(0.1, 0.35)))
    u = u0 + span * (cos(angle) * x + sin(angle) * y) + 5 * slope_x
    v = v0 + span * (-sin(angle) * x + cos(angle) * y) + 5 * slope_y
    u, v = np.clip(u, 2, LENGTH - 3), np.clip(v, 2, WIDTH - 3)
    return Scene([_layer(u, v, slope_x, slope_y, np.ones_like(u), span / at.size)], [])


def folded(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    """A packet as it lies on the shop's counter: body and border, the pallu turned over it."""
    mx, my = at.middle
    wide, high = float(rng.uniform(0.72, 0.94)) * 2 * mx, float(rng.uniform(0.52, 0.72)) * 2 * my
    turn = float(rng.normal(0, 0.16))
    lean = float(rng.uniform(0.0, 0.14))
    mm = float(rng.uniform(420, 560)) / wide
    u0 = float(rng.uniform(0, max(1.0, cloth.pallu - mm * wide)))
    layers = []
    slope_x, slope_y = _creases(rng, at, 3, 0.06)
    for step in (2, 1, 0):
        off = 0.013 * step
        p, q, cover, rim_x, rim_y = _sheet(at, (mx + off, my + off), wide, high, turn, lean)
        u, v = u0 + mm * wide * p, WIDTH - 2 - mm * high * (1 - q)
        crease = 0.16 * np.exp(-(((p - 0.5) / 0.012) ** 2)) * np.sign(p - 0.5)
        layers.append(_layer(u, v, slope_x + rim_x + crease, slope_y + rim_y, cover, mm / at.size, 0.012))
    part = float(rng.uniform(0.34, 0.52))
    side = 1 if rng.random() < 0.7 else -1
    tilt = turn + float(rng.normal(0, 0.07))
    centre = (mx + side * wide * (0.5 - part / 2) * cos(turn), my + side * wide * (0.5 - part / 2) * sin(turn))
    p, q, cover, rim_x, rim_y = _sheet(at, centre, wide * part, high * float(rng.uniform(1.0, 1.12)), tilt, lean)
    slope_x, slope_y = _creases(rng, at, 3, 0.08)
    reach = min(mm * wide * part, LENGTH - cloth.pallu - 10.0)
    u = LENGTH - 14 - reach * (1 - p if side > 0 else p)
    v = WIDTH - 2 - mm * high * (1 - q)
    layers.append(_layer(u, v, slope_x + rim_x, slope_y + rim_y, cover, mm / at.size, 0.02))
    return Scene(layers, [])


def _sheet(
    at: Frame, centre: tuple[float, float], wide: float, high: float, turn: float, lean: float
) -> tuple[Plane, Plane, Plane, Plane, Plane]:
    """A turned rectangle: places on it from 0 to 1, its cover, and the slopes of its rounded rim."""
    x, y = at.x - centre[0], at.y - centre[1]
    p = (cos(turn) * x + sin(turn) * y) / wide
    q = (-sin(turn) * x + cos(turn) * y) / high
    p = p * (1 - lean * q) + 0.5
    q = q + 0.5
    beside, above = np.minimum(p, 1 - p) * wide, np.minimum(q, 1 - q) * high
    edge = np.minimum(beside, above)
    rim = 0.5 * np.exp(-np.clip(edge, 0, None) / 0.012)
    slope_x = np.where(beside < above, np.copysign(rim, 0.5 - p), 0)
    slope_y = np.where(beside < above, 0, np.copysign(rim, 0.5 - q))
    return _f32(p), _f32(q), _soft(edge, 1.5 / at.size), _f32(slope_x), _f32(slope_y)


def drape(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    """Worn by a dress form, or hung over a rod in folds."""
    return _hung(rng, cloth, at) if rng.random() < 0.35 else _worn(rng, cloth, at)


def _hung(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    mx, my = at.middle
    span = float(rng.uniform(560, 880))
    wide = float(rng.uniform(0.72, 0.98)) * 2 * mx
    top = float(rng.uniform(-0.05, 0.1))
    folds = float(rng.uniform(4, 9))
    phase = float(rng.uniform(0, 6))
    p = (at.x - mx) / wide + 0.5
    sway = p + 0.02 * np.sin(5 * at.y + phase) * (at.y - top)
    arc = 2 * np.pi * folds * sway + 0.8 * np.sin(2 * np.pi * sway * 1.7 + phase)
    slope_x = 0.85 * np.cos(arc) * np.clip(0.35 + 1.2 * (at.y - top), 0.3, 1)
    slope_y = 0.07 * np.sin(arc * 0.5)
    along = span * (wide * (sway - 0.5) + 0.045 * np.sin(arc))
    down = span * (at.y - top + 0.006 * np.cos(arc))
    length = 2 * my - top - float(rng.uniform(0.05, 0.18))
    if rng.random() < 0.5:  # the pallu end hangs down
        u, v = LENGTH - 8 - (span * length - down), WIDTH * 0.5 + along * 1.25
    else:  # the border hangs down
        u, v = float(rng.uniform(0.3, 1.0)) * cloth.pallu + along * 1.25, WIDTH - 3 - (span * length - down)
    edge = np.minimum(np.minimum(p, 1 - p) * wide, length + 0.006 * np.sin(arc) - (at.y - top))
    cover = _soft(np.minimum(edge, at.y - top), 1.5 / at.size)
    rod = _soft(0.012 - np.abs(at.y - top), 2 / at.size)
    return Scene([_layer(u, v, slope_x, slope_y, cover, span / at.size, 0.025)], [(rod, np.array((92.0, 70.0, 50.0)))])


def _worn(rng: np.random.Generator, cloth: Cloth, at: Frame) -> Scene:
    """A dress form: pleats with the border at the hem, the pallu across the breast and hanging from a shoulder."""
    mx, my = at.middle
    zoom = float(rng.uniform(0.94, 1.14)) * 2 * my
    x = (at.x - mx - float(rng.normal(0, 0.02))) / zoom
    y = (at.y - 0.03) / zoom
    if rng.random() < 0.5:
        x = -x
    mm = 1080.0
    scale = mm / (at.size * zoom)
    px = 1.5 / (at.size * zoom)

    waist, hem = 0.345, 0.93
    fall = np.clip((y - waist) / (hem - waist), 0, 1)
    half = 0.112 + 0.125 * fall**0.75
    s = x / half
    pleats = np.exp(-(((s + 0.1) / 0.42) ** 2))
    arc = s * 24 + 1.2 * np.sin(3 * s + 2 * fall)
    slope_x = pleats * 0.8 * np.cos(arc) + 0.75 * s * np.abs(s) + (1 - pleats) * 0.22 * np.cos(7 * s + 5 * fall)
    slope_y = (1 - pleats) * 0.25 * np.sin(9 * fall + 3 * s) * (1 - fall)
    u = 420 + mm * x * 1.15 + pleats * 16 * np.sin(arc) + 60 * np.floor((arc + np.pi) / (2 * np.pi)) * pleats
    bottom = hem - 0.02 * s**2 + 0.004 * np.cos(arc) * pleats
    v = WIDTH - 3 - mm * (bottom - y)
    edge = np.minimum(np.minimum((1 - np.abs(s)) * half, bottom - y), y - waist + 0.01)
    skirt = _layer(u, v, slope_x, slope_y, _soft(edge, px), scale, 0.02)

    # The pallu rises from the right hip to the left shoulder, gathered so that a border runs along its lower edge.
    start, end = np.array((-0.15, 0.42)), np.array((0.105, 0.075))
    long = float(np.linalg.norm(end - start))
    along = ((end - start) / long).tolist()
    t = (x - start[0]) * along[0] + (y - start[1]) * along[1]
    w = -(x - start[0]) * along[1] + (y - start[1]) * along[0]
    broad = 0.085 + 0.055 * np.sin(np.pi * np.clip(t / long, 0, 1)) - 0.02 * t / long
    bend = w - 0.015 * np.sin(np.pi * t / long)
    gather = bend / broad
    slope = 0.55 * np.cos(gather * 11 + 2 * t * 6)
    pallu_u = cloth.pallu - 250 + mm * t
    pallu_v = WIDTH - 3 - mm * (broad - bend) * 1.5
    cover = _soft(np.minimum(np.minimum(broad - np.abs(bend), t + 0.03), long + 0.03 - t), px)
    cover = cover * _torso(x, y, px)
    breast = _layer(pallu_u, pallu_v, -along[1] * slope + 0.5 * x / 0.13, along[0] * slope, cover, scale, 0.012)

    # Behind the shoulder it hangs free and shows its whole design.
    left, right = 0.11, 0.11 + float(rng.uniform(0.13, 0.19))
    top, foot = 0.085, float(rng.uniform(0.62, 0.82))
    flare = np.clip((y - top) / (foot - top), 0, 1)
    right_edge = right - 0.05 + 0.07 * flare
    left_edge = left - 0.02 * flare
    r = (x - left_edge) / (right_edge - left_edge)
    wave = 9 * r + 1.5 * np.sin(3 * y)
    fall_u = LENGTH - 6 - mm * (foot + 0.006 * np.cos(wave) - y) * 0.95
    fall_v = WIDTH * 0.04 + r * mm * (right - left) * 2.0 + 14 * np.sin(wave)
    edge = np.minimum(np.minimum(r, 1 - r) * (right - left), np.minimum(foot - y, y - top + 0.02 * r))
    back = _layer(fall_u, fall_v, 0.7 * np.cos(wave), np.zeros_like(wave), _soft(edge, px), scale, 0.022)

    blouse = np.clip(np.array(cloth.palette[BORDER].colour) * rng.uniform(0.7, 1.0) + 10, 0, 255)
    underskirt = np.array(cloth.palette[GROUND].colour) * 0.62 + 50
    linen = np.array((166, 130, 104)) * rng.uniform(0.55, 1.2)
    stand = _soft(np.minimum(0.028 - np.abs(x), 0.2 - y), px)
    neck = _soft(1 - np.hypot(x / 0.03, (y - 0.035) / 0.035), 30 * px)
    round_body = (0.72 + 0.28 * np.clip(1 - (x / 0.15) ** 2, 0, 1)).astype(np.float32)
    torso = _torso(x, y, px) * round_body
    covered = _soft(np.minimum((1 - np.abs(s)) * half, np.minimum(bottom - y, y - waist)), px)
    solids = [(_f32(np.maximum(stand * (y > 0.0), neck)), linen), (torso, blouse), (covered, underskirt)]
    return Scene([back, skirt, breast], solids)


def _torso(x: Plane, y: Plane, px: float) -> Plane:
    """Shoulders that slope, breast and waist, with short sleeves."""
    share = np.clip((y - 0.06) / 0.32, 0, 1)
    half = 0.118 + 0.02 * np.sin(np.pi * share * 1.1) - 0.016 * share
    shoulder = 0.062 + 0.35 * np.clip(np.abs(x) - 0.03, 0, 0.2)
    body = np.minimum(np.minimum(half - np.abs(x), 0.4 - y), y - shoulder)
    sleeve = np.minimum(np.minimum(0.03 - np.abs(np.abs(x) - 0.118 - 0.12 * (y - 0.09)), 0.205 - y), y - shoulder)
    return _soft(np.maximum(body, sleeve), px)


Floats = NDArray[np.floating[Any] | np.integer[Any]]


def _layer(u: Floats, v: Floats, rise_x: Floats, rise_y: Floats, cover: Floats, scale: float, lift: float = 0) -> Layer:
    return Layer(_f32(u), _f32(v), _f32(rise_x), _f32(rise_y), _f32(cover), scale, lift)


def _f32(plane: Floats) -> Plane:
    return np.asarray(plane, dtype=np.float32)


VIEWS: dict[str, Callable[[np.random.Generator, Cloth, Frame], Scene]] = {
    "flat": flat,
    "folded": folded,
    "drape": drape,
    "macro": macro,
}


def paint_solids(picture: Picture, scene: Scene) -> None:
    """Paint what is not cloth, in place."""
    for mask, colour in scene.solids:
        picture += (colour.astype(np.float32) - picture) * mask[..., None]
