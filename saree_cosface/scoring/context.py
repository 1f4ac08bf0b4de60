"""The context ratio: how much of what the cloth alone is named by the background alone is named too.

A photo is shown to the run twice, its background hidden and its cloth hidden, the hole inpainted. The ratio of the
shares that are named rightly is the context ratio of Rueda-Toicen et al., Are We Recognizing the Jaguar or Its
Background?, arXiv:2604.09690, there of retrieval scores of animals. Near 0 the run needs the cloth; near 1 the room
will do.

Two things limit it. Backgrounds with a smooth hole are unlike any photo, so a run may give nearly all of them one
answer (``usual``): chance is therefore what these same answers would score if they were dealt out among the photos. And
masks err: cloth that is left in the background raises the ratio.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.runs.run import Run
from saree_cosface.scoring.changed import NO_ANSWER, answers_to_changed
from saree_cosface.scoring.cloth_mask import apart, masked_by
from saree_cosface.scoring.held_out import top1_by_source
from saree_cosface.scoring.probes import Probes

PHOTOS = 200
"""Held-out photos that are looked at, at most: each takes a mask and the time of two predictions."""

SEED = 0
"""Which photos are drawn follows from it."""


def context_ratio(run: Run, probes: Probes, photos: int = PHOTOS, cache: Path | None = None) -> dict[str, Any]:
    """Top-1 on held-out photos from the cloth alone and from the background alone, over all, by source and by craft.

    Args:
        run: to be audited.
        probes: its photos of sources that it never saw.
        photos: number of these that are drawn, at most.
        cache: of features; nothing is remembered when None.

    Returns:
        ``looked_at`` photos ``of`` how many, the ``seed``, what they were ``masked_by``, and how many ``photos`` have
        both a cloth and a background; of these ``all`` (top-1 of the ``whole``, the ``cloth`` and the ``background``,
        with intervals over sources where there are two), ``chance``, the ``ratio`` (None where the cloth alone names
        none), the ``usual`` answer to a background, and scores ``by_source`` and ``by_craft``. Without such a photo
        ``all`` and what follows it are missing.
    """
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(probes.manifest))[:photos])
    manifest = probes.manifest.select(drawn)
    by = masked_by()
    what = "Cloth and background apart"
    seen = answers_to_changed(run, manifest.files(), f"apart-{by}", apart, 2, cache=cache, description=what)
    told = seen[:, 0] != NO_ANSWER
    found: dict[str, Any] = {"looked_at": len(drawn), "of": len(probes.manifest), "seed": SEED, "masked_by": by}
    found["photos"] = int(told.sum())
    if not told.any():
        return found
    classes = np.array(run.gallery.crafts)
    labels = np.searchsorted(classes, manifest.crafts[told])
    sources = manifest.sources[told]
    cloth, background = seen[told].T
    answers = {
        "whole": run.cosines(probes.embeddings[drawn[told]]).argmax(axis=1),
        "cloth": cloth,
        "background": background,
    }
    shares = np.bincount(background, minlength=len(classes)) / len(background)
    scored = {**{name: labels == given for name, given in answers.items()}, "chance": shares[labels]}
    return {
        **found,
        "all": {name: top1_by_source(labels, given, sources) for name, given in answers.items()},
        "chance": float(shares[labels].mean()),
        "ratio": _ratio(scored["background"], scored["cloth"], sources),
        "usual": {"craft": str(classes[shares.argmax()]), "share": float(shares.max())},
        "by_source": _by(sources, scored),
        "by_craft": _by(manifest.crafts[told], scored),
    }


def _ratio(
    background: NDArray[np.bool_], cloth: NDArray[np.bool_], sources: NDArray[np.str_]
) -> dict[str, float] | None:
    """Photos named rightly by their background over those named rightly by their cloth: ``(N,), (N,), (N,)``."""
    if not cloth.any():
        return None
    if len(set(sources.tolist())) < 2:
        return {"value": float(background.sum() / cloth.sum())}
    # A resample without a cloth named rightly counts as if it had one, so that the ratio is a number.
    found = bootstrap_interval(lambda b, c: b.sum() / max(1, c.sum()), [background, cloth], sources, n_resamples=500)
    return {"value": found.value, "low": found.low, "high": found.high}


def _by(groups: NDArray[np.str_], scored: dict[str, NDArray[Any]]) -> dict[str, dict[str, float]]:
    found = {}
    for group in np.unique(groups).tolist():
        mine = groups == group
        found[group] = {"photos": int(mine.sum()), **{name: float(each[mine].mean()) for name, each in scored.items()}}
    return found
