"""Copies and crops as a reason to look again, and what a split has parted: copies, pieces, sources."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.collection import Collection
from saree_cosface.data.crops import Crop
from saree_cosface.data.duplicates import HASH_SIDE, MAX_DISTANCE, near_duplicate_pairs, perceptual_hash
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.photos import map_files
from saree_cosface.features.crops import crops_among, known_crops
from saree_cosface.languages.said import said, said_craft
from saree_cosface.metrics.neighbourhood import nearest_neighbours, unit
from saree_cosface.review.reasons import NEAREST, Reason, together

ALIKE = 0.7
"""Cosine of two photos from which on they are hashed, to see whether they are copies. Unrelated photos rarely reach it,
and copies of lesser size or quality are far above."""

SEARCHED = 3000
"""Photos up to which a review looks for crops itself, in a minute or two; in larger collections it tells of those that
``data check`` or a training has found."""

_DIRECTIONS = 128
_COPIES_AMONG = 8  # nearest photos among which copies are looked for


def copies(collection: Collection, features: NDArray[np.float32], crops: Sequence[Crop] = ()) -> NDArray[np.int_]:
    """Pairs of photos that show the same picture, perhaps mirrored or cropped: ``(P, 2)``, each ``i < j``.

    Args:
        collection: of which only photos with another one near are decoded.
        features: of a backbone that no label has bent, as ``centred``.
        crops: what :func:`cropped` finds.
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
    found |= {(crop.first, crop.second) for crop in crops}
    return np.array(sorted(found), dtype=np.int_).reshape(-1, 2)


def cropped(collection: Collection, cache: Path | None = None) -> list[Crop]:
    """Photos of a collection that are crops of one photograph; of a large one those that are known already."""
    if len(collection) > SEARCHED:
        return known_crops(collection.sha256.tolist(), cache)
    return crops_among(collection.manifest.files(), cache=cache, most=SEARCHED)


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
            words = {"craft": said_craft(rival), "path": paths[contrary[0]]}
            says = (
                said("reason.contradiction_of_more", n=more, **words) if more else said("reason.contradiction", **words)
            )
            reasons.append(Reason("contradiction", row, 0.95, says, rival, tuple(contrary)))
        better = [other for other in others if other not in contrary and worth[other] > worth[row]]
        if better:
            kept = max(better, key=worth.__getitem__)
            reasons.append(Reason("duplicate", row, 0.4, said("reason.duplicate", path=paths[kept]), "", (kept,)))
    return reasons


def leaks(collection: Collection, pairs: NDArray[np.int_]) -> list[Reason]:
    """Held-out photos of which a copy, their piece or their source was trained on: their score says nothing."""
    parts, paths = collection.parts, collection.manifest.table["path"].tolist()
    held = np.isin(parts, ("test", "validation"))
    reasons = []
    for row, others in _partners(pairs).items():
        learned = [other for other in others if parts[other] == "train"]
        if held[row] and learned:
            says = said("reason.leak", part=said(f"reason.part_{parts[row]}"), path=paths[learned[0]])
            reasons.append(Reason("leak", row, 0.8, says, "", tuple(learned)))
    for names, what in ((collection.manifest.pieces, "piece"), (collection.manifest.sources, "source")):
        for rows in together(names):
            trained, out = rows[parts[rows] == "train"], rows[held[rows]]
            if len(trained) and len(out) and names[rows[0]]:
                says = said(f"reason.leak_of_{what}", held_out=len(out), trained_on=len(trained))
                first = int(out[0])
                reasons.append(Reason("leak", first, 0.7, says, "", tuple(map(int, trained[:NEAREST]))))
    return reasons


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
    from sklearn.decomposition import PCA  # scikit-learn is slow to import

    reduced = PCA(_DIRECTIONS, svd_solver="randomized", random_state=0).fit_transform(features)
    return unit(reduced.astype(np.float32))


def _hash_both_ways(path: Path) -> NDArray[np.bool_]:
    """Hashes of a photo and of its mirror image, ``(2, bits)``; without a bit set if it cannot be read."""
    try:
        pixels = decode(path, shrink_to=HASH_SIDE)
    except BadImage:
        pixels = np.zeros((1, 1, 3), np.uint8)
    return np.stack([perceptual_hash(pixels), perceptual_hash(np.ascontiguousarray(pixels[:, ::-1]))])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
