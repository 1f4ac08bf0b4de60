"""What every tab of the app works on: one run, and for curators a manifest and a log of decisions."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from saree_cosface.runs.gallery import INDEX
from saree_cosface.runs.run import Run, load_run


@dataclass
class Desk:
    """One run, loaded once, and again when its gallery has changed on disk (somebody enrolled a piece).

    Attributes:
        folder: of the run.
        manifest: of the collection that curators work on; None where there is none.
        log: of their decisions; made with the first one.
    """

    folder: Path
    manifest: Path | None = None
    log: Path | None = None
    _run: Run | None = None
    _seen: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run(self) -> Run:
        """The run as it is now.

        Raises:
            ValueError: it cannot be read.
        """
        with self._lock:
            state = (self.folder / "gallery" / INDEX).stat() if self._run else None
            seen = (state.st_mtime_ns, state.st_ino) if state else (0, 0)
            if self._run is None or seen != self._seen:
                self._run = load_run(self.folder)
                state = (self.folder / "gallery" / INDEX).stat()
                self._seen = (state.st_mtime_ns, state.st_ino)
            return self._run
