"""Making a run: train, build the gallery of the training photos, and write the folder."""

import os
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.curation.confirming import confirmed
from saree_cosface.curation.deciding import log_beside
from saree_cosface.curation.log import CurationLog
from saree_cosface.data.manifest import Manifest, manifest_of
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.names import lookalikes
from saree_cosface.data.photos import list_bad
from saree_cosface.data.reading import read_photos, say_lost
from saree_cosface.data.splits import Split
from saree_cosface.files import write_json, write_text
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.options import DataOptions, Recipe
from saree_cosface.runs.alone import alone
from saree_cosface.runs.folder import CONFIG, MANIFEST, SPLIT, RunError, check_folder, settings_of, with_precision
from saree_cosface.runs.parts import PARTS, deal_parts, require_dealable
from saree_cosface.runs.references import build_gallery
from saree_cosface.runs.run import Run, load_run
from saree_cosface.taxonomy import load_taxonomy
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.fit import Fitted, fit
from saree_cosface.training.labelled import NoPhotosError, Photos
from saree_cosface.training.loop import first_process
from saree_cosface.training.module import SCORE

_PAUSE = 0.2  # seconds between two looks for a file of the first process


def create_run(data: DataOptions, recipe: Recipe, out: Path, *, resume: bool = False) -> Run:
    """Train, build the gallery of the training photos, and write the run.

    Photos that cannot be read, and those that have changed since the manifest recorded their checksums, are listed and
    have no part in the run.

    Args:
        data: photos and folds.
        recipe: everything else.
        out: folder of the run; it must be new or empty unless ``resume``.
        resume: go on with an interrupted run of the same options and photos; a finished one is returned as it is.

    Raises:
        RunError: the folder holds something else, ``resume`` was asked with other options or photos, or another process
            is at work in the folder.
        ChildProcessError: of several processes of one training the first has gone.
        NoPhotosError: not one photo can be read; nothing is written then.

    >>> from saree_cosface.options import OptimOptions
    >>> data = DataOptions(manifest_file, where="craft in ['chanderi', 'jamdani']", folds=4, cache=cache)
    >>> recipe = Recipe(optim=OptimOptions(epochs=1))
    >>> run = create_run(data, recipe, out / "new")
    >>> run.classes, sorted(run.sources)
    (('chanderi', 'jamdani'), ['test', 'train', 'validation'])
    """
    out = Path(out)
    if not first_process():
        _help(data, recipe, out, resume)
        return load_run(out)
    # A finished run is only looked at, which needs no right to write.
    with nullcontext() if (out / "run.json").is_file() else alone(out, "train"):
        recipe = with_precision(recipe, out)
        settings = settings_of(data, recipe)
        check_folder(out, settings, resume)
        if (out / "run.json").is_file():
            console.print(f"{out} is finished already.", highlight=False)
        else:
            _create(data, recipe, out, settings, resume)
    return load_run(out)


def _create(data: DataOptions, recipe: Recipe, out: Path, settings: dict[str, Any], resume: bool) -> None:
    manifest = _chosen(data)
    require_dealable(manifest, data, out)
    reading = read_photos(manifest.files(), manifest.table["sha256"].tolist())
    list_bad(reading.bad, data.manifest)
    if not len(reading.rows):
        raise NoPhotosError(f"{data.manifest}: not one of the photos could be read; the first: {reading.bad[0]}")
    read = manifest.select(reading.rows)
    # os.path.abspath, unlike Path.resolve, keeps links, under whose names the photos are known.
    table = read.table.assign(path=[os.path.abspath(path) for path in read.files()], sha256=reading.sha256)  # noqa: PTH100
    begun = (out / MANIFEST).is_file()
    if begun:
        _require_as_begun(out, table.assign(split=""), data.manifest)
    parts, split = deal_parts(manifest, reading, data, recipe.seed, out)
    used = manifest_of(table.assign(split=parts), out)
    if begun:
        _require_as_begun(out, used.table, data.manifest)
    classes = _classes(used)
    if len(classes) < 2:
        raise RunError(
            f"{data.manifest}: the training part holds {len(classes)} craft{'s' * (len(classes) != 1)}; a comparison "
            "needs at least 2. Hold fewer photos out, with --data.validation_fold -1 or more --data.folds, or add "
            "photos."
        )
    if not begun:
        _begin(out, settings, used, split)
    say_lost(manifest, used)
    _describe(used, classes)
    card = EmbedderCard(
        taxonomy_version=load_taxonomy().version,
        manifest_sha256=manifest.sha256,
        split_hash=split.hash if split else "",
    )
    fitted = _fit(data, recipe, out, used, classes, card, resume)
    scores = {"best_epoch": fitted.best_epoch, **fitted.history[fitted.best_epoch]}
    metrics = {name: value for name, value in scores.items() if name != "epoch"}
    embedder = fitted.embedder
    embedder.card = replace(embedder.card, metrics=metrics)
    gallery, gone = build_gallery(embedder, used.select(parts == "train"), folder=out / "gallery", cache=data.cache)
    if gone or fitted.bad:
        gone = gone or fitted.bad
        raise RunError(
            f"{out}: {len(gone)} photos have changed or gone during the training; the first: {gone[0]}. Restore them "
            "and go on with --resume, or take them off the manifest and choose another --out."
        )
    embedder.save(out / "embedder")
    gallery.save(out / "gallery")
    _write_parts(out, used, split, together=split is not None and data.split is None)
    write_json(out / "run.json", {"best_epoch": fitted.best_epoch, "score": metrics.get(SCORE), "classes": classes})


def _chosen(data: DataOptions) -> Manifest:
    manifest = read_manifest(data.manifest, where=data.where)
    if not data.confirmed:
        return manifest
    if data.log is not None:
        CurationLog(data.log).close()  # which says so if there is none
    log = data.log or log_beside(data.manifest)
    rows = confirmed(manifest, log)
    console.print(f"{int(rows.sum())} of {len(manifest)} photos have a label that is confirmed.", highlight=False)
    if not rows.any():
        raise NoPhotosError(
            f"{data.manifest}: not one label is confirmed. Confirm some in the tab Review of the app, or with "
            f"`saree-cosface curate {log} accept PHOTO --manifest {data.manifest}`."
        )
    return manifest.select(rows)


def _fit(
    data: DataOptions,
    recipe: Recipe,
    out: Path,
    used: Manifest,
    classes: tuple[str, ...],
    card: EmbedderCard,
    resume: bool,
) -> Fitted:
    parts = used.table["split"].to_numpy(str)
    validation = np.flatnonzero((parts == "validation") & np.isin(used.crafts, classes))
    return fit(
        recipe,
        _photos(used, np.flatnonzero(parts == "train"), classes),
        _photos(used, validation, classes) if len(validation) else None,
        classes,
        cache=data.cache,
        workers=data.workers,
        folder=out,
        resume=resume and (out / CHECKPOINT).is_file(),
        card=card,
        devices=data.devices,
        nodes=data.nodes,
        progress=first_process(),
    )


def _help(data: DataOptions, recipe: Recipe, out: Path, resume: bool) -> None:
    """Train as one of several processes, with the photos and parts that the first one has written down."""
    _wait_for(out / MANIFEST)
    if (out / "run.json").is_file():
        return
    used = read_manifest(out / MANIFEST, taxonomy=None)
    _fit(data, with_precision(recipe, out), out, used, _classes(used), EmbedderCard(), resume)
    _wait_for(out / "run.json")


def _wait_for(path: Path) -> None:
    """Wait for what the first process writes, as long as whoever has started this one is there."""
    starter = os.getppid()
    while not path.is_file():
        if os.getppid() != starter:
            raise ChildProcessError(f"{path} was not written: the first process of the training has gone.")
        time.sleep(_PAUSE)


def _classes(used: Manifest) -> tuple[str, ...]:
    return tuple(sorted({str(craft) for craft in used.crafts[used.table["split"].to_numpy(str) == "train"]}))


def _begin(out: Path, settings: dict[str, Any], used: Manifest, split: Split | None) -> None:
    """Write down what was decided; the photos last, since a run that lists them has begun."""
    try:
        write_text(out / CONFIG, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
        if split is not None:
            split.save(out / SPLIT)
        write_manifest(used.table, out / MANIFEST)
    except OSError as error:
        raise RunError(f"{out} cannot be written ({error.strerror}): choose another --out.") from error


def _require_as_begun(out: Path, table: pd.DataFrame, listed: Path) -> None:
    """Make sure that photos and labels are those that a run was begun with, and their parts where they are dealt."""
    before = read_manifest(out / MANIFEST, taxonomy=None).table
    if not (table["split"] != "").any():
        before = before.assign(split="")
    if manifest_of(before, out).sha256 == manifest_of(table, out).sha256:
        return
    then, now = (dict(zip(each["path"], each["sha256"], strict=True)) for each in (before, table))
    other = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    which = f" ({len(other)} files have come, gone or changed; the first: {other[0]})" if other else ""
    raise RunError(
        f"{out} was begun with other photos, labels or parts than {listed} has now{which}: restore them, or choose "
        "another --out."
    )


def _photos(manifest: Manifest, rows: NDArray[np.int_], classes: tuple[str, ...]) -> Photos:
    chosen = manifest.select(rows)
    return Photos(chosen.files(), np.searchsorted(np.array(classes), chosen.crafts), chosen.pieces, chosen.sources)


def _describe(used: Manifest, classes: tuple[str, ...]) -> None:
    parts = used.table["split"].to_numpy(str)
    counts = ", ".join(
        f"{int((parts == part).sum())} {part} ({len(set(used.sources[parts == part]))} sources)" for part in PARTS
    )
    console.print(f"{len(classes)} crafts; photos: {counts}.", highlight=False)
    for alike in lookalikes(used.sources.tolist()):
        said = f"The sources {' and '.join(map(repr, alike))} look alike: if they are one, give it one spelling."
        console.print(said, style="yellow", highlight=False, markup=False)


def _write_parts(out: Path, used: Manifest, split: Split | None, *, together: bool) -> None:
    parts = used.table["split"].to_numpy(str)
    seen = dict(zip(used.table["sha256"].tolist(), parts.tolist(), strict=True))
    sources = {part: sorted(set(used.sources[parts == part].tolist()) - {""}) for part in PARTS}
    dealt = {"split_hash": split.hash if split else "", "crops_together": together}
    write_json(out / "parts.json", {"used": seen, "sources": sources, **dealt})
