"""Trainings on growing shares of each craft's sources, and how often each is right about sources that it never saw.

Whole sources are held out, a fold at a time. Beside a fold one training takes all sources, and others take fewer, in
several deals: each puts the sources in an order, and of each craft the first so many in that order are learned from.
First all crafts grow together; then one half of the crafts has all its sources and the other a quarter, and the other
way round, which tells what a craft's own sources are worth from what those of the others are.

Nothing is learned by a loss: frozen features are read out by the whitened cosine, from which LMCL may start and beyond
which it does not get on frozen features. What every training answers is kept in the cache, so that a second call, or
one after an interruption, computes only what is missing.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import DECODER
from saree_cosface.data.splits import Split, make_split
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.files import remembered, write_json
from saree_cosface.machine.caches import located
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.runtime import runtime_of
from saree_cosface.options import ModelOptions
from saree_cosface.scoring.baselines import Features, Means, Moments, whitened_cosine
from saree_cosface.scoring.comparable import Comparable, ComparisonError, known_answers

SHARES = (0.25, 0.5, 0.75)
"""Of the sources of every craft that are not held out, which a deal learns from in turn."""

WHOLE = -1
"""The number of the deal of which the training on all sources is: of none."""

_METHOD = 1  # raised when answers that were kept are no longer those that would be computed


@dataclass(frozen=True, eq=False)
class Trials:
    """What trainings said of the photos of a craft and source that they had not seen; a row each.

    Attributes:
        craft: index of the craft, ``(R,)``.
        source: index of the source, ``(R,)``.
        deal: of the training, :data:`WHOLE` where it learned from all that was not held out, ``(R,)``.
        own: how many sources of this craft it learned from, ``(R,)``.
        others: and which share of the sources of another craft, on average, ``(R,)``.
        share: of the sources that were not held out, or NaN where it was not the same of every craft, ``(R,)``.
        photos: how many there are, ``(R,)``.
        right: how many of them it named rightly, ``(R,)``.
    """

    craft: NDArray[np.int_]
    source: NDArray[np.int_]
    deal: NDArray[np.int_]
    own: NDArray[np.float64]
    others: NDArray[np.float64]
    share: NDArray[np.float64]
    photos: NDArray[np.float64]
    right: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Deal:
    """Trainings beside a fold.

    Attributes:
        fold: its number.
        deal: number of the deal.
        test: rows of the photos of the fold, ``(T,)``.
        steps: share of the sources of every craft, NaN where they differ, and the rows that are learned from.
    """

    fold: int
    deal: int
    test: NDArray[np.int_]
    steps: tuple[tuple[float, NDArray[np.int_]], ...]


def trials(
    photos: Comparable, model: ModelOptions, *, deals: int, folds: int, seed: int, cache: Path, progress: bool = True
) -> Trials:
    """Train on growing shares, and count what is named rightly.

    Args:
        photos: of crafts of two sources or more.
        model: backbone and pooling, frozen.
        deals: how many.
        folds: by source.
        seed: of folds and deals.
        cache: of features and answers.
        progress: whether a bar is shown.

    Raises:
        ComparisonError: a photo has become unreadable meanwhile.
    """
    split = make_split(photos.manifest, "source", n_folds=folds, seed=seed, duplicate_groups=photos.copies)
    readout = _Readout(photos, model, split, cache)
    folder: Path | None = located(cache) / "curves" / _signature(photos, model, readout.runtime, folds, seed)
    work = list(_deals(photos, split, deals, folds, seed))
    found = []
    for each in track(work, "Growing the collection") if progress else work:
        cell = None if folder is None else folder / f"fold{each.fold}-deal{each.deal}.json"
        answers = None if cell is None else known_answers(cell, (len(each.steps), len(each.test)))
        if answers is None:
            answers = readout(each)
            if cell is not None and not remembered(partial(write_json, cell, answers.tolist()), "Answers", cell.parent):
                folder = None
        found += [_counted(photos, each, *step, said) for step, said in zip(each.steps, answers, strict=True)]
    return Trials(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _deals(photos: Comparable, split: Split, deals: int, folds: int, seed: int) -> Iterator[_Deal]:
    crafts = len(photos.classes)
    names, source = np.unique(photos.manifest.sources, return_inverse=True)
    for fold in range(folds):
        beside, test = split.rows(photos.manifest, fold)
        yield _Deal(fold, WHOLE, test, ((1.0, beside),))
        for deal in range(deals):
            rng = np.random.default_rng([seed, deal])  # the same beside every fold
            order = rng.permutation(len(names))[source]
            first = rng.permutation(crafts) < crafts // 2
            shares = [(share, np.full(crafts, share)) for share in SHARES]
            shares += [(np.nan, np.where(grown, 1.0, SHARES[0])) for grown in (first, ~first)]
            steps = tuple((share, first_sources(photos.labels, order, beside, of_each)) for share, of_each in shares)
            yield _Deal(fold, deal, test, steps)


def first_sources(
    labels: NDArray[np.int_], order: NDArray[np.int_], rows: NDArray[np.int_], shares: NDArray[np.float64]
) -> NDArray[np.int_]:
    """Those of some rows that are of the first sources of their craft.

    Args:
        labels: craft of each photo, ``(N,)``.
        order: place of its source in the order of all sources, ``(N,)``.
        rows: ascending, of those that may be taken.
        shares: of the sources of each craft, ``(C,)``; at least one source is taken.

    >>> first_sources(np.array([0, 0, 0, 1, 1]), np.array([7, 2, 2, 7, 5]), np.arange(5), np.array([0.5, 0.1]))
    array([1, 2, 4])
    """
    taken = []
    for label, share in enumerate(shares):
        mine = rows[labels[rows] == label]
        there = np.unique(order[mine])
        taken.append(mine[np.isin(order[mine], there[: max(1, round(share * len(there)))])])
    return np.sort(np.concatenate(taken))


def sources_of_each(photos: Comparable, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """How many sources of each craft are among some rows: ``(C,)``."""
    pairs = set(zip(photos.labels[rows].tolist(), photos.manifest.sources[rows].tolist(), strict=True))
    return np.bincount([label for label, _ in pairs], minlength=len(photos.classes))


def _counted(
    photos: Comparable, deal: _Deal, share: float, rows: NDArray[np.int_], answers: NDArray[np.int_]
) -> tuple[NDArray[Any], ...]:
    """What a training on some rows answered, as columns of :class:`Trials`."""
    own = sources_of_each(photos, rows)
    shares = own / sources_of_each(photos, np.arange(len(photos.labels)))
    others = (shares.sum() - shares) / (len(shares) - 1)
    label, source = photos.labels[deal.test], np.unique(photos.manifest.sources, return_inverse=True)[1][deal.test]
    (craft, of), pair = np.unique(np.stack([label, source]), axis=1, return_inverse=True)
    pair = pair.ravel()
    return (
        craft,
        of,
        np.full(len(craft), deal.deal),
        own[craft].astype(np.float64),
        others[craft],
        np.full(len(craft), share),
        np.bincount(pair).astype(np.float64),
        np.bincount(pair, weights=answers == label),
    )


class _Readout:
    """Reads out frozen features, which are computed when the first answer is not yet known.

    Moments are taken in the channels' principal directions over all photos beside a fold, whatever is learned from of
    these: directions know no craft, and to find them anew for every training would take most of the time.
    """

    def __init__(self, photos: Comparable, model: ModelOptions, split: Split, cache: Path) -> None:
        self._photos, self._model, self._split, self._cache = photos, model, split, cache
        self._backbone = create_backbone(model.backbone, pooling=model.pooling, depths=model.depths)
        self.runtime = runtime_of(self._backbone)
        self._directed: tuple[int, Features] | None = None  # of the fold that is at hand

    def __call__(self, deal: _Deal) -> NDArray[np.int_]:
        """What each training takes the photos of the fold for: ``(S, T)``."""
        labels, sources = self._photos.labels, self._photos.manifest.sources
        features = self._beside(deal.fold)
        test = features[deal.test]
        return np.stack([whitened_cosine(features[rows], labels[rows], test, sources[rows]) for _, rows in deal.steps])

    def _beside(self, fold: int) -> Features:
        if self._directed is None or self._directed[0] != fold:
            self._directed = fold, self._features.directed_by(self._split.rows(self._photos.manifest, fold)[0])
        return self._directed[1]

    @cached_property
    def _features(self) -> Means | Moments:
        files = self._photos.manifest.files()
        if self._model.pooling == "second_order":
            read: Means | Moments = Moments.read(self._model, files, self._cache)
        else:
            views = PyramidViews(self._backbone.preprocessing.size, brief=True)
            said = f"Features of {self._model.backbone}"
            read = Means.of(photo_features(self._backbone, files, views, cache=self._cache, description=said))
        if len(read.features) < len(files):
            raise ComparisonError("a photo has become unreadable meanwhile: try again.")
        return read


def _signature(photos: Comparable, model: ModelOptions, runtime: str, folds: int, seed: int) -> str:
    """Of all that answers depend on."""
    settings = {**asdict(model), "runtime": runtime, "decoder": DECODER, "method": _METHOD, "shares": SHARES}
    settings |= {"photos": photos.content_sha256, "copies": photos.copies.tolist()}
    settings |= {"folds": folds, "seed": seed}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
