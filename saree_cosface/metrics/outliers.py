"""Scores that are oddly low within their group."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FENCE = 1.5
_FEWEST = 8


def outliers(scores: NDArray[np.floating], groups: Sequence[str] | NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which scores are oddly low within their group, ``(N,), (N,) -> (N,)``: below Tukey's fence, one and a half
    interquartile ranges under the lower quartile. Groups of fewer than eight have none, and NaN is none.

    >>> outliers(np.array([0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.2]), ["a"] * 8).tolist()
    [False, False, False, False, False, False, False, True]
    """
    odd = np.zeros(len(scores), dtype=np.bool_)
    names = np.asarray(groups)
    for name in np.unique(names):
        rows = np.flatnonzero((names == name) & ~np.isnan(scores))
        if len(rows) >= _FEWEST:
            low, high = np.quantile(scores[rows], (0.25, 0.75))
            odd[rows] = scores[rows] < low - _FENCE * (high - low)
    return odd
