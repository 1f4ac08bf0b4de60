"""What becomes of a photo on its way through shops and social media, and photos that only look like copies."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.light import swatch
from saree_cosface.loom.shops import open_shop, photograph

SIZE = 448


def woven(craft, seed, colours=None):
    """A saree of a craft; with ``colours`` the same design in those of another seed."""
    taste = open_shop(0, 1).taste
    cloth = GRAMMARS[craft](np.random.default_rng(seed), taste)
    if colours is not None:
        other = GRAMMARS[craft](np.random.default_rng(colours), taste)
        cloth = replace(cloth, palette=other.palette)
    return swatch(cloth, np.random.default_rng(seed))


def photo(saree, *, shop=1, view="flat", seed=0):
    """A saree photographed by a shop: another seed is another exposure, from elsewhere, with other creases."""
    return photograph(open_shop(0, shop), saree, view, SIZE, np.random.default_rng(seed))


def saved(pixels, quality=60):
    """The pixels as a JPEG gives them back."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def part(pixels, top, left, share=0.6):
    """So large a share of each side, from a place that is given by shares too."""
    height, width = (round(share * length) for length in pixels.shape[:2])
    top, left = round(top * (pixels.shape[0] - height)), round(left * (pixels.shape[1] - width))
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def mirrored(pixels):
    return np.ascontiguousarray(pixels[:, ::-1])


def resized(pixels, width, height):
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def collage(*photos, side=300):
    """Four photos in a square, squashed into their quarters."""
    one, two, three, four = (resized(each, side, side) for each in photos)
    return np.vstack([np.hstack([one, two]), np.hstack([three, four])])


def screenshot(pixels, seed=0):
    """A photo in a shop's app, between lines of words that are the same around every photo."""
    wide = resized(pixels, 400, round(400 * pixels.shape[0] / pixels.shape[1]))
    screen = np.full((wide.shape[0] + 320, 440, 3), 250, np.uint8)
    rng = np.random.default_rng(seed)
    for top in (*range(12, 140, 14), *range(wide.shape[0] + 180, wide.shape[0] + 310, 14)):
        left = 20
        while left < 400:
            word = int(rng.integers(8, 40))
            screen[top : top + 8, left : left + word] = rng.integers(0, 120)
            left += word + 6
    screen[160 : 160 + wide.shape[0], 20:420] = wide
    return screen
