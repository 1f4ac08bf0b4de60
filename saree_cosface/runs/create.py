"""Making a run: train, build the gallery of the training photos, and write the folder."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest, manifest_of
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.names import lookalikes
from saree_cosface.data.photos import list_bad
from saree_cosface.data.splits import Split
from saree_cosface.files import write_json, write_text
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.options import DataOptions, Recipe
from saree_cosface.runs.folder import CONFIG, RunError, check_folder, settings_of, with_precision
from saree_cosface.runs.parts import PARTS, deal_parts
from saree_cosface.runs.references import build_gallery
from saree_cosface.runs.run import Run, load_run
from saree_cosface.taxonomy import load_taxonomy
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.fit import fit
from saree_cosface.training.labelled import Photos
from saree_cosface.training.module import SCORE


def create_run(data: DataOptions, recipe: Recipe, out: Path, *, resume: bool = False) -> Run:
    """Train, build the gallery of the training photos, and write the run.

    Args:
        data: photos and folds.
        recipe: everything else.
        out: folder of the run; it must be new or empty unless ``resume``.
        resume: go on with an interrupted run of the same options and photos; a finished one is returned as it is.

    Raises:
        RunError: the folder holds something else, or ``resume`` was asked with other options or photos.

    >>> from saree_cosface.options import OptimOptions
    >>> data = DataOptions(manifest_file, where="craft in ['chanderi', 'jamdani']", folds=4, cache=cache)
    >>> recipe = Recipe(optim=OptimOptions(epochs=1))
    >>> run = create_run(data, recipe, out / "new")
    >>> run.classes, sorted(run.sources)
    (('chanderi', 'jamdani'), ['test', 'train', 'validation'])
    """
    out = Path(out)
    recipe = with_precision(recipe, out)
    settings = settings_of(data, recipe)
    check_folder(out, settings, resume)
    if (out / "run.json").is_file():
        console.print(f"{out} is finished already.", highlight=False)
        return load_run(out)
    manifest = read_manifest(data.manifest, where=data.where)
    parts, split = deal_parts(manifest, data, recipe.seed, out)
    classes = tuple(sorted({str(craft) for craft in manifest.crafts[parts == "train"]}))
    if len(classes) < 2:
        raise RunError(
            f"{data.manifest}: the training part holds {len(classes)} craft{'s' * (len(classes) != 1)}; a comparison "
            "needs at least 2. Hold fewer photos out, with --data.validation_fold -1 or more --data.folds, or add "
            "photos."
        )
    train = _photos(manifest, np.flatnonzero(parts == "train"), classes)
    known = np.isin(manifest.crafts, classes)
    validation_rows = np.flatnonzero((parts == "validation") & known)
    validation = _photos(manifest, validation_rows, classes) if len(validation_rows) else None
    _begin(out, settings, manifest, parts, split)
    _describe(manifest, parts, classes)
    card = EmbedderCard(
        taxonomy_version=load_taxonomy().version,
        manifest_sha256=manifest.sha256,
        split_hash=split.hash if split else "",
    )
    fitted = fit(
        recipe,
        train,
        validation,
        classes,
        cache=data.cache,
        workers=data.workers,
        folder=out,
        resume=resume and (out / CHECKPOINT).is_file(),
        card=card,
    )
    list_bad(fitted.bad, data.manifest)
    scores = {"best_epoch": fitted.best_epoch, **fitted.history[fitted.best_epoch]}
    metrics = {name: value for name, value in scores.items() if name != "epoch"}
    embedder = fitted.embedder
    embedder.card = replace(embedder.card, metrics=metrics)
    embedder.save(out / "embedder")
    gallery, _ = build_gallery(embedder, manifest.select(parts == "train"), folder=out / "gallery", cache=data.cache)
    gallery.save(out / "gallery")
    _write_parts(out, manifest, parts, split)
    write_json(out / "run.json", {"best_epoch": fitted.best_epoch, "score": metrics.get(SCORE), "classes": classes})
    return load_run(out)


def _begin(
    out: Path, settings: dict[str, Any], manifest: Manifest, parts: NDArray[np.str_], split: Split | None
) -> None:
    """Write down what was decided, or make sure that it is what was decided before."""
    # os.path.abspath, unlike Path.resolve, keeps links, under whose names the photos are known.
    table = manifest.table.assign(path=[os.path.abspath(path) for path in manifest.files()], split=parts)  # noqa: PTH100
    if (out / "manifest.csv").is_file():
        before = read_manifest(out / "manifest.csv", taxonomy=None)
        if before.sha256 != manifest_of(table, out).sha256:
            raise RunError(
                f"{out} was begun with other photos, labels or parts than {settings['data']['manifest']} has now: "
                "restore them, or choose another --out."
            )
        return
    try:
        write_text(out / CONFIG, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
        if split is not None:
            split.save(out / "split.json")
        write_manifest(table, out / "manifest.csv")
    except OSError as error:
        raise RunError(f"{out} cannot be written ({error.strerror}): choose another --out.") from error


def _photos(manifest: Manifest, rows: NDArray[np.int_], classes: tuple[str, ...]) -> Photos:
    chosen = manifest.select(rows)
    return Photos(chosen.files(), np.searchsorted(np.array(classes), chosen.crafts), chosen.pieces, chosen.sources)


def _describe(manifest: Manifest, parts: NDArray[np.str_], classes: tuple[str, ...]) -> None:
    counts = ", ".join(
        f"{int((parts == part).sum())} {part} ({len(set(manifest.sources[parts == part]))} sources)" for part in PARTS
    )
    console.print(f"{len(classes)} crafts; photos: {counts}.", highlight=False)
    for alike in lookalikes(manifest.sources.tolist()):
        said = f"The sources {' and '.join(map(repr, alike))} look alike: if they are one, give it one spelling."
        console.print(said, style="yellow", highlight=False, markup=False)


def _write_parts(out: Path, manifest: Manifest, parts: NDArray[np.str_], split: Split | None) -> None:
    used: dict[str, str] = {}
    for path, part in zip(manifest.files(), parts, strict=True):
        with suppress(BadImage):  # what cannot be read was not used
            used[photo_hash(path)] = str(part)
    sources = {part: sorted(set(manifest.sources[parts == part].tolist()) - {""}) for part in PARTS}
    write_json(out / "parts.json", {"used": used, "sources": sources, "split_hash": split.hash if split else ""})
