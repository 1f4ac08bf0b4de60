"""Plant and temple figures, drawn as small drafts: one cell a millimetre, CLEAR where the cloth shows through.

None is traced from a real saree; each is built from curves, so that no two pieces carry quite the same one.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.loom.cloth import CLEAR, Draft

Points = NDArray[np.float64]
SUBPIXEL = 4  # binary digits behind the point that OpenCV is given


def blank(height: float, width: float) -> Draft:
    """An empty draft of so many millimetres."""
    return np.full((max(1, round(height)), max(1, round(width))), CLEAR, np.uint8)


def fill(draft: Draft, points: Points, yarn: int) -> None:
    """Fill the polygon through ``points`` (N, 2), columns first, in place."""
    cv2.fillPoly(draft, [np.round(points * (1 << SUBPIXEL)).astype(np.int32)], yarn, shift=SUBPIXEL)


def line(draft: Draft, points: Points, yarn: int, width: float = 1.0, closed: bool = False) -> None:
    """Draw a line of ``width`` millimetres through ``points`` (N, 2), in place."""
    fixed = np.round(points * (1 << SUBPIXEL)).astype(np.int32)
    cv2.polylines(draft, [fixed], closed, yarn, max(1, round(width)), shift=SUBPIXEL)


def brush(draft: Draft, points: Points, radii: Sequence[float] | Points, yarn: int) -> None:
    """Drag a round brush along ``points`` (N, 2) while its radius changes as ``radii`` (N,) say, in place."""
    steps = np.linspace(0, len(points) - 1, 10 * len(points))
    at = np.arange(len(points))
    dabs = zip(
        np.interp(steps, at, points[:, 0]), np.interp(steps, at, points[:, 1]), np.interp(steps, at, radii), strict=True
    )
    one = 1 << SUBPIXEL
    for x, y, radius in dabs:
        if radius > 0.2:
            cv2.circle(draft, (round(x * one), round(y * one)), round(radius * one), yarn, -1, shift=SUBPIXEL)


def dot(draft: Draft, x: float, y: float, radius: float, yarn: int) -> None:
    """A filled circle, in place."""
    brush(draft, np.array([[x, y]]), [radius], yarn)


def ring(centre: tuple[float, float], radius: float, count: int, turn: float = 0.0) -> Points:
    """``count`` points evenly on a circle."""
    angles = turn + np.arange(count) * 2 * np.pi / count
    return np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)


def petals(centre: tuple[float, float], radius: float, count: int, depth: float = 0.3, turn: float = 0.0) -> Points:
    """The outline of a flower with ``count`` round petals, cut in to ``1 - 2 depth`` of its radius."""
    angles = np.linspace(0, 2 * np.pi, 12 * count + 1)
    far = radius * (1 - depth + depth * np.cos(count * (angles - turn)))
    return np.stack([centre[0] + far * np.cos(angles), centre[1] + far * np.sin(angles)], axis=1)


def blade(start: tuple[float, float], angle: float, length: float, width: float, bend: float = 0.0) -> Points:
    """The outline of a leaf that begins at ``start`` and points along ``angle`` (radians, 0 to the right)."""
    along = np.linspace(0, 1, 12)
    half = width / 2 * np.sin(np.pi * along**0.85)
    curve = bend * length * along**2
    x = np.concatenate([along * length, (along * length)[::-1]])
    y = np.concatenate([curve + half, (curve - half)[::-1]])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([start[0] + cos * x - sin * y, start[1] + sin * x + cos * y], axis=1)


def flower(size: float, count: int, outer: int, inner: int, heart: int) -> Draft:
    """A rosette seen from above."""
    draft = blank(size, size)
    middle = (size / 2, size / 2)
    fill(draft, petals(middle, size / 2 - 0.5, count), outer)
    fill(draft, petals(middle, size * 0.3, count, turn=np.pi / count), inner)
    dot(draft, *middle, size * 0.1 + 0.6, heart)
    return draft


def sprig(size: float, leaf: int, bloom: int, heart: int, leaves: int = 2, count: int = 6) -> Draft:
    """A buti: one bloom on a stem that bends, with pairs of leaves."""
    draft = blank(size * 1.4, size)
    top, foot = (size * 0.5, size * 0.42), (size * 0.56, size * 1.38)
    along = np.linspace(0, 1, 8)
    sway = np.sin(np.pi * along) * size * 0.08
    stem = np.stack([top[0] + (foot[0] - top[0]) * along - sway, top[1] + (foot[1] - top[1]) * along], axis=1)
    line(draft, stem, leaf, max(1.0, size * 0.06))
    for i in range(leaves):
        node = stem[3 + 2 * i]
        for side in (-1, 1):
            angle = -np.pi / 2 + side * (0.95 + 0.15 * i)
            fill(draft, blade((node[0], node[1]), angle, size * 0.46, size * 0.2, 0.2 * side), leaf)
    fill(draft, petals(top, size * 0.4, count), bloom)
    dot(draft, *top, size * 0.13, heart)
    return draft


def kalga(size: float, outer: int, field: int, inner: int, lean: int = 1) -> Draft:
    """A mango with a bent tip, hollow, with a smaller one inside and beads around it."""
    draft = blank(size * 1.5, size)
    along = np.linspace(0, 1, 14)
    x = size * (0.46 + lean * (0.06 - 0.42 * along**3 + 0.3 * np.sin(np.pi * along) * along))
    y = size * (1.03 - 0.92 * along)
    radius = size * 0.4 * np.sqrt(np.clip(1 - along, 0, 1)) * (1 - 0.35 * along)
    spine = np.stack([x, y], axis=1)
    brush(draft, spine, radius, outer)
    brush(draft, spine[:11], radius[:11] - size * 0.09, field)
    brush(draft, spine[:8], np.clip(radius[:8] * 0.46, 0, None), inner)
    for bead in ring((float(x[0]), float(y[0])), size * 0.25, 7, np.pi * 0.05)[:4]:
        dot(draft, bead[0], bead[1], max(0.8, size * 0.035), outer)
    return draft


def lotus(size: float, outer: int, inner: int, count: int = 5) -> Draft:
    """A lotus from the side, its petals spread like a fan."""
    draft = blank(size * 0.8, size)
    foot = (size / 2, size * 0.74)
    for angle in sorted(np.linspace(-1.25, 1.25, count), key=lambda a: -abs(a)):
        length = size * (0.7 - 0.22 * abs(angle) / 1.25)
        fill(draft, blade(foot, angle - np.pi / 2, length, size * 0.27), outer)
        fill(draft, blade(foot, angle - np.pi / 2, length * 0.72, size * 0.12), inner)
    return draft


def spires(base: int, height: int, step: int, yarn: int, slender: float = 1.0, edge: int = CLEAR) -> Draft:
    """One temple spire of a korvai border: a stepped triangle, ``base`` wide, that points up."""
    draft = blank(height, base)
    for row in range(height):
        share = (((row // step) * step + step) / height) ** slender
        half = max(0.5, base / 2 * share)
        draft[row, round(base / 2 - half) : round(base / 2 + half)] = yarn
        if edge != CLEAR:
            draft[row, round(base / 2 - half) : round(base / 2 - half) + max(1, step // 2)] = edge
    return draft


def bel(length: int, height: int, stem: int, leaf: int, bloom: int, heart: int, count: int = 6) -> Draft:
    """One period of a running vine: a wave with a bloom in each bend and leaves on the stem."""
    draft = blank(height, length)
    x = np.linspace(-length * 0.25, length * 1.25, 60)
    wave = height / 2 + height * 0.27 * np.sin(2 * np.pi * x / length)
    for shift in (-length, 0, length):
        for part, side in ((0.25, -1), (0.75, 1)):
            centre = (shift + part * length, height / 2 + side * height * 0.14)
            for turn in (-0.9, 0.9):
                tip = (shift + (part + turn * 0.22) * length, height / 2 - side * height * 0.02)
                angle = np.arctan2(-side * 0.8, turn)
                fill(draft, blade(tip, angle, height * 0.34, height * 0.15, 0.2 * turn), leaf)
            fill(draft, petals(centre, height * 0.24, count), bloom)
            dot(draft, *centre, height * 0.075, heart)
    line(draft, np.stack([x, wave], axis=1), stem, max(1.0, height * 0.035))
    return draft


def jangla(size: int, stem: int, leaf: int, bloom: int, heart: int, second: int, count: int = 7) -> Draft:
    """One repeat of a vine that overruns the whole field; the right edge continues at the left, the foot at the top."""
    draft = blank(size, size)
    y = np.linspace(-0.3, 1.3, 80) * size
    shifts = [(dx, dy) for dx in (-size, 0, size) for dy in (-size, 0, size)]
    for lane, phase in ((0.25, 0.0), (0.75, np.pi)):
        x = size * (lane + 0.17 * np.sin(2 * np.pi * y / size + phase))
        for dx in (-size, 0, size):
            line(draft, np.stack([x + dx, y], axis=1), stem, max(1.0, size * 0.018))
        for part in np.arange(0, 1, 1 / 8):
            at = (size * (lane + 0.17 * np.sin(2 * np.pi * part + phase)), part * size)
            side = 1 if round(part * 8) % 2 else -1
            angle = -np.pi / 2 + side * 0.95
            for dx, dy in shifts:
                outline = blade((at[0] + dx, at[1] + dy), angle, size * 0.17, size * 0.075, 0.25 * side)
                fill(draft, outline, leaf)
    for lane, part, yarn, big in ((0.5, 0.25, bloom, 0.15), (0.0, 0.75, bloom, 0.15), (0.5, 0.75, second, 0.1)):
        for dx, dy in shifts:
            centre = (lane * size + dx, part * size + dy)
            fill(draft, petals(centre, size * big, count), yarn)
            fill(draft, petals(centre, size * big * 0.55, count, turn=np.pi / count), CLEAR)
            dot(draft, *centre, size * big * 0.34, heart)
    return draft
