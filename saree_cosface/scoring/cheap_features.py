"""What colours or a thumbnail alone give away."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.console import track
from saree_cosface.data.images import decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.splits import make_split
from saree_cosface.runs.run import Run
from saree_cosface.scoring.baselines import logistic_regression
from saree_cosface.scoring.held_out import top1_by_source

SIDE = 256  # pixels of the short side from which cheap features are taken
BINS = 6  # of each colour in the histogram
THUMBNAIL = 16


def cheap_features(run: Run, manifest: Manifest, held_out: NDArray[np.str_]) -> dict[str, Any]:
    """How well a craft is named from its colours alone, and from a thumbnail alone, by logistic regression.

    Args:
        run: of which the training sources are learned from.
        manifest: all photos, each of which can be read.
        held_out: the sources that are scored.

    Returns:
        For each, ``source``: top-1 on the photos of the run's unseen sources, learned from its training photos, with
        an interval over sources where there are two or more; and ``random``: top-1 over five random folds of them all.
    """
    files = manifest.files()
    colours, thumbnails = [], []
    for file in track(files, "Colours and thumbnails", total=len(files)):
        pixels = decode(file, shrink_to=SIDE)
        colours.append(colour_histogram(pixels))
        thumbnails.append(thumbnail(pixels))
    classes, labels = np.unique(manifest.crafts, return_inverse=True)
    trained = np.isin(manifest.sources, sorted(run.sources["train"]))
    unseen = np.isin(manifest.sources, held_out)
    folds = make_split(manifest, "random", n_folds=min(5, len(manifest)), seed=0)
    found: dict[str, Any] = {"crafts": len(classes)}
    for name, vectors in (("colours", np.stack(colours)), ("thumbnail", np.stack(thumbnails))):
        answers = logistic_regression(vectors[trained], labels[trained], vectors[unseen])
        random = np.empty(len(labels), dtype=np.int_)
        for fold in range(folds.n_folds):
            train, test = folds.rows(manifest, fold)
            random[test] = logistic_regression(vectors[train], labels[train], vectors[test])
        found[name] = {
            "source": top1_by_source(labels[unseen], answers, manifest.sources[unseen]),
            "random": float(np.mean(random == labels)),
        }
    found["commonest"] = float(np.bincount(labels[unseen], minlength=len(classes))[_commonest(labels[trained])]) / max(
        1, int(unseen.sum())
    )
    return found


def colour_histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square roots of the shares of colours, of length 1: ``(H, W, 3) -> (216,)``.

    >>> float(colour_histogram(np.zeros((4, 4, 3), np.uint8))[0])
    1.0
    """
    levels = pixels.reshape(-1, 3).astype(np.int64) * BINS // 256
    index = (levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]
    return np.sqrt(np.bincount(index, minlength=BINS**3) / len(index)).astype(np.float32)


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The photo at 16 x 16 pixels, its mean taken off, of length 1: ``(H, W, 3) -> (768,)``."""
    small = np.asarray(Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32)
    flat = (small - small.mean()).ravel()
    result: NDArray[np.float32] = flat / max(float(np.linalg.norm(flat)), 1e-6)
    return result


def _commonest(labels: NDArray[np.int_]) -> int:
    return int(np.bincount(labels).argmax())
