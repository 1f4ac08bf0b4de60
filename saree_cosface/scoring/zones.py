"""The zones of a calibration: how many photos get each kind of verdict, and how often that is wrong."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np

from saree_cosface.answers.verdict import Kind, verdicts
from saree_cosface.runs.calibration import Calibration
from saree_cosface.scoring.out_of_fold import OutOfFold

FOLDS = 5
"""Of sources, for which thresholds are found without them."""

HEAD = ("verdict", "known traditions", "crafts left out", "wrong for")
"""Of the rows of :func:`zone_rows`."""

_NAMES: Mapping[Kind, tuple[str, str]] = {
    "tradition": ("named", "of these names"),
    "between": ("one of two", "of these pairs"),
    "unsure": ("not sure", "of these sets"),
    "outside": ("outside", "of known traditions"),
}


def measured_zones(scored: OutOfFold, fit: Callable[[OutOfFold], Calibration]) -> dict[str, dict[str, float | None]]:
    """What becomes of the photos that a calibration is found from, each judged by thresholds found without its source.

    It is not looked for two pieces in one picture, so a few more are named here than would be.

    Args:
        scored: photos, out of fold, of two sources or more.
        fit: finds a calibration from some of them.

    Returns:
        For each kind of verdict the share of photos of known traditions that gets it (``known``), that of photos of
        crafts left out (``left_out``), and how often it is wrong (``wrong``): of those of known traditions that get it,
        the share whose own is not among those said (also where an unsure verdict rules out all of them); for
        ``outside``, the share of photos of known traditions that get it. None where none gets it.
    """
    sources, counts = np.unique(scored.sources, return_counts=True)
    others = np.setdiff1d(scored.unknown_sources, sources)
    dealt = np.concatenate([sources[np.argsort(-counts, kind="stable")], others])
    number = min(FOLDS, len(sources))
    known = np.full(len(scored.labels), "", dtype="<U9")
    strange, right = np.full(len(scored.unknown_cosines), "", dtype="<U9"), np.zeros(len(known), dtype=np.bool_)
    for fold in range(number):
        mine = dealt[fold::number]
        calibration, asked = fit(scored.of(np.setdiff1d(dealt, mine))), scored.of(mine)
        kind, said = verdicts(asked.cosines, None, asked.familiarity, calibration)
        rows = np.isin(scored.sources, mine)
        known[rows], right[rows] = kind, said[np.arange(len(said)), asked.labels]
        kind, _ = verdicts(asked.unknown_cosines, None, asked.unknown_familiarity, calibration)
        strange[np.isin(scored.unknown_sources, mine)] = kind
    zones: dict[str, dict[str, float | None]] = {}
    for kind in get_args(Kind):
        mine = known == kind
        wrong = float(np.mean(~right[mine])) if mine.any() else None
        share = float(mine.mean())
        zones[kind] = {
            "known": share,
            "left_out": float(np.mean(strange == kind)),
            "wrong": share if kind == "outside" else wrong,
        }
    return zones


def zone_rows(zones: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The zones for a table with the columns ``HEAD``."""
    return [
        (
            name,
            f"{zones[kind]['known']:.1%}",
            f"{zones[kind]['left_out']:.1%}",
            "–" if zones[kind]["wrong"] is None else f"{zones[kind]['wrong']:.1%} {what}",
        )
        for kind, (name, what) in _NAMES.items()
    ]
