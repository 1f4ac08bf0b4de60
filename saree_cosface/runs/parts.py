"""Which photos of a manifest a run learns from, and which it holds out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console, few
from saree_cosface.data.duplicates import duplicate_groups
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.splits import Split, SplitError, TooManyFolds, groups_to_deal, load_split, make_split
from saree_cosface.options import DataOptions
from saree_cosface.runs.folder import RunError

PARTS = ("train", "validation", "test")

_SPELT = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
_SPELT |= {"test": "test", "testing": "test", "held-out": "test", "": "unused", "unused": "unused"}


def deal_parts(manifest: Manifest, data: DataOptions, seed: int, out: Path) -> tuple[NDArray[np.str_], Split | None]:
    """The part of each photo: train, validation, test or unused; and the split that they come from."""
    if data.split is None and any(manifest.table["split"] != ""):
        return _parts_of_column(manifest), None
    parts = np.full(len(manifest), "train", dtype="<U10")
    if data.split is not None:
        split = load_split(data.split)
    elif (out / "split.json").is_file():
        split = load_split(out / "split.json")
    elif data.test_fold < 0 and data.validation_fold < 0:
        return parts, None
    else:
        split = _dealt(manifest, data, seed)
    for part, fold in (("test", data.test_fold), ("validation", data.validation_fold)):
        if fold >= 0:
            parts[split.rows(manifest, fold)[1]] = part
    return parts, split


def _dealt(manifest: Manifest, data: DataOptions, seed: int) -> Split:
    try:
        groups_to_deal(manifest, "source", data.folds)  # before the photos are decoded to find copies
        return make_split(
            manifest, "source", n_folds=data.folds, seed=seed, duplicate_groups=duplicate_groups(manifest)
        )
    except SplitError as error:
        if isinstance(error, TooManyFolds):
            remedy = "The option is --data.folds; with 2, --data.validation_fold -1 leaves one to train on."
        else:
            remedy = (
                "Or say in the column split which photos are for train, validation and test, or hold none out with"
                " --data.test_fold -1 --data.validation_fold -1."
            )
        raise SplitError(f"{data.manifest}: {error} {remedy}") from error


def _parts_of_column(manifest: Manifest) -> NDArray[np.str_]:
    names = [str(name).strip().lower() for name in manifest.table["split"]]
    unknown = sorted(set(names) - set(_SPELT))
    if unknown:
        raise RunError(f"the column split holds {few(unknown)}; it may hold {', '.join(PARTS)}, or nothing.")
    parts = np.array([_SPELT[name] for name in names])
    for part in ("validation", "test"):
        shared = set(manifest.sources[parts == "train"]) & set(manifest.sources[parts == part]) - {""}
        if shared:
            console.print(
                f"[yellow]The column split has photos of {len(shared)} sources both in training and in {part}: "
                "scores will flatter. Leave the column empty to have sources held out."
            )
    return parts
