"""What a run still names when the centre or the border of a photo is hidden."""

from pathlib import Path
from typing import Any

import numpy as np

from saree_cosface.data.views import Pixels
from saree_cosface.runs.run import Run
from saree_cosface.scoring.changed import answers_to_changed
from saree_cosface.scoring.held_out import top1_by_source
from saree_cosface.scoring.probes import Probes

HIDDEN = 0.5  # share of the photo's area that the hidden centre takes, or that is left by the hidden border


def hidden_parts(run: Run, probes: Probes, cache: Path | None = None) -> dict[str, Any]:
    """Top-1 of the run on its held-out photos as they are, and with their centre or their border hidden, by view."""
    classes = np.array(run.gallery.crafts)
    manifest = probes.manifest
    labels = np.searchsorted(classes, manifest.crafts)
    what = "Photos with a part hidden"
    seen = answers_to_changed(run, manifest.files(), "halves", halves, 2, cache=cache, description=what)
    answers = {
        "whole": run.cosines(probes.embeddings).argmax(axis=1),
        "centre hidden": seen[:, 0],
        "border hidden": seen[:, 1],
    }
    views = manifest.views
    found: dict[str, Any] = {"all": {}, "by_view": {}}
    for name, given in answers.items():
        found["all"][name] = top1_by_source(labels, given, manifest.sources)
        for view in sorted(set(views.tolist())):
            mine = views == view
            by_view = found["by_view"].setdefault(view or "unknown", {"photos": int(mine.sum())})
            by_view[name] = float(np.mean(given[mine] == labels[mine]))
    return found


def halves(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """The photo with its centre hidden, and with its border hidden."""
    return hide_centre(pixels), hide_border(pixels)


def hide_centre(pixels: Pixels) -> Pixels:
    """The photo with its middle, half of its area, in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = pixels.copy()
    result[top:bottom, left:right] = pixels.reshape(-1, 3).mean(axis=0).round()
    return result


def hide_border(pixels: Pixels) -> Pixels:
    """The photo with all but its middle in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = np.empty_like(pixels)
    result[:] = pixels.reshape(-1, 3).mean(axis=0).round()
    result[top:bottom, left:right] = pixels[top:bottom, left:right]
    return result


def _middle(pixels: Pixels) -> tuple[int, int, int, int]:
    height, width = pixels.shape[:2]
    part = (1 - HIDDEN**0.5) / 2
    return round(part * height), round((1 - part) * height), round(part * width), round((1 - part) * width)
