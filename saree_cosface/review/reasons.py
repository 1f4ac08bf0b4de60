"""Reasons to look at a photo again: each function looks for one kind of them in a collection.

What is compared are the backbone's own features, mostly with what all photos share taken off: training has pulled
photos towards their labels, right or wrong, and would hide what is looked for. A photo without a label is of no craft.
"""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from saree_cosface.data.duplicates import HASH_SIDE, MAX_DISTANCE, near_duplicate_pairs, perceptual_hash
from saree_cosface.data.images import BadImage, decode, map_files
from saree_cosface.html.page import craft_name
from saree_cosface.maps.collection import Collection, outliers
from saree_cosface.metrics.neighbourhood import nearest_neighbours
from saree_cosface.review.held_out import HeldOutLabels

Kind = Literal["label", "contradiction", "duplicate", "piece", "leak", "outlier", "foreign", "source"]

KINDS: dict[Kind, str] = {
    "label": "doubtful label",
    "contradiction": "near-duplicate with another label",
    "piece": "piece whose photos disagree",
    "leak": "leak across the split",
    "foreign": "perhaps no saree",
    "duplicate": "near-duplicate within a label",
    "outlier": "unlike the others of its craft",
    "source": "cluster of one source",
}

ALIKE = 0.7
"""Cosine of two photos from which on they are hashed, to see whether they are copies. Unrelated photos rarely reach it,
and copies of lesser size or quality are far above."""

_DIRECTIONS = 128
_COPIES_AMONG = 8  # nearest photos among which copies are looked for
_NEAREST = 5
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


def centred(features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Features of length 1, without what all have in common: ``(N, F) -> (N, F)``."""
    unit = _unit(features.astype(np.float32))
    return _unit(unit - unit.mean(axis=0))


def label_errors(found: HeldOutLabels) -> list[Reason]:
    """Labels that those who never saw the photo or its source do not believe.

    Confident learning says which are probably wrong; other photos that would be given another label are half as
    suspicious.

    References: Northcutt, Jiang & Chuang, Confident Learning, arXiv:1911.00068, as cleanlab has it.
    """
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
        name, craft = craft_name(str(found.crafts[rivals[row]])), craft_name(str(found.crafts[found.labels[row]]))
        says = f"{'probably' if probable[row] else 'perhaps'} {name} ({rival:.2f}) rather than {craft} ({own[row]:.2f})"
        says += "" if found.judges[row] > 1 else f"; only one of two judges knew {craft}"
        score = float((1 - own[row]) * (1 if probable[row] else 0.5))
        reasons.append(Reason("label", row, score, says, str(found.crafts[rivals[row]])))
    return reasons


def copies(collection: Collection, features: NDArray[np.float32]) -> NDArray[np.int_]:
    """Pairs of photos that show the same picture, perhaps mirrored: ``(P, 2)``, each ``i < j``.

    Args:
        collection: of which only photos with another one near are decoded.
        features: as :func:`centred`.
    """
    near, _ = nearest_neighbours(_principal(features), _COPIES_AMONG)
    cosines = np.stack([(features * features[column]).sum(axis=1) for column in near.T], axis=1) if near.size else near
    left, column = np.nonzero(cosines >= ALIKE)
    right = near[left, column]
    rows, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    found: set[tuple[int, int]] = set()
    if len(rows):
        files = collection.manifest.files()
        hashes = np.stack(map_files(_hash_both_ways, [files[row] for row in rows], "Hashing photos"))
        found |= {(int(rows[one]), int(rows[other])) for one, other in near_duplicate_pairs(hashes[:, 0])}
        upright, mirrored = hashes[place[: len(left)], 0], hashes[place[len(left) :], 1]
        same = ((upright != mirrored).sum(axis=1) <= MAX_DISTANCE) & upright.any(axis=1) & mirrored.any(axis=1)
        found |= {(min(pair), max(pair)) for pair in zip(left[same].tolist(), right[same].tolist(), strict=True)}
    _, content = np.unique(collection.sha256, return_inverse=True)
    order = np.argsort(content, kind="stable")
    same = content[order[1:]] == content[order[:-1]]  # of one content, though without structure worth a hash
    found |= {(int(min(pair)), int(max(pair))) for pair in zip(order[:-1][same], order[1:][same], strict=True)}
    return np.array(sorted(found), dtype=np.int_).reshape(-1, 2)


def copied(collection: Collection, pairs: NDArray[np.int_]) -> list[Reason]:
    """Copies with different labels, and copies with one label, of which all but the largest file could go.

    A photo has one reason of each kind, however many copies there are.
    """
    crafts, paths = collection.manifest.crafts, collection.manifest.table["path"].tolist()
    files = collection.manifest.files()
    worth = {row: (crafts[row] != "", _size(files[row]), -row) for row in np.unique(pairs).tolist()}
    reasons = []
    for row, others in _partners(pairs).items():
        contrary = [other for other in others if crafts[row] and crafts[other] not in ("", crafts[row])]
        if contrary:
            rival, more = str(crafts[contrary[0]]), len(contrary) - 1
            says = f"the same picture is {craft_name(rival)} as {paths[contrary[0]]}"
            says += f" (and {more} more with another label)" if more else ""
            reasons.append(Reason("contradiction", row, 0.95, says, rival, tuple(contrary)))
        better = [other for other in others if other not in contrary and worth[other] > worth[row]]
        if better:
            kept = max(better, key=worth.__getitem__)
            reasons.append(Reason("duplicate", row, 0.4, f"the same picture as {paths[kept]}", "", (kept,)))
    return reasons


def disagreeing_pieces(collection: Collection, found: HeldOutLabels) -> list[Reason]:
    """Photos of one saree with several labels; and ones that look like another craft than the rest of their piece."""
    crafts, reasons = collection.manifest.crafts, []
    for everyone in _together(collection.manifest.pieces):
        rows = everyone[crafts[everyone] != ""]
        labels, counts = np.unique(crafts[rows], return_counts=True)
        if len(labels) > 1:
            for row in rows.tolist():
                share = counts[labels == crafts[row]][0] / len(rows)
                rival = str(labels[np.where(labels == crafts[row], -1, counts).argmax()])
                says = f"its piece has {len(labels)} labels: {_listed(labels, counts)}"
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
                    name, score = craft_name(str(found.crafts[look])), 0.4 * float(found.probabilities[row, look])
                    says = f"looks like {name}, unlike the other {len(rows) - 1} photos of its piece"
                    others = tuple(int(other) for other in rows if other != row)
                    rival = "" if look == found.labels[row] else str(found.crafts[look])
                    reasons.append(Reason("piece", row, score, says, rival, others))
    return reasons


def leaks(collection: Collection, pairs: NDArray[np.int_]) -> list[Reason]:
    """Held-out photos of which a copy, their piece or their source was trained on: their score says nothing."""
    parts, paths = collection.parts, collection.manifest.table["path"].tolist()
    held = np.isin(parts, ("test", "validation"))
    reasons = []
    for row, others in _partners(pairs).items():
        learned = [other for other in others if parts[other] == "train"]
        if held[row] and learned:
            says = f"held out ({parts[row]}), but a copy was trained on: {paths[learned[0]]}"
            reasons.append(Reason("leak", row, 0.8, says, "", tuple(learned)))
    for names, what in ((collection.manifest.pieces, "piece"), (collection.manifest.sources, "source")):
        for rows in _together(names):
            trained, out = rows[parts[rows] == "train"], rows[held[rows]]
            if len(trained) and len(out) and names[rows[0]]:
                says = f"photos of its {what} that were held out: {len(out)}, that were trained on: {len(trained)}"
                first = int(out[0])
                reasons.append(Reason("leak", first, 0.7, says, "", tuple(map(int, trained[:_NEAREST]))))
    return reasons


def odd_ones(collection: Collection, features: NDArray[np.float32]) -> list[Reason]:
    """Photos that are less like the nearest photos of their craft, and other pieces, than is usual in it."""
    crafts, pieces = collection.manifest.crafts, collection.manifest.pieces
    typical = np.full(len(crafts), np.nan)
    near: dict[int, tuple[int, ...]] = {}
    for rows in _together(crafts):
        if not crafts[rows[0]]:
            continue
        cosines = features[rows] @ features[rows].T
        cosines[pieces[rows][:, None] == pieces[rows][None]] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :_NEAREST]
        best = np.take_along_axis(cosines, order, axis=1)
        usable = np.isfinite(best).all(axis=1) & (best.shape[1] == _NEAREST)
        typical[rows[usable]] = best[usable].mean(axis=1)
        near |= {int(row): tuple(map(int, rows[some])) for row, some in zip(rows, order, strict=True)}
    reasons = []
    for row in np.flatnonzero(outliers(typical, crafts)).tolist():
        usual = float(np.nanmedian(typical[crafts == crafts[row]]))
        says = f"a cosine of {typical[row]:.2f} to the nearest five of its craft, where {usual:.2f} is usual"
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
    unit = _unit(features.astype(np.float32))
    shared = unit @ _unit(np.median(unit, axis=0, keepdims=True))[0]
    low, usual, high = np.quantile(shared, (0.25, 0.5, 0.75))
    least = min(low - _FAR * (high - low), usual - _LEAST_FAR)
    says = "a cosine of {:.2f} to the middle of the collection, where {:.2f} is usual"
    return [Reason("foreign", int(row), 0.6, says.format(shared[row], usual)) for row in np.flatnonzero(shared < least)]


def dominated_by_source(collection: Collection) -> list[Reason]:
    """Photos of one craft and source whose neighbours are nearly all of that source, though others have the craft.

    One reason a craft and source, on the photo that is most like the rest. What is looked at is the embedding: this is
    about the model, which has learned a shop there.
    """
    crafts, sources = collection.manifest.crafts, collection.manifest.sources
    near, _ = nearest_neighbours(collection.embeddings, 2 * _NEAREST)
    same = (sources[near] == sources[:, None]).mean(axis=1) if near.shape[1] else np.zeros(len(sources))
    reasons = []
    for rows in _together(np.char.add(np.char.add(crafts, "\n"), sources)):
        craft, source = crafts[rows[0]], sources[rows[0]]
        by_chance = len(rows) / int((crafts == craft).sum())
        if len(rows) < _FEWEST or not craft or not source:
            continue
        if by_chance > _MOST_BY_CHANCE or same[rows].mean() < _DOMINATED:
            continue
        middle = rows[(collection.embeddings[rows] @ collection.embeddings[rows].mean(axis=0)).argmax()]
        says = (
            f"the {len(rows)} photos of {source} lie by themselves: {same[rows].mean():.0%} of their neighbours are "
            f"of that source, which has {by_chance:.0%} of the craft"
        )
        reasons.append(Reason("source", int(middle), 0.2, says, "", tuple(map(int, rows[rows != middle][:_NEAREST]))))
    return reasons


def _together(names: NDArray[np.str_]) -> list[NDArray[np.int_]]:
    """Rows of each name that occurs more than once."""
    _, code, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    return [rows for rows in np.split(order, np.cumsum(counts)[:-1]) if len(rows) > 1]


def _partners(pairs: NDArray[np.int_]) -> dict[int, list[int]]:
    """The other rows that each row of ``pairs`` is paired with, ascending."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for left, right in pairs.tolist():
        found[left].append(right)
        found[right].append(left)
    return {row: sorted(found[row]) for row in sorted(found)}


def _principal(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The directions in which photos differ most, of length 1 again: enough to see what is nearly the same, and a tenth
    of the work where there are many."""
    if len(features) <= _DIRECTIONS:
        return features
    reduced = PCA(_DIRECTIONS, svd_solver="randomized", random_state=0).fit_transform(features)
    return _unit(reduced.astype(np.float32))


def _hash_both_ways(path: Path) -> NDArray[np.bool_]:
    """Hashes of a photo and of its mirror image, ``(2, bits)``; without a bit set if it cannot be read."""
    try:
        pixels = decode(path, shrink_to=HASH_SIDE)
    except BadImage:
        pixels = np.zeros((1, 1, 3), np.uint8)
    return np.stack([perceptual_hash(pixels), perceptual_hash(np.ascontiguousarray(pixels[:, ::-1]))])


def _listed(labels: Sequence[str] | NDArray[np.str_], counts: NDArray[np.int_]) -> str:
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{craft_name(str(labels[index]))} ({counts[index]})" for index in order)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
