"""Which photos of a manifest a run learns from, and which it holds out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console, few
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.reading import Reading
from saree_cosface.data.splits import Split, SplitError, TooManyFolds, groups_to_deal, load_split, make_split
from saree_cosface.features.copies import copy_groups
from saree_cosface.options import DataOptions
from saree_cosface.runs.folder import MANIFEST, SPLIT, RunError

PARTS = ("train", "validation", "test")

_SPELT = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
_SPELT |= {"test": "test", "testing": "test", "held-out": "test", "": "unused", "unused": "unused"}


def deal_parts(
    manifest: Manifest, reading: Reading, data: DataOptions, seed: int, out: Path
) -> tuple[NDArray[np.str_], Split | None]:
    """The part of each photo that was read: train, validation, test or unused; and the split that they come from.

    Args:
        manifest: all photos.
        reading: of their files.
        data: folds, or a split that was made before, of all photos.
        seed: of the folds.
        out: folder of the run; the split is there already if the run was begun.
    """
    read = manifest.select(reading.rows)
    if data.split is None and any(manifest.table["split"] != ""):
        parts = _parts_of_column(read)
        _say_parted(read, reading, parts, data)
        return parts, None
    dealt = read
    if data.split is not None:
        split, dealt = load_split(data.split), manifest
    elif (out / MANIFEST).is_file() and (out / SPLIT).is_file():
        split = load_split(out / SPLIT)
    elif data.test_fold < 0 and data.validation_fold < 0:
        return np.full(len(read), "train", dtype="<U10"), None
    else:
        split = _dealt(read, reading, data, seed)
    parts = np.full(len(dealt), "train", dtype="<U10")
    for part, fold in (("test", data.test_fold), ("validation", data.validation_fold)):
        if fold >= 0:
            parts[split.rows(dealt, fold)[1]] = part
    parts = parts if dealt is read else parts[reading.rows]
    if data.split is not None:
        _say_parted(read, reading, parts, data)
    return parts, split


def require_dealable(manifest: Manifest, data: DataOptions, out: Path) -> None:
    """Say before the photos are decoded that they cannot be dealt, where that can be known.

    Raises:
        SplitError: sources are unknown, or too few.
    """
    begun = (out / MANIFEST).is_file() and (out / SPLIT).is_file()
    whole = data.test_fold < 0 and data.validation_fold < 0
    if data.split is None and not any(manifest.table["split"] != ""):
        for option, fold in (("test_fold", data.test_fold), ("validation_fold", data.validation_fold)):
            if fold >= data.folds:
                raise SplitError(
                    f"--data.{option} is {fold}: with --data.folds {data.folds} it may be 0 to {data.folds - 1}."
                )
        if len({data.test_fold, data.validation_fold} - {-1}) >= data.folds:
            raise SplitError(
                f"{data.folds} folds leave none to train on: take more --data.folds, or --data.validation_fold -1."
            )
    if data.split is None and not any(manifest.table["split"] != "") and not begun and not whole:
        with _advised(data):
            groups_to_deal(manifest, "source", data.folds)


def _dealt(read: Manifest, reading: Reading, data: DataOptions, seed: int) -> Split:
    copies = copy_groups(read.files(), reading.hashes, cache=data.cache)
    with _advised(data):
        return make_split(read, "source", n_folds=data.folds, seed=seed, duplicate_groups=copies)


def _say_parted(read: Manifest, reading: Reading, parts: NDArray[np.str_], data: DataOptions) -> None:
    """Say of which pictures somebody has put one copy into training, and another into what is held out."""
    copies = copy_groups(read.files(), reading.hashes, cache=data.cache)
    for part in ("validation", "test"):
        parted = np.flatnonzero((parts == part) & np.isin(copies, copies[parts == "train"]))
        if len(parted):
            first = read.table["path"].iloc[parted[0]]
            said = f"{len(parted)} photos of {part} are copies or crops of photos in training (the first: {first})"
            remedy = "scores will flatter. `saree-cosface data check` lists them."
            console.print(f"{said}: {remedy}", style="yellow", highlight=False, markup=False)


@contextmanager
def _advised(data: DataOptions) -> Iterator[None]:
    """Beside what is wrong with a split, the options that help."""
    try:
        yield
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
