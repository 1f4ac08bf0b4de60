"""What a run still names when the centre or the border of a photo is hidden."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.data.images import decode
from saree_cosface.features.embedding import embed_photos
from saree_cosface.runs.run import Run
from saree_cosface.scoring.held_out import top1_by_source
from saree_cosface.scoring.probes import Probes

HIDDEN = 0.5  # share of the photo's area that the hidden centre takes, or that is left by the hidden border


def hidden_parts(run: Run, probes: Probes) -> dict[str, Any]:
    """Top-1 of the run on its held-out photos as they are, and with their centre or their border hidden, by view."""
    classes = np.array(run.gallery.crafts)
    manifest = probes.manifest
    labels = np.searchsorted(classes, manifest.crafts)
    answers = {"whole": run.cosines(probes.embeddings).argmax(axis=1)}
    for name, hide in (("centre hidden", hide_centre), ("border hidden", hide_border)):
        answers[name] = _answers_to(run, manifest.files(), hide, f"Photos with their {name}")
    views = manifest.views
    found: dict[str, Any] = {"all": {}, "by_view": {}}
    for name, given in answers.items():
        found["all"][name] = top1_by_source(labels, given, manifest.sources)
        for view in sorted(set(views.tolist())):
            mine = views == view
            by_view = found["by_view"].setdefault(view or "unknown", {"photos": int(mine.sum())})
            by_view[name] = float(np.mean(given[mine] == labels[mine]))
    return found


def hide_centre(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with its middle, half of its area, in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = pixels.copy()
    result[top:bottom, left:right] = pixels.reshape(-1, 3).mean(axis=0).round()
    return result


def hide_border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with all but its middle in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = np.empty_like(pixels)
    result[:] = pixels.reshape(-1, 3).mean(axis=0).round()
    result[top:bottom, left:right] = pixels[top:bottom, left:right]
    return result


def _answers_to(
    run: Run, files: Sequence[Path], change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], description: str
) -> NDArray[np.int_]:
    """Answers ``(N,)`` to photos that are changed before they are looked at."""
    with tempfile.TemporaryDirectory() as folder:
        changed = []
        for row, file in enumerate(files):
            path = Path(folder) / f"{row}.png"
            Image.fromarray(change(decode(file, shrink_to=1024))).save(path, compress_level=1)
            changed.append(path)
        embeddings = embed_photos(run.embedder, changed, description=description).embeddings
    answers: NDArray[np.int_] = run.cosines(embeddings).argmax(axis=1)
    return answers


def _middle(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    height, width = pixels.shape[:2]
    part = (1 - HIDDEN**0.5) / 2
    return round(part * height), round((1 - part) * height), round(part * width), round((1 - part) * width)
