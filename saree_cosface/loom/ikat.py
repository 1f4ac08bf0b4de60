"""Yarn tied and dyed before weaving: patola (double ikat), pochampally and sambalpuri (single ikat)."""

import numpy as np

from saree_cosface.loom.cloth import (
    BORDER,
    CHECK,
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
    mirrored,
    plain,
    repeat,
    scatter,
    stamp,
    stepped,
    stripe,
)
from saree_cosface.loom.dyes import Taste, dip
from saree_cosface.loom.figures import conch, fish, grid_figure, wheel
from saree_cosface.loom.motifs import blank, dot, fill, flower, petals, spires


def patola(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Double ikat: stepped elephants, parrots, dancers and blossoms in a grid, every outline a stair of tied cells."""
    border = int(rng.integers(110, 170))
    pallu = LENGTH - int(rng.integers(330, 450))
    cloth = plain(pallu, border)
    cell = int(rng.integers(5, 8))
    colours = {"#": FIRST, "+": SECOND, "o": LIGHT}
    names = taste.pick(
        rng,
        "patola figures",
        (("elephant", "blossom"), ("parrot", "blossom"), ("dancer", "elephant"), ("basket",), ("blossom", "leaf")),
    )
    figures = [stepped(grid_figure(name, colours), cell) for name in names]
    body = cloth[border : WIDTH - border, :pallu]
    room = max(max(figure.shape) for figure in figures) + 2 * cell
    if taste.pick(rng, "patola grid", ("square", "diamond")) == "square":
        pitch = room + 3 * cell
        for k in range(2 * cell):
            yarn = LIGHT if k < cell else SECOND
            body[(k + pitch // 2) :: pitch] = yarn
            body[:, (k + pitch // 2) :: pitch] = yarn
        knot = stepped(grid_figure("leaf", {"#": THIRD, "+": LIGHT, "o": DARK}), cell)
        _grid(body, figures, pitch, pitch, 0)
        _grid(body, [knot], pitch, pitch, pitch // 2 + cell)
    else:
        pitch = round(room * 1.5)
        y, x = np.mgrid[: body.shape[0], : body.shape[1]] // cell * cell
        far = np.abs((x % pitch) - pitch / 2) + np.abs((y % pitch) - pitch / 2)
        body[np.abs(far - pitch / 2) < 1.1 * cell] = LIGHT
        body[np.abs(far - pitch / 2 + 2 * cell) < 0.6 * cell] = SECOND
        scatter(body, figures, (pitch, pitch // 2), drop=0.5)
    edge = cloth[:border]
    row = stripe(edge, [(8, LIGHT), (6, BORDER), (8, SECOND), (6, BORDER)])
    small = stepped(grid_figure("blossom", colours), max(4, (border - row - 20) // 11))
    repeat(edge[row : border - 14], small, small.shape[1] + 2 * cell)
    stripe(edge, [(6, SECOND), (8, LIGHT)], border - 14)
    mirrored(cloth, border)
    field = cloth[:, pallu:]
    bands = field.T
    row = 10
    big = [stepped(grid_figure(names[0], colours), cell + 1)]
    while row < bands.shape[0] - 110:
        row = stripe(bands, [(8, LIGHT), (6, PALLU), (8, SECOND), (6, PALLU)], row)
        motif = np.rot90(big[0], 3)
        high = motif.shape[1]
        for top in range(cell, WIDTH, motif.shape[0] + 2 * cell):
            stamp(field, motif, top, row)
        row += high + 8
    stripe(bands, [(10, LIGHT), (5, PALLU)] * 3, row)
    slip = float(rng.uniform(0.9, 1.7))
    feather(cloth, rng, slip, slip)
    return Cloth(cloth, dip(rng, taste, pale=0.05, contrast=0.4), pallu, border, 0.7, 1.3, 0.03)


def _grid(field: Draft, motifs: list[Draft], rows: int, columns: int, offset: int) -> None:
    for j, column in enumerate(range(-columns, field.shape[1] + columns, columns)):
        for i, row in enumerate(range(-rows, field.shape[0] + rows, rows)):
            motif = motifs[(i + j) % len(motifs)]
            stamp(field, motif, row + offset - motif.shape[0] // 2, column + offset - motif.shape[1] // 2)


def pochampally(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Single ikat: bold diamonds, chevrons or telia squares whose edges fray along one direction of the yarn."""
    border = int(rng.integers(60, 150))
    pallu = LENGTH - int(rng.integers(330, 470))
    cloth = plain(pallu, border)
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "pochampally layout", ("diamonds", "chevrons", "nested", "telia"))
    _geometry(body, layout, int(rng.integers(80, 190)), (FIRST, LIGHT, SECOND, DARK), rng)
    slip = float(rng.uniform(3.5, 7.0))
    along = bool(rng.random() < 0.6)
    feather(body, rng, slip if along else 0.4, 0.4 if along else slip)
    edge = cloth[:border]
    stripe(edge, [(border // 6, SECOND), (border // 8, BORDER), (3, LIGHT), (border // 8, BORDER), (3, LIGHT)])
    if border > 100:
        band = edge[border // 2 : border - 12]
        _geometry(band, "diamonds", band.shape[0], (LIGHT, FIRST, LIGHT, DARK), rng)
        feather(band, rng, slip * 0.6, 0.3)
    mirrored(cloth, border)
    field = cloth[:, pallu:]
    _geometry(field[:, 40:-40], layout if layout != "telia" else "nested", 160, (LIGHT, FIRST, DARK, SECOND), rng)
    stripe(field.T, [(10, SECOND), (8, PALLU), (4, LIGHT), (8, PALLU), (10, SECOND)])
    stripe(field.T, [(10, SECOND), (8, PALLU), (4, LIGHT), (8, PALLU), (10, SECOND)], field.shape[1] - 40)
    feather(field, rng, 0.4, slip)
    return Cloth(cloth, dip(rng, taste, pale=0.2, contrast=0.6), pallu, border, 0.5, 1.4, 0.04)


def _geometry(field: Draft, layout: str, pitch: int, yarns: tuple[int, ...], rng: np.random.Generator) -> None:
    """Fill ``field`` with one of the four geometries, in place."""
    y, x = np.mgrid[: field.shape[0], : field.shape[1]].astype(np.float32)
    high = pitch * float(rng.uniform(0.8, 1.3))
    u, v = np.abs(x / pitch % 1 - 0.5) * 2, np.abs((y - field.shape[0] / 2) / high % 1 - 0.5) * 2
    far = (u + v) / 2
    rims: tuple[tuple[float, float, int], ...]
    if layout == "diamonds":
        rims = ((0.43, 0.5, yarns[1]), (0.25, 0.36, yarns[0]), (0.0, 0.1, yarns[2]))
    elif layout == "nested":
        rims = (
            (0.45, 0.53, yarns[1]),
            (0.36, 0.41, yarns[3]),
            (0.24, 0.33, yarns[0]),
            (0.13, 0.19, yarns[1]),
            (0.0, 0.08, yarns[2]),
            (0.62, 0.7, yarns[2]),
            (0.88, 1.0, yarns[0]),
        )
    elif layout == "chevrons":
        far = (v * 0.5 + x / pitch) % 1
        rims = ((0.0, 0.16, yarns[1]), (0.22, 0.3, yarns[3]), (0.36, 0.62, yarns[0]), (0.7, 0.78, yarns[1]))
    else:
        far = np.maximum(u, v)
        rims = ((0.88, 1.0, yarns[1]), (0.62, 0.74, yarns[0]), (0.0, 0.2, yarns[2]), (0.32, 0.44, yarns[1]))
    for low, top, yarn in rims:
        field[(far >= low) & (far < top)] = yarn


def sambalpuri(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Curved weft ikat: conch, wheel, fish and flower in bands or a pasapali chequerboard, under a toothed border."""
    border = int(rng.integers(90, 140))
    pallu = LENGTH - int(rng.integers(430, 560))
    cloth = plain(pallu, border)
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "sambalpuri layout", ("bands", "pasapali", "scattered", "medallions"))
    size = int(rng.integers(44, 66))
    emblems = _emblems(size)
    if layout == "pasapali":
        square = int(rng.integers(26, 40))
        y, x = np.mgrid[: body.shape[0], : body.shape[1]] // square
        boards = (x // 4 + y // 4) % 2 == 0
        board = np.choose((x + y) % 2, (LIGHT, DARK)).astype(np.uint8)
        body[:] = np.where(boards, board, np.where((x + y) % 2 == 0, FIRST, LIGHT))
    elif layout == "bands":
        for k, column in enumerate(range(10, pallu, round(size * 1.9))):
            _file_of(body, emblems[k % len(emblems)], column, round(size * 0.25))
            stripe(body.T, [(4, LIGHT), (5, CLEAR), (4, SECOND)], column + round(size * 1.55))
    elif layout == "medallions":
        big = _lattice_flower(round(size * 1.9))
        scatter(body, [big, emblems[1]], (round(size * 2.3), round(size * 2.1)))
    else:
        scatter(body, emblems, (round(size * 1.9), round(size * 1.6)))
    feather(body, rng, 0.5, float(rng.uniform(2.2, 3.6)))
    edge = cloth[:border]
    row = stripe(edge, [(10, FIRST), (5, LIGHT), (8, DARK), (5, LIGHT)])
    swim = fish((border - row - 24) * 1.5, LIGHT, FIRST, DARK)
    repeat(edge[row : border - 22], swim, swim.shape[1] + 14)
    stripe(edge, [(4, LIGHT), (8, DARK), (4, FIRST)], border - 22)
    feather(edge, rng, 1.6, 0.5)
    mirrored(cloth, border)
    tooth = spires(14, 20, 2, BORDER)
    for column in range(0, pallu, 14):
        stamp(cloth[:, :pallu], tooth[::-1], border, column)
        stamp(cloth[:, :pallu], tooth, WIDTH - border - 20, column)
    _banded_pallu(cloth[:, pallu:], rng)
    return Cloth(cloth, dip(rng, taste, pale=0.2, contrast=0.55), pallu, border, 0.3, 1.5, 0.05)


def _emblems(size: int) -> list[Draft]:
    return [
        conch(size * 0.85, LIGHT, DARK, FIRST),
        wheel(size, LIGHT, FIRST, SECOND),
        np.rot90(fish(size * 1.2, LIGHT, FIRST, DARK)).copy(),
        flower(size, 7, LIGHT, FIRST, SECOND),
    ]


def _lattice_flower(size: int) -> Draft:
    draft = blank(size, size)
    middle = (size / 2, size / 2)
    for share, count, yarn in (
        (0.5, 12, LIGHT),
        (0.41, 12, DARK),
        (0.34, 8, FIRST),
        (0.24, 8, LIGHT),
        (0.15, 6, SECOND),
    ):
        fill(draft, petals(middle, size * share, count, 0.1), yarn)
    dot(draft, *middle, size * 0.05, LIGHT)
    return draft


def _file_of(body: Draft, motif: Draft, column: int, gap: int) -> None:
    for row in range(gap // 2, body.shape[0], motif.shape[0] + gap):
        stamp(body, motif, row, column)


def _banded_pallu(field: Draft, rng: np.random.Generator) -> None:
    bands = field.T
    row = 8
    emblems = _emblems(58)
    for turn in range(8):
        row = stripe(bands, [(6, LIGHT), (4, PALLU), (10, DARK), (4, PALLU), (6, FIRST), (4, PALLU)], row)
        if row > bands.shape[0] - 120:
            break
        if turn % 2 == 0:
            motif = emblems[int(rng.integers(4))]
            _file_of(field, motif, row + 4, 16)
            part = field[:, row : row + motif.shape[1] + 8]
            feather(part, rng, 0.5, 2.4)
            row += motif.shape[1] + 10
        else:  # extra weft: not tied, so its edges are sharp
            notch = blank(26, 26)
            fill(notch, np.array([(13, 0), (26, 13), (13, 26), (0, 13)], dtype=float), LIGHT)
            dot(notch, 13, 13, 5, SECOND)
            repeat(bands[row : row + 26], notch)
            row += 32
    stripe(bands, [(12, CHECK), (4, ZARI if rng.random() < 0.2 else THIRD), (8, GROUND)], row)
