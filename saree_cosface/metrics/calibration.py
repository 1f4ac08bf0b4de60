"""Calibration: probabilities from cosines, whether they keep what they promise, and what is gained by abstaining.

A cosine ranks; it does not say how often the first tradition is the right one. Divided by a temperature that was fitted
on photos of sources the embedder never saw, cosines become logits whose softmax says that.

References: Guo et al., On Calibration of Modern Neural Networks, arXiv:1706.04599 (temperature, expected calibration
error); Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, arXiv:1705.08500 (coverage).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from saree_cosface.metrics.operating_point import checked_scores, checked_truths

COLDEST, HOTTEST = 1e-3, 1e2
"""Temperatures between which one is sought: cosines lie within [-1, 1]."""


def probabilities(cosines: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Softmax of the cosines divided by the temperature: ``(..., C) -> (..., C)``, summing to 1.

    With s of the loss, 1 / s is the temperature of the training; that of the calibration is usually higher.

    Raises:
        ValueError: the temperature is not a positive number.

    >>> probabilities([0.6, 0.5, 0.1], 0.1).round(3).tolist()
    [0.727, 0.268, 0.005]
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; it must be a positive number")
    return np.asarray(softmax(np.asarray(cosines, dtype=np.float64) / temperature, axis=-1))


def fit_temperature(cosines: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The temperature at which the softmax of the cosines gives the labels the highest mean log-probability.

    ``(N, C), (N,) -> float``, within [``COLDEST``, ``HOTTEST``]. The mean log-probability has one maximum in
    1 / temperature, so it is found whatever the cosines are; where every label has the highest cosine the coldest
    temperature is best, and where cosines tell nothing the hottest.

    Args:
        cosines: of each photo to each tradition, from references of other sources.
        labels: (N,) index of the true tradition.
        weights: (N,) weights of the photos, not negative; a source with many photos need not count for more.

    Raises:
        ValueError: a shape or value is wrong, or there is no photo.

    >>> round(fit_temperature([[0.5, 0.3], [0.5, 0.3], [0.5, 0.3], [0.5, 0.3]], [0, 0, 0, 1]), 3)  # 0.2 / ln 3
    0.182
    """
    found = np.asarray(cosines, dtype=np.float64)
    truth = np.asarray(labels)
    if found.ndim != 2 or truth.shape != found.shape[:1] or not len(truth):
        raise ValueError(f"cosines have shape {found.shape} and labels {truth.shape}; they must be (N, C) and (N,)")
    if not np.isfinite(found).all():
        raise ValueError("a cosine is not finite; look for embeddings that are zero or NaN")
    if truth.dtype.kind not in "iu" or truth.min() < 0 or truth.max() >= found.shape[1]:
        raise ValueError(f"labels must be whole numbers from 0 to {found.shape[1] - 1}")
    from scipy.optimize import minimize_scalar  # slow to import, and nothing that a prediction needs

    share = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != truth.shape or not (share >= 0).all() or not 0 < share.sum() < np.inf:
        raise ValueError("weights must be one number a photo, not negative, and not all zero")
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        logits = log_softmax(found / np.exp(log_temperature), axis=1)
        return -float(share @ logits[rows, truth]) / float(share.sum())

    best = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


@dataclass(frozen=True)
class ConfidenceBin:
    """Photos whose confidence is above ``low`` and at most ``high``.

    Attributes:
        low: lower bound.
        high: upper bound.
        photos: how many there are.
        confidence: their mean confidence; NaN where there are none.
        accuracy: the share of them that is right; NaN where there are none.
    """

    low: float
    high: float
    photos: int
    confidence: float
    accuracy: float


def reliability(confidences: ArrayLike, correct: ArrayLike, bins: int = 10) -> list[ConfidenceBin]:
    """Confidence beside accuracy in bins of equal width: ``(N,), (N,) -> bins`` of a reliability diagram.

    Args:
        confidences: (N,) probability of each answer, within [0, 1].
        correct: (N,) truth values, whether it was right.
        bins: how many.

    Raises:
        ValueError: a shape or value is wrong.

    >>> [(each.photos, each.confidence, each.accuracy) for each in reliability([0.6, 0.8, 0.8], [True, True, False], 2)]
    [(0, nan, nan), (3, 0.7333333333333334, 0.6666666666666666)]
    """
    confidences, correct = _checked(confidences, correct)
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least 1 is needed")
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    photos = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(index, confidences, bins) / photos
        accuracy = np.bincount(index, correct, bins) / photos
    return [
        ConfidenceBin(float(low), float(high), int(count), float(mean), float(right))
        for low, high, count, mean, right in zip(edges[:-1], edges[1:], photos, confidence, accuracy, strict=True)
    ]


def expected_calibration_error(confidences: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """ECE: the mean, over photos, of how far confidence and accuracy lie apart in the photo's bin.

    ``(N,), (N,) -> float`` within [0, 1] (Guo et al., Eq. 3). With few photos it is above 0 even for a perfect
    calibration, by chance.

    Raises:
        ValueError: as in :func:`reliability`, or there is no photo.

    >>> round(expected_calibration_error([0.9, 0.9, 0.9, 0.9], [True, True, True, False]), 3)
    0.15
    """
    found = [each for each in reliability(confidences, correct, bins) if each.photos]
    total = sum(each.photos for each in found)
    if not total:
        raise ValueError("there is no photo, so there is no calibration error")
    return float(sum(each.photos * abs(each.confidence - each.accuracy) for each in found) / total)


def coverage_accuracy(
    confidences: ArrayLike, correct: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy among the surest answers: ``(N,), (N,) -> (K,), (K,), (K,)``, coverage rising to 1.

    Returns:
        Coverage, the share of photos that are answered; accuracy among these; and the confidence from which on they
        are. One entry for each distinct confidence: photos of equal confidence are answered together or not at all.

    Raises:
        ValueError: a shape or value is wrong.

    >>> coverage, accuracy, _ = coverage_accuracy([0.9, 0.6, 0.6, 0.3], [True, True, False, False])
    >>> coverage.tolist(), accuracy.round(3).tolist()
    ([0.25, 0.75, 1.0], [1.0, 0.667, 0.5])
    """
    confidences, correct = _checked(confidences, correct)
    order = np.argsort(-confidences, kind="stable")
    falling = confidences[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(falling) else np.zeros(0, np.int_)
    answered = last + 1
    right = np.cumsum(correct[order])[last]
    return answered / max(1, len(falling)), right / answered, falling[last].astype(np.float64)


def accuracy_at_coverage(confidences: ArrayLike, correct: ArrayLike, coverage: float) -> float:
    """Accuracy when at least this share of photos, the surest ones, is answered: ``(N,), (N,) -> float``.

    Raises:
        ValueError: as in :func:`coverage_accuracy`; or ``coverage`` is outside (0, 1], or there is no photo.

    >>> accuracy_at_coverage([0.9, 0.6, 0.6, 0.3], [True, True, False, False], 0.25)
    1.0
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; it is a share of the photos, above 0 and at most 1")
    coverages, accuracies, _ = coverage_accuracy(confidences, correct)
    if not len(coverages):
        raise ValueError("there is no photo to answer")
    return float(accuracies[np.searchsorted(coverages, coverage - 1e-12)])


def _checked(confidences: ArrayLike, correct: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    found = checked_scores(confidences, "confidences")
    if len(found) and not (found.min() >= 0 and found.max() <= 1):
        raise ValueError(f"confidences reach from {found.min()} to {found.max()}; probabilities lie within [0, 1]")
    return found, checked_truths(correct, len(found), "correct")
