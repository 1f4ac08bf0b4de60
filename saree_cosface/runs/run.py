"""A run: the folder that a training makes, and that everything after it reads.

config.yaml       the options                 manifest.csv      the photos used: absolute paths, checksums
split.json        the fold of each photo      parts.json        which photos were trained on, and which held out
embedder/         card and weights            gallery/          references of the training photos
last.ckpt         to resume from              metrics.csv, learning_curves.png, tensorboard/
calibration/      thresholds and probabilities, once the run is calibrated
run.json          written last: there is no finished run without it
README.md         the model's card, which train, calibrate and evaluate write
share.json        in a run that was shared: its licence and files; it has no photos, and other names for sources
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.names import tidy
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.runs.alone import at_work
from saree_cosface.runs.any_gallery import AnyGallery
from saree_cosface.runs.calibration import FOLDER, Calibration
from saree_cosface.runs.folder import RunError
from saree_cosface.runs.gallery import Gallery, require_postgres
from saree_cosface.runs.share import Share, read_share


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: where it lies.
        embedder: ready for inference.
        gallery: references of the training photos, and of those enrolled since; its own, or one on a server.
        used: SHA-256 of each photo that training or validation saw, to its part.
        sources: the sources that training or validation saw, by part.
        split_hash: of the split that dealt them; "" where the manifest did.
        crops_together: whether photos were dealt so that crops of one photograph lie on one side.
        share: what it was given away with, where it was shared: its photos are not here then. None otherwise.
    """

    folder: Path
    embedder: Embedder
    gallery: AnyGallery
    used: Mapping[str, str]
    sources: Mapping[str, frozenset[str]]
    split_hash: str
    crops_together: bool = False
    share: Share | None = None

    @cached_property
    def calibration(self) -> Calibration | None:
        """What makes verdicts and probabilities of cosines; None until the run is calibrated.

        Raises:
            CalibrationError: it is damaged.
        """
        return Calibration.load(self.folder / FOLDER)

    def cosines(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """What answers are ranked by: cosines of photos to each tradition of the gallery, ``(..., D) -> (..., C)``.

        Those of traditions enrolled after training are raised as the calibration says
        (:meth:`saree_cosface.runs.calibration.Calibration.allowances`).
        """
        cosines: NDArray[np.float32] = embeddings @ self.gallery.prototypes.T
        if self.calibration is not None:
            allowances = self.calibration.allowances(cosines, self.gallery.crafts, self.gallery.pieces)
            cosines += allowances.astype(np.float32)
        return cosines

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Craft ids that the embedder was trained on."""
        return self.embedder.card.classes


def load_run(folder: Path, *, gallery: str = "") -> Run:
    """Read a finished run.

    Args:
        folder: where it lies.
        gallery: address of a shared gallery (:mod:`saree_cosface.runs.shared_gallery`) that answers instead of the
            run's own; "" for its own.

    Raises:
        RunError: it is no run, or not finished.
        EmbedderError, GalleryError: a part of it is damaged; or the shared gallery cannot be used.

    >>> run = load_run(run_folder)
    >>> run.classes, run.embedder.card.embedding_dim, len(run.gallery.prototypes)
    (('chanderi', 'jamdani', 'leheriya'), 32, 3)
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        working = at_work(folder)
        if working:
            raise RunError(f"{folder}: {working} is still at work on this run; wait until it has ended.")
        from saree_cosface.training.checkpoint import CHECKPOINT  # and Lightning with it, which is slow to import

        begun = (folder / CHECKPOINT).is_file()
        remedy = "finish it with --resume" if begun else "give the folder that `saree-cosface train --out` made"
        raise RunError(f"{folder}: {'an unfinished run' if begun else 'not a run'}; {remedy}.")
    try:
        parts = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
        used, sources, split_hash = parts["used"], parts["sources"], parts["split_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder / 'parts.json'}: missing or damaged ({error}); train again.") from error
    embedder = Embedder.load(folder / "embedder")
    return Run(
        folder,
        embedder,
        _shared(gallery, embedder, folder) if gallery else Gallery.load(folder / "gallery"),
        used,
        {part: frozenset(map(tidy, names)) for part, names in sources.items()},
        split_hash,
        bool(parts.get("crops_together", False)),
        read_share(folder),
    )


def _shared(url: str, embedder: Embedder, folder: Path) -> AnyGallery:
    require_postgres()
    from saree_cosface.runs.shared_gallery import open_gallery

    return open_gallery(url, embedder_version(embedder), folder / "gallery")
