"""Pictures of no saree, in the rooms where sarees are photographed: the room alone, a tablecloth in it, a printed page.

A shop without a saree is all backdrop, light and camera: whatever names a tradition there has learned the shop.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from saree_cosface.files import atomic_path
from saree_cosface.loom.cloth import DARK, FIRST, GROUND, LENGTH, WIDTH, YARNS, Cloth, Draft, Yarn
from saree_cosface.loom.dyes import BRIGHT, DEEP, PALE
from saree_cosface.loom.light import swatch
from saree_cosface.loom.shops import Shop, empty_room, open_shop, photograph
from saree_cosface.loom.views import VIEWS

Pixels = np.ndarray


def room(shop: Shop, size: int, rng: np.random.Generator) -> Pixels:
    """The shop after closing time."""
    return empty_room(shop, size, rng)


def tablecloth(shop: Shop, size: int, rng: np.random.Generator) -> Pixels:
    """Plain, striped or checked cotton without border or pallu, as of no tradition in particular."""
    band = int(rng.integers(12, 90))
    across, along = (np.arange(length) // band % 2 for length in (WIDTH, LENGTH))
    yarns: Draft = np.full((WIDTH, LENGTH), GROUND, np.uint8)
    pattern = rng.integers(3)
    if pattern > 0:
        yarns[across == 1] = FIRST
    if pattern > 1:  # where bands of both directions cross the colour is full, as in gingham
        yarns[:, along == 1] = np.where(across == 1, DARK, FIRST)[:, None]
    pale, bright, deep = (pot[int(rng.integers(len(pot)))] for pot in (PALE, BRIGHT, DEEP))
    palette = [Yarn(pale)] * YARNS
    palette[FIRST], palette[DARK] = Yarn(bright), Yarn(deep)
    cloth = Cloth(yarns, tuple(palette), LENGTH, 0, 0.05, float(rng.uniform(1.5, 3.0)), 0.08)
    view = str(rng.choice(list(VIEWS)))
    return photograph(shop, swatch(cloth, rng), view, size, rng)


def page(shop: Shop, size: int, rng: np.random.Generator) -> Pixels:
    """A screen or a leaflet: a title bar, lines of words and a picture's frame."""
    sheet = np.full((round(size * 0.75), size, 3), rng.integers(225, 256), np.uint8)
    height, width = sheet.shape[:2]
    ink = tuple(int(value) for value in rng.integers(0, 90, 3))
    cv2.rectangle(sheet, (0, 0), (width, height // 10), tuple(int(value) for value in rng.integers(20, 200, 3)), -1)
    step = max(6, height // int(rng.integers(18, 34)))
    for top in range(height // 8, height - step, step):
        left = width // 16
        while left < width * rng.uniform(0.6, 0.95):
            word = int(step * rng.uniform(0.8, 4))
            cv2.rectangle(sheet, (left, top), (left + word, top + step // 3), ink, -1)
            left += word + step // 2
    corner = int(rng.integers(width // 3, width // 2))
    cv2.rectangle(sheet, (corner, height // 3), (width - width // 12, 2 * height // 3), shop.near, -1)
    return sheet


KINDS: tuple[Callable[[Shop, int, np.random.Generator], Pixels], ...] = (room, tablecloth, page)


def draw_distractors(folder: Path, count: int = 24, *, size: int = 448, seed: int = 0) -> list[Path]:
    """Draw pictures of no saree, each kind as often, each by another shop; returns their files.

    Raises:
        OSError: the folder cannot be written.
    """
    files = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        rng = np.random.default_rng([seed, 7103, number])
        pixels = kind(open_shop(seed, number), size, rng)
        files.append(folder / f"{kind.__name__}_{number:03d}.png")
        with atomic_path(files[-1]) as temporary:
            Image.fromarray(pixels).save(temporary, "PNG")
    return files
