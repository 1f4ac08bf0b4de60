"""The verdict on a piece, by the thresholds of a calibration (:mod:`saree_cosface.runs.calibration`).

*tradition*: near enough to one, and far enough ahead of the next, for its name. *between*: near enough, but as good as
level with another, or two pieces in one picture. *unsure*: too far for a name, and no farther than photos of known
traditions often are; the answer is the conformal set, which leaves out what can be ruled out. *outside*: so far, or so
unlike any photo learned from, that next to no photo of a known tradition is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.advice import advice
from saree_cosface.runs.calibration import Calibration
from saree_cosface.taxonomy import craft_name

Kind = Literal["tradition", "between", "unsure", "outside"]

_LISTED = 4  # traditions of an unsure verdict that are all named; of more the first ones


@dataclass(frozen=True)
class Verdict:
    """What is said of a piece.

    Attributes:
        kind: how much is said.
        crafts: ids of those it may be: one, two, or, where it is unsure, those that cannot be ruled out. None where it
            is outside, or unsure and either all or none of the known ones can be ruled out.
        reason: why, in words.
        likely: ids of the traditions that cannot be ruled out, most probable first, if it is of a known one at all.
        advice: which further photo may tell more; "" but where it is unsure.
    """

    kind: Kind
    crafts: tuple[str, ...]
    reason: str
    likely: tuple[str, ...]
    advice: str = ""


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
    unfamiliar = familiarity < calibration.familiarity
    # Each photo by itself: the mean of photos that contradict each other is near to nothing, however near they are.
    if np.all(unfamiliar | (alone.max(axis=1) < calibration.known)):
        if unfamiliar.all():
            own, needed = _apart(float(familiarity.max()), calibration.familiarity)
            reason = (
                f"unlike every photo learned from (familiarity {own}, at least {needed} is needed): perhaps not a "
                "photo of such cloth"
            )
        elif unfamiliar.any():
            reason = "none of its photos is both like those learned from and near to a known tradition"
        else:
            own, needed = _apart(best, calibration.known)
            said = said if raised else f"a cosine of {own}"
            reason = f"the nearest has {said}, and next to no photo of a known tradition has less than {needed}"
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
        some = likely if len(likely) < len(crafts) else ()
        if not some:
            reason += f"; {'none stands out' if not likely else f'none of the {len(crafts)} can be ruled out'}"
        return Verdict("unsure", some, reason, likely, advice(likely))
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
    return verdicts(cosines, sides, familiarity, calibration)[0]


def verdicts(
    cosines: NDArray[np.floating[Any]],
    sides: NDArray[np.floating[Any]] | None,
    familiarity: NDArray[np.floating[Any]],
    calibration: Calibration,
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """The same, and beside the kind the traditions that each photo may be of: ``(N,), (N, C)``; none where it is
    outside. Where ``sides`` are None, it is not looked for two pieces in one picture."""
    order = np.argsort(-cosines, axis=1, kind="stable")
    ranked = np.take_along_axis(cosines, order, axis=1)
    gap = ranked[:, 0] - ranked[:, 1] if ranked.shape[1] > 1 else np.full(len(ranked), np.inf)
    second = order[:, min(1, order.shape[1] - 1)]
    between = gap < calibration.gap
    if sides is not None:
        beside = _side_by_side(cosines, sides, calibration)
        between |= beside >= 0
        second = np.where(beside >= 0, beside, second)
    outside = (familiarity < calibration.familiarity) | (ranked[:, 0] < calibration.known)
    unsure = ranked[:, 0] < calibration.cosine
    kind: NDArray[np.str_] = np.where(
        outside, "outside", np.where(unsure, "unsure", np.where(between, "between", "tradition"))
    )
    said = np.where((kind == "unsure")[:, None], calibration.prediction_sets(cosines), False)
    named, two = np.flatnonzero(~outside & ~unsure), np.flatnonzero(kind == "between")
    said[named, order[named, 0]] = True
    said[two, second[two]] = True
    return kind, said


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
    """The verdict as a heading.

    >>> in_words(Verdict("between", ("patola", "sambalpuri"), "", ()))
    'Between Patola and Sambalpuri'
    >>> in_words(Verdict("unsure", ("patola", "sambalpuri", "ajrakh"), "", ()))
    'Not sure, perhaps Patola, Sambalpuri or Ajrakh'
    """
    names = [craft_name(craft) for craft in verdict.crafts]
    match verdict.kind:
        case "tradition":
            return names[0]
        case "between":
            return f"Between {names[0]} and {names[1]}"
        case "unsure":
            return f"Not sure, perhaps {_any_of(names)}" if names else "Not sure which of the known traditions"
        case _:
            return "Outside the known traditions"


def _any_of(names: Sequence[str]) -> str:
    """
    >>> _any_of(["A"]), _any_of(["A", "B"]), _any_of("ABCDE")
    ('A', 'A or B', 'A, B, C or one of 2 others')
    """
    shown = (
        list(names) if len(names) <= _LISTED else [*names[: _LISTED - 1], f"one of {len(names) - _LISTED + 1} others"]
    )
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]
