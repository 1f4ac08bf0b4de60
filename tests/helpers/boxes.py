"""Boxes of what a figure says: whether one lies over another."""

from collections.abc import Sequence

import numpy as np
from matplotlib.transforms import Bbox


def overlapping(found: Sequence[Bbox], slack: float = 1.0) -> list[tuple[Bbox, Bbox]]:
    """The pairs of boxes that share more than this many pixels in width and height."""
    if len(found) < 2:
        return []
    left, low, right, high = np.array([box.extents for box in found]).T
    wide = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    tall = np.minimum.outer(high, high) - np.maximum.outer(low, low)
    pairs = np.argwhere(np.tril((wide > slack) & (tall > slack), -1))
    return [(found[one], found[other]) for one, other in pairs]
