"""Reasons to look at a photo again: each function looks for one kind of them in a collection.

What is compared are the backbone's own features, with what all photos share taken off: training has pulled photos
towards their labels, right or wrong, and would hide what is looked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from saree_cosface.collection import Collection, outliers
from saree_cosface.data.duplicates import near_duplicate_pairs, perceptual_hashes
from saree_cosface.metrics.neighbourhood import nearest_neighbours
from saree_cosface.pages import craft_name
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

_COPIES_AMONG = 8  # nearest photos among which copies are looked for
_NEAREST = 5
_FAMILIAR = 20  # as saree_cosface.familiarity
_FAR = 3.0  # interquartile ranges below the lower quartile: Tukey's outer fence
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
    probable[judged] = find_label_issues(found.labels[judged], chances, n_jobs=1)
    rivals, own = found.rivals, found.own
    reasons = []
    for row in judged.tolist():
        rival = found.probabilities[row, rivals[row]]
        if rival <= own[row]:
            continue
        name, craft = craft_name(str(found.crafts[rivals[row]])), craft_name(str(found.crafts[found.labels[row]]))
        says = f"{'probably' if probable[row] else 'perhaps'} {name} ({rival:.2f}) rather than {craft} ({own[row]:.2f})"
        says += "" if found.judges[row] > 1 else "; no other source has this craft, so its own was asked"
        score = float((1 - own[row]) * (1 if probable[row] else 0.5))
        reasons.append(Reason("label", row, score, says, str(found.crafts[rivals[row]])))
    return reasons


def copies(collection: Collection, features: NDArray[np.float32]) -> NDArray[np.int_]:
    """Pairs of photos that show the same picture: ``(P, 2)``, each ``i < j``.

    Args:
        collection: of which only photos with another one near are decoded.
        features: as :func:`centred`.
    """
    near, cosines = nearest_neighbours(features, _COPIES_AMONG)
    rows = np.flatnonzero((cosines >= ALIKE).any(axis=1)) if near.shape[1] else np.zeros(0, np.int_)
    rows = np.union1d(rows, near[cosines >= ALIKE]).astype(np.int_)
    files = collection.manifest.files()
    pairs = near_duplicate_pairs(perceptual_hashes([files[row] for row in rows]))
    found = {(int(rows[left]), int(rows[right])) for left, right in pairs}
    _, content = np.unique(collection.sha256, return_inverse=True)
    order = np.argsort(content, kind="stable")
    same = content[order[1:]] == content[order[:-1]]  # of one content, though without structure worth a hash
    found |= {(int(min(pair)), int(max(pair))) for pair in zip(order[:-1][same], order[1:][same], strict=True)}
    return np.array(sorted(found), dtype=np.int_).reshape(-1, 2)


def copied(collection: Collection, pairs: NDArray[np.int_]) -> list[Reason]:
    """Copies with different labels, and copies with one label, of which all but the largest file could go."""
    crafts, paths = collection.manifest.crafts, collection.manifest.table["path"].tolist()
    sizes = [_size(path) for path in collection.manifest.files()]
    reasons = []
    for left, right in pairs.tolist():
        if crafts[left] != crafts[right]:
            for row, other in ((left, right), (right, left)):
                says = f"the same picture is {craft_name(crafts[other])} as {paths[other]}"
                reasons.append(Reason("contradiction", row, 0.95, says, str(crafts[other]), (other,)))
        else:
            row, other = sorted((left, right), key=lambda row: (sizes[row], -row))
            reasons.append(Reason("duplicate", row, 0.4, f"the same picture as {paths[other]}", "", (other,)))
    return reasons


def disagreeing_pieces(collection: Collection, found: HeldOutLabels) -> list[Reason]:
    """Photos of one saree with several labels; and ones that look like another craft than the rest of their piece."""
    crafts, reasons = collection.manifest.crafts, []
    for rows in _together(collection.manifest.pieces):
        labels, counts = np.unique(crafts[rows], return_counts=True)
        if len(labels) > 1:
            for row in rows.tolist():
                share = counts[labels == crafts[row]][0] / len(rows)
                rival = str(labels[np.where(labels == crafts[row], -1, counts).argmax()])
                says = f"its piece has {len(labels)} labels: {_listed(labels, counts)}"
                others = tuple(int(other) for other in rows if crafts[other] == rival)
                reasons.append(Reason("piece", row, 0.95 * (1 - share), says, rival, others))
            continue
        looks = found.probabilities[rows].argmax(axis=1) if (found.judges[rows] > 0).all() else np.zeros(len(rows))
        seen, votes = np.unique(looks, return_counts=True)
        if len(seen) > 1 and len(rows) > 2 and votes.max() > len(rows) / 2:
            for row, look in zip(rows.tolist(), looks.tolist(), strict=True):
                if look != seen[votes.argmax()]:
                    name, score = craft_name(str(found.crafts[look])), 0.4 * float(found.probabilities[row, look])
                    says = f"looks like {name}, unlike the other {len(rows) - 1} photos of its piece"
                    others = tuple(int(other) for other in rows if other != row)
                    reasons.append(Reason("piece", row, score, says, str(found.crafts[look]), others))
    return reasons


def leaks(collection: Collection, pairs: NDArray[np.int_]) -> list[Reason]:
    """Held-out photos of which a copy, their piece or their source was trained on: their score says nothing."""
    parts, paths = collection.parts, collection.manifest.table["path"].tolist()
    held = np.isin(parts, ("test", "validation"))
    reasons = []
    for left, right in pairs.tolist():
        for row, other in ((left, right), (right, left)):
            if held[row] and parts[other] == "train":
                says = f"held out ({parts[row]}), but a copy was trained on: {paths[other]}"
                reasons.append(Reason("leak", row, 0.8, says, "", (other,)))
    for names, what in ((collection.manifest.pieces, "piece"), (collection.manifest.sources, "source")):
        for rows in _together(names):
            trained, out = rows[parts[rows] == "train"], rows[held[rows]]
            if len(trained) and len(out) and names[rows[0]]:
                says = f"{len(out)} photos of its {what} were held out, and {len(trained)} were trained on"
                first = int(out[0])
                reasons.append(Reason("leak", first, 0.7, says, "", tuple(map(int, trained[:_NEAREST]))))
    return reasons


def odd_ones(collection: Collection, features: NDArray[np.float32]) -> list[Reason]:
    """Photos that are less like the nearest photos of their craft, and other pieces, than is usual in it."""
    crafts, pieces = collection.manifest.crafts, collection.manifest.pieces
    typical = np.full(len(crafts), np.nan)
    near: dict[int, tuple[int, ...]] = {}
    for rows in _together(crafts):
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


def foreigners(collection: Collection, features: NDArray[np.float32]) -> list[Reason]:
    """Photos that are far less like any photo of other sources than is usual in this collection."""
    sources = np.where(collection.manifest.sources == "", collection.manifest.pieces, collection.manifest.sources)
    familiar = np.full(len(features), np.nan)
    for start, cosines in _blocks(features):
        rows = np.arange(start, start + len(cosines))
        cosines[sources[rows][:, None] == sources[None]] = -np.inf
        count = min(_FAMILIAR, cosines.shape[1])
        nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
        usable = np.isfinite(nearest).all(axis=1)
        familiar[rows[usable]] = nearest[usable].mean(axis=1)
    known = familiar[~np.isnan(familiar)]
    if len(known) < _FEWEST:
        return []
    low, high = np.quantile(known, (0.25, 0.75))
    least = low - _FAR * (high - low)
    return [
        Reason("foreign", int(row), 0.6, f"a cosine of {familiar[row]:.2f} to the most similar photos of other sources")
        for row in np.flatnonzero(familiar < least)
    ]


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
        if len(rows) < _FEWEST or not source or by_chance > _MOST_BY_CHANCE or same[rows].mean() < _DOMINATED:
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


def _listed(labels: Sequence[str] | NDArray[np.str_], counts: NDArray[np.int_]) -> str:
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{craft_name(str(labels[index]))} ({counts[index]})" for index in order)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _blocks(features: NDArray[np.float32], rows: int = 1024) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(0, len(features), rows):
        yield start, features[start : start + rows] @ features.T


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
