"""How often neighbours on a map share a source, against what their crafts alone would bring."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from saree_cosface.maps.shape import Floats

NEIGHBOURS = 15


@dataclass(frozen=True)
class SourceMixing:
    """How often photos lie beside others of their own source.

    Attributes:
        own: share of a photo's neighbours that are of its own source, ``(N,)``, of as many nearest ones as its source
            has other photos, if these are fewer; NaN where no neighbour counts.
        observed: the share over all pairs of neighbours; NaN where there are none.
        chance: what it would be if, within each craft, sources were dealt out at random.
        neighbours: how many of a photo were looked at.
    """

    own: Floats
    observed: float
    chance: float
    neighbours: int


def source_mixing(
    points: Floats, sources: Sequence[str], crafts: Sequence[str], pieces: Sequence[str], k: int = NEIGHBOURS
) -> SourceMixing:
    """Compare how often nearest neighbours on a map share a source with what their crafts alone would bring.

    A source with one craft only fills that craft's cluster by right. Chance therefore keeps how many photos of each
    craft a source has, and deals out sources anew among the photos of a craft: two photos of the crafts a and b share
    a source with probability sum_s n_as n_bs / (n_a n_b), and of one craft sum_s n_s (n_s - 1) / (n (n - 1)).

    Args:
        points: of the map, ``(N, 2)``.
        sources: (N,); "" where unknown, which counts nowhere.
        crafts: (N,).
        pieces: (N,); "" where unknown. Neighbours of the same piece of the same source do not count.
        k: neighbours of a photo.
    """
    count = len(points)
    source = np.unique(np.asarray(sources, dtype=str), return_inverse=True)[1].reshape(-1)
    craft = np.unique(np.asarray(crafts, dtype=str), return_inverse=True)[1].reshape(-1)
    names = [f"{where}\0{piece}" if piece else "" for where, piece in zip(sources, pieces, strict=True)]
    piece = np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].reshape(-1)
    known, in_piece = np.array([bool(each) for each in sources], bool), np.array([bool(each) for each in names], bool)
    k = min(k, count - 1)
    if k < 1:
        return SourceMixing(np.full(count, np.nan), float("nan"), float("nan"), 0)
    near = _neighbours(points, k)
    counted = known[:, None] & known[near] & ~((piece[:, None] == piece[near]) & in_piece[:, None])
    same = (source[:, None] == source[near]) & counted
    pairs = counted.sum(axis=1)
    others = np.bincount(source)[source] - 1
    close = counted & (np.arange(k) < others[:, None])
    own = np.where(close.any(axis=1), (same & close).sum(axis=1) / np.maximum(close.sum(axis=1), 1), np.nan)
    if not pairs.sum():
        return SourceMixing(own, float("nan"), float("nan"), k)
    table = np.zeros((craft.max() + 1, source.max() + 1))
    np.add.at(table, (craft[known], source[known]), 1)
    totals = table.sum(axis=1)
    shared, possible = table @ table.T, np.outer(totals, totals)
    shared[np.diag_indices_from(shared)] -= totals
    possible[np.diag_indices_from(possible)] -= totals
    expected = shared / np.maximum(possible, 1)
    chance = expected[np.broadcast_to(craft[:, None], near.shape)[counted], craft[near][counted]].mean()
    return SourceMixing(own, float(same.sum() / pairs.sum()), float(chance), k)


def _neighbours(points: Floats, k: int) -> NDArray[np.int_]:
    """The k nearest others of each point, ``(N, k)``."""
    near = cKDTree(points).query(points, k=k + 1)[1]
    # Among points at one place, a point need not come first in its own list, nor be in it at all.
    mine = near == np.arange(len(points))[:, None]
    mine[~mine.any(axis=1), -1] = True
    return np.asarray(near[~mine].reshape(len(points), k))
