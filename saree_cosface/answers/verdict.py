"""The verdict on a piece: a tradition, one of two, or none of those known; and how probable each tradition is.

A :class:`Calibration` holds what is needed to say so. ``saree_cosface.scoring.calibrate`` finds it from photos whose
source the embedder that scored them had never seen, nor, for the threshold on the cosine, their tradition.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from crepes import ConformalClassifier
from numpy.typing import NDArray
from scipy.stats import entropy

from saree_cosface.features.familiarity import Familiarity
from saree_cosface.files import atomic_path, write_json
from saree_cosface.metrics.calibration import probabilities

FOLDER = "calibration"
_DOCUMENT, _FEATURES = "calibration.json", "features.npy"

Kind = Literal["tradition", "between", "outside"]


class CalibrationError(ValueError):
    """A run cannot be calibrated, or its calibration not be read; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns cosines into a verdict and into probabilities.

    Attributes:
        false_accepts: the share of false answers that the thresholds allow: of pieces of other traditions that are
            given a name, and of given names that are wrong.
        cosine: least cosine to the nearest tradition at which it is named.
        gap: least lead of the first cosine over the second at which one name is given; infinite where none is enough.
        familiarity: least familiarity of a photo of cloth.
        temperature: of the softmax that makes probabilities of cosines.
        nonconformity: 1 minus the probability of the true tradition, of each calibration photo, ``(N,)``.
        knots: of the isotonic alternative, ``(2, K)``: probabilities of the first tradition, rising, and the shares of
            such answers that are right.
        photos: those learned from, which familiarity is measured by.
        crafts: ids of the traditions learned.
        genuine: mean cosine of a photo to the prototype of its tradition, where that was learned.
        kin: mean cosine between photos of one tradition, and of two sources, where it was not.
        found: how all this was found, for people.
    """

    false_accepts: float
    cosine: float
    gap: float
    familiarity: float
    temperature: float
    nonconformity: NDArray[np.float64]
    knots: NDArray[np.float64]
    photos: Familiarity
    crafts: tuple[str, ...]
    genuine: float
    kin: float
    found: Mapping[str, Any]

    def probabilities(self, cosines: NDArray[np.floating[Any]], photos: int = 1) -> NDArray[np.float64]:
        """Of each tradition, given that it is one of them: ``(..., C) -> (..., C)``.

        Args:
            cosines: of a piece: the mean over its photos, see :meth:`weights`.
            photos: how many it was photographed in. The temperature falls with their square root: less would not
                believe them enough, and with their number, as if they erred independently, too much.
        """
        return probabilities(cosines, self.temperature / math.sqrt(photos))

    def weights(self, cosines: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How much each photo of a piece counts: ``(P, C) -> (P,)``, summing to 1.

        As one over the number of traditions that the photo by itself leaves open, exp(entropy) of its probabilities:
        a close-up that is sure of one counts for more than a drape that could be any of ten.
        """
        open_ended = np.exp(entropy(self.probabilities(cosines), axis=1))
        shares: NDArray[np.float64] = (1 / open_ended) / (1 / open_ended).sum()
        return shares

    def allowances(
        self, cosines: NDArray[np.floating[Any]], crafts: Sequence[str], pieces: NDArray[np.int_]
    ) -> NDArray[np.float64]:
        """What each cosine is raised by before traditions are compared: ``(..., C) -> (..., C)``.

        Nothing for those learned. Photos of a tradition that was enrolled later lie less close to its prototype, since
        training has not gathered them, and next to none of them would be named. If two photos of it have a cosine c
        in the mean, one of them and the unit mean of k others have c sqrt(k / (1 + (k - 1) c)): what that is short
        of the mean of traditions learned is made good, up to a sum of 1.

        Args:
            cosines: of photos to each tradition.
            crafts: their ids.
            pieces: k, how many reference pieces each has, ``(C,)``.
        """
        count = np.maximum(pieces, 1)
        expected = self.kin * np.sqrt(count / (1 + (count - 1) * max(self.kin, 0.0)))
        short = np.where(np.isin(crafts, self.crafts), 0.0, np.maximum(self.genuine - expected, 0))
        raised: NDArray[np.float64] = np.minimum(short, np.maximum(1 - cosines, 0))
        return raised

    def isotonic(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance that the first tradition is the right one, from its probability, with no assumption but that it rises:
        ``(N,) -> (N,)``."""
        chances: NDArray[np.float64] = np.interp(confidence, self.knots[0], self.knots[1])
        return chances

    def prediction_sets(self, cosines: NDArray[np.floating[Any]], photos: int = 1) -> NDArray[np.bool_]:
        """Which traditions cannot be ruled out: ``(N, C) -> (N, C)``.

        Conformal: of photos like those of the calibration, at least 1 - ``false_accepts`` have theirs in the set. For
        pieces of several ``photos`` that is no theorem, only what was found.
        """
        sets = self._conformal.predict_set(
            1 - self.probabilities(cosines, photos), confidence=1 - self.false_accepts, smoothing=False
        )
        result: NDArray[np.bool_] = np.asarray(sets).astype(bool)
        return result

    @cached_property
    def _conformal(self) -> ConformalClassifier:
        classifier = ConformalClassifier()
        classifier.fit(self.nonconformity)
        return classifier

    def save(self, folder: Path) -> None:
        """Write it; the document, without which nothing is read, comes last."""
        with atomic_path(folder / _FEATURES) as temporary, temporary.open("wb") as file:
            np.save(file, self.photos.features)
        vectors = {"nonconformity": self.nonconformity.round(6).tolist(), "knots": self.knots.round(6).tolist()}
        write_json(folder / _DOCUMENT, {"format": 1, **self.to_json(), **vectors})

    def to_json(self) -> dict[str, Any]:
        """Thresholds, temperature and how they were found, as one JSON document."""
        return {
            "false_accepts": self.false_accepts,
            "cosine": self.cosine,
            "gap": self.gap if math.isfinite(self.gap) else None,
            "familiarity": self.familiarity,
            "temperature": self.temperature,
            "crafts": list(self.crafts),
            "genuine": self.genuine,
            "kin": self.kin,
            "found": dict(self.found),
        }

    @classmethod
    def load(cls, folder: Path) -> "Calibration | None":
        """Read it; None where there is none.

        Raises:
            CalibrationError: a file is damaged.
        """
        path = folder / _DOCUMENT
        if not path.is_file():
            return None
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            features = np.load(folder / _FEATURES, allow_pickle=False)
            gap = document["gap"]
            return cls(
                false_accepts=float(document["false_accepts"]),
                cosine=float(document["cosine"]),
                gap=math.inf if gap is None else float(gap),
                familiarity=float(document["familiarity"]),
                temperature=float(document["temperature"]),
                nonconformity=np.array(document["nonconformity"], dtype=np.float64),
                knots=np.array(document["knots"], dtype=np.float64),
                photos=Familiarity(features),
                crafts=tuple(document["crafts"]),
                genuine=float(document["genuine"]),
                kin=float(document["kin"]),
                found=document["found"],
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise CalibrationError(f"{path}: damaged ({error}); calibrate the run again.") from error


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
