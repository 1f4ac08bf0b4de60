"""Calibration of a run: photos scored by embedders that never saw their source, and what follows from their scores.

The run's own training photos are scored, out of fold: an embedder is trained as the run was, without a fold of sources,
and scores the photos of these sources. For the open set it is trained without some crafts as well, and scores their
photos of these sources: of each of those neither the source nor the craft was seen. So nothing that evaluation holds
out is used, and no photo of other traditions need be at hand. How often each verdict is given and wrong is measured by
thresholds that were found without the photo's source, since the final ones flatter by having been chosen on it.

Every training is a file below ``calibration/cells``: an interrupted calibration goes on where it stopped.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.isotonic import IsotonicRegression

from saree_cosface.data.manifest import Manifest, manifest_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.data.reading import read_photos
from saree_cosface.features.copies import copy_groups
from saree_cosface.features.embedding import embed_whole
from saree_cosface.features.familiarity import Familiarity
from saree_cosface.machine import threads
from saree_cosface.machine.processes import load
from saree_cosface.metrics.calibration import fit_temperature, probabilities
from saree_cosface.metrics.operating_point import threshold_at
from saree_cosface.networks.runtime import runtime_of
from saree_cosface.options import DataOptions, Recipe
from saree_cosface.runs.alone import alone
from saree_cosface.runs.calibration import FOLDER, Calibration, CalibrationError
from saree_cosface.runs.folder import MANIFEST, recorded_recipe
from saree_cosface.runs.originals import recorded
from saree_cosface.runs.run import Run
from saree_cosface.runs.share import NO_PHOTOS
from saree_cosface.scoring.found_accuracy import found_accuracy
from saree_cosface.scoring.open_set import FARS, open_set_scores
from saree_cosface.scoring.out_of_fold import OutOfFold, require_folds, require_rate, score_out_of_fold
from saree_cosface.scoring.zones import HEAD, measured_zones, zone_rows

REJECTED = 0.05
"""Share of photos of known traditions that the thresholds on familiarity and on the cosine together reject at most."""

AIM = 0.04
"""Of the photos that they are found on; of other sources somewhat more are rejected. In four calibrations on real
photos it was 3.9 to 4.3 % of the photos whose source was left out, and 4.9 to 5.8 % with an aim of 5 %."""

FOREIGN = 0.02
"""Of them the share that the threshold on familiarity takes for something else than such cloth."""


TOGETHER = 4
"""Trainings at once by default at most: each is a process of its own, of more than half a gigabyte."""


def calibrate(
    run: Run,
    *,
    false_accepts: float = 0.1,
    folds: int = 5,
    groups: int = 3,
    cache: Path | None = None,
    workers: int = 1,
) -> Calibration:
    """Find the calibration of a run and write it into its folder, from where ``load_run`` reads it.

    Args:
        run: whose training photos are scored.
        false_accepts: the share of false answers allowed, see :class:`~saree_cosface.runs.calibration.Calibration`.
        folds: of sources.
        groups: of crafts; each is left out once a fold, so there are folds x (1 + groups) trainings.
        cache: of features or decoded photos.
        workers: trainings at once, each in a process of its own (see :mod:`saree_cosface.machine.processes`); 0 for one
            a thread, :data:`TOGETHER` at most, and only one where the backbone learns or there is an accelerator.

    Raises:
        CalibrationError: the training photos are of too few sources or crafts; or of some craft no more than half of
            them are left, as they were when they were learned from; or the run was shared, without any.
        RunError: somebody else is at work in the run, or it cannot be written.

    >>> from saree_cosface import load_run
    >>> found = calibrate(load_run(run_folder), false_accepts=0.3, folds=2, groups=3, cache=cache)
    >>> found.crafts, load_run(run_folder).calibration.cosine == found.cosine
    (('chanderi', 'jamdani', 'leheriya'), True)
    """
    if run.share is not None:
        raise CalibrationError(
            f"{run.folder}: {NO_PHOTOS}, and it is with those that one is calibrated. Whoever has them can calibrate "
            "the run that it was made from, and share it again."
        )
    if not 0 < false_accepts < 1:
        raise CalibrationError(f"false_accepts is {false_accepts}; it is a share, above 0 and below 1.")
    if folds < 2:
        raise CalibrationError(
            f"folds is {folds}; with fewer than 2 nothing would be held out: take --folds 2 or more."
        )
    if workers < 0:
        raise CalibrationError(f"workers is {workers}; take 1 or more, or 0 for as many as serve.")
    if groups < 2:
        raise CalibrationError(f"groups is {groups}; with fewer than 2 all crafts would be left out at once.")
    with alone(run.folder, "calibrate"):
        return _calibrate(run, false_accepts, folds, groups, DataOptions.cache if cache is None else cache, workers)


def _calibrate(run: Run, false_accepts: float, folds: int, groups: int, cache: Path, workers: int) -> Calibration:
    learned = read_manifest(run.folder / MANIFEST, taxonomy=None)
    learned = learned.select(learned.table["split"].to_numpy(str) == "train")
    require_folds(learned, folds)
    recipe = recorded_recipe(run.folder)
    recipe = replace(recipe, optim=replace(recipe.optim, patience=0))  # no photos are set aside to choose an epoch anew
    if not workers:
        workers = _together(recipe)
    if workers > 1:
        load(score_out_of_fold.__module__)  # while photos are read
    reading = read_photos(learned.files(), recorded(run, learned).tolist())
    list_bad(reading.bad, run.folder / MANIFEST)
    if not len(reading.rows):
        raise CalibrationError(f"none of the {len(learned)} training photos can be read; the first: {reading.bad[0]}")
    left = learned.select(reading.rows)
    _require_most(run.folder, learned, left)
    left = manifest_of(left.table.assign(sha256=reading.sha256), left.root)  # a training is of files, not of names
    embedded = embed_whole(run.embedder, left.files(), cache=cache)
    if embedded.bad:
        raise CalibrationError(
            f"a training photo has become unreadable meanwhile ({embedded.bad[0]}): calibrate again."
        )
    cells = run.folder / FOLDER / "cells"
    copies = copy_groups(left.files(), reading.hashes, cache=cache)
    scored = score_out_of_fold(
        left,
        copies,
        recipe,
        embedded,
        folds,
        groups,
        false_accepts,
        cache,
        cells,
        _last_epoch(run, recipe),
        workers,
        runtime_of(run.embedder.backbone),
    )
    calibration = fit_calibration(
        scored, Familiarity.of(embedded.features), false_accepts, tuple(np.unique(left.crafts).tolist())
    )
    calibration.save(run.folder / FOLDER)
    return calibration


def _together(recipe: Recipe) -> int:
    takes_all = recipe.model.trainable_stages > 0 or torch.accelerator.is_available()
    return 1 if takes_all else min(threads.count(), TOGETHER)


def _last_epoch(run: Run, recipe: Recipe) -> int | None:
    """The epoch, from 0, whose weights the run has, if validation photos chose one before the last: cosines grow as
    long as it learns, so thresholds of other epochs would not be its."""
    best = run.embedder.card.metrics.get("best_epoch")
    if best is None or (not recipe.optim.steps and best + 1 >= recipe.optim.epochs):
        return None
    return int(best)


def _require_most(folder: Path, learned: Manifest, left: Manifest) -> None:
    """Refuse to calibrate without a craft, which would then be taken for one enrolled later, or on a rest of it."""
    crafts, counts = np.unique(learned.crafts, return_counts=True)
    few = [
        f"{craft} ({rest} of {count})"
        for craft, count in zip(crafts.tolist(), counts.tolist(), strict=True)
        if 2 * (rest := int((left.crafts == craft).sum())) <= count
    ]
    if few:
        raise CalibrationError(
            f"{folder}: no more than half of the training photos are left of {', '.join(few)}. "
            "Restore the photos listed above, then calibrate again; nothing was changed."
        )


def fit_calibration(
    scored: OutOfFold, photos: Familiarity, false_accepts: float, crafts: tuple[str, ...]
) -> Calibration:
    """Thresholds, temperature and nonconformity from photos scored out of fold; ``crafts`` are those trained on.

    Raises:
        CalibrationError: there are too few photos of crafts left out for this rate.
    """
    require_rate(len(scored.unknown_cosines), false_accepts)
    unknown = scored.unknown_cosines.max(axis=1)
    open_set = open_set_scores(
        scored.cosines, scored.labels, scored.sources, unknown, scored.unknown_sources, (*FARS, false_accepts)
    )
    found = {
        "photos": len(scored.labels),
        "sources": len(np.unique(scored.sources)),
        "photos_of_crafts_left_out": len(scored.unknown_cosines),
        **found_accuracy(scored, crafts),
        "open_set": open_set,
        "zones": measured_zones(scored, lambda rest: _fitted(rest, photos, false_accepts, crafts)),
    }
    return replace(_fitted(scored, photos, false_accepts, crafts), found=found)


def _fitted(scored: OutOfFold, photos: Familiarity, false_accepts: float, crafts: tuple[str, ...]) -> Calibration:
    """The calibration without what was found beside it."""
    threshold = threshold_at(scored.unknown_cosines.max(axis=1), false_accepts)
    ranked = np.sort(scored.cosines, axis=1)[:, ::-1]
    best, gap = ranked[:, 0], ranked[:, 0] - ranked[:, 1]
    correct = scored.cosines.argmax(axis=1) == scored.labels
    # A source with many photos counts for no more than another.
    _, code, counts = np.unique(scored.sources, return_inverse=True, return_counts=True)
    by_source = 1 / counts[code]
    temperature = fit_temperature(scored.cosines, scored.labels, by_source)
    chances = probabilities(scored.cosines, temperature)
    genuine = float(np.average(scored.cosines[np.arange(len(scored.labels)), scored.labels], weights=by_source))
    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    rising.fit(chances.max(axis=1), correct, sample_weight=by_source)
    familiarity = least_kept(scored.familiarity, by_source, FOREIGN)
    near = np.where(scored.familiarity < familiarity, -np.inf, best)
    return Calibration(
        false_accepts=false_accepts,
        cosine=threshold,
        known=min(least_kept(near, by_source, AIM), threshold),
        gap=least_gap(gap[best >= threshold], correct[best >= threshold], false_accepts),
        familiarity=familiarity,
        temperature=temperature,
        nonconformity=1 - chances[np.arange(len(chances)), scored.labels],
        knots=np.stack([rising.X_thresholds_, rising.y_thresholds_]).astype(np.float64),
        photos=photos,
        crafts=crafts,
        genuine=genuine,
        kin=min(genuine, float(scored.kin.mean())) if len(scored.kin) else genuine,
        found={},
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


def least_kept(scores: NDArray[np.floating[Any]], by_source: NDArray[np.float64], share: float) -> float:
    """The highest threshold below which at most this share of scores is, whether each photo counts alike or each
    source: ``(N,), (N,) -> float``, the second being one over the number of photos of the source.

    >>> scores = np.array([0.1, 0.2, 0.3, 0.4])
    >>> least_kept(scores, np.full(4, 1 / 4), 0.3), least_kept(scores, np.array([1, 1 / 3, 1 / 3, 1 / 3]), 0.3)
    (0.2, 0.1)
    """
    order = np.argsort(scores, kind="stable")
    shares = np.stack([np.full(len(scores), 1 / len(scores)), by_source / by_source.sum()])[:, order]
    below = (shares.cumsum(axis=1) - shares).max(axis=0)
    return float(scores[order[np.flatnonzero(below <= share + 1e-12)[-1]]])  # a share may be off by a rounding error


def print_calibration(calibration: Calibration, out: Console) -> None:
    """For people."""
    found, rate = calibration.found, calibration.false_accepts
    auroc = _with_interval(found["open_set"]["auroc"])
    top, balanced = _with_interval(found["top1"]), _with_interval(found["balanced_accuracy"])
    lead = f"and a lead of {calibration.gap:.3f}" if np.isfinite(calibration.gap) else "but no lead is large enough"
    text = (
        f"{found['photos']} photos of {found['sources']} sources were scored by embedders that never saw their source "
        f"(top-1 {top}, balanced accuracy {balanced}), and {found['photos_of_crafts_left_out']} by some that never saw "
        f"their craft either. A tradition is named from a cosine of {calibration.cosine:.3f} {lead}: of other "
        f"traditions at most {rate:.0%} are then named, and of names at most {rate:.0%} are wrong. Outside the known "
        f"traditions is what has a cosine below {calibration.known:.3f} or a familiarity below "
        f"{calibration.familiarity:.3f}: at most {REJECTED:.0%} of these photos. Told from other traditions: AUROC "
        f"{auroc}. Temperature {calibration.temperature:.3f}."
    )
    out.print(text, highlight=False, markup=False)
    table = Table(title="The same photos, by thresholds found without their source", title_justify="left")
    for column in HEAD:
        table.add_column(column)
    for row in zone_rows(found["zones"]):
        table.add_row(*row)
    out.print(table)


def _with_interval(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
