"""What is made ready while the page is served already: the map of the references, and the network warmed up."""

import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from saree_cosface.answers.evidence import gather_evidence
from saree_cosface.answers.examination import examine, see
from saree_cosface.console import console
from saree_cosface.languages.said import said
from saree_cosface.languages.values import Said
from saree_cosface.maps.embedding import EmbeddingMap
from saree_cosface.maps.references import reference_map
from saree_cosface.runs.run import Run

from . import THREADS
from .desk import Desk
from .uploads import sweep

_PAUSE = 600.0  # seconds between two sweeps


class ReferenceMaps:
    """The map of the desk's references, made in a thread of its own and again when the gallery has changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._made: EmbeddingMap | None = None
        self._missing = said("references.single")
        self._of: Run | None = None
        self._busy = False

    def of(self, run: Run) -> EmbeddingMap | None:
        """The map of a run's references; where there is none, :meth:`remark` says why."""
        with self._lock:
            if self._of is run:
                return self._made
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._make, args=(run,), daemon=True, name=f"{THREADS}: map").start()
            return None

    def remark(self, run: Run) -> Said:
        """Why there is no map of a run's references, or none yet, in a sentence."""
        with self._lock:
            return self._missing if self._of is run else said("references.being_drawn")

    def _make(self, run: Run) -> None:
        made, missing = None, said("references.single")
        try:
            made = reference_map(run) if len(run.gallery) > 1 else None
        except Exception as error:  # whatever it is, those who wait for the map must hear of it
            missing = said("references.not_drawn")
            _log("no map of the references", error)
        with self._lock:
            self._made, self._missing, self._of, self._busy = made, missing, run, False


def warm_up(desk: Desk, maps: ReferenceMaps, scratch: Path) -> None:
    """Answer about a picture of nothing once, in a thread, so that the first visitor does not wait for it."""

    def answer() -> None:
        picture = scratch / "warm-up.png"
        noise = np.random.default_rng(0).integers(0, 256, (480, 360, 3), dtype=np.uint8)
        try:
            Image.fromarray(noise).save(picture)
            run = desk.run
            seen, _ = see(run, [(picture, picture.name)])
            gather_evidence(run, examine(run, seen))
            maps.of(run)
        except Exception as error:  # the page is served all the same
            _log("the warm-up failed", error)
        finally:
            picture.unlink(missing_ok=True)

    threading.Thread(target=answer, daemon=True, name=f"{THREADS}: warm-up").start()


def sweep_now_and_then() -> None:
    """Delete uploads that nobody has asked about, every ten minutes, in a thread."""

    def sweeping() -> None:
        while True:
            time.sleep(_PAUSE)
            try:
                sweep()
            except OSError as error:
                _log("uploads could not be swept", error)

    threading.Thread(target=sweeping, daemon=True, name="sweep of uploads").start()


def _log(what: str, error: Exception) -> None:
    said = f"app: {what}: {str(error) or type(error).__name__}"
    console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
