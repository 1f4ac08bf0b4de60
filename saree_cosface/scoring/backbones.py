"""Which backbone, pooling and input size serve a collection: frozen features, read out with whole sources held out.

Nothing is trained: the features of the brief views are read out by the whitened cosine, which LMCL may start from, and
by the nearest neighbour. What is better here is a better place to begin, before an hour goes into each.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console, track
from saree_cosface.data.images import decode
from saree_cosface.data.views import LARGEST, PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.metrics.classification import balanced_accuracy
from saree_cosface.networks.backbone import Backbone, BackboneError
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.runtime import runner
from saree_cosface.options import ModelOptions, PoolingName
from saree_cosface.scoring.backbones_table import BackboneComparison
from saree_cosface.scoring.baselines import Features, Means, Moments, nearest_neighbour, whitened_cosine
from saree_cosface.scoring.comparable import Comparable, require_read
from saree_cosface.scoring.comparison_summary import paired_scores, with_intervals

READOUTS = {"whitened_cosine": whitened_cosine, "nearest_neighbour": nearest_neighbour}
"""By the first of them backbones are ranked."""

_POOLINGS: tuple[PoolingName, ...] = ("mean", "token", "token+mean", "second_order")
_MOST = 500_000  # numbers that moments may take for a photo, a megabyte
_TIMED = 3  # photos


@dataclass(frozen=True, eq=False)
class _Seen:
    """Photos as one frozen network sees them with one pooling.

    Attributes:
        features: of all photos.
        size: side of the network's input in pixels.
        weights: how many.
        seconds: that the network takes for the views of a photo.
    """

    features: Means | Moments
    size: int
    weights: int
    seconds: float


def compare_backbones(
    manifest_path: Path,
    names: Sequence[str],
    *,
    where: str | None = None,
    seeds: int = 3,
    folds: int = 5,
    cache: Path,
) -> BackboneComparison:
    """Score backbones, each with every pooling that it can do.

    Args:
        manifest_path: CSV or Parquet manifest.
        names: of backbones; "lite0+lite2" puts the features of several side by side.
        where: pandas query.
        seeds: how many; each has folds of its own.
        folds: by source.
        cache: of features.

    Raises:
        ComparisonError: fewer than two crafts have photos of two sources that can be read.
        BackboneError: there is no such backbone, or its weights cannot be had.
    """
    names = list(dict.fromkeys(names))
    alone = list(dict.fromkeys(part for name in names for part in name.split("+")))
    for name in alone:  # before anything is decoded
        create_backbone(name)
    photos = Comparable.read(manifest_path, ["source"], where=where, seeds=seeds, folds=folds, cache=cache)
    manifest, labels = photos.manifest, photos.labels
    seen: dict[tuple[str, PoolingName], _Seen] = {}
    for name in alone:
        seen |= {(name, pooling): each for pooling, each in _seen(name, manifest.files(), cache).items()}
    candidates = [
        (name, pooling)
        for name in names
        for pooling in _POOLINGS
        if all((part, pooling) in seen for part in name.split("+"))
    ]

    @lru_cache(maxsize=len(seen))
    def directed(name: str, pooling: PoolingName, seed: int, fold: int) -> Features:
        return seen[name, pooling].features.directed_by(photos.splits["source", seed].rows(manifest, fold)[0])

    answers: dict[tuple[str, str, str], NDArray[np.int_]] = {
        (*candidate, readout): np.full((len(labels), seeds), -1) for candidate in candidates for readout in READOUTS
    }
    lengths: dict[tuple[str, PoolingName], int] = {}
    work = [(seed, fold, *candidate) for seed in range(seeds) for fold in range(folds) for candidate in candidates]
    for seed, fold, name, pooling in track(work, "Reading out features"):
        train, test = photos.splits["source", seed].rows(manifest, fold)
        features = _side_by_side([directed(part, pooling, seed, fold) for part in name.split("+")])
        lengths[name, pooling] = features.shape[1]
        for readout, method in READOUTS.items():
            found = method(features[train], labels[train], features[test], manifest.sources[train])
            answers[name, pooling, readout][test, seed] = found
    rows = []
    for name, pooling in candidates:
        parts = [seen[part, pooling] for part in name.split("+")]
        row: dict[str, Any] = {"backbone": name, "pooling": pooling, "sizes": [part.size for part in parts]}
        row |= {"features": lengths[name, pooling], "weights": sum(part.weights for part in parts)}
        row["seconds"] = round(sum(part.seconds for part in parts), 4)
        rows.append(row)
    return BackboneComparison(
        {
            "manifest": str(manifest_path),
            "where": where,
            "photos": len(manifest),
            "sources": len(set(manifest.sources)),
            "crafts": photos.classes.tolist(),
            "seeds": seeds,
            "folds": folds,
            "splits": {f"source-seed{seed}": split.hash for (_, seed), split in photos.splits.items()},
            "backbones": _scored(rows, labels, answers, manifest.sources),
        }
    )


def _seen(name: str, files: Sequence[Path], cache: Path) -> dict[PoolingName, _Seen]:
    """Photos as a network sees them, with each pooling that it can do."""
    found = {}
    for pooling in _POOLINGS:
        model = ModelOptions(name, pooling=pooling)
        try:
            network = create_backbone(name, pooling=pooling, depths=model.depths, directions=model.directions)
        except BackboneError:
            continue
        if network.pooling is not None and network.wide().num_features > _MOST:
            said = f"Second moments of {name} are left out: they take {network.wide().num_features:,} numbers a photo."
            console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
            continue
        weights = sum(each.numel() for each in network.network.parameters())
        read = Moments.read(model, files, cache) if network.pooling is not None else _means(network, files, cache)
        found[pooling] = _Seen(read, network.preprocessing.size, weights, _seconds(network, files))
    return found


def _means(network: Backbone, files: Sequence[Path], cache: Path) -> Means:
    views = PyramidViews(network.preprocessing.size, brief=True)
    said = f"Features of {network.name}"
    read = photo_features(network, files, views, cache=cache, description=said)
    require_read(read)
    return Means.of(read)


def _seconds(backbone: Backbone, files: Sequence[Path]) -> float:
    """What the network takes for the brief views of a photo, once it is warm and nothing else holds it up."""
    size, run = backbone.preprocessing.size, runner(backbone)
    taken: list[float] = []
    for path in islice(files, _TIMED):
        views = PyramidViews(size, brief=True)(decode(path, shrink_to=round(LARGEST * size)), path.name)
        if not taken:
            run(views)  # the first call takes longer
        start = time.perf_counter()
        run(views)
        taken.append(time.perf_counter() - start)
    return min(taken, default=math.nan)


def _side_by_side(parts: Sequence[Features]) -> Features:
    """Features of several networks as one: each of length 1, and so together, ``(N, F)``."""
    together: Features = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    return together


def _scored(
    rows: list[dict[str, Any]],
    labels: NDArray[np.int_],
    answers: Mapping[tuple[str, str, str], NDArray[np.int_]],
    sources: NDArray[np.str_],
) -> list[dict[str, Any]]:
    """Rows with their scores, the best first, and by how much the best is better than each."""
    first = next(iter(READOUTS))
    for row in track(rows, "Intervals"):
        for readout in READOUTS:
            row[readout] = with_intervals(labels, answers[row["backbone"], row["pooling"], readout], sources)
    rows.sort(key=lambda row: -row[first]["balanced_accuracy"]["value"])
    best, *others = (answers[row["backbone"], row["pooling"], first] for row in rows)
    for row, mine in zip(rows[1:], others, strict=True):
        row["best_minus_this"] = paired_scores(balanced_accuracy, labels, best, mine, sources)
    return rows
