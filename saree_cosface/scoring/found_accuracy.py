"""How often the nearest tradition is the right one, as a calibration finds it.

It is not the score of the run's model: each photo was scored by an embedder that was trained like it without a fold of
sources, and so on fewer photos. It is of every training photo instead of a few held-out ones.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from saree_cosface.metrics.classification import balanced_accuracy
from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.scoring.held_out import top1_by_source
from saree_cosface.scoring.out_of_fold import OutOfFold

WHOSE = "embedders trained like this one without a fold of sources; not this model itself"
"""What such a score is of; to stand wherever one does."""


def found_accuracy(scored: OutOfFold, crafts: Sequence[str]) -> dict[str, Any]:
    """Accuracy out of fold, as a JSON-able document.

    Args:
        scored: photos, of two sources or more.
        crafts: ids of the labels, ``(C,)``.

    Returns:
        ``top1`` and ``balanced_accuracy`` (``value``, ``low``, ``high``: a 95 % bootstrap interval over sources); and
        ``per_craft``, for each craft of which photos were scored the number of these and of their sources, and
        ``value``, with an interval where there are two sources. A craft whose photos are all of one source, or of
        sources that lie in one fold, has no score: nobody can have learned it and not its source.
    """
    answers = scored.cosines.argmax(axis=1)
    balanced = bootstrap_interval(balanced_accuracy, [scored.labels, answers], scored.sources, n_resamples=500)
    per_craft = {}
    for label, craft in enumerate(crafts):
        mine = scored.labels == label
        if mine.any():
            sources = scored.sources[mine]
            counts = {"photos": int(mine.sum()), "sources": len(np.unique(sources))}
            per_craft[craft] = {**counts, **top1_by_source(scored.labels[mine], answers[mine], sources)}
    return {
        "top1": top1_by_source(scored.labels, answers, scored.sources),
        "balanced_accuracy": {"value": balanced.value, "low": balanced.low, "high": balanced.high},
        "per_craft": per_craft,
    }
