"""How sure a score is: bootstrap over pieces, paired tests of two methods, and intervals over seeds.

Several photos of one piece are not independent, so whole groups (pieces, or sources) are resampled, never single
photos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.metrics.classification import paired

Statistic = Callable[..., float]


@dataclass(frozen=True)
class Interval:
    """A value with the bounds of its confidence interval.

    >>> print(Interval(0.534, 0.49, 0.5811))
    0.534 [0.490, 0.581]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class PairedDifference:
    """Statistic of method a minus that of method b.

    Attributes:
        difference: the difference and its confidence interval; above 0 means a is better.
        p_value: two-sided, for the hypothesis of no difference.
    """

    difference: Interval
    p_value: float


def bootstrap_interval(
    statistic: Statistic,
    arrays: Sequence[ArrayLike],
    groups: ArrayLike,
    n_resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    strata: ArrayLike | None = None,
) -> Interval:
    """Percentile bootstrap interval of ``statistic(*arrays)``, resampling whole groups with replacement.

    Args:
        statistic: takes the resampled arrays, returns a number.
        arrays: arrays whose first axis is the N photos.
        groups: (N,) piece (or source) of each photo.
        n_resamples: bootstrap samples.
        seed: the same seed gives the same interval.
        confidence: of the interval, within (0, 1).
        strata: (N,) of each photo, alike within a group: groups are drawn within each, so that none is ever empty.

    Raises:
        ValueError: a length differs, there are fewer than two groups, ``n_resamples`` < 1, ``confidence`` is outside
            (0, 1), or the statistic is not finite on the data or on a resample.

    >>> from saree_cosface.metrics.classification import top1
    >>> labels, predictions = [0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0, 1]
    >>> print(bootstrap_interval(top1, [labels, predictions], groups=[1, 1, 2, 3, 4, 5, 6, 6]))
    0.750 [0.444, 1.000]
    """
    columns = [np.asarray(array) for array in arrays]
    value = float(statistic(*columns))
    draws = _resampled(statistic, columns, groups, n_resamples, seed, strata)
    return _percentile_interval(value, draws, confidence)


def paired_bootstrap(
    statistic: Statistic,
    labels: ArrayLike,
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    groups: ArrayLike,
    n_resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """Whether ``statistic(labels, predictions)`` differs between two methods that predicted the same photos.

    Both methods are scored on the same resampled groups, so what they find equally hard cancels. The two-sided
    p-value is twice the share of resampled differences on the rarer side of 0 (those equal to 0 count on both), with
    one added to the counts so that it is never 0; it is at least 2 / (n_resamples + 1).

    Args:
        statistic: takes labels and predictions, such as
            :func:`~saree_cosface.metrics.classification.balanced_accuracy`.
        labels: (N,) crafts.
        predictions_a: (N,) crafts predicted by method a.
        predictions_b: (N,) crafts predicted by method b.
        groups: (N,) piece (or source) of each photo.
        n_resamples: bootstrap samples.
        seed: the same seed gives the same result.
        confidence: of the interval, within (0, 1).

    Raises:
        ValueError: as in :func:`bootstrap_interval`.

    >>> from saree_cosface.metrics.classification import top1
    >>> labels = [0, 1] * 20
    >>> result = paired_bootstrap(top1, labels, labels, [0] * 40, groups=range(40))
    >>> print(result.difference, round(result.p_value, 3))
    0.500 [0.350, 0.650] 0.001
    """

    def difference(labels: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> float:
        return float(statistic(labels, a)) - float(statistic(labels, b))

    columns = [*paired(labels, predictions_a), paired(labels, predictions_b)[1]]
    value = difference(*columns)
    draws = _resampled(difference, columns, groups, n_resamples, seed)
    # Differences of equal scores may miss 0 by a rounding error.
    rarer = min(np.count_nonzero(draws <= 1e-12), np.count_nonzero(draws >= -1e-12))
    p_value = min(1.0, 2 * (rarer + 1) / (n_resamples + 1))
    return PairedDifference(_percentile_interval(value, draws, confidence), p_value)


def _resampled(
    statistic: Statistic,
    columns: Sequence[NDArray[Any]],
    groups: ArrayLike,
    n_resamples: int,
    seed: int,
    strata: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """The statistic on ``n_resamples`` bootstrap samples of whole groups (n_resamples,)."""
    groups = np.asarray(groups)
    if groups.ndim != 1 or any(column.shape[:1] != groups.shape for column in columns):
        shapes = [column.shape for column in columns]
        raise ValueError(f"groups have shape {groups.shape} and the arrays {shapes}; all take (N, ...) with the same N")
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}; at least 1 is needed")
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    sizes = np.bincount(group)
    stratum = np.zeros(len(sizes)) if strata is None else np.asarray(strata)[first]
    drawn_from = [np.flatnonzero(stratum == each) for each in np.unique(stratum)]
    if len(sizes) < 2:
        raise ValueError(f"{len(sizes)} group cannot be resampled; an interval needs at least 2 pieces")
    members = np.argsort(group, kind="stable")
    starts = np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    draws = np.empty(n_resamples)
    for resample in range(n_resamples):
        chosen = np.concatenate([those[generator.integers(len(those), size=len(those))] for those in drawn_from])
        lengths = sizes[chosen]
        # Positions of the chosen groups' photos: each group's start, repeated, plus 0, 1, ... within the group.
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        index = members[np.repeat(starts[chosen], lengths) + within]
        draws[resample] = statistic(*(column[index] for column in columns))
    return draws


def _percentile_interval(value: float, draws: NDArray[np.float64], confidence: float) -> Interval:
    _check_confidence(confidence)
    if not (np.isfinite(value) and np.isfinite(draws).all()):
        raise ValueError("the statistic is not finite on the data or on a resample; use one that always is")
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie strictly between 0 and 1")
