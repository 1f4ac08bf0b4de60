"""The comparison: every loss and every frozen baseline on the same folds and seeds, with sources held out.

Each seed deals the sources into folds of its own; each photo is answered by the models that never saw its source. The
same is done once more on random folds, only to show what those hide: the *shortcut gap* is the accuracy on random folds
minus the accuracy with sources held out.

What is trained is scored as ``predict`` would: by cosine to the prototypes of the training photos. Frozen baselines
take the mean of the backbone's features over the views that the recipe trains on. Where the recipe is of second moments
there are baselines of these too: what is learned has to earn its place against the features that it starts from.

Every cell (method, protocol, seed, fold) is one file below ``cells/``, so a second call computes what is missing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import DECODER
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.views import BRIEF, PyramidViews
from saree_cosface.features.embedding import embed_whole, fuse_features
from saree_cosface.features.extraction import PhotoFeatures, photo_features
from saree_cosface.features.prototypes import prototypes
from saree_cosface.files import write_json
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.precision import resolved_precision
from saree_cosface.networks.runtime import runtime_of
from saree_cosface.options import HeadOptions, Recipe
from saree_cosface.runs.alone import alone
from saree_cosface.scoring.baselines import FROZEN, Means, Moments
from saree_cosface.scoring.comparable import Comparable, ComparisonError, known_answers, require_read
from saree_cosface.scoring.comparison_summary import PROTOCOLS, summary
from saree_cosface.scoring.comparison_table import LMCL, Comparison
from saree_cosface.training.fit import fit
from saree_cosface.training.labelled import Photos


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
        ComparisonError: fewer than two crafts have photos of two sources that can be read.
        RunError: somebody else is at work in ``out``.
    """
    if recipe.optim.patience:
        raise ComparisonError(
            "optim.patience needs validation photos, which a comparison does not set aside: add --optim.patience 0."
        )
    with alone(out, "compare"):
        return _compare(manifest_path, out, recipe, where, seeds, folds, cache)


def _compare(
    manifest_path: Path, out: Path, recipe: Recipe, where: str | None, seeds: int, folds: int, cache: Path
) -> Comparison:
    photos = Comparable.read(manifest_path, PROTOCOLS, where=where, seeds=seeds, folds=folds, cache=cache)
    manifest, classes, labels, splits = photos.manifest, photos.classes, photos.labels, photos.splits
    moments = recipe.model.pooling == "second_order"
    backbone = create_backbone(recipe.model.backbone, pooling="mean" if moments else recipe.model.pooling)
    # Of second moments only the brief views are learned from, and the baselines see no more.
    views = PyramidViews(backbone.preprocessing.size, brief=moments)
    read = photo_features(backbone, manifest.files(), views, cache=cache, description="Frozen features")
    require_read(read)
    frozen = _Frozen(recipe, manifest, labels, Means.of(read), cache)
    methods = {**dict.fromkeys(frozen.names), **heads(recipe.head)}
    computed = {"runtime": runtime_of(backbone), "precision": resolved_precision(recipe.model)}
    signature = _signature(photos, recipe, folds, computed)
    work = [
        (protocol, seed, fold, name)
        for seed in range(seeds)
        for protocol in PROTOCOLS
        for fold in range(folds)
        for name in methods
    ]
    predictions: dict[tuple[str, str, int], NDArray[np.int_]] = {}
    for protocol, seed, fold, name in track(work, "Comparing"):
        train, test = splits[protocol, seed].rows(manifest, fold)
        cell = out / "cells" / signature / f"{_slug(name)}-{protocol}-seed{seed}-fold{fold}.json"
        answers = known_answers(cell, (len(test),))
        if answers is None:
            head = methods[name]
            if head is None:
                answers = frozen(name, train, test)
            else:
                answers = _learned(
                    replace(recipe, head=head, seed=seed), manifest, classes, labels, read, train, test, cache
                )
            write_json(cell, answers.tolist())
        predictions.setdefault((name, protocol, seed), np.full(len(manifest), -1))[test] = answers
    document = summary(manifest, classes, labels, predictions, list(methods), seeds, folds, splits, recipe)
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


class _Frozen:
    """Baselines on features of a backbone that does not learn: the mean over views and, if the recipe is of those,
    second moments in the directions of the training photos."""

    def __init__(self, recipe: Recipe, manifest: Manifest, labels: NDArray[np.int_], means: Means, cache: Path) -> None:
        self._means, self._labels, self._sources = means, labels, manifest.sources
        self.names = list(FROZEN)
        if recipe.model.pooling == "second_order":
            self.names += [f"{name.replace('Frozen', 'Moments')}" for name in FROZEN]
            self._moments = Moments.read(recipe.model, manifest.files(), cache)

    def __call__(self, name: str, train: NDArray[np.int_], test: NDArray[np.int_]) -> NDArray[np.int_]:
        """What a baseline takes the test photos for: ``(T,)``."""
        method = FROZEN[name.replace("Moments", "Frozen")]
        features = (self._means if name in FROZEN else self._moments).directed_by(train)
        return method(features[train], self._labels[train], features[test], self._sources[train])


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
    frozen = recipe.model.trainable_stages == 0
    if frozen and recipe.model.pooling != "second_order":
        embeddings = fuse_features(fitted.embedder, read.features[:, :BRIEF])
    else:
        known = cache if frozen else None
        embeddings = embed_whole(fitted.embedder, files, cache=known, description=None).embeddings
    pieces, sources = manifest.pieces[train], manifest.sources[train]
    made = prototypes(embeddings[train], labels[train], pieces, sources, present.tolist())
    answers: NDArray[np.int_] = present[(embeddings[test] @ made.T).argmax(axis=1)]
    return answers


def _signature(photos: Comparable, recipe: Recipe, folds: int, computed: Mapping[str, str]) -> str:
    settings = {**asdict(replace(recipe, seed=0)), "folds": folds, **computed, "photos": photos.content_sha256}
    settings["copies"] = photos.copies.tolist()  # which decide the folds
    settings["decoder"] = DECODER
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
