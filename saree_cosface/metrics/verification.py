"""Verification: whether two photos show the same class, decided by a threshold on one score per pair.

A pair is *genuine* (same) or an *impostor*. It is accepted when its score is at or above the threshold, so a score is
a likeness such as a cosine, never a distance. FAR is the share of impostors that are accepted, TAR the share of
genuine pairs.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.metrics.operating_point import accepted_share, checked_scores, checked_truths


@dataclass(frozen=True)
class KFoldAccuracy:
    """Accuracy over K folds, each with a threshold chosen on the other K - 1.

    Attributes:
        accuracy: mean of the folds.
        standard_error: of that mean, the standard deviation of the folds (K - 1 in the denominator) over sqrt(K).
        folds: (K,) accuracy of each fold, in the order of the fold numbers.
        thresholds: (K,) the threshold that each was scored with.
    """

    accuracy: float
    standard_error: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Roc:
    """Receiver operating characteristic, all arrays (T,), from the strictest threshold to the most lenient.

    Attributes:
        far: share of impostors accepted, from 0 up to 1.
        tar: share of genuine pairs accepted, from 0 up to 1.
        thresholds: the least number above all scores, then every distinct score, falling.
    """

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    thresholds: NDArray[Any]


@dataclass(frozen=True)
class TarAtFar:
    """TAR at a FAR that is not exceeded.

    Attributes:
        far: the FAR asked for.
        tar: share of genuine pairs accepted.
        low: lower bound of the 95 % interval of ``tar``.
        high: upper bound.
        threshold: the lowest threshold whose FAR is at most ``far``.
        genuine: how many genuine pairs there are.
        impostors: how many impostors.
    """

    far: float
    tar: float
    low: float
    high: float
    threshold: float
    genuine: int
    impostors: int


def kfold_accuracy(scores: ArrayLike, same: ArrayLike, folds: ArrayLike, *, unequal: bool = False) -> KFoldAccuracy:
    """Accuracy of each fold at the threshold that is best on all others: ``(P,), (P,), (P,) -> KFoldAccuracy``.

    View 2 of LFW (Huang et al., "Labeled Faces in the Wild", UMass Amherst TR 07-49, 2007), and the protocol of the
    pair lists made after it. Every threshold that parts the scores of the other folds differently is tried: the middle
    between each two neighbouring scores, the lowest score (which accepts all) and the least number above the highest
    (which accepts none). Of equally good ones the lowest is taken, as by a scan of rising thresholds; on LFW ties are
    common, and another rule can move the accuracy by a pair.

    Args:
        scores: (P,) likeness of each pair.
        same: (P,) truth values, whether the pair is genuine.
        folds: (P,) integer fold of each pair.
        unequal: accept folds that differ in their numbers of pairs. Each still counts the same in the mean, which is
            then no longer the published protocol.

    Raises:
        ValueError: a shape or type is wrong, a score is not finite, there are fewer than two folds, a fold lacks
            genuine pairs or impostors (its accuracy would tell of one kind of error only), or folds are unequal in
            genuine pairs or in impostors without ``unequal``.

    >>> result = kfold_accuracy([0.9, 0.2, 0.8, 0.4, 0.5, 0.1], [True, False] * 3, [1, 1, 2, 2, 3, 3])
    >>> result.folds, [round(threshold, 2) for threshold in result.thresholds]
    ((1.0, 0.5, 0.5), [0.45, 0.35, 0.6])
    """
    scores, same = _checked_pairs(scores, same)
    fold = _checked_folds(folds, same, unequal)
    order = np.argsort(scores)
    scores, same, fold = scores[order].astype(np.float64), same[order], fold[order]
    accuracies, thresholds = [], []
    for held_out in range(fold.max() + 1):
        inside = fold == held_out
        threshold = _most_accurate_threshold(scores[~inside], same[~inside])
        thresholds.append(threshold)
        accuracies.append(float(np.mean((scores[inside] >= threshold) == same[inside])))
    error = np.std(accuracies, ddof=1) / math.sqrt(len(accuracies))
    return KFoldAccuracy(float(np.mean(accuracies)), float(error), tuple(accuracies), tuple(thresholds))


def roc(scores: ArrayLike, same: ArrayLike) -> Roc:
    """FAR and TAR at every threshold that tells scores apart: ``(P,), (P,) -> Roc``. Equal scores move together.

    Raises:
        ValueError: a shape or type is wrong, a score is not finite, or genuine pairs or impostors are missing.

    >>> curve = roc([0.9, 0.7, 0.7, 0.1], [True, True, False, False])
    >>> curve.far.tolist(), curve.tar.tolist(), curve.thresholds[1:].tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [0.9, 0.7, 0.1])
    """
    scores, same = _checked_pairs(scores, same)
    order = np.argsort(-scores)
    scores, same = scores[order], same[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)  # of each run of equal scores
    genuine = np.append(0, np.cumsum(same)[last])
    accepted = np.append(0, last + 1)
    return Roc(
        far=(accepted - genuine) / (accepted[-1] - genuine[-1]),
        tar=genuine / genuine[-1],
        thresholds=np.append(np.nextafter(scores[0], scores.dtype.type(np.inf)), scores[last]),
    )


def auc(scores: ArrayLike, same: ArrayLike) -> float:
    """Area under the :func:`roc`: the chance that a genuine pair outscores an impostor, a tie counting one half.

    >>> auc([0.9, 0.7, 0.7, 0.1], [True, True, False, False])
    0.875
    """
    curve = roc(scores, same)
    return float(np.sum(np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2))


def equal_error_rate(scores: ArrayLike, same: ArrayLike) -> float:
    """The rate at which as many impostors are accepted as genuine pairs rejected, FAR = 1 - TAR.

    No threshold may meet it exactly; between two neighbouring points of the :func:`roc` it is interpolated linearly.

    >>> equal_error_rate([0.9, 0.7, 0.7, 0.1], [True, True, False, False])
    0.25
    """
    curve = roc(scores, same)
    excess = curve.far + curve.tar - 1  # rises from -1 to 1 with every point
    after = int(np.argmax(excess >= 0))
    share = excess[after - 1] / (excess[after - 1] - excess[after])
    return float(curve.far[after - 1] + share * (curve.far[after] - curve.far[after - 1]))


def tar_at_far(scores: ArrayLike, same: ArrayLike, far: float, *, n_resamples: int = 2000, seed: int = 0) -> TarAtFar:
    """Share of genuine pairs accepted while at most ``far`` of the impostors are: ``(P,), (P,) -> TarAtFar``.

    The FAR is never interpolated and never exceeded: of impostors with equal scores all are accepted or none.

    The interval is a percentile bootstrap that resamples genuine pairs and impostors separately and sets the threshold
    anew each time. It covers the chance of which pairs were drawn, as if they were independent. It does not cover that
    pairs share photos and people, other populations, or another training of the same network; and it has no width
    where every genuine pair is far above every impostor.

    Args:
        scores: (P,) likeness of each pair.
        same: (P,) truth values, whether the pair is genuine.
        far: within (0, 1).
        n_resamples: bootstrap samples.
        seed: the same seed gives the same interval.

    Raises:
        TooFewImpostors: there are fewer than 3 / far impostors
            (:class:`~saree_cosface.metrics.operating_point.TooFewImpostors`, a ValueError). By the rule of three not
            even seeing none of them accepted would then show, at 95 % confidence, that the rate is as low as ``far``.
        ValueError: a shape or type is wrong, a score is not finite, genuine pairs or impostors are missing, ``far`` is
            outside (0, 1), or ``n_resamples`` < 1.

    >>> scores, same = [0.9, 0.8, 0.2] + [0.1] * 25 + [0.3] * 5, [True] * 3 + [False] * 30
    >>> result = tar_at_far(scores, same, far=0.1)
    >>> round(result.tar, 3), result.genuine, result.impostors
    (0.667, 3, 30)
    """
    scores, same = _checked_pairs(scores, same)
    impostors = np.sort(scores[~same])[::-1]
    rate, threshold = accepted_share(scores[same], impostors, len(impostors), far, n_resamples, seed)
    return TarAtFar(far, rate.value, rate.low, rate.high, threshold, int(np.sum(same)), len(impostors))


def _checked_pairs(scores: ArrayLike, same: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    scores = checked_scores(scores, "scores")
    same = checked_truths(same, len(scores), "same")
    genuine = int(np.sum(same))
    if genuine in (0, len(same)):
        raise ValueError(f"{genuine} of {len(same)} pairs are genuine; verification takes genuine pairs and impostors")
    return scores, same


def _checked_folds(folds: ArrayLike, same: NDArray[np.bool_], unequal: bool) -> NDArray[np.intp]:
    """Each pair's fold, counted from 0 in the order of the fold numbers (P,)."""
    numbers = np.asarray(folds)
    if numbers.shape != same.shape or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"folds have shape {numbers.shape} and type {numbers.dtype}; they must be ({len(same)},) integers"
        )
    names, fold = np.unique(numbers, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"all pairs are in fold {names[0]}; at least 2 folds are needed, for a threshold from outside")
    counts = np.stack([np.bincount(fold[same], minlength=len(names)), np.bincount(fold[~same], minlength=len(names))])
    for number, (genuine, impostors) in zip(names, counts.T, strict=True):
        pairs = f"fold {number} has {genuine} genuine pairs and {impostors} impostors"
        if min(genuine, impostors) == 0:
            raise ValueError(f"{pairs}; draw the folds so that each has both, or merge it with another")
        if not unequal and (genuine, impostors) != tuple(counts[:, 0]):
            raise ValueError(
                f"{pairs}, fold {names[0]} has {counts[0, 0]} and {counts[1, 0]}; the protocol takes equal folds: "
                "restore the missing pairs, or pass unequal=True and say so beside the figure"
            )
    return fold


def _most_accurate_threshold(scores: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The threshold by which most of the pairs, sorted by rising score, are told right."""
    # Accepting from position i on tells right the impostors before it and the genuine pairs from it on.
    right = np.append(0, np.cumsum(~same)) + np.sum(same) - np.append(0, np.cumsum(same))
    cuts = np.concatenate([[0], np.flatnonzero(scores[1:] != scores[:-1]) + 1, [len(scores)]])
    cut = int(cuts[np.argmax(right[cuts])])
    if cut == 0:
        return float(scores[0])
    if cut == len(scores):
        return float(np.nextafter(scores[-1], np.inf))
    middle = float(scores[cut - 1] / 2 + scores[cut] / 2)
    return middle if middle > scores[cut - 1] else float(scores[cut])  # there is no number between adjacent ones
