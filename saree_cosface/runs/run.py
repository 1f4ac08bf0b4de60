"""A run: the folder that a training makes, and that everything after it reads.

config.yaml       the options                 manifest.csv      the photos used, with absolute paths
split.json        the fold of each photo      parts.json        which photos were trained on, and which held out
embedder/         card and weights            gallery/          references of the training photos
last.ckpt         to resume from              metrics.csv, learning_curves.png, tensorboard/
calibration/      thresholds and probabilities, once the run is calibrated
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from saree_cosface.answers.verdict import FOLDER, Calibration
from saree_cosface.console import console
from saree_cosface.data.duplicates import groups, near_duplicate_pairs, perceptual_hashes
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest, manifest_of, read_manifest, write_manifest
from saree_cosface.data.splits import Split, load_split, make_split
from saree_cosface.features.embedding import photo_hash
from saree_cosface.files import write_json, write_text
from saree_cosface.networks.embedder import Embedder, EmbedderCard
from saree_cosface.options import DataOptions, Recipe
from saree_cosface.runs.folder import CONFIG, RunError, check_folder, settings_of, with_precision
from saree_cosface.runs.gallery import Gallery, build_gallery
from saree_cosface.taxonomy import load_taxonomy
from saree_cosface.training.datamodule import Photos
from saree_cosface.training.fit import CHECKPOINT, fit
from saree_cosface.training.module import SCORE

PARTS = ("train", "validation", "test")
_SPELT = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
_SPELT |= {"test": "test", "testing": "test", "held-out": "test", "": "unused", "unused": "unused"}


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: where it lies.
        embedder: ready for inference.
        gallery: references of the training photos.
        used: SHA-256 of each photo that training or validation saw, to its part.
        sources: the sources that training or validation saw, by part.
    """

    folder: Path
    embedder: Embedder
    gallery: Gallery
    used: Mapping[str, str]
    sources: Mapping[str, frozenset[str]]
    split_hash: str

    @cached_property
    def calibration(self) -> Calibration | None:
        """What makes verdicts and probabilities of cosines; None until the run is calibrated.

        Raises:
            CalibrationError: it is damaged.
        """
        return Calibration.load(self.folder / FOLDER)

    def cosines(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """What answers are ranked by: cosines of photos to each tradition of the gallery, ``(..., D) -> (..., C)``.

        Those of traditions enrolled after training are raised as the calibration says
        (:meth:`saree_cosface.answers.verdict.Calibration.allowances`).
        """
        cosines: NDArray[np.float32] = embeddings @ self.gallery.prototypes.T
        if self.calibration is not None:
            allowances = self.calibration.allowances(cosines, self.gallery.crafts, self.gallery.pieces)
            cosines += allowances.astype(np.float32)
        return cosines

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Craft ids that the embedder was trained on."""
        return self.embedder.card.classes


def create_run(data: DataOptions, recipe: Recipe, out: Path, *, resume: bool = False) -> Run:
    """Train, build the gallery of the training photos, and write the run.

    Args:
        data: photos and folds.
        recipe: everything else.
        out: folder of the run; it must be new or empty unless ``resume``.
        resume: go on with an interrupted run of the same options and photos; a finished one is returned as it is.

    Raises:
        RunError: the folder holds something else, or ``resume`` was asked with other options or photos.
    """
    out = Path(out)
    recipe = with_precision(recipe, out)
    settings = settings_of(data, recipe)
    check_folder(out, settings, resume)
    if (out / "run.json").is_file():
        console.print(f"{out} is finished already.", highlight=False)
        return load_run(out)
    manifest = read_manifest(data.manifest, where=data.where)
    parts, split = _parts(manifest, data, recipe.seed, out)
    classes = tuple(sorted({str(craft) for craft in manifest.crafts[parts == "train"]}))
    if len(classes) < 2:
        raise RunError(
            f"{data.manifest}: the training part holds {len(classes)} craft; a comparison needs at least 2. Look at "
            "the options data.test_fold and data.validation_fold, or add photos."
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
    list_bad(fitted.bad)
    scores = {"best_epoch": fitted.best_epoch, **fitted.history[fitted.best_epoch]}
    metrics = {name: value for name, value in scores.items() if name != "epoch"}
    embedder = fitted.embedder
    embedder.card = replace(embedder.card, metrics=metrics)
    embedder.save(out / "embedder")
    gallery, _ = build_gallery(
        embedder, manifest.select(parts == "train"), folder=out / "gallery", cache=data.cache.expanduser()
    )
    gallery.save(out / "gallery")
    _write_parts(out, manifest, parts, split)
    write_json(out / "run.json", {"best_epoch": fitted.best_epoch, "score": metrics.get(SCORE), "classes": classes})
    return load_run(out)


def load_run(folder: Path) -> Run:
    """Read a finished run.

    Raises:
        RunError: it is no run, or not finished.
        EmbedderError, GalleryError: a part of it is damaged.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        begun = (folder / CHECKPOINT).is_file()
        remedy = "finish it with --resume" if begun else "give the folder that `saree-cosface train --out` made"
        raise RunError(f"{folder}: {'an unfinished run' if begun else 'not a run'}; {remedy}.")
    try:
        parts = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
        used, sources, split_hash = parts["used"], parts["sources"], parts["split_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder / 'parts.json'}: missing or damaged ({error}); train again.") from error
    return Run(
        folder,
        Embedder.load(folder / "embedder"),
        Gallery.load(folder / "gallery"),
        used,
        {part: frozenset(names) for part, names in sources.items()},
        split_hash,
    )


def duplicate_groups(manifest: Manifest) -> NDArray[np.int_]:
    """Group of near-duplicates of each photo, ``(N,)``, so that no split parts them."""
    return groups(len(manifest), near_duplicate_pairs(perceptual_hashes(manifest.files())))


def list_bad(bad: tuple[BadImage, ...], shown: int = 10) -> None:
    """Say on stderr which photos were left out, and why."""
    if bad:
        several = f"{len(bad)} photos could not be read and were left out:"
        console.print("[yellow]1 photo could not be read and was left out:" if len(bad) == 1 else f"[yellow]{several}")
        for each in bad[:shown]:
            console.print(f"  {each}", highlight=False, markup=False, soft_wrap=True)
        if len(bad) > shown:
            console.print(f"  … and {len(bad) - shown} more; `saree-cosface data check` lists all.")


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


def _parts(manifest: Manifest, data: DataOptions, seed: int, out: Path) -> tuple[NDArray[np.str_], Split | None]:
    """The part of each photo: train, validation, test or unused; and the split that they come from."""
    if data.split is None and any(manifest.table["split"] != ""):
        return _parts_of_column(manifest), None
    if data.split is not None:
        split = load_split(data.split)
    elif (out / "split.json").is_file():
        split = load_split(out / "split.json")
    else:
        split = make_split(
            manifest, "source", n_folds=data.folds, seed=seed, duplicate_groups=duplicate_groups(manifest)
        )
    parts = np.full(len(manifest), "train", dtype="<U10")
    for part, fold in (("test", data.test_fold), ("validation", data.validation_fold)):
        if fold >= 0:
            parts[split.rows(manifest, fold)[1]] = part
    return parts, split


def _parts_of_column(manifest: Manifest) -> NDArray[np.str_]:
    names = [str(name).strip().lower() for name in manifest.table["split"]]
    unknown = sorted(set(names) - set(_SPELT))
    if unknown:
        raise RunError(f"the column split holds {', '.join(unknown[:5])}; it may hold {', '.join(PARTS)}.")
    parts = np.array([_SPELT[name] for name in names])
    for part in ("validation", "test"):
        shared = set(manifest.sources[parts == "train"]) & set(manifest.sources[parts == part]) - {""}
        if shared:
            console.print(
                f"[yellow]The column split has photos of {len(shared)} sources both in training and in {part}: "
                "scores will flatter. Leave the column empty to have sources held out."
            )
    return parts


def _photos(manifest: Manifest, rows: NDArray[np.int_], classes: tuple[str, ...]) -> Photos:
    chosen = manifest.select(rows)
    return Photos(chosen.files(), np.searchsorted(np.array(classes), chosen.crafts), chosen.pieces, chosen.sources)


def _describe(manifest: Manifest, parts: NDArray[np.str_], classes: tuple[str, ...]) -> None:
    counts = ", ".join(
        f"{int((parts == part).sum())} {part} ({len(set(manifest.sources[parts == part]))} sources)" for part in PARTS
    )
    console.print(f"{len(classes)} crafts; photos: {counts}.", highlight=False)


def _write_parts(out: Path, manifest: Manifest, parts: NDArray[np.str_], split: Split | None) -> None:
    used: dict[str, str] = {}
    for path, part in zip(manifest.files(), parts, strict=True):
        with suppress(BadImage):  # what cannot be read was not used
            used[photo_hash(path)] = str(part)
    sources = {part: sorted(set(manifest.sources[parts == part].tolist()) - {""}) for part in PARTS}
    write_json(out / "parts.json", {"used": used, "sources": sources, "split_hash": split.hash if split else ""})
