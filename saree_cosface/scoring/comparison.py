"""The comparison: every loss and every frozen baseline on the same folds and seeds, with sources held out.

Each seed deals the sources into folds of its own; each photo is answered by the models that never saw its source. The
same is done once more on random folds, only to show what those hide: the *shortcut gap* is the accuracy on random folds
minus the accuracy with sources held out.

What is trained is scored as ``predict`` would: by cosine to the prototypes of the training photos. Frozen baselines
take the mean of the backbone's features over all views of the pyramid.

Every cell (method, protocol, seed, fold) is one file below ``cells/``, so a second call computes what is missing.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from saree_cosface.console import console, track
from saree_cosface.data.manifest import Manifest, read_manifest
from saree_cosface.data.splits import Protocol, Split, make_split
from saree_cosface.data.views import BRIEF, PyramidViews
from saree_cosface.features.embedding import PhotoFeatures, fuse_features, photo_features
from saree_cosface.files import write_json
from saree_cosface.metrics.classification import balanced_accuracy, family_accuracy, macro_f1, top1
from saree_cosface.metrics.intervals import bootstrap_interval, paired_bootstrap
from saree_cosface.networks.backbones import create_backbone
from saree_cosface.options import HeadOptions, Recipe
from saree_cosface.runs.gallery import prototypes
from saree_cosface.runs.run import duplicate_groups, list_bad
from saree_cosface.scoring.comparison_table import LMCL, Comparison
from saree_cosface.taxonomy import load_taxonomy
from saree_cosface.training.datamodule import Photos
from saree_cosface.training.fit import fit, resolved_precision

Features = NDArray[np.float32]
FrozenMethod = Callable[[Features, NDArray[np.int_], Features], NDArray[np.int_]]

PROTOCOLS: tuple[Protocol, ...] = ("source", "random")
METRICS = {"top1": top1, "balanced_accuracy": balanced_accuracy}


class ComparisonError(ValueError):
    """The comparison cannot be made; the message says why and what to do."""


def compare(
    manifest_path: Path,
    out: Path,
    recipe: Recipe,
    *,
    where: str | None = None,
    seeds: int = 3,
    folds: int = 5,
    cache: Path,
) -> Comparison:
    """Train and score every method; write ``results.json``, ``table.md``, ``table.csv`` and ``figure.png``.

    Args:
        manifest_path: CSV or Parquet manifest.
        out: folder; cells that are there already, of the same photos and options, are not computed again.
        recipe: network and optimisation, shared by all losses; its head gives LMCL's and NSL's scale and LMCL's margin.
        where: pandas query.
        seeds: how many; each has folds and initial weights of its own.
        folds: by source.
        cache: of features.

    Raises:
        ComparisonError: no craft has photos of two sources.
    """
    if seeds < 1:
        raise ComparisonError(f"{seeds} seeds cannot be averaged; take at least 1, better 3.")
    if recipe.optim.patience:
        raise ComparisonError(
            "optim.patience needs validation photos, which a comparison does not set aside: set it to 0."
        )
    manifest = _comparable(read_manifest(manifest_path, where=where))
    backbone = create_backbone(recipe.model.backbone)
    views = PyramidViews(backbone.preprocessing.size)
    precision = resolved_precision(recipe.model)
    read = photo_features(backbone, precision, manifest.files(), views, cache=cache, description="Frozen features")
    list_bad(read.bad)
    manifest = manifest.select(read.rows)
    classes, labels = np.unique(manifest.crafts, return_inverse=True)
    copies = duplicate_groups(manifest)
    methods = {**dict.fromkeys(FROZEN), **heads(recipe.head)}
    signature = _signature(manifest, recipe, folds, precision)
    work = [
        (protocol, seed, fold, name)
        for seed in range(seeds)
        for protocol in PROTOCOLS
        for fold in range(folds)
        for name in methods
    ]
    splits = {
        (protocol, seed): make_split(manifest, protocol, n_folds=folds, seed=seed, duplicate_groups=copies)
        for protocol in PROTOCOLS
        for seed in range(seeds)
    }
    predictions: dict[tuple[str, str, int], NDArray[np.int_]] = {}
    for protocol, seed, fold, name in track(work, "Comparing"):
        train, test = splits[protocol, seed].rows(manifest, fold)
        cell = out / "cells" / signature / f"{_slug(name)}-{protocol}-seed{seed}-fold{fold}.json"
        answers = _known(cell, len(test))
        if answers is None:
            head = methods[name]
            if head is None:
                answers = _frozen(name, read, labels, train, test)
            else:
                answers = _learned(
                    replace(recipe, head=head, seed=seed), manifest, classes, labels, read, train, test, cache
                )
            write_json(cell, answers.tolist())
        predictions.setdefault((name, protocol, seed), np.full(len(manifest), -1))[test] = answers
    document = _summary(manifest, classes, labels, predictions, list(methods), seeds, folds, splits, recipe)
    document["manifest"] = str(manifest_path)
    document["where"] = where
    comparison = Comparison(document)
    comparison.save(out)
    return comparison


def heads(head: HeadOptions) -> dict[str, HeadOptions]:
    """The losses that are compared. NSL has LMCL's scale, so that the margin is all they differ in."""
    return {
        "Softmax": replace(head, name="softmax"),
        "SphereFace (m = 4)": replace(head, name="sphereface", margin=4),
        f"ArcFace (s = {head.scale:g}, m = 0.3 rad)": replace(head, name="arcface", margin=0.3),
        f"NSL (s = {head.scale:g}, m = 0)": replace(head, name="nsl"),
        LMCL: replace(head, name="cosface"),
    }


def nearest_neighbour(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class of the nearest training photo by cosine: ``(M, F), (M,), (N, F) -> (N,)``; rows are of length 1."""
    answers: NDArray[np.int_] = labels[(test @ train.T).argmax(axis=1)]
    return answers


def nearest_centroid(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class of the nearest mean of training photos by cosine: ``(M, F), (M,), (N, F) -> (N,)``."""
    present = np.unique(labels)
    centroids = np.stack([train[labels == label].mean(axis=0) for label in present])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    answers: NDArray[np.int_] = present[(test @ centroids.T).argmax(axis=1)]
    return answers


def logistic_regression(train: Features, labels: NDArray[np.int_], test: Features) -> NDArray[np.int_]:
    """Class by a class-balanced logistic regression (C = 100): ``(M, F), (M,), (N, F) -> (N,)``."""
    model = LogisticRegression(C=100, class_weight="balanced", max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are enough to rank the classes
        answers: NDArray[np.int_] = model.fit(train, labels).predict(test)
    return answers


FROZEN: Mapping[str, FrozenMethod] = {
    "Frozen, nearest neighbour": nearest_neighbour,
    "Frozen, nearest centroid": nearest_centroid,
    "Frozen, logistic regression": logistic_regression,
}


def _comparable(manifest: Manifest) -> Manifest:
    """The photos of crafts that have at least two sources; the others cannot be held out and are listed."""
    crafts, sources = manifest.crafts, manifest.sources
    alone = [craft for craft in np.unique(crafts) if len(set(sources[crafts == craft])) < 2]
    if alone:
        console.print(
            f"[yellow]{len(alone)} crafts have photos of one source only, which cannot be held out, and are left out: "
            f"{', '.join(alone)}.",
            highlight=False,
        )
    kept = manifest.select(~np.isin(crafts, alone))
    if len(set(kept.crafts)) < 2:
        raise ComparisonError("fewer than two crafts have photos of two sources: add photos of other sources.")
    return kept


def _frozen(
    name: str, read: PhotoFeatures, labels: NDArray[np.int_], train: NDArray[np.int_], test: NDArray[np.int_]
) -> NDArray[np.int_]:
    mean = read.features.mean(axis=1, dtype=np.float32)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return FROZEN[name](mean[train], labels[train], mean[test])


def _learned(
    recipe: Recipe,
    manifest: Manifest,
    classes: NDArray[np.str_],
    labels: NDArray[np.int_],
    read: PhotoFeatures,
    train: NDArray[np.int_],
    test: NDArray[np.int_],
    cache: Path,
) -> NDArray[np.int_]:
    files = manifest.files()
    present = np.unique(labels[train])
    photos = Photos(
        [files[row] for row in train],
        np.searchsorted(present, labels[train]),
        manifest.pieces[train],
        manifest.sources[train],
    )
    fitted = fit(recipe, photos, None, classes[present].tolist(), cache=cache, progress=False)
    if recipe.model.trainable_stages == 0:
        features = read.features[:, :BRIEF]
    else:
        views = PyramidViews(fitted.embedder.backbone.preprocessing.size, brief=True)
        backbone, precision = fitted.embedder.backbone, fitted.embedder.card.precision
        features = photo_features(backbone, precision, files, views, description=None).features
    embeddings = fuse_features(fitted.embedder, features)
    made = prototypes(embeddings[train], labels[train], manifest.pieces[train], present.tolist())
    answers: NDArray[np.int_] = present[(embeddings[test] @ made.T).argmax(axis=1)]
    return answers


def _summary(
    manifest: Manifest,
    classes: NDArray[np.str_],
    labels: NDArray[np.int_],
    predictions: Mapping[tuple[str, str, int], NDArray[np.int_]],
    names: Sequence[str],
    seeds: int,
    folds: int,
    splits: Mapping[tuple[Protocol, int], Split],
    recipe: Recipe,
) -> dict[str, Any]:
    families = {str(craft): str(craft) for craft in classes}
    families |= {craft: family for craft, family in load_taxonomy().families.items() if craft in families}

    def over_seeds(statistic: Callable[..., float]) -> Callable[..., float]:
        # Takes labels (N,) and the predictions of all seeds (N, seeds): all seeds see the same resampled photos.
        return lambda y, answers: float(np.mean([statistic(y, answers[:, seed]) for seed in range(seeds)]))

    answers = {
        (name, protocol): np.stack([predictions[name, protocol, seed] for seed in range(seeds)], axis=1)
        for name in names
        for protocol in PROTOCOLS
    }
    methods = {}
    for name in track(names, "Intervals"):
        mine = answers[name, "source"]
        scores: dict[str, Any] = {}
        for metric, statistic in METRICS.items():
            interval = bootstrap_interval(over_seeds(statistic), [labels, mine], manifest.sources, n_resamples=1000)
            per_seed = [statistic(labels, mine[:, seed]) for seed in range(seeds)]
            scores[metric] = {**asdict(interval), "per_seed": per_seed}
        scores["macro_f1"] = over_seeds(macro_f1)(labels, mine)
        scores["family_accuracy"] = float(
            np.mean([family_accuracy(classes[labels], classes[mine[:, seed]], families) for seed in range(seeds)])
        )
        random = {
            metric: over_seeds(statistic)(labels, answers[name, "random"]) for metric, statistic in METRICS.items()
        }
        scores["random"] = random
        scores["shortcut_gap"] = {metric: random[metric] - scores[metric]["value"] for metric in METRICS}
        if name != LMCL:
            scores["lmcl_minus_this"] = {
                metric: _paired(statistic, labels, answers[LMCL, "source"], mine, manifest.sources)
                for metric, statistic in METRICS.items()
            }
        methods[name] = scores
    return {
        "photos": len(manifest),
        "sources": len(set(manifest.sources)),
        "crafts": classes.tolist(),
        "seeds": seeds,
        "folds": folds,
        "splits": {f"{protocol}-seed{seed}": split.hash for (protocol, seed), split in splits.items()},
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "methods": methods,
    }


def _paired(
    statistic: Callable[..., float],
    labels: NDArray[np.int_],
    a: NDArray[np.int_],
    b: NDArray[np.int_],
    groups: NDArray[np.str_],
) -> dict[str, float]:
    """Difference of the mean scores over seeds, resampling sources; each seed's answers are laid end to end."""
    seeds = a.shape[1]
    y = np.repeat(labels, seeds)
    result = paired_bootstrap(statistic, y, a.ravel(), b.ravel(), np.repeat(groups, seeds), n_resamples=2000)
    return {**asdict(result.difference), "p": result.p_value}


def _signature(manifest: Manifest, recipe: Recipe, folds: int, precision: str) -> str:
    settings = {**asdict(replace(recipe, seed=0)), "folds": folds, "precision": precision, "photos": manifest.sha256}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _known(cell: Path, count: int) -> NDArray[np.int_] | None:
    try:
        answers = np.array(json.loads(cell.read_text(encoding="utf-8")), dtype=np.int_)
    except (OSError, ValueError, TypeError):
        return None
    return answers if answers.shape == (count,) else None


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
