"""Which photos of a folder without labels to label next, and the reasons in words.

The folder and the photos that have labels are looked at as one collection, by the code that ``predict`` and the review
use: cosines with allowances, verdicts, familiarity, copies. In which order photos are chosen is decided in
``saree_cosface.review.teaching``.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.answers.collection import NEW, Collection, see
from saree_cosface.console import announce, few
from saree_cosface.data.duplicates import groups
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import COLUMNS, Manifest, ManifestError, manifest_of
from saree_cosface.data.names import tidy
from saree_cosface.data.photos import find_photos
from saree_cosface.metrics.neighbourhood import centred
from saree_cosface.review.copies import copies, cropped
from saree_cosface.review.queue import unbent_features
from saree_cosface.review.teaching import Candidates, most_teaching
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import NotACraft, UnknownCraft, craft_name, load_taxonomy

LISTED, KNOWN, STRANGE = "listed", "known", "strange"

LEFT_OUT = {
    LISTED: "have a label in the manifest already",
    KNOWN: "show a picture that is there already",
    STRANGE: "are unlike every photo learned from: perhaps not photos of such cloth",
}
"""Why photos of the folder are not chosen among, in words."""


@dataclass(frozen=True)
class Chosen:
    """A photo whose label would teach much.

    Attributes:
        rank: from 1.
        row: in the collection.
        crafts: ids of the two traditions that are nearest; one where the run knows no other.
        probabilities: of these.
        gap: of their cosines.
        nearest: cosine to the photo most like it of those that have a label or come before it.
        reasons: in words.
    """

    rank: int
    row: int
    crafts: tuple[str, ...]
    probabilities: tuple[float, ...]
    gap: float
    nearest: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Choice:
    """Which photos of a folder to label.

    Attributes:
        folder: of the photos.
        collection: those that have a label, and after them those of the folder.
        asked: how many were to be chosen.
        chosen: those that were, the first first.
        left_out: how many photos of the folder were not chosen among, by a key of ``LEFT_OUT``.
        bad: photos that could not be read, and files that are none.
        remarks: what the run does not know of the photos that have a label.
    """

    folder: Path
    collection: Collection
    asked: int
    chosen: tuple[Chosen, ...]
    left_out: Mapping[str, int]
    bad: tuple[BadImage, ...]
    remarks: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """Of the chosen photos."""
        return [str(self.collection.manifest.table["path"].iloc[each.row]) for each in self.chosen]

    @property
    def sources(self) -> list[str]:
        """Of the chosen photos; "" where unknown."""
        return [str(self.collection.manifest.table["source"].iloc[each.row]) for each in self.chosen]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        facts = self.collection.facts
        photos = []
        for each in self.chosen:
            photo = facts.iloc[each.row]
            known = {name: str(photo[name]) for name in ("path", "source", "sha256", "verdict")}
            nearest = [
                {"craft": craft, "name": craft_name(craft), "probability": round(chance, 4)}
                for craft, chance in zip(each.crafts, each.probabilities, strict=True)
            ]
            numbers = {"cosine": round(float(photo["cosine"]), 4), "gap": round(each.gap, 4)}
            numbers |= {"familiarity": round(float(self.collection.familiarity[each.row]), 4)}
            numbers |= {"nearest": round(each.nearest, 4)}
            photos.append({"rank": each.rank, **known, "traditions": nearest, **numbers, "reasons": list(each.reasons)})
        return {
            "folder": str(self.folder),
            "asked": self.asked,
            "chosen": photos,
            "left_out": dict(self.left_out),
            "skipped": [{"path": _told(bad.path), "reason": bad.reason} for bad in self.bad],
            "remarks": list(self.remarks),
        }


def require_photos(run: Run, folder: Path) -> tuple[list[Path], list[BadImage]]:
    """The photos of a folder, and files of it that cannot be any, if a run can choose among them at all.

    Raises:
        CalibrationError: the run is not calibrated.
        ManifestError: there is no photo.
        NotADirectoryError: there is no such folder.
    """
    if run.calibration is None:
        raise CalibrationError(
            f"{run.folder} is not calibrated, so it cannot tell photos of such cloth from others: run "
            f"`saree-cosface calibrate {run.folder}` first."
        )
    every, bad = find_photos(folder)
    found = [path for path in every if _told(path) == str(path)]
    bad += [BadImage(path, "its name is not UTF-8 text; rename it") for path in every if _told(path) != str(path)]
    if not found:
        because = f"; the first file that looks like one: {bad[0]}" if bad else ""
        raise ManifestError(f"{folder}: holds no photo to choose{because}.")
    return found, bad


def choose(
    run: Run,
    manifest: Manifest,
    folder: Path,
    count: int,
    *,
    listed: Sequence[Path] = (),
    cache: Path | None = None,
) -> Choice:
    """Choose the photos of a folder whose labels would teach most.

    Args:
        run: that looks; calibrated, since photos of other things are told by that.
        manifest: of the photos that have a label.
        folder: of photos without. The folders in it are sources, unless they are called like a craft: then the folders
            in those are. Of photos that lie beside such folders nobody knows the source.
        count: how many to choose.
        listed: photos that have a label as well, though they are not looked at.
        cache: of features, and of what was found about copies.

    Raises:
        CalibrationError, ManifestError, NotADirectoryError: as :func:`require_photos`; or there is no photo to choose,
            since none can be read, or all are known.
    """
    found, bad = require_photos(run, folder)
    assert run.calibration is not None
    labelled = {os.path.realpath(path) for path in (*manifest.files(), *listed)}
    new = [path for path in found if os.path.realpath(path) not in labelled]
    if not new:
        raise ManifestError(f"{folder}: all of its photos ({len(found)}) have a label in the manifest already.")
    collection = see(run, _together(manifest, folder, new), cache=cache)
    unlabelled = collection.manifest.crafts == ""
    if not unlabelled.any():
        raise ManifestError(f"{folder}: none of its photos ({len(new)}) can be read; the last: {collection.bad[-1]}")
    if unlabelled.all():
        raise ManifestError(f"none of the photos that have a label can be read; the first: {collection.bad[0]}")
    announce("Looking for copies")
    pairs = copies(collection, centred(unbent_features(collection, cache)), cropped(collection, cache))
    group = groups(len(collection), pairs)
    known = np.isin(group, group[~unlabelled]) | np.isin(collection.sha256, _contents(run))
    strange = ~known & (collection.familiarity < run.calibration.familiarity)
    counted = {LISTED: len(found) - len(new), KNOWN: int((unlabelled & known).sum())}
    counted[STRANGE] = int((unlabelled & strange).sum())
    left_out = {why: number for why, number in counted.items() if number}
    rows = np.flatnonzero(unlabelled & ~known & ~strange)
    if not len(rows):
        said = "; ".join(f"{number} {LEFT_OUT[why]}" for why, number in left_out.items())
        raise ManifestError(f"{folder}: none of its photos is left to choose: {said}.")
    chosen, remarks = _chosen(collection, rows, group, count), _remarks(collection)
    return Choice(folder, collection, count, chosen, left_out, (*bad, *collection.bad), remarks)


def _together(manifest: Manifest, folder: Path, photos: list[Path]) -> Manifest:
    """The photos that have a label, and after them those of a folder."""
    labelled = manifest.table[list(COLUMNS)].assign(path=_absolute(manifest.files()))
    new = pd.DataFrame("", index=range(len(photos)), columns=list(COLUMNS), dtype=object)
    new["path"] = _absolute(photos)
    of_folder = {parent: _source(parent.relative_to(folder).parts) for parent in {path.parent for path in photos}}
    new["source"] = [of_folder[path.parent] for path in photos]
    return manifest_of(pd.concat([labelled, new], ignore_index=True), Path("/"))


def _absolute(files: list[Path]) -> list[str]:
    return [os.path.abspath(path) for path in files]  # noqa: PTH100  # Path.resolve would follow links


def _told(path: Path) -> str:
    """A path as JSON can spell it: a name of another encoding comes as bytes that are no letters."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _source(folders: tuple[str, ...]) -> str:
    """The source of a photo by the folders that it lies in, "" where they do not say; as an import reads them, except
    that the folder of a craft may be missing.

    >>> _source(("Meera's shop", "piece 1")), _source(("Patola", "Meera's shop")), _source(("patola",)), _source(())
    ("Meera's shop", "Meera's shop", '', '')
    """
    try:
        load_taxonomy().resolve(folders[0] if folders else "")
    except (UnknownCraft, NotACraft):
        return tidy(folders[0]) if folders else ""
    return tidy(folders[1]) if len(folders) > 1 else ""


def _contents(run: Run) -> list[str]:
    """SHA-256 of every photo that the run was made with, or that was enrolled since."""
    return sorted({*run.used, *run.gallery.references["sha256"]})


def _remarks(collection: Collection) -> tuple[str, ...]:
    """Where the manifest is not what the run was made of, as far as it matters here."""
    labelled = collection.manifest.crafts != ""
    strange = sorted(set(collection.manifest.crafts[labelled]) - set(collection.run.gallery.crafts))
    new = int((labelled & (collection.parts == NEW)).sum())
    said = []
    if strange:
        names = few([craft_name(craft) for craft in strange])
        said.append(f"The run does not know {names}, and doubts among the traditions that it knows.")
    if new:
        said.append(
            f"{new} of {int(labelled.sum())} photos that have a label were not there when the run was trained: one "
            "that is trained on them doubts otherwise."
        )
    return tuple(said)


def _chosen(collection: Collection, rows: NDArray[np.int_], group: NDArray[np.int_], count: int) -> tuple[Chosen, ...]:
    labelled = collection.manifest.crafts != ""
    sources = collection.manifest.sources
    order = np.argsort(-collection.cosines[rows], axis=1, kind="stable")
    ranked = np.take_along_axis(collection.cosines[rows], order, axis=1)
    gaps = ranked[:, 0] - ranked[:, 1] if ranked.shape[1] > 1 else np.zeros(len(rows))
    candidates = Candidates(collection.embeddings[rows], gaps, sources[rows], group[rows])
    found = most_teaching(candidates, collection.embeddings[labelled], set(sources[labelled].tolist()), count)
    calibration = collection.run.calibration
    assert calibration is not None  # or choose() would have said so
    chances = calibration.probabilities(collection.cosines[rows])
    far = float(np.quantile((collection.embeddings[rows] @ collection.embeddings[labelled].T).max(axis=1), 0.25))
    met = set(sources[labelled].tolist())
    chosen = []
    for rank, one in enumerate(found, start=1):
        row, best = int(rows[one.row]), order[one.row][:2]
        crafts = tuple(collection.run.gallery.crafts[index] for index in best)
        probabilities = tuple(chances[one.row][best].tolist())
        reasons = [_doubt(str(collection.kinds[row]), crafts, probabilities)]
        if one.nearest < far:
            reasons.append(f"unlike what is there (a cosine of {one.nearest:.2f} to the nearest)")
        if sources[row] and sources[row] not in met:
            reasons.append("first of its source")
        copies_of_it = int((group[rows] == group[row]).sum())
        if copies_of_it > 1:
            reasons.append(f"one of {copies_of_it} photos of one picture")
        met.add(sources[row])
        chosen.append(Chosen(rank, row, crafts, probabilities, float(gaps[one.row]), one.nearest, tuple(reasons)))
    return tuple(chosen)


def _doubt(kind: str, crafts: tuple[str, ...], chances: tuple[float, ...]) -> str:
    """What the run takes a photo for, in words.

    >>> _doubt("unsure", ("patola", "sambalpuri"), (0.412, 0.39)), _doubt("tradition", ("patola",), (1.0,))
    ('between Patola (41%) and Sambalpuri (39%)', 'taken for Patola (100%)')
    """
    named = [f"{craft_name(craft)} ({chance:.0%})" for craft, chance in zip(crafts, chances, strict=True)]
    if kind == "tradition" or len(named) < 2:
        return f"taken for {named[0]}"
    return f"between {named[0]} and {named[1]}"
