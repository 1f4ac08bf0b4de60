"""Cloth tied before dyeing: bandhani (pinched dots) and leheriya (rolled diagonals)."""

import numpy as np

from saree_cosface.loom.cloth import (
    BORDER,
    CLEAR,
    DARK,
    FIRST,
    GROUND,
    LENGTH,
    LIGHT,
    PALLU,
    SECOND,
    THIRD,
    WIDTH,
    ZARI,
    Cloth,
    Draft,
    feather,
    plain,
    repeat,
    stamp,
    stripe,
)
from saree_cosface.loom.dyes import Taste, dip
from saree_cosface.loom.figures import grid_figure
from saree_cosface.loom.motifs import Points, blank, dot, fill, flower, petals, ring


def bandhani(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Pinched and tied dots, each a pale ring with a dyed heart, gathered into lines, rounds, figures and gharchola."""
    border = int(rng.integers(80, 150))
    pallu = LENGTH - int(rng.integers(330, 460))
    cloth = plain(pallu, border)
    size = float(rng.uniform(6.5, 9.0))
    gap = size * float(rng.uniform(1.25, 1.5))
    body = (border, WIDTH - border, 0, pallu)
    layout = taste.pick(rng, "bandhani layout", ("rounds", "gharchola", "figures", "waves", "shower"))
    points: list[Points] = []
    if layout == "gharchola":
        points += _gharchola(cloth, body, gap, int(rng.integers(110, 150)))
    elif layout == "waves":
        points += _waves(body, gap, int(rng.integers(70, 110)))
    elif layout == "shower":
        points += [_lattice(body, gap * 1.9), *_rounds(body, gap, 300, 4)]
    elif layout == "figures":
        points += _figures(body, gap, taste.pick(rng, "bandhani figure", ("elephant", "dancer", "blossom", "parrot")))
    else:
        points += [*_rounds(body, gap, int(rng.integers(170, 240)), int(rng.integers(3, 6)))]
    edge = (0, border, 0, LENGTH)
    points += _rows(edge, gap, (0.16, 0.3, 0.84)) + _rounds(edge, gap, round(border * 0.62), 2)
    points += [np.stack([p[:, 0], WIDTH - p[:, 1]], axis=1) for p in points[-4:]]
    field = (border, WIDTH - border, pallu, LENGTH)
    points += [*_rounds(field, gap, 290, 7), *_columns(field, gap, (0.03, 0.08, 0.92, 0.97))]
    _tie(cloth, np.concatenate(points), size, rng)
    return Cloth(cloth, dip(rng, taste, pale=0.0, contrast=0.6), pallu, border, 0.4, 1.0, 0.03)


def _tie(cloth: Draft, points: Points, size: float, rng: np.random.Generator) -> None:
    """Stamp a knot at every point, none quite round and none quite in place."""
    knots = []
    for _ in range(12):
        knot = blank(size + 4, size + 4)
        middle = (size + 3) / 2
        lobes, turn = int(rng.integers(3, 6)), float(rng.uniform(0, 6))
        radius, depth = size / 2 * float(rng.uniform(0.88, 1.12)), float(rng.uniform(0.03, 0.09))
        fill(knot, petals((middle, middle), radius, lobes, depth, turn), LIGHT)
        dot(knot, middle, middle, size * 0.17, DARK)
        knots.append(knot)
    places = np.round(points + rng.normal(0, size * 0.07, points.shape)).astype(int)
    for k, (x, y) in enumerate(places.tolist()):
        knot = knots[k % 12]
        stamp(cloth, knot, y - knot.shape[0] // 2, x - knot.shape[1] // 2)


Box = tuple[int, int, int, int]


def _inside(points: Points, box: Box) -> Points:
    top, bottom, left, right = box
    keep = (points[:, 0] > left) & (points[:, 0] < right) & (points[:, 1] > top) & (points[:, 1] < bottom)
    return points[keep]


def _lattice(box: Box, gap: float) -> Points:
    top, bottom, left, right = box
    x, y = np.meshgrid(np.arange(left, right, gap), np.arange(top, bottom, gap))
    x = x + (np.arange(x.shape[0]) % 2)[:, None] * gap / 2
    return _inside(np.stack([x.ravel(), y.ravel()], axis=1), box)


def _rounds(box: Box, gap: float, pitch: int, rings: int) -> list[Points]:
    """Medallions of concentric rings on a lattice, with a few dots in between."""
    top, bottom, left, right = box
    reach = pitch * 0.46
    figure = [np.zeros((1, 2))]
    for k in range(1, rings + 1):
        radius = reach * k / rings
        figure.append(ring((0.0, 0.0), radius, max(5, round(2 * np.pi * radius / gap))))
    shape = np.concatenate(figure)
    small = np.concatenate([np.zeros((1, 2)), ring((0.0, 0.0), gap, 6)])
    out = []
    for x in np.arange(left + pitch / 2, right + pitch / 2, pitch):
        for y in np.arange(top + pitch / 2, bottom + pitch / 2, pitch):
            out.append(_inside(shape + np.array((x, y)), box))
            if pitch > 120:
                out.append(_inside(small + np.array((x, y)) + pitch / 2, box))
    return [np.concatenate(out)] if out else []


def _rows(box: Box, gap: float, shares: tuple[float, ...]) -> list[Points]:
    top, bottom, left, right = box
    x = np.arange(left, right, gap)
    return [np.stack([x, np.full_like(x, top + s * (bottom - top))], axis=1) for s in shares]


def _columns(box: Box, gap: float, shares: tuple[float, ...]) -> list[Points]:
    top, bottom, left, right = box
    return [p[:, ::-1] for p in _rows((left, right, top, bottom), gap, shares)]


def _waves(box: Box, gap: float, pitch: int) -> list[Points]:
    top, bottom, left, right = box
    out = []
    for k, y in enumerate(np.arange(top + pitch / 3, bottom, pitch)):
        x = np.arange(left, right, gap * 0.9)
        for lift in (0.0, gap):
            out.append(_inside(np.stack([x, y + lift + pitch * 0.28 * np.sin(x / pitch * 3)], axis=1), box))
        hearts = np.arange(left + pitch * (0.5 + k % 2), right, 2.1 * pitch)
        for heart in hearts:
            out.append(_inside(np.concatenate([ring((heart, y + pitch * 0.5), gap * r, 6 * r) for r in (1, 2)]), box))
    return out


def _gharchola(cloth: Draft, box: Box, gap: float, pitch: int) -> list[Points]:
    """A grid of zari with a tied figure in every square."""
    top, bottom, left, right = box
    field = cloth[top:bottom, left:right]
    for k in range(5):
        field[k::pitch] = ZARI
        field[:, k::pitch] = ZARI
    blossom = np.concatenate([np.zeros((1, 2)), ring((0, 0), gap * 1.25, 6), ring((0, 0), gap * 2.4, 10)])
    square = gap * 3.6 * np.array([(s, t) for s in (-1, 1) for t in (-1, -0.33, 0.33, 1)])
    shapes = (blossom, np.concatenate([square, square[:, ::-1], np.zeros((1, 2)), ring((0, 0), gap * 1.4, 6)]))
    out = []
    for i, x in enumerate(range(left + pitch // 2, right + pitch, pitch)):
        for j, y in enumerate(range(top + pitch // 2, bottom + pitch, pitch)):
            out.append(_inside(shapes[(i + j) % 2] + np.array((x, y)), box))
    return out


def _figures(box: Box, gap: float, name: str) -> list[Points]:
    """A creature filled with knots, as many as its grid has cells, inside a round of dots."""
    top, bottom, left, right = box
    grid = grid_figure(name, {"#": LIGHT, "o": LIGHT, "+": CLEAR})
    cells = np.argwhere(grid != CLEAR)[:, ::-1] - np.array(grid.shape[::-1]) / 2
    shape = cells * gap * 0.92
    pitch = gap * (max(grid.shape) + 6)
    halo = ring((0.0, 0.0), pitch * 0.49, round(np.pi * pitch * 0.98 / gap))
    out = []
    for x in np.arange(left + pitch / 2, right + pitch / 2, pitch):
        for y in np.arange(top + pitch / 2, bottom + pitch / 2, pitch):
            out.append(_inside(np.concatenate([shape, halo]) + np.array((x, y)), box))
    return out


def leheriya(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Rolled and bound on the bias: waves of diagonal stripes, or mothra where a second rolling crosses the first."""
    border = int(rng.integers(30, 90))
    pallu = LENGTH - int(rng.integers(300, 420))
    cloth = plain(pallu, border)
    y = np.arange(WIDTH, dtype=np.float32)[:, None]
    x = np.arange(LENGTH, dtype=np.float32)[None, :]
    layout = taste.pick(rng, "leheriya layout", ("diagonal", "zigzag", "mothra", "mothra", "wave"))
    slant = float(rng.uniform(0.7, 1.2)) * (1 if rng.random() < 0.5 else -1)
    wobble = 5 * np.sin(y / rng.uniform(60, 110)) + 4 * np.sin(x / rng.uniform(70, 130) + 1)
    pitch = float(rng.uniform(46, 95))
    fold = float(rng.uniform(220, 380))
    if layout == "zigzag":
        bias = x + slant * np.abs((y % fold) - fold / 2)
    elif layout == "wave":
        bias = x + slant * y + 34 * np.sin(y / fold * 4 * np.pi)
    else:
        bias = x + slant * y
    bands = _rolled(rng, bias + wobble, pitch)
    if layout == "mothra":
        other = _rolled(rng, x - slant * y + wobble, pitch)
        crossed = np.where(bands == GROUND, other, LIGHT).astype(np.uint8)
        bands = np.where(other == GROUND, bands, crossed)
    inside = slice(border, WIDTH - border)
    cloth[inside, :pallu] = bands[inside, :pallu]
    across = _rolled(rng, bias[:, ::-1] * 1.0 + wobble, pitch * 0.6)
    cloth[inside, pallu:] = np.where(across == GROUND, PALLU, across)[inside, pallu:]
    feather(cloth[inside], rng, 0.5, 0.3)  # dye creeps a little under the thread that binds the roll
    trim = taste.pick(rng, "leheriya trim", ("gota", "zari", "plain"))
    edge = cloth[:border]
    if trim != "plain":
        stripe(edge, [(8, ZARI), (max(4, border // 3), BORDER), (6, ZARI)])
    if trim == "gota" and border > 50:
        repeat(edge[border // 2 : border - 2], flower(22, 5, ZARI, ZARI, SECOND), 34)
    cloth[WIDTH - border :] = edge[::-1]
    stripe(cloth[:, pallu:].T, [(5, ZARI), (8, PALLU), (3, ZARI)], LENGTH - pallu - 24)
    return Cloth(cloth, dip(rng, taste, pale=0.3, contrast=0.4), pallu, border, 0.35, 0.9, 0.02)


def _rolled(rng: np.random.Generator, bias: np.ndarray, pitch: float) -> Draft:
    """Stripes of a few resisted colours, GROUND between them, each with a thin pale line where the binding sat."""
    phase = bias / np.float32(pitch)
    whole = np.floor(phase)
    part = phase - whole
    turn = (whole.astype(np.int16) % 3).astype(np.uint8)
    yarns = np.array(
        [(FIRST, SECOND, THIRD), (FIRST, LIGHT, FIRST), (LIGHT, LIGHT, LIGHT)][int(rng.integers(3))], np.uint8
    )
    width = float(rng.uniform(0.25, 0.5))
    stripes = yarns[turn]
    stripes[part >= width] = GROUND
    stripes[(part > width + 0.06) & (part < width + 0.13)] = LIGHT
    if rng.random() < 0.5:
        stripes[(part > width + 0.2) & (part < width + 0.25)] = LIGHT
    return stripes
