"""Sources that stand for a craft, crafts that stand on one source, and copies on both sides of the split."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from saree_cosface.data.manifest import Manifest
from saree_cosface.data.reading import Reading
from saree_cosface.features.copies import copy_pairs
from saree_cosface.runs.run import Run

DOMINANT = 0.5
"""Share of a craft's photos from one source, or of a source's photos of one craft, from which on there is a warning."""

SIGNIFICANT = 0.01


def copies_across_parts(
    run: Run, manifest: Manifest, reading: Reading, cache: Path | None = None
) -> list[dict[str, str]]:
    """Copies and crops of one photograph, of which one was trained on and the other was not, among the photos of a
    manifest, each of which was read."""
    pairs = copy_pairs(manifest.files(), reading.hashes, cache=cache)
    part = [run.used.get(sha256, "") for sha256 in reading.sha256.tolist()]
    found = []
    for first, second in pairs.tolist():
        if {part[first], part[second]} & {"train"} and part[first] != part[second]:
            a, b = (first, second) if part[first] == "train" else (second, first)
            paths = manifest.table["path"]
            found.append({"trained_on": str(paths[a]), "copy": str(paths[b]), "part": part[b] or "unused"})
    return found


def confounded_sources(crafts: NDArray[np.str_], sources: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Sources that sell mostly one craft, and more of it than chance would have it: ``(N,), (N,)``.

    The chance is that of a binomial with the craft's share among all other sources, times the number of sources.
    """
    found = []
    names = [name for name in np.unique(sources).tolist() if name]
    for name in names:
        mine = sources == name
        kinds, counts = np.unique(crafts[mine], return_counts=True)
        craft, count, total = str(kinds[counts.argmax()]), int(counts.max()), int(mine.sum())
        elsewhere = float(np.mean(crafts[~mine] == craft)) if (~mine).any() else 0.0
        chance = min(1.0, float(binom.sf(count - 1, total, elsewhere)) * len(names))
        if count >= DOMINANT * total and chance < SIGNIFICANT:
            found.append(
                {"source": name, "craft": craft, "photos": total, "of_it": count, "elsewhere": elsewhere, "p": chance}
            )
    return found


def dominated_crafts(crafts: NDArray[np.str_], sources: NDArray[np.str_]) -> list[dict[str, Any]]:
    """The largest source of each craft and its share of the craft's photos, the most dominated first."""
    found = []
    for craft in np.unique(crafts).tolist():
        names, counts = np.unique(sources[crafts == craft], return_counts=True)
        share = float(counts.max() / counts.sum())
        found.append(
            {
                "craft": str(craft),
                "photos": int(counts.sum()),
                "sources": len(names),
                "largest": str(names[counts.argmax()]),
                "share": share,
                "warning": share >= DOMINANT,
            }
        )
    return sorted(found, key=lambda each: -float(str(each["share"])))
