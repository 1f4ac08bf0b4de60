"""Open-set identification: naming the class of a probe whose class may not be in the gallery at all.

A *mated* probe has its class in the gallery, an *unmated* one does not and plays the impostor. Each is named after
the class it scores highest with, if that score is at or above a threshold; else it is turned away as unknown.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.metrics.identification import ranks
from saree_cosface.metrics.operating_point import accepted_share, checked_scores, checked_truths


@dataclass(frozen=True)
class DirAtFar:
    """Rank-1 detection and identification rate (DIR) at a false alarm rate (FAR) that is not exceeded.

    Attributes:
        far: the FAR asked for.
        rate: share of mated probes that are both named rightly and not turned away.
        low: lower bound of the 95 % interval of ``rate``.
        high: upper bound.
        threshold: the lowest threshold whose FAR is at most ``far``.
        mated: how many mated probes there are.
        unmated: how many unmated probes.
    """

    far: float
    rate: float
    low: float
    high: float
    threshold: float
    mated: int
    unmated: int


def detection_identification_rate(
    best_scores: ArrayLike,
    correct: ArrayLike,
    unmated_best_scores: ArrayLike,
    far: float,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> DirAtFar:
    """DIR at FAR, rank 1 (Phillips, Grother and Micheals, Handbook of Face Recognition, ch. "Evaluation Methods").

    ``(P,), (P,), (Q,) -> DirAtFar``. FAR is the share of unmated probes that are given a name, whichever. Only the
    best score of each probe enters, so that a gallery of any size can be searched in blocks; from a whole score matrix
    :func:`best_match` makes the first two vectors and ``scores.max(axis=1)`` the third.

    The interval is a percentile bootstrap that resamples mated and unmated probes separately and sets the threshold
    anew each time. It covers the chance of which probes were drawn, as if they were independent (several photos of one
    piece or person are not), but not that of the gallery nor of the training.

    Args:
        best_scores: (P,) highest score of each mated probe.
        correct: (P,) truth values, whether it was reached by the probe's own class alone.
        unmated_best_scores: (Q,) highest score of each unmated probe.
        far: within (0, 1).
        n_resamples: bootstrap samples.
        seed: the same seed gives the same interval.

    Raises:
        TooFewImpostors: there are fewer than 3 / far unmated probes
            (:class:`~saree_cosface.metrics.operating_point.TooFewImpostors`, a ValueError).
        ValueError: a shape or type is wrong, a score is not finite, there are no mated probes, ``far`` is outside
            (0, 1), or ``n_resamples`` < 1.

    >>> unmated = [0.1] * 25 + [0.5] * 5
    >>> result = detection_identification_rate([0.9, 0.8, 0.7, 0.4], [True, True, False, True], unmated, far=0.1)
    >>> result.rate, result.mated, result.unmated
    (0.5, 4, 30)
    """
    best = checked_scores(best_scores, "best_scores")
    correct = checked_truths(correct, len(best), "correct")
    unmated = checked_scores(unmated_best_scores, "unmated_best_scores")
    if len(best) == 0:
        raise ValueError("there are no mated probes to name")
    # A probe that is named wrongly counts as if it had been turned away.
    named = np.where(correct, best, -np.inf)
    rate, threshold = accepted_share(named, np.sort(unmated)[::-1], len(unmated), far, n_resamples, seed)
    return DirAtFar(far, rate.value, rate.low, rate.high, threshold, len(best), len(unmated))


def best_match(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Best score of each probe and whether its own class alone reached it: ``(P, C), (P,) -> (P,), (P,)``.

    Raises:
        ValueError: as in :func:`~saree_cosface.metrics.identification.ranks`.

    >>> best, correct = best_match([[0.9, 0.1, 0.3], [0.2, 0.7, 0.7]], [0, 1])
    >>> best.tolist(), correct.tolist()
    ([0.9, 0.7], [True, False])
    """
    correct = ranks(scores, labels) == 1
    return np.max(np.asarray(scores), axis=1), correct
