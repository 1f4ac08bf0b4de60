"""Creatures and emblems: drawn with curves for tapestry and sambalpuri ikat, on a coarse grid for stepped ikat."""

import numpy as np

from saree_cosface.loom.cloth import CLEAR, Draft
from saree_cosface.loom.motifs import Points, blade, blank, brush, dot, fill, line, petals, ring


def peacock(size: float, body: int, tail: int, eye: int, edge: int) -> Draft:
    """A peacock that faces right, its train falling in a bow to the left."""
    draft = blank(size, size * 1.15)
    s = size

    def at(*pairs: tuple[float, float]) -> Points:
        return np.array(pairs) * s

    train = at((0.62, 0.52), (0.45, 0.5), (0.28, 0.56), (0.15, 0.7), (0.08, 0.9))
    brush(draft, train, np.array([0.1, 0.15, 0.17, 0.15, 0.07]) * s, edge)
    brush(draft, train, np.array([0.08, 0.125, 0.145, 0.125, 0.05]) * s, tail)
    for k, (x, y) in enumerate(train[1:].tolist()):
        for side in (-0.07, 0.07):
            dot(draft, x + side * s * 0.8, y - side * s * 0.7, s * 0.042, edge)
            dot(draft, x + side * s * 0.8, y - side * s * 0.7, s * 0.024, eye if k % 2 else body)
    bird = at((0.52, 0.54), (0.66, 0.58), (0.78, 0.5), (0.83, 0.36), (0.86, 0.25), (0.9, 0.18))
    brush(draft, bird, np.array([0.08, 0.135, 0.115, 0.07, 0.05, 0.055]) * s, edge)
    brush(draft, bird, np.array([0.06, 0.115, 0.095, 0.05, 0.034, 0.04]) * s, body)
    fill(draft, at((0.94, 0.16), (1.05, 0.21), (0.94, 0.22)), edge)
    dot(draft, 0.91 * s, 0.17 * s, max(0.7, 0.014 * s), edge)
    fill(draft, blade((0.74 * s, 0.5 * s), np.pi * 0.86, 0.26 * s, 0.12 * s, 0.1), eye)
    for lean in (-0.5, 0.0, 0.5):
        tip = at((0.88, 0.13), (0.86 + 0.09 * lean, 0.035))
        line(draft, tip, edge, max(1.0, 0.016 * s))
        dot(draft, tip[1, 0], tip[1, 1], 0.02 * s, eye)
    for x in (0.64, 0.72):
        line(draft, at((x, 0.68), (x + 0.01, 0.88), (x + 0.08, 0.9)), edge, max(1.0, 0.022 * s))
    return draft


def parrot(size: float, body: int, wing: int, beak: int, edge: int) -> Draft:
    """A muniya: a small parrot that faces right on a bent twig."""
    draft = blank(size, size)
    s = size
    spine = np.array([(0.1, 0.86), (0.3, 0.64), (0.48, 0.5), (0.62, 0.36), (0.68, 0.24)]) * s
    brush(draft, spine, np.array([0.05, 0.1, 0.19, 0.16, 0.14]) * s, edge)
    brush(draft, spine, np.array([0.03, 0.075, 0.16, 0.13, 0.11]) * s, body)
    fill(draft, blade((0.55 * s, 0.42 * s), np.pi * 0.76, 0.46 * s, 0.17 * s, 0.12), wing)
    fill(draft, np.array([(0.77, 0.16), (0.94, 0.27), (0.8, 0.34)]) * s, beak)
    dot(draft, 0.7 * s, 0.2 * s, max(0.7, 0.035 * s), edge)
    line(draft, np.array([(0.5, 0.68), (0.52, 0.84), (0.3, 0.95), (0.8, 0.93)]) * s, edge, max(1.0, 0.05 * s))
    return draft


def fish(size: float, body: int, scale: int, edge: int) -> Draft:
    """A fish that swims right, half as high as it is long."""
    draft = blank(size * 0.5, size)
    s = size
    spine = np.array([(0.22, 0.25), (0.4, 0.25), (0.58, 0.24), (0.76, 0.25), (0.9, 0.26)]) * s
    for grow, yarn in ((0.022, edge), (0.0, body)):
        fill(draft, (np.array([(0.26, 0.25), (0.04, 0.07), (0.1, 0.25), (0.04, 0.43)]) * s), yarn)
        brush(draft, spine, np.array([0.05, 0.13, 0.17, 0.14, 0.05]) * s + grow * s, yarn)
    for x in (0.36, 0.47, 0.58):
        turn = np.linspace(0, np.pi, 8)
        arc = np.stack([(x + 0.05 * np.sin(turn)) * s, (0.14 + 0.22 * turn / np.pi) * s], axis=1)
        line(draft, arc, scale, max(1.0, 0.025 * s))
    dot(draft, 0.79 * s, 0.22 * s, 0.035 * s, edge)
    return draft


def conch(size: float, body: int, turn: int, edge: int) -> Draft:
    """A shankha: a conch that stands on its tail, with the turns of its shell."""
    draft = blank(size * 1.25, size * 0.8)
    s = size
    spine = np.array([(0.4, 0.08), (0.4, 0.28), (0.4, 0.5), (0.42, 0.76), (0.5, 1.0), (0.58, 1.18)]) * s
    for grow, yarn in ((0.03, edge), (0.0, body)):
        brush(draft, spine, np.array([0.03, 0.17, 0.28, 0.26, 0.13, 0.03]) * s + grow * s, yarn)
    for k, y in enumerate((0.2, 0.32, 0.46)):
        wide = 0.14 + 0.06 * k
        x = np.linspace(-wide, wide, 9)
        line(draft, np.stack([(0.4 + x) * s, (y + 0.5 * x * x) * s], axis=1), turn, max(1.0, 0.035 * s))
    fill(draft, blade((0.5 * s, 0.56 * s), np.pi * 0.45, 0.52 * s, 0.16 * s, 0.1), edge)
    return draft


def wheel(size: float, rim: int, spoke: int, heart: int, spokes: int = 8) -> Draft:
    """A chakra: rings, spokes and beads around the rim."""
    draft = blank(size, size)
    middle = (size / 2, size / 2)
    for x, y in ring(middle, size * 0.43, 2 * spokes):
        dot(draft, x, y, size * 0.055, spoke)
    dot(draft, *middle, size * 0.36, rim)
    dot(draft, *middle, size * 0.28, CLEAR)
    for tip in ring(middle, size * 0.28, spokes, 0.2):
        line(draft, np.array([middle, tip]), spoke, max(1.0, size * 0.04))
    fill(draft, petals(middle, size * 0.15, 6), heart)
    return draft


def grid_figure(name: str, yarns: dict[str, int]) -> Draft:
    """A figure of stepped ikat, one cell for each tied bundle of threads; ``yarns`` says what each letter is.

    >>> grid_figure("blossom", {"#": 5, "o": 8, "+": 6}).shape
    (11, 11)
    """
    rows = STEPPED[name]
    return np.array([[yarns.get(letter, CLEAR) for letter in row] for row in rows], dtype=np.uint8)


STEPPED: dict[str, tuple[str, ...]] = {
    "elephant": (
        "......ooo......",
        ".....o+++o.....",
        "...oooo+oooo...",
        "..o########oo..",
        ".o##########oo.",
        ".o###o+o###o##o",
        "o.o##+o+####o#o",
        "o.o#########.#o",
        "..o########o.#o",
        "..o##o.o##o..#o",
        "..o##o.o##o.o#o",
        "..o##o.o##o.oo.",
        "..oooo.oooo....",
    ),
    "parrot": (
        "......ooo..",
        ".....o###o.",
        ".....o#o#+o",
        "....o###o+.",
        "...o####o..",
        "..o##++#o..",
        ".o##++##o..",
        "o##++##o...",
        "o#+o#oo....",
        "o#o.o.o....",
        "oo.ooooo...",
    ),
    "blossom": (
        "....ooo....",
        "...o###o...",
        "..o#+++#o..",
        ".o.o###o.o.",
        "o##.o#o.##o",
        "o#+##o##+#o",
        "o##.o#o.##o",
        ".o.o###o.o.",
        "..o#+++#o..",
        "...o###o...",
        "....ooo....",
    ),
    "basket": (
        "......o......",
        ".....o+o.....",
        "..oo.o#o.oo..",
        ".o##oo#oo##o.",
        ".o#+#o#o#+#o.",
        "..o##o#o##o..",
        "oo..oo#oo..oo",
        "o##oo###oo##o",
        ".o###+#+###o.",
        "..oo##o##oo..",
        "....o###o....",
        "...oo+++oo...",
        "....ooooo....",
    ),
    "dancer": (
        "....ooo....",
        "....o#o....",
        ".oo.ooo.oo.",
        ".o##o#o##o.",
        "..ooo#ooo..",
        "....o#o....",
        "...o+#+o...",
        "..o##+##o..",
        ".o##+#+##o.",
        ".o+##+##+o.",
        ".ooooooooo.",
        "...o.o.o...",
    ),
    "leaf": (
        "...o...",
        "..o#o..",
        ".o#+#o.",
        "o#+o+#o",
        ".o#+#o.",
        "..o#o..",
        "...o...",
    ),
}
