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
from saree_cosface.languages.said import said, said_craft
from saree_cosface.languages.values import Amount, Listed, Said
from saree_cosface.runs.calibration import Calibration

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
    unfamiliar = familiarity < calibration.familiarity
    # Each photo by itself: the mean of photos that contradict each other is near to nothing, however near they are.
    if np.all(unfamiliar | (alone.max(axis=1) < calibration.known)):
        if unfamiliar.all():
            own, needed = _apart(float(familiarity.max()), calibration.familiarity)
            reason = said("verdict.unfamiliar", own=own, needed=needed)
        elif unfamiliar.any():
            reason = said("verdict.no_photo_both")
        else:
            own, needed = _apart(best, calibration.known)
            reason = said("verdict.far", cosine=_cosine(best, raised, own.digits), needed=needed)
        return Verdict("outside", (), reason, likely)
    # Before the cosine of the piece is looked at: the mean of photos that contradict each other is near to nothing.
    named = sorted({int(row.argmax()) for row in alone if names(row, calibration)})
    if len(named) > 1:
        named = sorted(named, key=lambda index: -float(cosines[index]))[:2]
        return Verdict("between", _ids(named, crafts), said("verdict.several_pieces"), likely)
    if best < calibration.cosine:
        own, needed = _apart(best, calibration.cosine)
        some = likely if len(likely) < len(crafts) else ()
        key = "verdict.too_far" if some else "verdict.too_far_for_any" if likely else "verdict.too_far_from_all"
        values = {"known": len(crafts)} if key == "verdict.too_far_for_any" else {}
        reason = said(key, cosine=_cosine(best, raised, own.digits), needed=needed, **values)
        return Verdict("unsure", some, reason, likely, advice(likely))
    gap = best - float(cosines[order[1]]) if len(order) > 1 else math.inf
    if gap < calibration.gap:
        own, least = _apart(gap, calibration.gap)
        reason = said("verdict.no_lead", own=own)
        if math.isfinite(calibration.gap):
            reason = said("verdict.apart", own=own, needed=least)
        return Verdict("between", _ids(order[:2], crafts), reason, likely)
    first = int(order[0])
    beside = _side_by_side(alone, sides, calibration)
    rivals = [int(near) for near in beside if near not in (-1, first)]
    if rivals:
        return Verdict("between", _ids([first, rivals[0]], crafts), said("verdict.two_sides"), likely)
    cosine = _cosine(best, raised)
    reason = said("verdict.ahead", cosine=cosine, gap=Amount(gap, 2)) if math.isfinite(gap) else cosine
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


def _apart(value: float, needed: float) -> tuple[Amount, Amount]:
    """Both with two decimals, or as many as it takes to tell them apart.

    >>> [each.digits for each in (*_apart(0.2, 0.29), *_apart(0.2917, 0.2923))]
    [2, 2, 4, 4]
    """
    digits = next((digits for digits in range(2, 6) if f"{value:.{digits}f}" != f"{needed:.{digits}f}"), 6)
    return Amount(value, digits), Amount(needed, digits)


def _cosine(best: float, raised: float, digits: int = 2) -> Said:
    """The cosine of a piece in words; what of it is an allowance is said beside it, both with two decimals."""
    if raised:
        return said("verdict.cosine_and_allowance", cosine=Amount(best - raised, 2), allowance=Amount(raised, 2))
    return said("verdict.cosine", cosine=Amount(best, digits))


def _ids(indices: Sequence[int] | NDArray[np.int_], crafts: Sequence[str]) -> tuple[str, ...]:
    return tuple(crafts[index] for index in indices)


def in_words(verdict: Verdict) -> Said:
    """The verdict as a heading.

    >>> in_words(Verdict("between", ("patola", "sambalpuri"), "", ()))
    'Between Patola and Sambalpuri'
    >>> in_words(Verdict("unsure", ("patola", "sambalpuri", "ajrakh"), "", ()))
    'Not sure, perhaps Patola, Sambalpuri or Ajrakh'
    """
    names = [said_craft(craft) for craft in verdict.crafts]
    match verdict.kind:
        case "tradition":
            return names[0]
        case "between":
            return said("verdict.between", first=names[0], second=names[1])
        case "unsure":
            return said("verdict.unsure", crafts=_any_of(names)) if names else said("verdict.unsure_of_all")
        case _:
            return said("verdict.outside")


def _any_of(names: Sequence[str]) -> Listed:
    """
    >>> _any_of("AB").items, _any_of("ABCDE").items
    (('A', 'B'), ('A', 'B', 'C', 'one of 2 others'))
    """
    if len(names) <= _LISTED:
        return Listed(tuple(names), "or")
    shown = names[: _LISTED - 1]
    return Listed((*shown, said("verdict.one_of_others", n=len(names) - len(shown))), "or")
