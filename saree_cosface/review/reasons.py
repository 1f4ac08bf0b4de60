"""Reasons to look at a photo again: labels that are doubted, pieces that disagree, odd ones, strangers.

Each function looks for one kind of them in a collection; copies and leaks are in ``saree_cosface.review.copies``.

What is compared are the backbone's own features, mostly with what all photos share taken off: training has pulled
photos towards their labels, right or wrong, and would hide what is looked for. A photo without a label is of no craft.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.collection import Collection
from saree_cosface.languages.said import said, said_craft
from saree_cosface.languages.values import Amount, Listed
from saree_cosface.metrics.neighbourhood import nearest_neighbours, unit
from saree_cosface.metrics.outliers import outliers
from saree_cosface.review.judging import HeldOutLabels

Kind = Literal["label", "contradiction", "duplicate", "piece", "leak", "outlier", "foreign", "source", "caption"]

KINDS: dict[Kind, str] = {
    "label": "doubtful label",
    "contradiction": "near-duplicate with another label",
    "piece": "piece whose photos disagree",
    "leak": "leak across the split",
    "foreign": "perhaps no saree",
    "duplicate": "near-duplicate within a label",
    "outlier": "unlike the others of its craft",
    "source": "cluster of one source",
    "caption": "label from a caption",
}
"""What documents and tables call them; the interface has a text of each, ``reason.kind_NAME``."""

NEAREST = 5

_FAR = 2.0
"""Interquartile ranges below the lower quartile from which on a photo is perhaps no saree. Of 8 faces, 4 blank pictures
and 4 screenshots among 311 photos of sarees and 12 copies, 1.5 finds all and 3 sarees, 3 loses 4."""

_LEAST_FAR = 0.15
"""And the least cosine by which it must be further off than is usual, where all photos are much alike."""

_MOST_BY_CHANCE = 0.5
_DOMINATED = 0.8
_FEWEST = 5


@dataclass(frozen=True)
class Reason:
    """Why a photo is worth another look.

    Attributes:
        kind: a key of ``KINDS``.
        row: of the photo in the collection.
        score: how sure it is that a person should act, from 0 to 1; what kinds are worth is a matter of judgement.
        says: in words.
        rival: id of the craft that it may be instead; "" where none is meant.
        others: rows of the photos that speak for it.
    """

    kind: Kind
    row: int
    score: float
    says: str
    rival: str = ""
    others: tuple[int, ...] = ()


def label_errors(found: HeldOutLabels) -> list[Reason]:
    """Labels that those who never saw the photo or its source do not believe.

    Confident learning says which are probably wrong; other photos that would be given another label are half as
    suspicious.

    References: Northcutt, Jiang & Chuang, Confident Learning, arXiv:1911.00068, as cleanlab has it.
    """
    from cleanlab.filter import find_label_issues  # slow to import, and nothing that the app needs to start

    judged = np.flatnonzero(found.judges > 0)
    if not len(judged) or len(found.crafts) < 2:
        return []
    chances = found.probabilities[judged]
    probable = np.zeros(len(found.labels), dtype=np.bool_)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")  # and names crafts by numbers
        probable[judged] = find_label_issues(found.labels[judged], chances, n_jobs=1)
    rivals, own = found.rivals, found.own
    reasons = []
    for row in judged.tolist():
        rival = found.probabilities[row, rivals[row]]
        if rival <= own[row]:
            continue
        key = f"reason.label_{'probably' if probable[row] else 'perhaps'}{'' if found.judges[row] > 1 else '_to_one'}"
        says = said(
            key,
            rival=said_craft(str(found.crafts[rivals[row]])),
            chance=Amount(float(rival), 2),
            craft=said_craft(str(found.crafts[found.labels[row]])),
            own=Amount(float(own[row]), 2),
        )
        score = float((1 - own[row]) * (1 if probable[row] else 0.5))
        reasons.append(Reason("label", row, score, says, str(found.crafts[rivals[row]])))
    return reasons


def disagreeing_pieces(collection: Collection, found: HeldOutLabels) -> list[Reason]:
    """Photos of one saree with several labels; and ones that look like another craft than the rest of their piece."""
    crafts, reasons = collection.manifest.crafts, []
    for everyone in together(collection.manifest.pieces):
        rows = everyone[crafts[everyone] != ""]
        labels, counts = np.unique(crafts[rows], return_counts=True)
        if len(labels) > 1:
            for row in rows.tolist():
                share = counts[labels == crafts[row]][0] / len(rows)
                rival = str(labels[np.where(labels == crafts[row], -1, counts).argmax()])
                says = said("reason.piece_labels", labels=len(labels), crafts=_listed(labels, counts))
                others = tuple(int(other) for other in rows if crafts[other] == rival)
                reasons.append(Reason("piece", row, 0.95 * (1 - share), says, rival, others))
            continue
        if len(rows) < 3 or not (found.judges[rows] > 0).all():
            continue
        looks = found.probabilities[rows].argmax(axis=1)
        seen, votes = np.unique(looks, return_counts=True)
        if len(seen) > 1 and votes.max() > len(rows) / 2:
            for row, look in zip(rows.tolist(), looks.tolist(), strict=True):
                if look != seen[votes.argmax()]:
                    name, score = said_craft(str(found.crafts[look])), 0.4 * float(found.probabilities[row, look])
                    says = said("reason.piece_looks", craft=name, others=len(rows) - 1)
                    others = tuple(int(other) for other in rows if other != row)
                    rival = "" if look == found.labels[row] else str(found.crafts[look])
                    reasons.append(Reason("piece", row, score, says, rival, others))
    return reasons


def odd_ones(collection: Collection, features: NDArray[np.float32]) -> list[Reason]:
    """Photos that are less like the nearest photos of their craft, and other pieces, than is usual in it."""
    crafts, pieces = collection.manifest.crafts, collection.manifest.pieces
    typical = np.full(len(crafts), np.nan)
    near: dict[int, tuple[int, ...]] = {}
    for rows in together(crafts):
        if not crafts[rows[0]]:
            continue
        cosines = features[rows] @ features[rows].T
        cosines[pieces[rows][:, None] == pieces[rows][None]] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
        best = np.take_along_axis(cosines, order, axis=1)
        usable = np.isfinite(best).all(axis=1) & (best.shape[1] == NEAREST)
        typical[rows[usable]] = best[usable].mean(axis=1)
        near |= {int(row): tuple(map(int, rows[some])) for row, some in zip(rows, order, strict=True)}
    reasons = []
    for row in np.flatnonzero(outliers(typical, crafts)).tolist():
        usual = float(np.nanmedian(typical[crafts == crafts[row]]))
        says = said("reason.outlier", cosine=Amount(float(typical[row]), 2), usual=Amount(usual, 2))
        reasons.append(Reason("outlier", row, 0.3, says, "", near[row]))
    return reasons


def foreigners(features: NDArray[np.floating[Any]]) -> list[Reason]:
    """Photos that lie far from the middle of the collection: faces, screenshots, blank pages among cloth.

    The middle is the median, which strangers do not move while they are few, alike as they may be.

    Args:
        features: as they are, ``(N, F)``: what all photos share is what a stranger lacks.
    """
    if len(features) < _FEWEST:
        return []
    units = unit(features.astype(np.float32))
    shared = units @ unit(np.median(units, axis=0, keepdims=True))[0]
    low, usual, high = np.quantile(shared, (0.25, 0.5, 0.75))
    least = min(low - _FAR * (high - low), usual - _LEAST_FAR)
    return [
        Reason(
            "foreign", row, 0.6, said("reason.foreign", cosine=Amount(float(shared[row]), 2), usual=Amount(usual, 2))
        )
        for row in np.flatnonzero(shared < least).tolist()
    ]


def dominated_by_source(collection: Collection) -> list[Reason]:
    """Photos of one craft and source whose neighbours are nearly all of that source, though others have the craft.

    One reason a craft and source, on the photo that is most like the rest. What is looked at is the embedding: this is
    about the model, which has learned a shop there.
    """
    crafts, sources = collection.manifest.crafts, collection.manifest.sources
    near, _ = nearest_neighbours(collection.embeddings, 2 * NEAREST)
    same = (sources[near] == sources[:, None]).mean(axis=1) if near.shape[1] else np.zeros(len(sources))
    reasons = []
    for rows in together(np.char.add(np.char.add(crafts, "\n"), sources)):
        craft, source = crafts[rows[0]], sources[rows[0]]
        by_chance = len(rows) / int((crafts == craft).sum())
        if len(rows) < _FEWEST or not craft or not source:
            continue
        if by_chance > _MOST_BY_CHANCE or same[rows].mean() < _DOMINATED:
            continue
        middle = rows[(collection.embeddings[rows] @ collection.embeddings[rows].mean(axis=0)).argmax()]
        says = said(
            "reason.source",
            photos=len(rows),
            source=str(source),
            near=Amount(float(same[rows].mean()), share=True),
            share=Amount(by_chance, share=True),
        )
        reasons.append(Reason("source", int(middle), 0.2, says, "", tuple(map(int, rows[rows != middle][:NEAREST]))))
    return reasons


def from_captions(collection: Collection) -> list[Reason]:
    """Labels that rest on a caption, which nobody has compared with the cloth: the least urgent of all reasons, and the
    commonest. A photo with a doubt beside comes before."""
    table = collection.manifest.table
    captions = table["title"] if "title" in table.columns else table["note"]
    rows = np.flatnonzero(collection.manifest.from_captions & (collection.manifest.crafts != "")).tolist()
    by = [(captions.iloc[row], table["source"].iloc[row]) for row in rows]
    says = [
        said("reason.caption", caption=str(caption), source=str(source))
        if source
        else said("reason.caption_of_nobody", caption=str(caption))
        for caption, source in by
    ]
    return [Reason("caption", row, 0.1, each) for row, each in zip(rows, says, strict=True)]


def unfamiliar(collection: Collection) -> list[Reason]:
    """Photos labelled by a caption that are less like the cloth a calibrated run has learned from than it takes for
    such: a search for a craft brings the town as well, and there may be more forts in a collection than sarees."""
    rows = np.flatnonzero(collection.manifest.from_captions)
    calibration = collection.run.calibration if len(rows) else None
    if calibration is None:
        return []
    found = calibration.photos(collection.features[rows])
    few, needed = found < calibration.familiarity, Amount(calibration.familiarity, 2)
    return [
        Reason("foreign", row, 0.6, said("reason.unfamiliar", familiarity=Amount(value, 2), needed=needed))
        for row, value in zip(rows[few].tolist(), found[few].tolist(), strict=True)
    ]


def together(names: NDArray[np.str_]) -> list[NDArray[np.int_]]:
    """Rows of each name that occurs more than once."""
    _, code, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    return [rows for rows in np.split(order, np.cumsum(counts)[:-1]) if len(rows) > 1]


def _listed(labels: Sequence[str] | NDArray[np.str_], counts: NDArray[np.int_]) -> Listed:
    order = np.argsort(-counts, kind="stable")
    counted = (
        said("reason.counted", craft=said_craft(str(labels[index])), photos=int(counts[index])) for index in order
    )
    return Listed(tuple(counted), ",")
