"""The embedder of a run in eight bits: written where it says what the run says, refused where it does not."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.console import announce, track
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.ahead import Prepared
from saree_cosface.metrics.classification import top1
from saree_cosface.metrics.neighbourhood import unit
from saree_cosface.networks.export import ExportError, Format, export, loaded, moved
from saree_cosface.networks.int8 import quantise, require_packages
from saree_cosface.runs.folder import MANIFEST
from saree_cosface.runs.originals import originals
from saree_cosface.runs.run import Run

COSINE = 0.98
"""What the embedding of every photo must reach with the one in single precision."""

POINTS = 0.5
"""By how many points, of 100, top-1 may differ."""

CALIBRATING = 128
"""Photos to calibrate on, at most."""

COMPARED = 400
"""Others to compare on, at most."""

FEWEST = 5
"""Photos for each, at least."""

Way = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Comparison:
    """How far one way of embedding photos is from another.

    Attributes:
        cosine: the least over the photos.
        mean_cosine: the mean over them.
        top1: of the second way, as a share.
        exact_top1: of the first.
        changed: photos that are taken for another tradition, be it for the better or the worse.
        photos: how many there are.
        faster: how many times as fast it is here, the median over the photos.
    """

    cosine: float
    mean_cosine: float
    top1: float
    exact_top1: float
    changed: int
    photos: int
    faster: float

    @property
    def points(self) -> float:
        """By how many points, of 100, top-1 differs."""
        return 100 * abs(self.top1 - self.exact_top1)


@dataclass(frozen=True)
class Quantised:
    """What was written.

    Attributes:
        files: of the network.
        calibrated: photos that were calibrated on.
        comparison: with single precision, on photos that were not.
    """

    files: tuple[Path, ...]
    calibrated: int
    comparison: Comparison


def export_int8(
    run: Run,
    folder: Path,
    kind: Format,
    *,
    photos: Manifest | None = None,
    cosine: float = COSINE,
    points: float = POINTS,
) -> Quantised:
    """Write the embedder of a run in eight bits, ``embedder-int8.onnx`` or ``.xml`` and ``.bin``, if it says the same.

    Photos to calibrate on are spread over crafts and sources. Others are embedded both ways, fused over their views as
    always, and named by the nearest prototype of the run's gallery: those that the run holds out before those that it
    learned from.

    Args:
        run: whose embedder it is.
        folder: made if it is not there; files of these names are replaced.
        kind: of file.
        photos: to calibrate and compare on, as far as they are of the gallery's traditions. Those of the run where they
            are None, of which those that it learned from are calibrated on.
        cosine: the least that every photo must reach with single precision.
        points: by how many points, of 100, top-1 may differ.

    Raises:
        ExportError: a package is missing, photos are too few, the network cannot be quantised, or a bound is broken;
            nothing is written.
        OSError: the folder cannot be written.
    """
    require_packages(kind)
    calibrating, others = _dealt(run, photos)
    _require_enough(len(others), "compare with single precision")
    views = [each for _, each in _views(run, calibrating, "Reading photos to calibrate on")]
    _require_enough(len(views), "calibrate")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as scratch:
        exact = export(run.embedder, Path(scratch) / "exact", kind).files[-1]
        written = Path(scratch) / "int8" / f"embedder-int8{exact.suffix}"
        written.parent.mkdir()
        announce("Quantising")
        quantise(exact, views, written)
        calibrated = len(views)
        del views
        found = compared(run, loaded(exact), loaded(written), _views(run, others, "Comparing with single precision"))
        if found.cosine < cosine or found.points > points:
            raise ExportError(
                f"in eight bits the least cosine with single precision is {found.cosine:.4f} (it must be {cosine}), "
                f"and top-1 on {found.photos} photos {100 * found.top1:.1f} instead of {100 * found.exact_top1:.1f} "
                f"(it may differ by {points}): nothing is written. Calibrate on more photos, with --photos MANIFEST, "
                "or export without --int8."
            )
        return Quantised(moved(written.parent, folder), calibrated, found)


def compared(run: Run, one: Way, other: Way, photos: Iterable[tuple[str, NDArray[np.uint8]]]) -> Comparison:
    """How far the second way of embedding views ``(V, S, S, 3) -> (V, D)`` is from the first.

    Args:
        run: whose gallery names them.
        one: exact.
        other: looked at.
        photos: the craft and the views of each.

    Raises:
        ExportError: photos are too few.
    """
    crafts: list[str] = []
    embeddings: tuple[list[NDArray[np.float32]], ...] = ([], [])
    seconds: tuple[list[float], ...] = ([], [])
    for craft, views in photos:
        crafts.append(craft)
        for way, mine, took in zip(
            (one, other), embeddings, seconds, strict=True
        ):  # in turns: what else runs slows both
            start = time.perf_counter()
            mine.append(way(views).mean(axis=0))
            took.append(time.perf_counter() - start)
    _require_enough(len(crafts), "compare with single precision")
    exact, found = (unit(np.stack(mine)) for mine in embeddings)
    cosines = (exact * found).sum(axis=1)
    named = [np.array(run.gallery.crafts)[run.cosines(each).argmax(axis=1)] for each in (exact, found)]
    return Comparison(
        float(cosines.min()),
        float(cosines.mean()),
        top1(np.array(crafts), named[1]),
        top1(np.array(crafts), named[0]),
        int((named[0] != named[1]).sum()),
        len(crafts),
        float(np.median(np.array(seconds[0]) / np.array(seconds[1]))),
    )


def spread(manifest: Manifest, seed: int = 0) -> NDArray[np.int_]:
    """Rows of a manifest in an order of which every beginning is spread over crafts and, within them, over sources."""
    order = np.random.default_rng(seed).permutation(len(manifest))
    table = pd.DataFrame({"craft": manifest.crafts[order], "source": manifest.sources[order]})
    table["of_source"] = table.groupby(["craft", "source"]).cumcount()
    table = table.sort_values("of_source", kind="stable")
    of_craft = table.groupby("craft").cumcount().sort_values(kind="stable")
    rows: NDArray[np.int_] = order[of_craft.index.to_numpy()]
    return rows


def _dealt(run: Run, photos: Manifest | None) -> tuple[Manifest, Manifest]:
    """Photos to calibrate on, and others to compare on: as many, where there are few."""
    listed = run.folder / MANIFEST
    if photos is None and not listed.is_file():
        raise ExportError(f"{listed}: no such file: say with --photos MANIFEST which photos to calibrate on.")
    manifest = read_manifest(listed, taxonomy=None) if photos is None else photos
    there = np.array([path.is_file() for path in manifest.files()], dtype=bool)
    manifest = manifest.select(there & np.isin(manifest.crafts, run.gallery.crafts))
    rows = spread(manifest)
    learned = np.array(manifest.table["split"] == "train") if photos is None else np.full(len(manifest), True)
    first, others = rows[learned[rows]], rows[~learned[rows]]
    calibrating, rest = np.split(first, [min(CALIBRATING, len(first) // 2)])
    chosen, gone = originals(run, manifest.select(calibrating))
    compared_on, changed = originals(run, manifest.select(np.concatenate([others, rest])[:COMPARED]))
    list_bad((*gone, *changed))
    return chosen, compared_on


def _views(run: Run, photos: Manifest, description: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The craft of each photo that can be read, and the views that an embedding is made from."""
    size = run.embedder.backbone.preprocessing.size
    bad = []
    with Prepared(photos.files(), PyramidViews(size, brief=True), size, None) as prepared:
        for craft, item in zip(photos.crafts, track(prepared, description, total=len(photos)), strict=True):
            if isinstance(item, BadImage):
                bad.append(item)
            else:
                yield str(craft), item.views
    list_bad(tuple(bad))


def _require_enough(count: int, purpose: str) -> None:
    if count < FEWEST:
        raise ExportError(
            f"{count} photos are there to {purpose} on, and {FEWEST} it takes: give more with --photos MANIFEST, or "
            "export without --int8."
        )
