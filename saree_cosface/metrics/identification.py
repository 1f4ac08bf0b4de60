"""Closed-set identification: how far down the ranked list of classes the right one stands, from a score matrix."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cmc(scores: ArrayLike, labels: ArrayLike, max_rank: int) -> NDArray[np.float64]:
    """Cumulative match characteristic: the rates of ranks 1 to ``max_rank``, ``(N, C), (N,) -> (max_rank,)``.

    The rate of rank k is the share of probes with their class among the k best. A tie never helps: a class that scores
    as high as the right one is counted as ranked before it. From k = C on the rate is 1.

    Raises:
        ValueError: as in :func:`ranks`, or ``max_rank`` < 1.

    >>> cmc([[0.9, 0.1, 0.3], [0.2, 0.7, 0.7]], [0, 1], max_rank=3)
    array([0.5, 1. , 1. ])
    """
    if max_rank < 1:
        raise ValueError(f"max_rank is {max_rank}; ranks are counted from 1")
    found = ranks(scores, labels)
    counts = np.bincount(np.minimum(found, max_rank + 1), minlength=max_rank + 2)
    rates: NDArray[np.float64] = np.cumsum(counts[1 : max_rank + 1]) / len(found)
    return rates


def ranks(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Rank, from 1, of each probe's own class, ties counted against it: ``(N, C), (N,) -> (N,)``.

    Raises:
        ValueError: the scores are not (N, C) or hold NaN, or the labels are not (N,) indices within [0, C).

    >>> ranks([[0.9, 0.1, 0.3], [0.2, 0.7, 0.7]], [0, 1])
    array([1, 2])
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores have shape {scores.shape}; they must be (N, C): a row per probe, a column per class")
    if labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels have shape {labels.shape} and type {labels.dtype}; they must be ({len(scores)},) column indices"
        )
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(f"label {wrong} is outside [0, {scores.shape[1]}): labels are columns of the scores")
    if np.isnan(scores).any():
        raise ValueError("the scores hold NaN; a NaN cannot be ranked")
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    # The own class is as high as itself, which supplies the 1 that ranks start from.
    found: NDArray[np.int64] = np.count_nonzero(scores >= own, axis=1).astype(np.int64)
    return found
