"""The verdict on a piece: a tradition, one of two, or none of those known, by the thresholds of a calibration
(:mod:`saree_cosface.runs.calibration`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saree_cosface.runs.calibration import Calibration
from saree_cosface.taxonomy import craft_name

Kind = Literal["tradition", "between", "outside"]


@dataclass(frozen=True)
class Verdict:
    """What is said of a piece.

    Attributes:
        kind: whether one tradition is named, two, or none.
        crafts: their ids: one, two, or none.
        reason: why, in words.
        likely: ids of the traditions that cannot be ruled out, most probable first, if it is of a known one at all.
    """

    kind: Kind
    crafts: tuple[str, ...]
    reason: str
    likely: tuple[str, ...]


def judge(
    cosines: NDArray[np.floating[Any]],
    alone: NDArray[np.floating[Any]],
    sides: NDArray[np.floating[Any]],
    familiarity: NDArray[np.floating[Any]],
    crafts: Sequence[str],
    calibration: Calibration,
    allowances: NDArray[np.float64] | float = 0.0,
) -> Verdict:
    """The verdict on one piece. All cosines are with allowances.

    Args:
        cosines: of the piece to each tradition, the mean over its photos, ``(C,)``.
        alone: of each of its photos by itself, ``(P, C)``.
        sides: of the left, right, upper and lower side of each photo, ``(P, 4, C)``.
        familiarity: of each photo, ``(P,)``.
        crafts: ids of the traditions.
        calibration: of the run.
        allowances: what of ``cosines`` they are, ``(C,)``, for the words.
    """
    order = np.argsort(-cosines, kind="stable")
    chances = calibration.probabilities(cosines, len(alone))
    inside = calibration.prediction_sets(cosines[None], len(alone))[0]
    likely = tuple(crafts[index] for index in np.argsort(-chances, kind="stable") if inside[index])
    best = float(cosines[order[0]])
    raised = float(np.broadcast_to(allowances, cosines.shape)[order[0]])
    said = f"a cosine of {best - raised:.2f}" + (f" and an allowance of {raised:.2f}" if raised else "")
    if familiarity.max() < calibration.familiarity:
        own, needed = _apart(float(familiarity.max()), calibration.familiarity)
        reason = (
            f"unlike every photo learned from (familiarity {own}, at least {needed} is needed): perhaps not a photo of "
            "such cloth"
        )
        return Verdict("outside", (), reason, likely)
    # Before the cosine of the piece is looked at: the mean of photos that contradict each other is near to nothing.
    named = sorted({int(row.argmax()) for row in alone if names(row, calibration)})
    if len(named) > 1:
        named = sorted(named, key=lambda index: -float(cosines[index]))[:2]
        reason = "its photos name different traditions: perhaps they show several pieces"
        return Verdict("between", _ids(named, crafts), reason, likely)
    if best < calibration.cosine:
        own, needed = _apart(best, calibration.cosine)
        said = said if raised else f"a cosine of {own}"
        reason = f"the nearest has {said}, and at least {needed} is needed for a name"
        return Verdict("outside", (), reason, likely)
    gap = best - float(cosines[order[1]]) if len(order) > 1 else math.inf
    if gap < calibration.gap:
        own, least = _apart(gap, calibration.gap)
        needed = f"at least {least} is needed" if math.isfinite(calibration.gap) else "no lead is enough"
        return Verdict("between", _ids(order[:2], crafts), f"they are {own} apart, and {needed} for one", likely)
    first = int(order[0])
    beside = _side_by_side(alone, sides, calibration)
    rivals = [int(near) for near in beside if near not in (-1, first)]
    if rivals:
        reason = "two sides of a photo look like different traditions: perhaps it shows several pieces"
        return Verdict("between", _ids([first, rivals[0]], crafts), reason, likely)
    reason = f"{said}, {gap:.2f} ahead" if math.isfinite(gap) else said
    return Verdict("tradition", _ids(order[:1], crafts), reason, likely)


def kinds(
    cosines: NDArray[np.floating[Any]],
    sides: NDArray[np.floating[Any]],
    familiarity: NDArray[np.floating[Any]],
    calibration: Calibration,
) -> NDArray[np.str_]:
    """The kind of verdict on each of many single photos: ``(N, C), (N, 4, C), (N,) -> (N,)``, as :func:`judge` gives
    it. Cosines are with allowances."""
    ranked = np.sort(cosines, axis=1)[:, ::-1]
    gap = ranked[:, 0] - ranked[:, 1] if ranked.shape[1] > 1 else np.full(len(ranked), np.inf)
    outside = (familiarity < calibration.familiarity) | (ranked[:, 0] < calibration.cosine)
    between = (gap < calibration.gap) | (_side_by_side(cosines, sides, calibration) >= 0)
    result: NDArray[np.str_] = np.where(outside, "outside", np.where(between, "between", "tradition"))
    return result


def _side_by_side(
    cosines: NDArray[np.floating[Any]], sides: NDArray[np.floating[Any]], calibration: Calibration
) -> NDArray[np.int_]:
    """Of each photo that names a tradition by itself although its left and right, or its upper and lower side, are
    nearest to different ones, the other one; else -1: ``(P, C), (P, 4, C) -> (P,)``."""
    answers, nearest = cosines.argmax(axis=1), sides.argmax(axis=2)
    apart = (nearest[:, 0] != nearest[:, 1]) | (nearest[:, 2] != nearest[:, 3])
    other = nearest[np.arange(len(nearest)), (nearest != answers[:, None]).argmax(axis=1)]
    named = np.array([names(row, calibration) for row in cosines], dtype=np.bool_)
    found: NDArray[np.int_] = np.where(named & apart, other, -1)
    return found


def names(cosines: NDArray[np.floating[Any]], calibration: Calibration) -> bool:
    """Whether a photo's cosines, ``(C,)``, are enough for the name of a tradition, by themselves."""
    best, second = np.sort(cosines)[::-1][:2] if len(cosines) > 1 else (cosines[0], -np.inf)
    return bool(best >= calibration.cosine and best - second >= calibration.gap)


def _apart(value: float, needed: float) -> tuple[str, str]:
    """Both with two decimals, or as many as it takes to tell them apart.

    >>> _apart(0.2, 0.29), _apart(0.2917, 0.2923)
    (('0.20', '0.29'), ('0.2917', '0.2923'))
    """
    digits = next((digits for digits in range(2, 6) if f"{value:.{digits}f}" != f"{needed:.{digits}f}"), 6)
    return f"{value:.{digits}f}", f"{needed:.{digits}f}"


def _ids(indices: Sequence[int] | NDArray[np.int_], crafts: Sequence[str]) -> tuple[str, ...]:
    return tuple(crafts[index] for index in indices)


def in_words(verdict: Verdict) -> str:
    """The verdict as a heading: the name of a tradition, of two, or none.

    >>> in_words(Verdict("between", ("patola", "sambalpuri"), "", ()))
    'Between Patola and Sambalpuri'
    """
    names = [craft_name(craft) for craft in verdict.crafts]
    match verdict.kind:
        case "tradition":
            return names[0]
        case "between":
            return f"Between {names[0]} and {names[1]}"
        case _:
            return "Outside the known traditions"
