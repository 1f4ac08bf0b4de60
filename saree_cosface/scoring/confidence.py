"""How sure an answer is: whether the probabilities of a calibrated run hold on photos of sources that neither it nor
its calibration has seen, the accuracy that is left when the unsure answers are not given, and the verdicts given.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.verdict import Kind, verdicts
from saree_cosface.languages.said import said
from saree_cosface.languages.values import Amount, Said
from saree_cosface.metrics.calibration import (
    accuracy_at_coverage,
    coverage_accuracy,
    expected_calibration_error,
    reliability,
)
from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.runs.calibration import Calibration

COVERAGES = (0.25, 0.5, 0.75)
"""Shares of photos, the surest ones, of which the accuracy is told."""

_POINTS = 200  # of a coverage curve at most


def confidence_scores(
    cosines: NDArray[np.floating[Any]], labels: NDArray[np.int_], sources: NDArray[np.str_], calibration: Calibration
) -> dict[str, Any] | None:
    """Calibration and abstention on held-out photos, as a JSON-able document.

    ``(N, C), (N,), (N,)``; None where photos are of fewer than two known sources, over which intervals are taken.

    Returns:
        ``temperature``; ``ece``, the expected calibration error, and ``ece_isotonic``, that of the isotonic
        alternative, each with a 95 % bootstrap interval over sources; ``accuracy_at_coverage``, likewise, by the share
        of photos that are answered; ``reliability``, bins of a reliability diagram; ``coverage``, points (coverage,
        accuracy, probability from which on an answer is given); and ``sets``: the share of conformal prediction sets
        that hold the true tradition, with its interval, beside the share promised, and how large they are.
    """
    if len(np.unique(sources)) < 2 or "" in sources:
        return None
    confidence = calibration.probabilities(cosines).max(axis=1)
    correct = cosines.argmax(axis=1) == labels
    coverage = np.stack(coverage_accuracy(confidence, correct), axis=1)
    shown = np.unique(np.linspace(0, len(coverage) - 1, min(_POINTS, len(coverage))).round().astype(int))
    sets = calibration.prediction_sets(cosines)
    return {
        "temperature": calibration.temperature,
        "ece": _interval(expected_calibration_error, confidence, correct, sources),
        "ece_isotonic": _interval(expected_calibration_error, calibration.isotonic(confidence), correct, sources),
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
        "sets": {
            "promised": 1 - calibration.false_accepts,
            "covered": _interval(_share, confidence, sets[np.arange(len(sets)), labels], sources),
            "mean_size": float(sets.sum(axis=1).mean()),
            "alone": float(np.mean(sets.sum(axis=1) == 1)),
        },
    }


def known_verdicts(
    cosines: NDArray[np.floating[Any]],
    labels: NDArray[np.int_],
    sides: NDArray[np.floating[Any]],
    familiarity: NDArray[np.floating[Any]],
    calibration: Calibration,
) -> dict[str, float]:
    """Share of held-out photos of known traditions that gets each kind of verdict: ``(N, C), (N,), (N, 4, C), (N,)``,
    cosines with allowances. And the share that is ``named rightly``, whose own is one of the two that it is between
    (``between rightly``), and whose own is not ruled out where the verdict is unsure (``unsure rightly``)."""
    kind, said = verdicts(cosines, sides, familiarity, calibration)
    right = said[np.arange(len(labels)), labels]
    names = {"tradition": "named rightly", "between": "between rightly", "unsure": "unsure rightly"}
    return {
        **{name: float(np.mean(kind == name)) for name in get_args(Kind)},
        **{name: float(np.mean((kind == given) & right)) for given, name in names.items()},
    }


def verdicts_in_words(shares: Mapping[str, float]) -> Said:
    """What becomes of photos of known traditions; where an earlier version has measured it, which was never unsure.

    >>> words = verdicts_in_words({"tradition": 0.5, "between": 0.125, "outside": 0.375, "named rightly": 0.475})
    >>> words.split("; ")[0]
    'A name is given to 50% of photos of known traditions, and 95% of these names are right'
    """
    named, unsure = shares["tradition"], shares.get("unsure", 0)
    right = Amount(shares["named rightly"] / named if named else 0.0, share=True)
    key = "about.verdicts_right" if named else "about.verdicts_named"
    first = said(key, named=Amount(named, share=True), **({"right": right} if named else {}))
    values = {name: Amount(shares[name], share=True) for name in ("between", "outside")}
    if "unsure" not in shares:
        return said("about.verdicts_of_three", first=first, **values)
    kept = Amount(shares["unsure rightly"] / unsure if unsure else 0.0, share=True)
    key = "about.verdicts_kept" if unsure else "about.verdicts_unsure"
    left = said(key, unsure=Amount(unsure, share=True), **({"kept": kept} if unsure else {}))
    return said("about.verdicts", first=first, left=left, **values)


def sets_in_words(sets: dict[str, Any]) -> Said:
    """Whether the prediction sets hold what they promise on these sources."""
    covered, promised = sets["covered"], sets["promised"]
    shares = {name: Amount(covered[name], 1, share=True) for name in ("value", "low", "high")}
    size, told = Amount(sets["mean_size"], 1), Amount(promised, share=True)
    found = said("about.sets", **shares, promised=told, size=size)
    if covered["high"] < promised:
        return said("about.sets_fail", found=found)
    if covered["value"] < promised:
        return said("about.sets_fewer", found=found)
    return found


def _share(_: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    return float(inside.mean())


def _interval(
    statistic: Any, confidence: NDArray[np.float64], correct: NDArray[np.bool_], sources: NDArray[np.str_]
) -> dict[str, float]:
    found = bootstrap_interval(statistic, [confidence, correct], sources, n_resamples=500)
    return {"value": found.value, "low": found.low, "high": found.high}
