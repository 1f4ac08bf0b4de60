"""Colours, and the taste of the shop that chose the saree.

Every craft dips into the same pots, so that a colour says next to nothing about the craft.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from saree_cosface.loom.cloth import YARNS, Colour, Yarn

Choice = TypeVar("Choice")

DEEP: tuple[Colour, ...] = (
    (150, 16, 40),  # crimson
    (112, 18, 34),  # maroon
    (182, 34, 92),  # rani pink
    (96, 24, 84),  # plum
    (58, 34, 104),  # violet
    (26, 42, 112),  # royal blue
    (14, 30, 62),  # midnight
    (10, 88, 110),  # peacock blue
    (14, 92, 74),  # bottle green
    (48, 92, 36),  # leaf green
    (106, 102, 30),  # olive
    (188, 116, 16),  # turmeric
    (200, 78, 22),  # rust
    (120, 62, 34),  # tobacco
    (34, 32, 34),  # black
    (188, 42, 30),  # vermilion
)
PALE: tuple[Colour, ...] = (
    (238, 228, 204),  # unbleached
    (246, 242, 232),  # white
    (240, 198, 190),  # blush
    (206, 220, 196),  # pistachio
    (190, 212, 228),  # sky
    (226, 208, 232),  # lilac
    (246, 226, 150),  # butter
    (232, 200, 160),  # biscuit
    (244, 178, 136),  # peach
    (184, 222, 212),  # aqua
)
BRIGHT: tuple[Colour, ...] = (
    (226, 40, 60),
    (240, 120, 20),
    (250, 194, 30),
    (60, 160, 60),
    (0, 140, 150),
    (30, 90, 190),
    (140, 50, 150),
    (230, 70, 140),
    (110, 200, 190),
)


@dataclass(frozen=True)
class Taste:
    """What a shop likes to sell: it leans towards some colours and some designs, in every craft.

    Attributes:
        seed: the leanings follow from it.
        strength: 0 chooses evenly, 1 follows the leanings alone.
    """

    seed: int
    strength: float = 0.6

    def pick(self, rng: np.random.Generator, name: str, choices: Sequence[Choice]) -> Choice:
        """One of ``choices``; ``name`` says what is being chosen, and the shop leans the same way each time."""
        leaning = np.random.default_rng([self.seed, zlib.crc32(name.encode())]).dirichlet(np.full(len(choices), 0.6))
        weights = self.strength * leaning + (1.0 - self.strength) / len(choices)
        return choices[int(rng.choice(len(choices), p=weights))]


def shade(colour: Colour, amount: float) -> Colour:
    """Lighten (``amount`` above 0) or darken (below 0) a colour; 1 is white and -1 black.

    >>> shade((100, 100, 100), 1.0), shade((100, 100, 100), -0.5)
    ((255, 255, 255), (50, 50, 50))
    """
    target = 255.0 if amount > 0 else 0.0
    red, green, blue = (round(c + (target - c) * abs(amount)) for c in colour)
    return red, green, blue


def _varied(rng: np.random.Generator, colour: Colour, spread: float = 9.0) -> Colour:
    red, green, blue = (int(np.clip(c + rng.normal(0, spread), 0, 255)) for c in colour)
    return red, green, blue


def _apart(rng: np.random.Generator, taste: Taste, name: str, pot: Sequence[Colour], others: list[Colour]) -> Colour:
    """A colour that can be told from ``others`` (the best of a few tries)."""
    tries = [_varied(rng, taste.pick(rng, name, pot)) for _ in range(5)]
    return max(tries, key=lambda c: min([sum(abs(a - b) for a, b in zip(c, o, strict=True)) for o in others] + [180]))


def dip(
    rng: np.random.Generator,
    taste: Taste,
    *,
    pale: float = 0.25,
    contrast: float = 0.7,
    opacity: float = 1.0,
    ground: Colour | None = None,
) -> tuple[Yarn, ...]:
    """Dye the yarns of one saree: a palette with one yarn for each number of a draft.

    Args:
        rng: where the colours come from.
        taste: the shop's leaning.
        pale: chance that the ground is pale.
        contrast: chance that border and pallu have their own colour.
        opacity: of the ground; figures are thicker and hide more.
        ground: a colour for the ground where the craft leaves no choice.
    """
    body = ground or _varied(rng, taste.pick(rng, "ground", PALE if rng.random() < pale else DEEP))
    border = _apart(rng, taste, "border", DEEP, [body]) if rng.random() < contrast else shade(body, -0.12)
    pallu = border if rng.random() < 0.75 else _apart(rng, taste, "pallu", DEEP, [body, border])
    gold = _varied(rng, ((196, 150, 62), (206, 164, 84), (178, 128, 48), (190, 140, 80))[int(rng.integers(4))], 6)
    silver = _varied(rng, (182, 180, 176), 6)
    first = _apart(rng, taste, "first", BRIGHT, [body, border])
    second = _apart(rng, taste, "second", BRIGHT, [body, border, first])
    third = _apart(rng, taste, "third", BRIGHT, [body, first, second])
    light = _varied(rng, (244, 236, 214), 6)
    dark = shade(min(body, border, key=sum), -0.55)
    check = shade(body, 0.3) if sum(body) < 360 else shade(body, -0.25)
    thick = min(1.0, opacity + 0.45)
    palette = (
        Yarn(body, 0.0, opacity),
        Yarn(border, 0.0, min(1.0, opacity + 0.2)),
        Yarn(pallu, 0.0, min(1.0, opacity + 0.1)),
        Yarn(gold, 1.0, max(thick, 0.95)),
        Yarn(silver, 1.0, max(thick, 0.95)),
        *(Yarn(colour, 0.0, thick) for colour in (first, second, third, light, dark, check)),
    )
    assert len(palette) == YARNS
    return palette
