"""Heavy figured silks: banarasi (brocade), kanjivaram (korvai) and paithani (tapestry)."""

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
    SILVER,
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
from saree_cosface.loom.figures import parrot, peacock
from saree_cosface.loom.motifs import bel, blank, dot, fill, flower, jangla, kalga, lotus, petals, spires, sprig


def banarasi(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Zari brocade: kadhua butis or a jangla of vines, a kalga-bel border with jhallar, a pallu of large kalgas."""
    border = int(rng.integers(90, 150))
    pallu = LENGTH - int(rng.integers(420, 560))
    cloth = plain(pallu, border)
    metal = ZARI if rng.random() < 0.85 else SILVER
    enamel = FIRST if rng.random() < 0.55 else metal
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "banarasi layout", ("butis", "jangla", "kalgas", "jaal"))
    if layout == "butis":
        size = int(rng.integers(34, 56))
        motif = sprig(size, metal, metal, enamel, leaves=2, count=int(rng.integers(5, 8)))
        scatter(body, [motif], (round(size * 2.5), round(size * 1.9)))
    elif layout == "kalgas":
        size = int(rng.integers(34, 52))
        pair = [kalga(size, metal, GROUND, enamel, lean) for lean in (1, -1)]
        scatter(body, pair, (round(size * 2.6), round(size * 2.0)))
    elif layout == "jangla":
        size = int(rng.integers(190, 270))
        vine = jangla(size, metal, metal, metal, enamel, SECOND if enamel == FIRST else metal)
        scatter(body, [vine], (size, size), drop=0.0)
    else:
        _trellis(body, int(rng.integers(70, 110)), metal, enamel)
    edge = cloth[:border]
    _jhallar(cloth, border, int(rng.integers(14, 22)), metal)
    _vine_border(edge, border, metal, enamel, rng)
    mirrored(cloth, border)
    _brocade_pallu(cloth[:, pallu:], metal, enamel, rng)
    return Cloth(cloth, dip(rng, taste, contrast=0.25, pale=0.2), pallu, border, 0.8, 1.1, 0.02)


def _trellis(body: Draft, pitch: int, metal: int, enamel: int) -> None:
    """Ogee net: crossing waves of zari with a bloom in every mesh."""
    y, x = np.mgrid[: body.shape[0], : body.shape[1]]
    wave = 0.5 * pitch * 0.5 * np.sin(2 * np.pi * x / (2 * pitch))
    for sign in (1, -1):
        body[np.abs((y + sign * wave) % pitch - pitch / 2) < 2.2] = metal
    bloom = flower(pitch * 0.42, 6, metal, GROUND, enamel)
    scatter(body, [bloom], (pitch, pitch), drop=0.0, start=0)


def _jhallar(cloth: Draft, border: int, size: int, metal: int) -> None:
    """The fringe of small arches that hangs from the border into the body."""
    arch = blank(size, size)
    outline = ((0.03, 0), (0.97, 0), (0.75, 0.55), (0.5, 0.95), (0.25, 0.55))
    fill(arch, np.array(outline) * size, metal)
    dot(arch, size / 2, size * 0.3, size * 0.13, GROUND)
    for column in range(0, LENGTH, size):
        stamp(cloth, arch, border, column)
        stamp(cloth, arch[::-1], WIDTH - border - arch.shape[0], column)


def _vine_border(edge: Draft, border: int, metal: int, enamel: int, rng: np.random.Generator) -> None:
    rail = [(6, metal), (3, BORDER), (3, metal)]
    stripe(edge, rail)
    stripe(edge, rail[::-1], border - 12)
    inner = edge[14 : border - 14]
    room = inner.shape[0]
    period = round(room * 1.9)
    if rng.random() < 0.5:
        inner[:] = metal
        repeat(inner, bel(period, room, BORDER, BORDER, enamel if enamel != metal else BORDER, metal))
        return
    repeat(inner, bel(period, room, metal, metal, metal, enamel))
    if rng.random() < 0.7:
        mango = kalga(room * 0.55, metal, BORDER, enamel)
        for column in range(period // 2, edge.shape[1], period):
            stamp(inner, mango, round(room * 0.1), column - mango.shape[1] // 2)


def _brocade_pallu(field: Draft, metal: int, enamel: int, rng: np.random.Generator) -> None:
    bands = field.T  # rows now run along the length, so bands cross the cloth
    end = stripe(bands, [(10, metal), (6, PALLU), (4, metal), (6, PALLU), (20, metal), (6, PALLU)])
    size = int(rng.integers(90, 130))
    mango = kalga(size, metal, PALLU, enamel)
    filler = flower(size * 0.3, 6, metal, PALLU, enamel)
    row = field[:, end : end + round(size * 1.7)]
    for index, top in enumerate(range(10, WIDTH, round(size * 1.15))):
        stamp(row, mango if index % 2 else mango[:, ::-1], top - 20, round(size * 0.2))
        stamp(row, filler, top + round(size * 0.95), round(size * 0.75))
    end += round(size * 1.8)
    end = stripe(bands, [(14, metal), (5, enamel), (14, metal)], end)
    rest = field[:, end + 4 : field.shape[1] - 30]
    _trellis(rest, 52, metal, enamel)
    stripe(bands, [(8, metal), (4, PALLU), (8, metal), (4, PALLU), (6, metal)], bands.shape[0] - 30)


def kanjivaram(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Korvai silk: a heavy contrast border whose temple spires bite into a checked, striped or buttaed body."""
    border = int(rng.integers(130, 210))
    pallu = LENGTH - int(rng.integers(450, 600))
    cloth = plain(pallu, border)
    body = cloth[border : WIDTH - border, :pallu]
    layout = taste.pick(rng, "kanjivaram layout", ("checks", "butta", "stripes", "plain", "checked butta"))
    pitch = int(rng.integers(28, 60))
    line = ZARI if rng.random() < 0.4 else CHECK
    if "check" in layout:
        for offset, width in ((0, 3), (5, 1)):
            for k in range(width):
                body[offset + k :: pitch] = line
                body[:, offset + k :: pitch] = line
    if layout == "stripes":
        for k in range(4):
            body[k :: pitch // 2] = line
    if "butta" in layout:
        size = max(22, round(pitch * 0.66)) if "check" in layout else int(rng.integers(26, 44))
        coin = blank(size, size)
        fill(coin, petals((size / 2, size / 2), size / 2 - 0.5, 8, 0.16), ZARI)
        dot(coin, size / 2, size / 2, size * 0.24, BORDER)
        dot(coin, size / 2, size / 2, size * 0.12, ZARI)
        mango = kalga(size * 0.8, ZARI, GROUND, ZARI)
        gap = 2 * pitch if "check" in layout else round(size * 2.6)
        scatter(body[4:, 4:], [coin, mango] if rng.random() < 0.4 else [coin], (gap, gap))
    tall = int(rng.integers(45, 85))
    base = int(rng.integers(24, 44))
    step = int(rng.integers(3, 7))
    slender = float(rng.uniform(0.8, 1.5))
    outline = ZARI if rng.random() < 0.4 else CLEAR
    spire = spires(base, tall, step, BORDER, slender, outline)
    for column in range(0, pallu, base):
        stamp(cloth[:, :pallu], spire[::-1], border, column)
        stamp(cloth[:, :pallu], spire, WIDTH - border - tall, column)
    _temple_border(cloth, border, rng)
    mirrored(cloth, border)
    _korvai_pallu(cloth, pallu, rng)
    return Cloth(cloth, dip(rng, taste, contrast=0.95, pale=0.15), pallu, border, 1.0, 1.2, 0.02)


def _temple_border(cloth: Draft, border: int, rng: np.random.Generator) -> None:
    """From the selvedge in: a zari band, rudraksham beads, fine rules, and a wide plain band before the spires."""
    edge = cloth[:border]
    row = stripe(edge, [(int(rng.integers(18, 40)), ZARI), (4, BORDER), (3, ZARI), (4, BORDER)])
    size = int(rng.integers(14, 22))
    bead = flower(size, 8, ZARI, BORDER, ZARI)
    repeat(edge[row : row + size], bead, size + 4)
    row = stripe(edge, [(4, BORDER), (3, ZARI), (3, BORDER), (10, ZARI), (3, BORDER), (3, ZARI)], row + size)
    if row + 40 < border:
        notch = spires(16, 16, 2, ZARI)
        repeat(edge[row + 4 : row + 20], notch[::-1])
        stripe(edge, [(3, ZARI)], row + 26)


def _korvai_pallu(cloth: Draft, pallu: int, rng: np.random.Generator) -> None:
    field = cloth[:, pallu:]
    comb = cloth[:, pallu - 26 : pallu + 6]
    for row in range(0, WIDTH, 6):  # petni: the warps of body and pallu interlace thread by thread
        reach = int(rng.integers(8, 26))
        comb[row : row + 3, 26 - reach :] = PALLU
    bands = field.T
    row = 16
    while row < bands.shape[0] - 60:
        kind = int(rng.integers(4))
        if kind == 0:
            row = stripe(bands, [(int(rng.integers(14, 46)), ZARI), (5, PALLU)], row)
        elif kind == 1:
            row = stripe(bands, [(3, ZARI), (4, PALLU)] * 4, row)
        elif kind == 2:
            notch = spires(22, 24, 3, ZARI)
            repeat(bands[row : row + 24], notch)
            row = stripe(bands, [(3, ZARI), (6, PALLU)], row + 24)
        else:
            size = int(rng.integers(26, 40))
            repeat(bands[row + 4 : row + 4 + size], flower(size, 8, ZARI, PALLU, ZARI), size + 8)
            row += size + 10


def paithani(rng: np.random.Generator, taste: Taste) -> Cloth:
    """Tapestry silk: coloured peacocks, parrots and lotuses interlocked in a zari pallu; a muniya or lotus border."""
    border = int(rng.integers(100, 160))
    pallu = LENGTH - int(rng.integers(480, 620))
    cloth = plain(pallu, border)
    body = cloth[border : WIDTH - border, :pallu]
    size = int(rng.integers(16, 30))
    small = taste.pick(rng, "paithani buti", ("coin", "lotus", "parrot"))
    motif = {
        "coin": flower(size, 4, ZARI, ZARI, ZARI),
        "lotus": lotus(size * 1.3, ZARI, FIRST),
        "parrot": parrot(size * 1.3, ZARI, FIRST, SECOND, ZARI),
    }[small]
    gap = int(rng.integers(80, 130))
    scatter(body, [motif], (gap, gap))
    edge = cloth[:border]
    row = stripe(edge, [(5, BORDER), (4, ZARI), (4, FIRST)])
    inner = edge[row : border - 13]
    inner[:] = ZARI
    room = inner.shape[0]
    if taste.pick(rng, "paithani border", (True, False)):
        bird = _tapestry(parrot(room * 0.9, FIRST, SECOND, THIRD, DARK))
        repeat(inner, bird, round(room * 0.95))
    else:
        repeat(inner, _tapestry(bel(round(room * 1.8), room, SECOND, SECOND, FIRST, LIGHT, 5)))
    stripe(edge, [(4, FIRST), (4, ZARI), (5, BORDER)], border - 13)
    mirrored(cloth, border)
    _tapestry_pallu(cloth[:, pallu:], rng, taste)
    return Cloth(cloth, dip(rng, taste, contrast=0.5, pale=0.12), pallu, border, 0.9, 1.1, 0.02)


def _tapestry(motif: Draft, cell: int = 2) -> Draft:
    """Interlocked wefts turn on whole threads, so every outline is a fine stair."""
    return stepped(motif[::cell, ::cell], cell)


def _tapestry_pallu(field: Draft, rng: np.random.Generator, taste: Taste) -> None:
    field[:, 20 : field.shape[1] - 16] = ZARI
    bands = field.T
    small = _tapestry(lotus(46, FIRST, LIGHT))
    row = stripe(bands, [(6, FIRST), (4, ZARI), (6, SECOND)], 20)
    repeat(bands[row + 2 : row + 42], small[::-1], 52)
    row = stripe(bands, [(6, SECOND), (4, ZARI), (6, FIRST)], row + 46)
    room = field.shape[1] - row - 90
    layout = taste.pick(rng, "paithani pallu", ("peacocks", "lotuses", "both"))
    tall = room if layout != "both" else round(room * 0.62)
    size = min(tall - 10, 230)
    bird = _tapestry(peacock(size, FIRST, SECOND, THIRD, DARK))
    bloom = _tapestry(lotus(size * 1.05, FIRST, LIGHT, 7))
    vine = _tapestry(bel(200, 60, SECOND, SECOND, FIRST, LIGHT, 5))
    for index, top in enumerate(range(8, WIDTH, size + 24)):
        if layout == "lotuses" or (layout == "both" and index % 2):
            stamp(field, np.rot90(bloom), top, row + 8)
        else:
            stamp(field, np.rot90(bird if index % 2 else bird[:, ::-1], 3), top, row + 8)
    if room - size > 70:
        repeat(bands[row + size + 20 : row + size + 80], vine)
    row = bands.shape[0] - 76
    stripe(bands, [(6, FIRST), (4, ZARI), (6, THIRD)], row)
    repeat(bands[row + 18 : row + 58], small[::-1], 52)
