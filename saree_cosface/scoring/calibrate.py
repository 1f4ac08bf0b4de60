"""Calibration of a run: photos scored by embedders that never saw their source, and what follows from their scores.

The run's own training photos are scored, out of fold: an embedder is trained as the run was, without a fold of sources,
and scores the photos of these sources. For the open set it is trained without some crafts as well, and scores their
photos of these sources: of each of those neither the source nor the craft was seen. So nothing that evaluation holds
out is used, and no photo of other traditions need be at hand.

Every training is a file below ``calibration/cells``: an interrupted calibration goes on where it stopped.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.isotonic import IsotonicRegression

from saree_cosface.answers.verdict import FOLDER, Calibration, CalibrationError
from saree_cosface.console import track
from saree_cosface.data.manifest import Manifest, read_manifest
from saree_cosface.data.splits import SplitError, make_split
from saree_cosface.features.embedding import PhotoEmbeddings, embed_photos
from saree_cosface.features.familiarity import Familiarity
from saree_cosface.files import atomic_path
from saree_cosface.metrics.calibration import fit_temperature, probabilities
from saree_cosface.options import Recipe
from saree_cosface.runs.folder import recorded_recipe
from saree_cosface.runs.gallery import prototypes
from saree_cosface.runs.run import Run, duplicate_groups
from saree_cosface.scoring.open_set import FARS, open_set_scores
from saree_cosface.training.datamodule import Photos
from saree_cosface.training.fit import fit

FOREIGN = 0.02
"""Share of photos of sarees that the threshold on familiarity takes for something else."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Photos scored by embedders that had not seen their source.

    Attributes:
        cosines: of photos of crafts that were trained on, to these crafts, ``(N, C)``; a craft of which the embedder
            had no photo has -1.
        labels: their crafts, ``(N,)``.
        sources: of each, ``(N,)``.
        familiarity: of each, ``(N,)``.
        unknown_cosines: of photos of crafts that were not, ``(Q, C)``, likewise.
        unknown_sources: of each, ``(Q,)``.
        kin: of each of those whose craft other sources have too, the mean cosine to their photos of it, ``(K,)``.
    """

    cosines: NDArray[np.float32]
    labels: NDArray[np.int_]
    sources: NDArray[np.str_]
    familiarity: NDArray[np.float32]
    unknown_cosines: NDArray[np.float32]
    unknown_sources: NDArray[np.str_]
    kin: NDArray[np.float32]


def calibrate_run(
    run: Run, *, false_accepts: float = 0.1, folds: int = 5, groups: int = 3, cache: Path | None = None
) -> Calibration:
    """Find the calibration of a run and write it into its folder, from where ``load_run`` reads it.

    Args:
        run: whose training photos are scored.
        false_accepts: the share of false answers allowed, see :class:`~saree_cosface.answers.verdict.Calibration`.
        folds: of sources.
        groups: of crafts; each is left out once a fold, so there are folds x (1 + groups) trainings.
        cache: of features or decoded photos.

    Raises:
        CalibrationError: the training photos are of too few sources or crafts, or gone.
    """
    if not 0 < false_accepts < 1:
        raise CalibrationError(f"false_accepts is {false_accepts}; it is a share, above 0 and below 1.")
    if groups < 2:
        raise CalibrationError(f"groups is {groups}; with fewer than 2 all crafts would be left out at once.")
    manifest = read_manifest(run.folder / "manifest.csv", taxonomy=None)
    manifest = manifest.select(manifest.table["split"].to_numpy(str) == "train")
    recipe = recorded_recipe(run.folder)
    recipe = replace(recipe, optim=replace(recipe.optim, patience=0))  # no photos are set aside to choose an epoch
    cache = Path("~/.cache/saree-cosface") if cache is None else cache
    embedded = embed_photos(run.embedder, manifest.files(), cache=cache.expanduser())
    if not len(embedded.rows):
        raise CalibrationError(f"none of the {len(manifest)} training photos can be read; the first: {embedded.bad[0]}")
    manifest = manifest.select(embedded.rows)
    scored = score_out_of_fold(manifest, recipe, embedded, folds, groups, cache, run.folder / FOLDER / "cells")
    calibration = fit_calibration(
        scored, Familiarity.of(embedded.features), false_accepts, tuple(np.unique(manifest.crafts).tolist())
    )
    calibration.save(run.folder / FOLDER)
    return calibration


def score_out_of_fold(
    manifest: Manifest,
    recipe: Recipe,
    embedded: PhotoEmbeddings,
    folds: int,
    groups: int,
    cache: Path,
    cells: Path,
) -> OutOfFold:
    """Score every photo by an embedder that saw neither its source nor a copy of it, and once more one that did not
    see its craft.

    Raises:
        CalibrationError: there are fewer sources than folds, or sources are unknown.
    """
    classes, labels = np.unique(manifest.crafts, return_inverse=True)
    try:
        split = make_split(
            manifest, "source", n_folds=folds, seed=recipe.seed, duplicate_groups=duplicate_groups(manifest)
        )
    except SplitError as error:
        raise CalibrationError(f"the training photos cannot be dealt into folds by source: {error}") from error
    cells = cells / manifest.sha256[:12]  # a photo that has gone, or come back, changes the folds
    group_of = craft_groups(labels, groups)
    group = group_of[labels]
    known = np.full((len(manifest), len(classes)), np.nan, np.float32)
    unknown, familiarity = known.copy(), np.full(len(manifest), np.nan, np.float32)
    kin = familiarity.copy()
    unseen = np.zeros(len(manifest), dtype=bool)  # of a craft that only their own fold has
    work = [(fold, left_out) for fold in range(folds) for left_out in range(-1, groups)]
    for fold, left_out in track(work, "Training without a fold of sources, and without some crafts"):
        others, test = split.rows(manifest, fold)
        train = others[group[others] != left_out]
        test = test[group[test] == left_out] if left_out >= 0 else test
        if not len(test) or len(set(labels[train])) < 2:
            continue
        cell = cells / f"fold{fold}of{folds}-unlearned{left_out}of{groups}.npy"
        cosines = _known(cell, (len(test), len(classes)))
        if cosines is None:
            kept_back = others[group[others] == left_out]
            cosines = _cosines(manifest, labels, classes, recipe, train, test, kept_back, cache)
            with atomic_path(cell) as temporary, temporary.open("wb") as file:
                np.save(file, cosines)
        if left_out >= 0:
            own = cosines[np.arange(len(test)), labels[test]]
            kin[test] = np.where(own > -1, own, np.nan)
            unknown[test] = np.where(group_of == left_out, -1, cosines)
        else:
            known[test] = cosines
            unseen[test] = ~np.isin(labels[test], labels[train])
            familiarity[test] = Familiarity.of(embedded.features[train])(embedded.features[test])
    unknown[unseen] = known[unseen]  # these are of a craft and a source never seen by the embedder of the whole fold
    kept = ~np.isnan(known[:, 0]) & ~unseen
    strange = ~np.isnan(unknown[:, 0])
    if not kept.any() or not strange.any():
        raise CalibrationError("the crafts of the training photos are of too few sources each: add photos of others.")
    sources = manifest.sources
    return OutOfFold(
        known[kept],
        labels[kept],
        sources[kept],
        familiarity[kept],
        unknown[strange],
        sources[strange],
        kin[~np.isnan(kin)],
    )


def fit_calibration(
    scored: OutOfFold, photos: Familiarity, false_accepts: float, crafts: tuple[str, ...]
) -> Calibration:
    """Thresholds, temperature and nonconformity from photos scored out of fold; ``crafts`` are those trained on.

    Raises:
        CalibrationError: there are too few photos of crafts left out for this rate.
    """
    unknown = scored.unknown_cosines.max(axis=1)
    open_set = open_set_scores(
        scored.cosines, scored.labels, scored.sources, unknown, scored.unknown_sources, (*FARS, false_accepts)
    )
    named = open_set["dir"][f"{false_accepts:g}"]
    if named is None:
        raise CalibrationError(
            f"{len(unknown)} training photos could be scored by embedders that saw neither their source nor their "
            f"craft: too few for a false accept rate of {false_accepts:g}. Ask for at least {3 / len(unknown):.2g} "
            "with --false_accepts, or train on more photos."
        )
    threshold = named["threshold"]
    ranked = np.sort(scored.cosines, axis=1)[:, ::-1]
    best, gap = ranked[:, 0], ranked[:, 0] - ranked[:, 1]
    correct = scored.cosines.argmax(axis=1) == scored.labels
    # A source with many photos counts for no more than another.
    names, code, counts = np.unique(scored.sources, return_inverse=True, return_counts=True)
    temperature = fit_temperature(scored.cosines, scored.labels, 1 / counts[code])
    chances = probabilities(scored.cosines, temperature)
    genuine = float(np.average(scored.cosines[np.arange(len(scored.labels)), scored.labels], weights=1 / counts[code]))
    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    rising.fit(chances.max(axis=1), correct, sample_weight=1 / counts[code])
    return Calibration(
        false_accepts=false_accepts,
        cosine=threshold,
        gap=least_gap(gap[best >= threshold], correct[best >= threshold], false_accepts),
        familiarity=float(np.quantile(scored.familiarity, FOREIGN)),
        temperature=temperature,
        nonconformity=1 - chances[np.arange(len(chances)), scored.labels],
        knots=np.stack([rising.X_thresholds_, rising.y_thresholds_]).astype(np.float64),
        photos=photos,
        crafts=crafts,
        genuine=genuine,
        kin=min(genuine, float(scored.kin.mean())) if len(scored.kin) else genuine,
        found={
            "photos": len(scored.labels),
            "sources": len(names),
            "photos_of_crafts_left_out": len(scored.unknown_cosines),
            "top1": float(correct.mean()),
            "open_set": open_set,
        },
    )


def least_gap(gap: NDArray[np.floating[Any]], correct: NDArray[np.bool_], false_accepts: float) -> float:
    """The least gap from which on at most this share of answers is wrong: ``(N,), (N,) -> float``; inf for none.

    >>> least_gap(np.array([0.4, 0.3, 0.2, 0.1]), np.array([True, True, False, False]), 0.34)
    0.2
    """
    order = np.argsort(-gap, kind="stable")
    wrong = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(wrong <= false_accepts)
    return float(gap[order[enough[-1]]]) if len(enough) else float("inf")


def craft_groups(labels: NDArray[np.int_], groups: int) -> NDArray[np.int_]:
    """A group for each craft ``(C,)``, of about as many photos each.

    >>> craft_groups(np.array([0, 0, 0, 1, 1, 2, 3]), 2).tolist()
    [0, 1, 1, 0]
    """
    order = np.argsort(-np.bincount(labels), kind="stable")
    dealt = np.empty(len(order), dtype=np.int_)
    turn = np.arange(len(order)) % (2 * groups)
    dealt[order] = np.where(turn < groups, turn, 2 * groups - 1 - turn)  # forth and back, as teams are chosen
    return dealt


def print_calibration(calibration: Calibration, out: Console) -> None:
    """For people."""
    found, rate = calibration.found, calibration.false_accepts
    auroc = found["open_set"]["auroc"]
    lead = f"and a lead of {calibration.gap:.3f}" if np.isfinite(calibration.gap) else "but no lead is large enough"
    text = (
        f"{found['photos']} photos of {found['sources']} sources were scored by embedders that never saw their source "
        f"(top-1 {found['top1']:.3f}), and {found['photos_of_crafts_left_out']} by some that never saw their craft "
        f"either. A tradition is named from a cosine of {calibration.cosine:.3f} {lead}: of other traditions at most "
        f"{rate:.0%} are then named, and of names at most {rate:.0%} are wrong. Told from other traditions: AUROC "
        f"{auroc['value']:.3f} [{auroc['low']:.3f}, {auroc['high']:.3f}]. Temperature {calibration.temperature:.3f}."
    )
    out.print(text, highlight=False, markup=False)


def _cosines(
    manifest: Manifest,
    labels: NDArray[np.int_],
    classes: NDArray[np.str_],
    recipe: Recipe,
    train: NDArray[np.int_],
    test: NDArray[np.int_],
    kept_back: NDArray[np.int_],
    cache: Path,
) -> NDArray[np.float32]:
    """Cosines ``(T, C)`` of the test photos to prototypes of the training photos of an embedder that learned these.

    For a craft that it did not learn: their mean cosine to the photos of it that were kept back, or -1.
    """
    files, pieces = manifest.files(), manifest.pieces
    present = np.unique(labels[train])
    photos = Photos(
        [files[row] for row in train], np.searchsorted(present, labels[train]), pieces[train], manifest.sources[train]
    )
    embedder = fit(recipe, photos, None, classes[present].tolist(), cache=cache, progress=False).embedder
    folder = cache.expanduser() if recipe.model.trainable_stages == 0 else None
    rows = np.concatenate([train, test, kept_back])
    embeddings = embed_photos(embedder, [files[row] for row in rows], cache=folder, description=None).embeddings
    if len(embeddings) != len(rows):
        raise CalibrationError("a training photo has become unreadable meanwhile: restore it, then calibrate again.")
    learned, asked, strange = np.split(embeddings, [len(train), len(train) + len(test)])
    cosines = np.full((len(test), len(classes)), -1, np.float32)
    cosines[:, present] = asked @ prototypes(learned, labels[train], pieces[train], present.tolist()).T
    for craft in np.unique(labels[kept_back]):
        cosines[:, craft] = asked @ strange[labels[kept_back] == craft].mean(axis=0)
    return cosines


def _known(cell: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        cosines: NDArray[np.float32] = np.load(cell, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
        return None
    return cosines if cosines.shape == shape else None
