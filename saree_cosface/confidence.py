"""How sure an answer is: probabilities from cosines, and the accuracy that is left when the unsure ones are not given.

The temperature for the photos of a source is fitted on the photos of all other sources, so that what is said of a
source is said without having seen it. Every source counts alike in the fit, whatever the number of its photos.
"""

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.metrics.calibration import (
    accuracy_at_coverage,
    coverage_accuracy,
    expected_calibration_error,
    fit_temperature,
    probabilities,
    reliability,
)
from saree_cosface.metrics.intervals import bootstrap_interval

COVERAGES = (0.25, 0.5, 0.75)
"""Shares of photos, the surest ones, of which the accuracy is told."""

_POINTS = 200  # of a coverage curve at most


def confidence_scores(
    cosines: NDArray[np.floating[Any]], labels: NDArray[np.int_], sources: NDArray[np.str_]
) -> dict[str, Any] | None:
    """Calibration and abstention across sources, as a JSON-able document.

    ``(N, C), (N,), (N,)``; None where photos are of fewer than two known sources, and nothing can be fitted elsewhere.

    Returns:
        ``temperature``, fitted on all photos, and ``temperature_by_source``, the range of those that were used;
        ``ece``, the expected calibration error, with a 95 % bootstrap interval over sources; ``accuracy_at_coverage``,
        likewise, by the share of photos that are answered; ``reliability``, bins of a reliability diagram; and
        ``coverage``, points (coverage, accuracy, probability from which on an answer is given).
    """
    names = np.unique(sources)
    if len(names) < 2 or "" in names:
        return None
    weights = 1 / np.unique(sources, return_counts=True)[1][np.searchsorted(names, sources)]
    chances = np.empty(cosines.shape)
    temperatures = []
    for name in names:
        mine = sources == name
        temperatures.append(fit_temperature(cosines[~mine], labels[~mine], weights[~mine]))
        chances[mine] = probabilities(cosines[mine], temperatures[-1])
    confidence = chances.max(axis=1)
    correct = cosines.argmax(axis=1) == labels
    coverage = np.stack(coverage_accuracy(confidence, correct), axis=1)
    shown = np.unique(np.linspace(0, len(coverage) - 1, min(_POINTS, len(coverage))).round().astype(int))
    return {
        "temperature": fit_temperature(cosines, labels, weights),
        "temperature_by_source": [min(temperatures), max(temperatures)],
        "ece": _interval(expected_calibration_error, confidence, correct, sources),
        "accuracy_at_coverage": {
            f"{share:g}": _interval(partial(accuracy_at_coverage, coverage=share), confidence, correct, sources)
            for share in COVERAGES
        },
        "reliability": [
            {
                "low": each.low,
                "high": each.high,
                "photos": each.photos,
                "confidence": None if math.isnan(each.confidence) else each.confidence,
                "accuracy": None if math.isnan(each.accuracy) else each.accuracy,
            }
            for each in reliability(confidence, correct)
        ],
        "coverage": coverage[shown].round(5).tolist(),
    }


def _interval(
    statistic: Any, confidence: NDArray[np.float64], correct: NDArray[np.bool_], sources: NDArray[np.str_]
) -> dict[str, float]:
    found = bootstrap_interval(statistic, [confidence, correct], sources, n_resamples=500)
    return {"value": found.value, "low": found.low, "high": found.high}
