"""Light cloths: chanderi and kota doria (sheer), jamdani (figures floating in muslin), kasavu (cream cotton)."""

import numpy as np

from saree_cosface.loom.cloth import (
    BORDER,
    CHECK,
    CLEAR,
    FIRST,
    GROUND,
    LENGTH,
    LIGHT,
    SECOND,
    THIRD,
    WIDTH,
    ZARI,
    Cloth,
    Draft,
    mirrored,
    plain,
    repeat,
    scatter,
    stamp,
    stepped,
    stripe,
)
from saree_cosface.loom.dyes import Taste, dip
from saree_cosface.loom.figures import peacock
from saree_cosface.loom.motifs import bel, blade, blank, dot, fill, flower, kalga, spires, sprig


def chanderi(rng: np.random.Generator, taste: Taste) -> Cloth:
    """A glassy ground with small, wide-set zari butis and a narrow zari border."""
    border = int(rng.integers(26, 52))
    pallu = LENGTH - int(rng.integers(280, 400))
    cloth = plain(pallu, border)
    cloth[:, pallu:] = GROUND
    body = cloth[border : WIDTH - border, : LENGTH - 150]
    size = int(rng.integers(13, 22))
    enamel = FIRST if rng.random() < 0.3 else ZARI
    buti = taste.pick(rng, "chanderi buti", ("ashrafi", "leaf", "sprig", "dot"))
    if buti == "ashrafi":
        motif = flower(size, 8, ZARI, ZARI, enamel)
    elif buti == "leaf":
        motif = blank(size * 1.3, size)
        for angle in (-1.0, 0.0, 1.0):
            fill(motif, blade((size / 2, size * 1.25), angle - np.pi / 2, size * 1.1, size * 0.36), ZARI)
    elif buti == "sprig":
        motif = sprig(size * 1.2, ZARI, ZARI, enamel, leaves=1)
    else:
        motif = blank(size * 0.5, size * 0.5)
        dot(motif, size * 0.25, size * 0.25, size * 0.22, ZARI)
    gap = round(size * float(rng.uniform(2.9, 4.2)))
    scatter(body, [motif], (gap, gap))
    edge = cloth[:border]
    edge[:] = GROUND
    row = stripe(edge, [(border // 2, ZARI), (3, BORDER), (3, ZARI)])
    if border > 36:
        repeat(edge[row : border - 2], spires(10, border - row - 2, 2, ZARI)[::-1])
    mirrored(cloth, border)
    end = cloth[:, pallu:].T
    bands = [(12, ZARI), (8, CLEAR), (4, ZARI), (8, CLEAR), (int(rng.integers(30, 70)), ZARI), (8, CLEAR), (4, ZARI)]
    stripe(end, bands, end.shape[0] - sum(width for width, _ in bands) - 30)
    palette = dip(rng, taste, pale=0.6, contrast=0.5, opacity=float(rng.uniform(0.55, 0.68)))
    return Cloth(cloth, palette, pallu, border, 0.75, 0.9, 0.03)


def kota_doria(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Khats: a net of open squares, cotton threads close together at the lines and fine silk alone between them."""
    border = int(rng.integers(30, 80))
    pallu = LENGTH - int(rng.integers(250, 380))
    cloth = plain(pallu, border)
    cloth[:, pallu:] = GROUND
    cloth[:border] = GROUND
    khat = int(rng.integers(12, 19))
    line = LIGHT if rng.random() < 0.6 else CHECK
    for k in range(4 if khat > 14 else 3):
        cloth[k::khat] = line
        cloth[:, k::khat] = line
    layout = taste.pick(rng, "kota layout", ("plain", "butis", "sprigs", "bands"))
    body = cloth[border : WIDTH - border, :pallu]
    size = int(rng.integers(26, 42))
    if layout == "butis":
        scatter(body, [flower(size, 5, FIRST, SECOND, LIGHT)], (size * 4, size * 3))
    elif layout == "sprigs":
        scatter(body, [sprig(size, SECOND, FIRST, LIGHT)], (size * 5, size * 4))
    elif layout == "bands":
        for column in range(60, pallu, khat * 9):
            body[:, column : column + khat] = np.where(body[:, column : column + khat] == GROUND, FIRST, LIGHT)
    edge = cloth[:border]
    trim = ZARI if rng.random() < 0.6 else BORDER
    row = stripe(edge, [(border // 3, trim), (3, CLEAR), (3, trim)])
    if border > 55:
        repeat(edge[row + 2 : border - 2], bel(80, border - row - 4, trim, trim, FIRST, LIGHT, 5))
    mirrored(cloth, border)
    stripe(cloth[:, pallu:].T, [(20, trim), (khat, CLEAR), (6, trim), (khat, CLEAR), (40, trim)], LENGTH - pallu - 140)
    palette = dip(rng, taste, pale=0.5, contrast=0.5, opacity=float(rng.uniform(0.3, 0.42)))
    return Cloth(cloth, palette, pallu, border, 0.3, 1.0, 0.04)


def jamdani(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Geometric figures laid into fine muslin thread by thread: tercha diagonals, panna hajar, butidar, jhalar nets."""
    border = int(rng.integers(60, 120))
    pallu = LENGTH - int(rng.integers(420, 560))
    cloth = plain(pallu, border)
    cloth[:, pallu:] = GROUND
    cloth[:border] = GROUND
    cell = int(rng.integers(3, 5))
    main = LIGHT if rng.random() < 0.45 else FIRST
    motifs = _jamdani_figures(cell, main, SECOND if rng.random() < 0.5 else main)
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "jamdani layout", ("tercha", "panna hajar", "butidar", "net"))
    if layout == "tercha":
        _tercha(body, motifs, int(rng.integers(90, 130)), cell, main)
    elif layout == "panna hajar":
        scatter(body, [motifs[0]], (cell * 12, cell * 10))
    elif layout == "butidar":
        scatter(body, motifs[1:3], (cell * 30, cell * 24))
    else:
        _net(body, cell * 34, cell, main)
        scatter(body, [motifs[2]], (cell * 34, cell * 17))
    edge = cloth[:border]
    row = stripe(edge, [(8, main), (4, CLEAR), (4, main)])
    vine = _creeper(border - row - 12, cell, main, SECOND)
    repeat(edge[row : border - 8], vine)
    stripe(edge, [(4, main)], border - 6)
    mirrored(cloth, border)
    field = cloth[border : WIDTH - border, pallu + 30 :]
    _net(field[:, : 34 * cell * 2], cell * 26, cell, main)
    scatter(field, motifs[1:], (cell * 26, cell * 22))
    stripe(cloth[:, pallu:].T, [(6, main), (6, CLEAR), (12, main), (6, CLEAR), (6, main)])
    stripe(cloth[:, pallu:].T, [(6, main), (6, CLEAR), (12, main)], LENGTH - pallu - 40)
    palette = dip(rng, taste, pale=0.5, contrast=0.4, opacity=float(rng.uniform(0.48, 0.6)))
    return Cloth(cloth, palette, pallu, border, 0.12, 1.3, 0.04)


def _jamdani_figures(cell: int, main: int, second: int) -> list[Draft]:
    """Four figures built from the diagonal runs that a jamdani weaver counts by hand."""
    y, x = np.mgrid[-8:9, -8:9]
    taxi, box = np.abs(x) + np.abs(y), np.maximum(np.abs(x), np.abs(y))
    gem = np.where(taxi[5:12, 5:12] <= 3, np.where(taxi[5:12, 5:12] <= 1, second, main), CLEAR)
    star = np.full((17, 17), CLEAR)
    star[(np.abs(np.abs(x) - np.abs(y)) <= 1) & (box <= 7)] = main
    star[(np.minimum(np.abs(x), np.abs(y)) <= 0) & (box <= 8)] = second
    star[taxi <= 2] = main
    bloom = np.full((17, 17), CLEAR)
    bloom[(taxi <= 8) & (taxi >= 7)] = main
    bloom[(np.abs(x) * np.abs(y) <= 2) & (taxi <= 6)] = second
    bloom[taxi <= 1] = main
    mango = stepped(kalga(13, main, CLEAR, second), 1)
    return [stepped(figure.astype(np.uint8), cell) for figure in (gem, star, bloom, mango)]


def _tercha(body: Draft, motifs: list[Draft], pitch: int, cell: int, main: int) -> None:
    """Garlands of small figures that run slantwise over the body."""
    y, x = np.mgrid[: body.shape[0], : body.shape[1]] // cell
    run = (x + y) % (2 * pitch // cell)
    zigzag = np.abs((x - y) % 6 - 3)
    body[np.abs(run - zigzag - 4) < 1] = main
    for k in range(-body.shape[0] // pitch - 1, body.shape[1] // pitch + body.shape[0] // pitch):
        for row in range(0, body.shape[0], cell * 16):
            stamp(body, motifs[1 if k % 2 else 3], row, 2 * k * pitch - row + pitch)


def _net(field: Draft, pitch: int, cell: int, main: int) -> None:
    y, x = np.mgrid[: field.shape[0], : field.shape[1]] // cell
    n = max(4, pitch // cell)
    far = np.abs(x % n - n // 2) + np.abs(y % n - n // 2)
    field[(np.abs(far - n // 2) < 1) & ((x % 2) == 0)] = main


def _creeper(height: int, cell: int, main: int, second: int) -> Draft:
    n = max(6, height // cell)
    y, x = np.mgrid[:n, : 2 * n]
    wave = np.abs(x % (2 * n) - n)
    draft = np.full((n, 2 * n), CLEAR)
    draft[np.abs(y - wave) < 1] = main
    for centre, row in ((n // 2 + n // 2, n - n // 3), (0, n // 3)):
        far = np.abs(x - centre) + np.abs(y - row)
        draft[far <= n // 5] = second
    return stepped(draft.astype(np.uint8), cell)


def kasavu(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Unbleached cotton with plain bands of gold: a solid kasavu border and a pallu of gold stripes."""
    border = int(rng.integers(40, 120))
    pallu = LENGTH - int(rng.integers(300, 420))
    cloth = plain(pallu, border)
    cloth[:, pallu:] = GROUND
    cloth[:border] = GROUND
    line = taste.pick(rng, "kasavu line", (ZARI, ZARI, FIRST, BORDER))
    edge = cloth[:border]
    stripe(edge, [(4, line), (border - 14, ZARI), (4, GROUND), (6, line)])
    mirrored(cloth, border)
    band = int(rng.integers(90, 200))
    bands = cloth[:, pallu:].T
    fine = [(4, ZARI), (5, GROUND)] * int(rng.integers(2, 6))
    pause = bands.shape[0] - band - sum(width for width, _ in fine) - 40
    row = stripe(bands, fine, max(0, pause))
    row = stripe(bands, [(6, GROUND), (6, line), (band, ZARI), (6, line)], row)
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "kasavu body", ("plain", "plain", "lines", "checks", "peacocks"))
    if layout in ("lines", "checks"):
        pitch = int(rng.integers(50, 110))
        for k in range(4):
            body[:, k::pitch] = ZARI
            if layout == "checks":
                body[k::pitch] = ZARI
    if layout == "peacocks":
        bird = np.rot90(peacock(110, ZARI, THIRD, FIRST, line), 3)
        for top in range(40, body.shape[0] - 60, 170):
            stamp(body, bird, top, pallu - 160)
    cream = tuple(int(c) for c in np.clip(np.array((238, 226, 198)) + rng.normal(0, 6, 3), 0, 255))
    palette = dip(rng, taste, contrast=0.9, opacity=0.93, ground=(cream[0], cream[1], cream[2]))
    return Cloth(cloth, palette, pallu, border, 0.1, 1.4, 0.03)
