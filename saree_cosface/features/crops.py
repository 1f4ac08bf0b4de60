"""Crops of one photograph in a collection: photos whose features are alike, looked at point by point.

Features say which photos may be one photograph, and their points (``saree_cosface.data.crops``) say which are. What was
found of two photos is remembered by their contents, so that no two are looked at twice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console, track
from saree_cosface.data.content import photo_hash
from saree_cosface.data.crops import SIDE, Crop, Match, Points, match, points_of
from saree_cosface.data.images import DECODER, BadImage, decode
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.files import remembered, write_json
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located
from saree_cosface.metrics.neighbourhood import unit
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.packaged import PACKAGED

MOST = 10_000
"""Pairs that are looked at in one search, the most alike first: some ten minutes on two cores."""

_ALIKE = 0.45
"""Cosine of one photo, seen whole, and a view of another, less what all have in common, from which on the two are
looked at. Of copies drawn from real photos nine in ten lie above 0.5, a crop of an eighth of the photo among them."""

_NEAREST = 5  # photos of each that are looked at

_SAME = (2.0, 0.97, 0.9, 0.75)
"""The nearest are taken among all photos, and among those whose cosine, both seen whole, is below each of these: of
seven sizes of a picture each has the others as its nearest, and its crops come after them. Sizes of a picture have
cosines above 0.8, a crop of half of it 0.5 to 0.65."""

_REMEMBERED = 1000  # photos whose points are kept in memory: some 300 MB
_BLOCK = 512
_FOLDER = f"crops-2-decoder{DECODER}"  # another number where the same two photos may be judged otherwise


def crops_among(files: Sequence[Path], *, cache: Path | None = None, most: int = MOST) -> list[Crop]:
    """Pairs of files that are one photograph, cropped, framed or mirrored; see :func:`find_crops`.

    Alike are those that the network of the installation finds alike, whatever a recipe trains.

    Args:
        files: photos; one that cannot be read is in no pair.
        cache: folder to remember features and pairs in; nothing is remembered when None.
        most: as there.
    """
    if len(files) < 2:
        return []
    backbone = create_backbone(PACKAGED)
    brief = PyramidViews(backbone.preprocessing.size, brief=True)
    read = photo_features(backbone, files, brief, cache=cache, description="Features to find crops by")
    found = find_crops([files[row] for row in read.rows], read.features, cache=cache, most=most)
    row = read.rows.tolist()
    return [replace(crop, first=row[crop.first], second=row[crop.second]) for crop in found]


def find_crops(
    files: Sequence[Path], features: NDArray[np.floating[Any]], *, cache: Path | None = None, most: int = MOST
) -> list[Crop]:
    """Pairs of files that are one photograph, in the order of their rows; those of one content are not among them.

    Args:
        files: photos, ``(N,)``.
        features: of views of each, the first of which is the whole photo, ``(N, V, F)``.
        cache: folder to remember in what was found of a pair.
        most: pairs that are looked at, the most alike first, beside those that are known; it is said if there are more.
    """
    pairs = _alike(features)
    content = {row: _content(files[row]) for row in np.unique(pairs).tolist()}
    folder = None if cache is None else located(cache) / _FOLDER
    keys = {(one, other): tuple(sorted((content[one], content[other]))) for one, other in pairs}
    known = {first: _read(folder, first) for first in {first for first, _ in keys.values()}}
    new = {
        (first, second): pair
        for pair, (first, second) in keys.items()
        if first and first != second and second not in known[first]
    }
    if len(new) > most:
        console.print(
            f"[yellow]{len(new)} pairs of photos are alike; the {most} most alike are looked at for crops of one "
            "photograph, the others not.",
            highlight=False,
        )
    work: dict[str, dict[str, tuple[int, int]]] = {}
    for (first, second), pair in islice(new.items(), most):
        work.setdefault(first, {})[second] = pair
    for first, found in _looked_at(files, dict(sorted(work.items(), key=lambda each: min(each[1].values())))):
        known[first] |= found
        if folder is None:
            continue
        if not remembered(partial(write_json, folder / f"{first}.json", known[first]), "Pairs", folder):
            folder = None
    judged = [(pair, known[first].get(second)) for pair, (first, second) in keys.items()]
    return [Crop(*pair, *agreed) for pair, agreed in sorted(judged, key=lambda each: each[0]) if agreed]


def known_crops(contents: Sequence[str], cache: Path | None) -> list[Crop]:
    """Pairs of photos that a search has found to be one photograph, by their contents, without looking anew."""
    rows: dict[str, list[int]] = {}
    for row, content in enumerate(contents):
        rows.setdefault(content, []).append(row)
    folder = None if cache is None else located(cache) / _FOLDER
    found = [
        Crop(min(one, other), max(one, other), *agreed)
        for first in rows
        for second, agreed in _read(folder, first).items()
        if agreed
        for one in rows[first]
        for other in rows.get(second, [])
    ]
    return sorted(found, key=lambda crop: (crop.first, crop.second))


def _alike(features: NDArray[np.floating[Any]]) -> list[tuple[int, int]]:
    """Pairs of rows of ``(N, V, F)`` of which one, seen whole, is like a part of the other, the most alike first."""
    count, views, width = features.shape
    units = unit(features.reshape(-1, width).astype(np.float32))
    if count > 2 * _NEAREST:  # what fewer have in common is not what all photos have
        units -= units.mean(axis=0)
        units = unit(units)
    parts = units.reshape(features.shape).swapaxes(0, 1)
    best: dict[tuple[int, int], float] = {}
    for start in range(0, count, _BLOCK):
        whole = parts[0, start : start + _BLOCK] @ parts[0].T
        cosines = np.max([parts[0, start : start + _BLOCK] @ parts[view].T for view in range(views)], axis=0)
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        for same in _SAME:
            among = np.where(whole < same, cosines, -np.inf)
            near = np.argpartition(among, max(0, count - _NEAREST), axis=1)[:, -_NEAREST:]
            for row, other in zip(np.repeat(rows, near.shape[1]).tolist(), near.ravel().tolist(), strict=True):
                if among[row, other] >= _ALIKE:
                    pair = (min(start + row, other), max(start + row, other))
                    best[pair] = max(best.get(pair, -1.0), float(among[row, other]))
    return sorted(best, key=lambda pair: (-best[pair], pair))


def _looked_at(
    files: Sequence[Path], work: Mapping[str, Mapping[str, tuple[int, int]]]
) -> Iterator[tuple[str, dict[str, Match | None]]]:
    """What is found of the pairs of each first photo, in threads: OpenCV lets go of the interpreter."""

    @lru_cache(_REMEMBERED)
    def points(row: int) -> Points | None:
        try:
            return points_of(decode(files[row], shrink_to=SIDE))
        except BadImage:  # it has gone meanwhile
            return None

    def judge(first: str) -> tuple[str, dict[str, Match | None]]:
        found = {}
        for second, rows in work[first].items():
            one, other = map(points, rows)
            if one and other:
                found[second] = match(one, other)
        return first, found

    workers = max(1, min(len(work), threads.count()))
    with threads.limited(threads.share(workers)), ThreadPoolExecutor(workers) as pool:
        try:
            yield from track(pool.map(judge, work), "Looking for crops", total=len(work))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupted user should not wait for what is still queued
            raise


def _content(path: Path) -> str:
    try:
        return photo_hash(path)
    except BadImage:
        return ""


def _read(folder: Path | None, first: str) -> dict[str, Match | None]:
    if folder is None:
        return {}
    try:
        found = json.loads((folder / f"{first}.json").read_text(encoding="utf-8"))
        return {second: Match(*each) if each else None for second, each in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # not there, or damaged: looked at again
        return {}
