"""The calibration of a run: what turns cosines into a verdict and into probabilities.

``saree_cosface.scoring.calibrate`` finds it from photos whose source the embedder that scored them had never seen, nor,
for the threshold on the cosine, their tradition.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from saree_cosface.features.familiarity import Familiarity
from saree_cosface.files import atomic_path, write_json
from saree_cosface.metrics.calibration import probabilities

FOLDER = "calibration"
FORMAT = 2
"""Of the document; 1 had one threshold on the cosine."""

_DOCUMENT, _FEATURES = "calibration.json", "features.npy"


class CalibrationError(ValueError):
    """A run cannot be calibrated, or its calibration not be read; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns cosines into a verdict and into probabilities.

    Attributes:
        false_accepts: the share of false answers that the thresholds allow: of pieces of other traditions that are
            given a name, and of given names that are wrong.
        cosine: least cosine to the nearest tradition at which it is named.
        known: least cosine to the nearest tradition of a photo that may be of a known one; never above ``cosine``.
            Photos below it, or below ``familiarity``, are outside the known traditions.
        gap: least lead of the first cosine over the second at which one name is given; infinite where none is enough.
        familiarity: least familiarity of a photo of such cloth.
        temperature: of the softmax that makes probabilities of cosines.
        nonconformity: 1 minus the probability of the true tradition, of each calibration photo, ``(N,)``.
        knots: of the isotonic alternative, ``(2, K)``: probabilities of the first tradition, rising, and the shares of
            such answers that are right.
        photos: those learned from, which familiarity is measured by.
        crafts: ids of the traditions learned.
        genuine: mean cosine of a photo to the prototype of its tradition, where that was learned.
        kin: mean cosine between photos of one tradition, and of two sources, where it was not.
        found: how all this was found, for people: how well out of fold the nearest tradition is the right one, how well
            other crafts are told from these, and for each kind of verdict how often it is given and how often wrong.
    """

    false_accepts: float
    cosine: float
    known: float
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
        open_ended = np.exp(entr(self.probabilities(cosines)).sum(axis=1))
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

        Conformal (Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005, section 2.2): a tradition is
        ruled out where fewer than a share of ``false_accepts`` of the calibration's photos and this one are as strange
        to their own. Of photos like those, at least 1 - ``false_accepts`` have theirs in the set. For pieces of several
        ``photos`` that is no theorem, only what was found.
        """
        strange = 1 - self.probabilities(cosines, photos)
        count = len(self.nonconformity)
        stranger = count - np.searchsorted(np.sort(self.nonconformity), strange, side="left")
        sets: NDArray[np.bool_] = (stranger + 1) / (count + 1) >= self.false_accepts
        return sets

    def save(self, folder: Path) -> None:
        """Write it; the document, without which nothing is read, comes last."""
        with atomic_path(folder / _FEATURES) as temporary, temporary.open("wb") as file:
            np.save(file, self.photos.features)
        vectors = {"nonconformity": self.nonconformity.round(6).tolist(), "knots": self.knots.round(6).tolist()}
        write_json(folder / _DOCUMENT, {"format": FORMAT, **self.to_json(), **vectors})

    def to_json(self) -> dict[str, Any]:
        """Thresholds, temperature and how they were found, as one JSON document."""
        return {
            "false_accepts": self.false_accepts,
            "cosine": self.cosine,
            "known": self.known,
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
            CalibrationError: a file is damaged, or of another version.
        """
        path = folder / _DOCUMENT
        if not path.is_file():
            return None
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            written = document["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CalibrationError(f"{path}: damaged ({error}); calibrate the run again.") from error
        if written != FORMAT:
            raise CalibrationError(
                f"{path}: of another version of saree-cosface (format {written}, here {FORMAT}), whose verdicts were "
                f"others. Run `saree-cosface calibrate {folder.parent}` again."
            )
        try:
            features = np.load(folder / _FEATURES, allow_pickle=False)
            gap = document["gap"]
            return cls(
                false_accepts=float(document["false_accepts"]),
                cosine=float(document["cosine"]),
                known=float(document["known"]),
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
