"""What more sources are worth: how often crafts are named rightly as the number of their sources grows.

How often a craft is named on sources never seen is measured on growing shares of the sources there are
(:mod:`saree_cosface.scoring.growing`); a power law (:mod:`saree_cosface.metrics.power_law`) says how often it would be
with more. Intervals are of 80 %, and cover which sources happened to be asked about and to be learned from.

References: Figueroa et al., Predicting sample size required for classification performance, BMC Medical Informatics and
Decision Making 12:8, 2012; Viering and Loog, The Shape of Learning Curves: a Review, arXiv:2103.10948.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.metrics.power_law import Counts, Floats, PowerLaw, drawn
from saree_cosface.options import ModelOptions
from saree_cosface.scoring.comparable import Comparable
from saree_cosface.scoring.curve_table import FURTHEST, CraftCurve, CurveError, Expected, SourceCurve, bounds
from saree_cosface.scoring.growing import SHARES, WHOLE, Trials, sources_of_each, trials

FEWEST = 3
"""Sources that a craft needs to have a curve: with two, one is learned from and the other asked about, and no more."""

DEALS = 8
"""Orders in which sources are added."""

_DRAWS = 300

_NONE = "{}: no craft has photos of {} sources or more that share no picture: add photos of other sources."


def source_curve(
    manifest_path: Path,
    model: ModelOptions,
    *,
    where: str | None = None,
    folds: int = 5,
    seed: int = 0,
    cache: Path,
    progress: bool = True,
) -> SourceCurve:
    """How often crafts are named rightly by the number of their sources: measured, and continued.

    Args:
        manifest_path: CSV or Parquet manifest.
        model: backbone and pooling, frozen.
        where: pandas query.
        folds: by source.
        seed: of the deals, and of the intervals.
        cache: of features, and of what each training has answered, so that none is done twice.
        progress: whether a bar is shown while trainings go on.

    Raises:
        ComparisonError: fewer than two crafts have photos of two sources that can be read.
        CurveError: no craft has photos of :data:`FEWEST` sources.
    """
    photos = Comparable.read(manifest_path, ["source"], where=where, seeds=1, folds=folds, cache=cache)
    settings = {"manifest": str(manifest_path), "where": where}
    return curve_of(photos, model, folds=folds, seed=seed, cache=cache, progress=progress, settings=settings)


def curve_of(
    photos: Comparable,
    model: ModelOptions,
    *,
    folds: int = 5,
    seed: int = 0,
    cache: Path,
    progress: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> SourceCurve:
    """As :func:`source_curve`, of photos that were read already; ``settings`` become part of the result.

    Raises:
        CurveError: no craft has photos of :data:`FEWEST` sources.
    """
    of_each = sources_of_each(photos, np.arange(len(photos.labels)))
    crafts = np.flatnonzero(of_each >= FEWEST)
    if not len(crafts):
        raise CurveError(_NONE.format(photos.manifest.root, FEWEST))
    found = trials(photos, model, deals=DEALS, folds=folds, seed=seed, cache=cache, progress=progress)
    crafts = np.intersect1d(crafts, found.craft[found.own > 0])  # not those all of whose sources share pictures
    if not len(crafts):
        raise CurveError(_NONE.format(photos.manifest.root, FEWEST))
    counts = _counts(found, crafts, of_each)
    laws = drawn(counts, _DRAWS, seed)
    own = of_each[crafts].astype(np.float64)
    learned, right = (
        np.stack(each) for each in zip(*(_measured(found, crafts, share) for share in (*SHARES, 1.0)), strict=True)
    )
    accuracies = _drawn_accuracies(found, crafts, seed)
    gains = _gains(laws, own, len(of_each))
    needs = _sources_to_median(laws, own)
    return SourceCurve(
        settings={
            **(settings or {}),
            "folds": folds,
            "deals": DEALS,
            "seed": seed,
            "model": {"backbone": model.backbone, "pooling": model.pooling},
        },
        photos=len(photos.labels),
        sources=len(set(photos.manifest.sources.tolist())),
        crafts=tuple(
            CraftCurve(
                craft=str(photos.classes[craft]),
                sources=int(of_each[craft]),
                photos=int(np.count_nonzero(photos.labels == craft)),
                accuracy=float(right[-1, row]),
                interval=bounds(accuracies[:, row]),
                gain=float(gains[:, row].mean()),
                gain_interval=bounds(gains[:, row]),
                to_median=_to_median(needs[:, row], own[row]),
                measured=tuple(zip(learned[:, row].tolist(), right[:, row].tolist(), strict=True)),
                laws=laws.of(row),
            )
            for row, craft in enumerate(crafts.tolist())
        ),
        few={
            str(photos.classes[craft]): int(of_each[craft]) for craft in np.setdiff1d(np.arange(len(of_each)), crafts)
        },
        accuracy=float(right[-1].mean()),
        interval=bounds(accuracies.mean(axis=1)),
        measured=tuple(zip((learned / own).mean(axis=1).tolist(), right.mean(axis=1).tolist(), strict=True)),
        laws=laws,
    )


def _counts(found: Trials, crafts: NDArray[np.int_], of_each: NDArray[np.int_]) -> Counts:
    """Of the crafts that have a curve, from trainings that knew of them."""
    rows = np.isin(found.craft, crafts) & (found.own > 0)
    alike = ~np.isnan(found.share[rows])
    ratio = found.others[rows] * of_each[found.craft[rows]] / found.own[rows]
    return Counts(
        np.searchsorted(crafts, found.craft[rows]),
        found.source[rows],
        found.deal[rows],
        found.own[rows],
        np.where(alike, 1.0, ratio),  # whole sources make no share exact
        alike,
        found.photos[rows],
        found.right[rows],
    )


def _measured(found: Trials, crafts: NDArray[np.int_], share: float) -> tuple[Floats, Floats]:
    """Of each craft, how many sources were learned from at a share, and how often it was named rightly: ``(C,)``."""
    rows = found.share == share
    photos, own, right = (
        np.bincount(found.craft[rows], each[rows])[crafts]
        for each in (found.photos, found.photos * found.own, found.right)
    )
    return own / photos, right / photos


def _drawn_accuracies(found: Trials, crafts: NDArray[np.int_], seed: int) -> Floats:
    """How often each craft might as well have been named rightly, had other sources been asked about: ``(B, C)``."""
    rows = found.deal == WHOLE
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_DRAWS):
        weights = rng.exponential(size=found.source.max() + 1)[found.source[rows]]  # a Bayesian bootstrap
        photos, right = (
            np.bincount(found.craft[rows], weights * each[rows])[crafts] for each in (found.photos, found.right)
        )
        draws.append(right / photos)
    return np.stack(draws)


def _gains(law: PowerLaw, own: Floats, crafts: int) -> Floats:
    """By how much the mean accuracy rises with one more source of each craft: ``(C,)``, or ``(B, C)`` of B laws."""
    now = law.accuracy(own).mean(axis=-1)
    gains = []
    for craft, one in enumerate(np.eye(len(own))):
        # To the craft itself the shares of the others are smaller now, to each other craft one of them is larger.
        ratio = np.where(one, own / (own + 1), 1 + 1 / (own[craft] * (crafts - 1)))
        gains.append(law.accuracy(own + one, ratio).mean(axis=-1) - now)
    return np.stack(gains, axis=-1)


def _sources_to_median(law: PowerLaw, own: Floats) -> Floats:
    """With how many sources of its own each craft is named as often as the median one is now.

    ``(C,)``, or ``(B, C)`` of B laws; at least as many as it has, at most twice as many as anything is said of.
    """
    median = np.median(law.accuracy(own), axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        needed: Floats = np.clip(law.sources_for(median, own), own, 2 * FURTHEST * own)
    return needed


def _to_median(needs: Floats, own: float) -> Expected | None:
    """What is told of one craft's draws of :func:`_sources_to_median`, ``(B,)``; None where it needs no more sources.

    Their median, since the mean would rest on draws beyond what can be said.
    """
    needed = float(np.median(needs))
    if needed <= own:
        return None
    return Expected(*(math.inf if each > FURTHEST * own else each for each in (needed, *bounds(needs))))
