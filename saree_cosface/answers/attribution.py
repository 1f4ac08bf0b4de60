"""Attribution: from one or several photos of a piece to a verdict, ranked traditions and reference pieces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.verdict import Verdict, judge
from saree_cosface.languages.said import said
from saree_cosface.runs.any_gallery import AnyGallery
from saree_cosface.runs.calibration import Calibration
from saree_cosface.taxonomy import Taxonomy, craft_name


@dataclass(frozen=True)
class RankedTradition:
    """A tradition and the cosine between the piece and its prototype, the mean over the piece's photos.

    ``probability`` is that of the tradition, given that the piece is of a known one; None where the run is not
    calibrated. ``allowance`` is what the cosine of a tradition enrolled after training is raised by when they are
    ranked (:meth:`saree_cosface.runs.calibration.Calibration.allowances`).
    """

    craft: str
    name: str
    family: str
    place: str
    cosine: float
    probability: float | None = None
    allowance: float = 0.0


@dataclass(frozen=True)
class NearReference:
    """A reference photo near the piece; of each reference piece only the nearest photo is named."""

    craft: str
    piece: str
    source: str
    path: str
    thumbnail: str
    cosine: float
    sha256: str


@dataclass(frozen=True)
class PhotoSay:
    """What one photo of the piece says by itself, and how much that counts.

    Attributes:
        photo: the file.
        craft: the tradition nearest to it.
        name: of that tradition.
        cosine: to that tradition.
        cosine_to_answer: to the tradition that the whole piece is nearest to.
        disagrees: whether these are two traditions: another piece may be in the photo, or another part of this one.
        weight: its share in the answer; the shares of all photos sum to 1.
    """

    photo: str
    craft: str
    name: str
    cosine: float
    cosine_to_answer: float
    disagrees: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Attribution:
    """The answer for one piece.

    Attributes:
        photos: what was looked at.
        traditions: nearest first.
        references: nearest first.
        gap: cosine of the first tradition minus that of the second, with their allowances; 0 when there is only one.
        says: what each photo says by itself.
        verdict: which of the traditions it may be, if of any known one; None where the run is not calibrated.
    """

    photos: tuple[str, ...]
    traditions: tuple[RankedTradition, ...]
    references: tuple[NearReference, ...]
    gap: float
    says: tuple[PhotoSay, ...] = ()
    verdict: Verdict | None = None

    @property
    def disagreeing(self) -> tuple[PhotoSay, ...]:
        """The photos that by themselves would be another tradition than the piece."""
        return tuple(say for say in self.says if say.disagrees)


def attribute(
    embeddings: NDArray[np.float32],
    photos: Sequence[Path],
    gallery: AnyGallery,
    taxonomy: Taxonomy,
    *,
    top: int = 5,
    references: int = 5,
    calibration: Calibration | None = None,
    features: NDArray[np.float32] | None = None,
    sides: NDArray[np.float32] | None = None,
) -> Attribution:
    """Rank the traditions of the gallery for one piece.

    Args:
        embeddings: unit embeddings ``(P, D)`` of the piece's photos. The piece's cosines are the mean of theirs, in
            which each counts alike or, with a calibration, as much as it is sure of (``Calibration.weights``).
        photos: their files.
        gallery: references and prototypes.
        taxonomy: names the crafts; a craft it does not know goes by its label.
        top: how many traditions.
        references: how many reference pieces.
        calibration: of the run, for a verdict and probabilities.
        features: of the backbone, the mean over the views of each photo, ``(P, F)``; the verdict needs them, and
        sides: embeddings of the left, right, upper and lower side of each photo, ``(P, 4, D)``.

    Raises:
        ValueError: there is no photo, the gallery is empty, or it was made by another embedder.
    """
    if not len(embeddings):
        raise ValueError("no photo of the piece could be read, so there is nothing to attribute")
    if not len(gallery):
        raise ValueError(said("gallery.empty"))
    if embeddings.shape[1] != gallery.dimensions:
        raise ValueError("the gallery was made by another embedder; build it again with this one")

    def allowed(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
        if calibration is None:
            return np.zeros(cosines.shape)
        return calibration.allowances(cosines, gallery.crafts, gallery.pieces)

    alone = embeddings @ gallery.prototypes.T
    alone_ranked = alone + allowed(alone)
    weights = np.full(len(alone), 1 / len(alone)) if calibration is None else calibration.weights(alone_ranked)
    # Not brought to length 1: that would raise the cosines of a piece above those that the thresholds are for.
    fused = (weights @ embeddings).astype(np.float32)
    cosines = gallery.prototypes @ fused
    allowances = allowed(cosines)
    ranked = cosines + allowances
    order = np.argsort(-ranked, kind="stable")
    chances = None if calibration is None else calibration.probabilities(ranked, len(alone))
    verdict = None
    if calibration is not None and features is not None and sides is not None:
        familiarity, parts = calibration.photos(features), sides @ gallery.prototypes.T
        parts = parts + allowed(parts)
        verdict = judge(ranked, alone_ranked, parts, familiarity, gallery.crafts, calibration, allowances)
    return Attribution(
        photos=tuple(str(photo) for photo in photos),
        traditions=tuple(
            replace(
                _tradition(gallery.crafts[index], float(cosines[index]), taxonomy),
                probability=None if chances is None else float(chances[index]),
                allowance=float(allowances[index]),
            )
            for index in order[:top]
        ),
        references=tuple(
            NearReference(
                **{column: str(near[column]) for column in ("craft", "piece", "source", "path", "thumbnail", "sha256")},
                cosine=float(near["cosine"]),
            )
            for near in gallery.neighbours(fused, references).to_dict("records")
        ),
        gap=float(ranked[order[0]] - ranked[order[1]]) if len(order) > 1 else 0.0,
        says=tuple(
            _say(
                str(photo),
                own,
                int(own_ranked.argmax()),
                float(weight),
                int(order[0]),
                gallery.crafts,
                taxonomy,
            )
            for photo, own, own_ranked, weight in zip(photos, alone, alone_ranked, weights, strict=True)
        ),
        verdict=verdict,
    )


def _say(
    photo: str,
    cosines: NDArray[np.float32],
    own: int,
    weight: float,
    answer: int,
    crafts: Sequence[str],
    taxonomy: Taxonomy,
) -> PhotoSay:
    name = _tradition(crafts[own], 0.0, taxonomy).name
    return PhotoSay(photo, crafts[own], name, float(cosines[own]), float(cosines[answer]), own != answer, weight)


def _tradition(craft: str, cosine: float, taxonomy: Taxonomy) -> RankedTradition:
    if craft not in taxonomy:
        return RankedTradition(craft, craft_name(craft), "", "", cosine)
    known = taxonomy[craft]
    return RankedTradition(craft, known.name, known.family, known.place, cosine)
