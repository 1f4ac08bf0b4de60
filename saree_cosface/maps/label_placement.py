"""Where labels go on a map: at their places where there is room, else pushed aside, never one over another.

Libraries exist and were tried: adjustText leaves overlaps among forty names, and textalloc sets no label on its place,
only beside it, and draws what does not fit over the rest. Here labels that find no room become numbers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shown = Literal["name", "number", "nothing"]
Bounds = tuple[float, float, float, float]

_ANGLES = 28
_SWEEPS = 2
_BLOCK = 64
_CROSSING = 6.0
"""A leader across another label or leader is as bad as a label moved by so many of its heights further."""
_COVERED = 3.0
"""Likewise a mark that is covered."""


@dataclass(frozen=True)
class Placement:
    """Where labels came to lie.

    Attributes:
        centres: of the boxes, ``(N, 2)``; NaN where there was no room.
        sizes: width and height of the boxes, ``(N, 2)``.
        shown: what stands in each box: the name, a number in its place, or nothing.
    """

    centres: Floats
    sizes: Floats
    shown: tuple[Shown, ...]


def place_or_number(
    anchors: Floats,
    names: Floats,
    numbers: Floats,
    bounds: Bounds,
    *,
    gap: float = 0.0,
    reach: float = np.inf,
    marks: Floats | None = None,
    weights: Floats | None = None,
) -> Placement:
    """Places for names and, for those that find no room within reach, for numbers that a key explains.

    No two boxes overlap, and none leaves the bounds.

    Args:
        anchors: the place that each label names, ``(N, 2)``, in any unit, the most important first.
        names: width and height of each name, ``(N, 2)``.
        numbers: width and height of each number, ``(N, 2)``.
        bounds: left, bottom, right and top of the room.
        gap: free space that stays between any two boxes.
        reach: how far a name's box may lie from its anchor; a number may lie anywhere.
        marks: as for :func:`place_boxes`.
        weights: of the marks.
    """
    count = len(anchors)
    sizes, limits = np.array(names, np.float64).reshape(-1, 2), np.full(count, reach, np.float64)
    numbered = np.zeros(count, bool)
    while True:
        centres = place_boxes(anchors, sizes, bounds, gap=gap, reach=limits, marks=marks, weights=weights)
        failed = np.isnan(centres[:, 0])
        fresh = failed & ~numbered
        if not fresh.any():
            if not failed.any() or numbered.all():
                break
            fresh[np.flatnonzero(~numbered)[-1]] = True  # names have left no room for numbers: one more gives way
        sizes[fresh], limits[fresh] = numbers[fresh], np.inf
        numbered |= fresh
    shown: list[Shown] = ["number" if each else "name" for each in numbered]
    return Placement(
        centres, sizes, tuple("nothing" if lost else each for lost, each in zip(failed, shown, strict=True))
    )


def place_boxes(
    anchors: Floats,
    sizes: Floats,
    bounds: Bounds,
    *,
    gap: float = 0.0,
    reach: float | Floats = np.inf,
    marks: Floats | None = None,
    weights: Floats | None = None,
) -> Floats:
    """Centres of boxes, each as near its anchor as the others allow, ``(N, 2)``; NaN for a box without room.

    Boxes are placed in the order given, then each again with the others where they are. A box is moved no further than
    it must, short of laying its leader across others or covering marks or the anchor of another.

    Args:
        anchors: ``(N, 2)``.
        sizes: width and height, ``(N, 2)``.
        bounds: left, bottom, right and top.
        gap: free space between any two boxes.
        reach: how far a box may lie from its anchor, for all or for each.
        marks: what is better not covered, ``(M, 2)``.
        weights: how many of its heights a box should rather move than cover each mark, ``(M,)``.

    >>> anchors, sizes = np.array([[5.0, 5.0], [5.0, 5.0]]), np.array([[4.0, 1.0], [4.0, 1.0]])
    >>> first, second = place_boxes(anchors, sizes, (0, 0, 10, 10))
    >>> bool(abs(first - second).max() >= 1)
    True
    """
    anchors, sizes = np.asarray(anchors, np.float64).reshape(-1, 2), np.asarray(sizes, np.float64).reshape(-1, 2)
    reaches = np.broadcast_to(np.asarray(reach, np.float64), len(anchors))
    centres = np.full(anchors.shape, np.nan)
    tried = [_candidates(anchors[row], sizes[row], bounds, reaches[row]) for row in range(len(anchors))]
    covers = _Marks(marks, weights, bounds) if marks is not None and weights is not None else None
    own = []  # costs of each candidate by itself, which are sorted by them
    for row, candidates in enumerate(tried):
        costs = _moved(row, candidates, anchors, sizes[row])
        costs += covers.under(candidates, sizes[row]) if covers else 0.0
        order = np.argsort(costs, kind="stable")
        tried[row] = candidates[order]
        own.append(costs[order])
    for _ in range(1 + _SWEEPS):
        before = centres.copy()
        for index in range(len(anchors)):
            centres[index] = _cheapest(index, tried[index], own[index], anchors, sizes, centres, gap)
        if np.array_equal(before, centres, equal_nan=True):
            break
    return centres


def leader_end(anchor: Floats, centre: Floats, size: Floats) -> Floats:
    """The point of a box nearest to its anchor ``(..., 2)``; the anchor itself where the box covers it."""
    return np.clip(anchor, centre - size / 2, centre + size / 2)


class _Marks:
    """Sums of weights within boxes, from a table of sums over a grid."""

    def __init__(self, marks: Floats, weights: Floats, bounds: Bounds, cells: int = 256) -> None:
        self.low = np.array(bounds[:2])
        self.scale = cells / (np.array(bounds[2:]) - self.low)
        places = ((np.asarray(marks, np.float64).reshape(-1, 2) - self.low) * self.scale).astype(int).clip(0, cells - 1)
        table = np.zeros((cells + 1, cells + 1))
        np.add.at(table, (places[:, 0] + 1, places[:, 1] + 1), weights)
        self.sums = table.cumsum(axis=0).cumsum(axis=1)

    def under(self, centres: Floats, size: Floats) -> Floats:
        """Weight under a box at each centre, ``(K, 2) -> (K,)``."""
        last = len(self.sums) - 1
        x0, y0 = np.floor((centres - size / 2 - self.low) * self.scale).astype(int).clip(0, last).T
        x1, y1 = np.ceil((centres + size / 2 - self.low) * self.scale).astype(int).clip(0, last).T
        sums = self.sums
        return np.asarray(sums[x1, y1] - sums[x0, y1] - sums[x1, y0] + sums[x0, y0])


def _candidates(anchor: Floats, size: Floats, bounds: Bounds, reach: float) -> Floats:
    """Centres to try, ``(K, 2)``: rings about the anchor, pushed inwards where they would leave the bounds."""
    low, high = np.array(bounds[:2]) + size / 2, np.array(bounds[2:]) - size / 2
    if (low > high).any():
        return np.zeros((0, 2))
    span = float(np.hypot(bounds[2] - bounds[0], bounds[3] - bounds[1]))
    furthest = min(span, reach + float(size.max()))
    step = max(0.4 * float(size[1]), furthest / 1000)
    # Rings grow further apart with their distance: a label far away need not be placed to a hair.
    radii = step * np.arange(int((furthest / step) ** (1 / 1.25)) + 2) ** 1.25
    turns = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    ring = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    tried = np.concatenate([anchor[None], (anchor + radii[1:, None, None] * ring).reshape(-1, 2)])
    tried = np.clip(tried, low, high)
    away = np.linalg.norm(leader_end(anchor, tried, size) - anchor, axis=1)
    return np.asarray(tried[away <= reach])


def _moved(index: int, candidates: Floats, anchors: Floats, size: Floats) -> Floats:
    """Cost of each candidate whatever the other boxes do, ``(K,)``: its distance, and anchors of others covered."""
    costs = np.linalg.norm(candidates - anchors[index], axis=1) / max(float(size[1]), 1e-9)
    covered = np.abs(candidates[:, None] - np.delete(anchors, index, axis=0)) < size / 2
    return np.asarray(costs + _COVERED * covered.all(axis=2).sum(axis=1))


def _cheapest(
    index: int, candidates: Floats, own: Floats, anchors: Floats, sizes: Floats, centres: Floats, gap: float
) -> Floats:
    """The best candidate beside the boxes that have a place; NaN where each overlaps one.

    Candidates come sorted by their own cost, so that the search ends where that alone exceeds the best found.
    """
    best, found = np.inf, np.full(2, np.nan)
    others = np.flatnonzero(~np.isnan(centres[:, 0]) & (np.arange(len(centres)) != index))
    for start in range(0, len(candidates), _BLOCK):
        if own[start] >= best:
            break
        block = slice(start, start + _BLOCK)
        costs = own[block] + _beside(index, candidates[block], anchors, sizes, centres, others, gap)
        if costs.min() < best:
            best, found = float(costs.min()), candidates[start + int(costs.argmin())]
    return found


def _beside(
    index: int,
    candidates: Floats,
    anchors: Floats,
    sizes: Floats,
    centres: Floats,
    others: NDArray[np.int_],
    gap: float,
) -> Floats:
    """Cost of each candidate beside the other boxes, ``(K,)``: leaders that cross; infinite where it overlaps one."""
    room = (sizes[others] + sizes[index]) / 2 + gap
    overlaps = (np.abs(candidates[:, None] - centres[others]) < room * (1 - 1e-9)).all(axis=2)
    ends = leader_end(anchors[index], candidates, sizes[index])
    other_ends = leader_end(anchors[others], centres[others], sizes[others])
    start = np.broadcast_to(anchors[index], ends.shape)
    crossings = _crosses_box(start[:, None], ends[:, None], centres[others], sizes[others] / 2)
    crossings = crossings + _crosses_box(anchors[others], other_ends, candidates[:, None], sizes[index] / 2)
    crossings = crossings + _crosses(start[:, None], ends[:, None], anchors[others], other_ends)
    return np.where(overlaps.any(axis=1), np.inf, _CROSSING * crossings.sum(axis=1))


def _crosses_box(start: Floats, end: Floats, centre: Floats, half: Floats) -> NDArray[np.int_]:
    """Whether segments of some length meet boxes, 0 or 1, broadcast."""
    way = end - start
    safe = np.where(np.abs(way) < 1e-12, 1e-12, way)
    first, second = (centre - half - start) / safe, (centre + half - start) / safe
    enter = np.minimum(first, second).max(axis=-1)
    leave = np.maximum(first, second).min(axis=-1)
    met = (np.maximum(enter, 0) < np.minimum(leave, 1)) & (np.abs(way).max(axis=-1) > 1e-9)
    return np.asarray(met, dtype=np.int_)


def _crosses(start: Floats, end: Floats, other_start: Floats, other_end: Floats) -> NDArray[np.int_]:
    """Whether segments cross, 0 or 1, broadcast."""

    def side(a: Floats, b: Floats, c: Floats) -> Floats:
        return np.asarray((b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0])

    one = side(start, end, other_start) * side(start, end, other_end) < 0
    two = side(other_start, other_end, start) * side(other_start, other_end, end) < 0
    return np.asarray(one & two, dtype=np.int_)
