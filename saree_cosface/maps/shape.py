"""Where the photos of a craft are dense on a map, as numbers, and the frame that holds all of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

Floats = NDArray[np.float64]
Bounds = tuple[float, float, float, float]

GRID = 160
"""Cells a side of a density."""

_SMALLEST, _LARGEST = 1.5, 5.0
"""Width of the smoothing kernel in cells."""


def density(points: Floats, bounds: Bounds) -> Floats:
    """Share of the points about each cell of a grid over the bounds, ``(N, 2) -> (GRID, GRID)``, row by y.

    A histogram smoothed by a Gaussian whose width follows Scott's rule, halved since clusters on a map come in clumps,
    and is never so wide that neighbours melt together.
    """
    left, bottom, right, top = bounds
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=GRID, range=((bottom, top), (left, right)))
    cells = (points - [left, bottom]) / [right - left, top - bottom] * GRID
    spread = 1.4826 * np.median(np.abs(cells - np.median(cells, axis=0)), axis=0).mean()
    width = float(np.clip(0.5 * spread * len(points) ** (-1 / 6), _SMALLEST, _LARGEST))
    return np.asarray(gaussian_filter(counts, width, mode="constant")) / max(len(points), 1)


def contour_levels(found: Floats, points: Floats, bounds: Bounds, shares: Sequence[float] = (0.9, 0.5)) -> list[float]:
    """Heights of a density at or above which lie these shares of the points ``(N, 2)``, ascending, each once.

    Of the points, not of the density itself: its smoothing spreads a tight cluster far beyond where the points are.
    """
    cells = _cells(points, bounds)
    falling = np.sort(found[cells[:, 1], cells[:, 0]])[::-1]
    levels = {float(falling[max(math.ceil(share * len(falling)), 1) - 1]) for share in shares}
    return sorted(level for level in levels if 0 < level < found.max())


def without_strays(found: Floats, level: float, points: Floats, bounds: Bounds, fewest: int) -> Floats:
    """The density without the islands above ``level`` that hold fewer than ``fewest`` of its points ``(N, 2)``."""
    islands, count = label(found > level)
    cells = _cells(points, bounds)
    held = np.bincount(islands[cells[:, 1], cells[:, 0]], minlength=count + 1)
    held[0] = fewest
    return np.where(held[islands] >= fewest, found, 0.0)


def densest(points: Floats, bounds: Bounds) -> Floats:
    """The point in the densest region, ``(N, 2) -> (2,)``; of equals the one nearest to the median."""
    cells = _cells(points, bounds)
    heights = density(points, bounds)[cells[:, 1], cells[:, 0]]
    off = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return np.asarray(points[np.lexsort((off, -np.round(heights, 9)))[0]])


def _cells(points: Floats, bounds: Bounds) -> NDArray[np.int_]:
    left, bottom, right, top = bounds
    scaled = (points - [left, bottom]) / [right - left, top - bottom] * GRID
    return np.asarray(scaled.astype(np.int_).clip(0, GRID - 1))


def frame(points: Floats, flattest: float = 0.6, tallest: float = 0.9) -> Bounds:
    """Left, bottom, right and top around points ``(N, 2)`` with some air, of a height to width within the limits.

    Both axes keep one scale: what the points do not fill stays empty.

    >>> [round(side, 2) for side in frame(np.array([[0.0, 0.0], [10.0, 1.0]]))]
    [-0.6, -2.86, 10.6, 3.86]
    """
    if not len(points):
        return (0.0, 0.0, 1.0, tallest)
    low, high = points.min(axis=0), points.max(axis=0)
    centre, spans = (low + high) / 2, (high - low) * 1.12
    if not spans.max() > 0:
        spans = np.ones(2)
    ratio = float(np.clip(spans[1] / max(spans[0], 1e-12), flattest, tallest))
    width = max(spans[0], spans[1] / ratio)
    half = np.array([width, width * ratio]) / 2
    left, bottom, right, top = (float(each) for each in (*(centre - half), *(centre + half)))
    return (left, bottom, right, top)
