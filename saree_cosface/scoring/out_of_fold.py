"""Training photos scored by embedders that never saw their source, nor, for the open set, their craft."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import DECODER
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.splits import SplitError, TooManyFolds, groups_to_deal, make_split
from saree_cosface.features.embedding import PhotoEmbeddings, embed_whole
from saree_cosface.features.familiarity import Familiarity
from saree_cosface.features.prototypes import prototypes
from saree_cosface.files import atomic_path
from saree_cosface.machine.processes import done
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.metrics.operating_point import false_accepts as accepted
from saree_cosface.networks.runtime import VARIABLE as RUNTIME
from saree_cosface.networks.runtime import Runtime
from saree_cosface.options import Recipe
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.training.fit import fit
from saree_cosface.training.labelled import Photos

_Cell = tuple[int, int, NDArray[np.int_], NDArray[np.int_], NDArray[np.int_]]
"""A training: fold, group of crafts left out or -1, and the rows of its other folds, to train on and to score."""


@dataclass(frozen=True, eq=False)
class _Training:
    """A training by itself, which may be another process's.

    Attributes:
        cell: where its cosines are kept.
        labels: of all photos, ``(N,)``, which index ``classes``.
        last_epoch: of it, from 0; None for the recipe's.
        train, test, kept_back: rows to learn from, to score, and of crafts that it does not learn.
    """

    cell: Path
    manifest: Manifest
    labels: NDArray[np.int_]
    classes: NDArray[np.str_]
    recipe: Recipe
    last_epoch: int | None
    train: NDArray[np.int_]
    test: NDArray[np.int_]
    kept_back: NDArray[np.int_]
    cache: Path


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
        unknown_familiarity: of each, ``(Q,)``, by the photos of other sources and of crafts that were trained on.
        kin: of each of those whose craft other sources have too, the mean cosine to their photos of it, ``(K,)``.
    """

    cosines: NDArray[np.float32]
    labels: NDArray[np.int_]
    sources: NDArray[np.str_]
    familiarity: NDArray[np.float32]
    unknown_cosines: NDArray[np.float32]
    unknown_sources: NDArray[np.str_]
    unknown_familiarity: NDArray[np.float32]
    kin: NDArray[np.float32]

    def of(self, sources: NDArray[np.str_]) -> "OutOfFold":
        """The photos of these sources; ``kin``, whose sources are not kept, is left out."""
        known, unknown = np.isin(self.sources, sources), np.isin(self.unknown_sources, sources)
        return OutOfFold(
            self.cosines[known],
            self.labels[known],
            self.sources[known],
            self.familiarity[known],
            self.unknown_cosines[unknown],
            self.unknown_sources[unknown],
            self.unknown_familiarity[unknown],
            self.kin[:0],
        )


def require_folds(manifest: Manifest, folds: int) -> None:
    """Make sure, before anything is decoded, that photos can be scored by embedders that saw neither source nor craft.

    Raises:
        CalibrationError: there are too few sources or crafts, or sources are unknown.
    """
    crafts = len(set(manifest.crafts.tolist()))
    if crafts < 3:
        raise CalibrationError(
            f"the run was trained on {crafts} crafts: with one left out, no two are left to tell apart. A calibration"
            " takes 3 crafts or more: train on photos of others too."
        )
    try:
        groups_to_deal(manifest, "source", folds)
    except SplitError as error:
        raise _undealt(error) from error


def score_out_of_fold(
    manifest: Manifest,
    copies: NDArray[np.int_],
    recipe: Recipe,
    embedded: PhotoEmbeddings,
    folds: int,
    groups: int,
    false_accepts: float,
    cache: Path,
    cells: Path,
    last_epoch: int | None,
    workers: int,
    runtime: Runtime,
) -> OutOfFold:
    """Score every photo by an embedder that saw neither its source nor a copy of it, and once more one that did not
    see its craft; ``copies`` are the groups of near-duplicates, ``(N,)``, ``last_epoch`` is the last one of these
    trainings, from 0, if it is not the recipe's, and ``workers`` of them are made at once, with features of this
    ``runtime``.

    Raises:
        CalibrationError: there are fewer sources than folds, sources are unknown, or there would be too few photos of
            crafts left out for this rate of false accepts.
    """
    classes, labels = np.unique(manifest.crafts, return_inverse=True)
    try:
        split = make_split(manifest, "source", n_folds=folds, seed=recipe.seed, duplicate_groups=copies)
    except SplitError as error:
        raise _undealt(error) from error
    # A photo that has gone, or come back, changes the folds; another decoder changes the photos.
    cells = cells / f"{split.hash[:12]}-decoder{DECODER}{'' if last_epoch is None else f'-epoch{last_epoch}'}"
    group_of = craft_groups(labels, groups)
    group = group_of[labels]
    known = np.full((len(manifest), len(classes)), np.nan, np.float32)
    unknown, familiarity = known.copy(), np.full(len(manifest), np.nan, np.float32)
    strange_familiarity, kin = familiarity.copy(), familiarity.copy()
    unseen = np.zeros(len(manifest), dtype=bool)  # of a craft that only their own fold has
    work = []
    for fold in range(folds):
        others, test = split.rows(manifest, fold)
        for left_out in range(-1, groups):
            train = others[group[others] != left_out]
            asked = test[group[test] == left_out] if left_out >= 0 else test
            if len(asked) and len(set(labels[train])) > 1:
                work.append((fold, left_out, others, train, asked))
    _require_photos(labels, work, false_accepts)
    trainings = []
    for fold, left_out, others, train, test in work:
        cell = cells / f"fold{fold}of{folds}-unlearned{left_out}of{groups}.npy"
        kept_back = others[group[others] == left_out]
        trainings.append(_Training(cell, manifest, labels, classes, recipe, last_epoch, train, test, kept_back, cache))
    for (_, left_out, _, train, test), cosines in zip(work, _all_cosines(trainings, workers, runtime), strict=True):
        familiar = Familiarity.of(embedded.features[train])(embedded.features[test])
        if left_out >= 0:
            own = cosines[np.arange(len(test)), labels[test]]
            kin[test] = np.where(own > -1, own, np.nan)
            unknown[test], strange_familiarity[test] = np.where(group_of == left_out, -1, cosines), familiar
        else:
            known[test], familiarity[test] = cosines, familiar
            unseen[test] = ~np.isin(labels[test], labels[train])
    # These are of a craft and a source never seen by the embedder of the whole fold.
    unknown[unseen], strange_familiarity[unseen] = known[unseen], familiarity[unseen]
    kept = ~np.isnan(known[:, 0]) & ~unseen
    strange = ~np.isnan(unknown[:, 0])
    sources = manifest.sources
    return OutOfFold(
        known[kept],
        labels[kept],
        sources[kept],
        familiarity[kept],
        unknown[strange],
        sources[strange],
        strange_familiarity[strange],
        kin[~np.isnan(kin)],
    )


def _undealt(error: SplitError) -> CalibrationError:
    remedy = (
        "The option is --folds; with other photos, train again."
        if isinstance(error, TooManyFolds)
        else "Then train again."
    )
    return CalibrationError(f"the training photos cannot be dealt into folds by source: {error} {remedy}")


def _require_photos(labels: NDArray[np.int_], work: Sequence[_Cell], false_accepts: float) -> None:
    """Make sure, before anything is trained, that there will be photos enough to find thresholds by."""
    named, strange = set(), set()
    for _, left_out, _, train, test in work:
        known = np.isin(labels[test], labels[train])
        strange |= set(test[~known].tolist())
        named |= set(test[known].tolist()) if left_out < 0 else set()
    if not named or not strange:
        raise CalibrationError("the crafts of the training photos are of too few sources each: add photos of others.")
    require_rate(len(strange), false_accepts)


def require_rate(strange: int, false_accepts: float) -> None:
    """Make sure that so many photos of crafts left out can show a rate of false accepts.

    Raises:
        CalibrationError: they cannot.
    """
    try:
        accepted(false_accepts, strange)
    except TooFewImpostors as error:
        least = math.ceil(3000 / strange) / 1000
        lower = f"Ask for at least {least:g} with --false_accepts, or train" if least < 1 else "Train"
        raise CalibrationError(
            f"{strange} training photos can be scored by embedders that saw neither their source nor their craft: too"
            f" few for a false accept rate of {false_accepts:g}. {lower} on more photos."
        ) from error


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


def _all_cosines(trainings: Sequence[_Training], workers: int, runtime: Runtime) -> list[NDArray[np.float32]]:
    """What each gives, ``(T, C)``: read where it is kept, else learned, and kept as soon as it is there."""
    kept = [_known(each.cell, (len(each.test), len(each.classes))) for each in trainings]
    missing = [number for number, cosines in enumerate(kept) if cosines is None]
    # With fewer threads another runtime may be faster, and other features than those that are remembered.
    named = {RUNTIME: runtime}
    making = done(_cosines, [trainings[number] for number in missing], workers, environment=named)
    for place, cosines in track(
        making, "Training without a fold of sources, and without some crafts", total=len(missing)
    ):
        with atomic_path(trainings[missing[place]].cell) as temporary, temporary.open("wb") as file:
            np.save(file, cosines)
        kept[missing[place]] = cosines
    return [cosines for cosines in kept if cosines is not None]


def _cosines(training: _Training) -> NDArray[np.float32]:
    """Cosines ``(T, C)`` of the test photos to prototypes of the training photos of an embedder that learned these.

    For a craft that it did not learn: their mean cosine to the photos of it that were kept back, or -1.
    """
    manifest, labels, recipe, train = training.manifest, training.labels, training.recipe, training.train
    files, pieces, sources = manifest.files(), manifest.pieces, manifest.sources
    present = np.unique(labels[train])
    photos = Photos(
        [files[row] for row in train], np.searchsorted(present, labels[train]), pieces[train], sources[train]
    )
    crafts = training.classes[present].tolist()
    fitted = fit(recipe, photos, None, crafts, cache=training.cache, last_epoch=training.last_epoch, progress=False)
    folder = training.cache if recipe.model.trainable_stages == 0 else None
    again = train if fitted.embeddings is None else train[:0]
    rows = np.concatenate([again, training.test, training.kept_back])
    embeddings = embed_whole(fitted.embedder, [files[row] for row in rows], cache=folder, description=None).embeddings
    if fitted.bad or len(embeddings) != len(rows):
        raise CalibrationError("a training photo has become unreadable meanwhile: restore it, then calibrate again.")
    learned, asked, strange = np.split(embeddings, [len(again), len(again) + len(training.test)])
    if fitted.embeddings is not None:
        learned = fitted.embeddings
    cosines = np.full((len(training.test), len(training.classes)), -1, np.float32)
    cosines[:, present] = asked @ prototypes(learned, labels[train], pieces[train], sources[train], present.tolist()).T
    for craft in np.unique(labels[training.kept_back]):
        cosines[:, craft] = asked @ strange[labels[training.kept_back] == craft].mean(axis=0)
    return cosines


def _known(cell: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        cosines: NDArray[np.float32] = np.load(cell, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
        return None
    return cosines if cosines.shape == shape else None
