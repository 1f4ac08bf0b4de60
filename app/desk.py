"""What every tab of the app works on: one run, and for curators a manifest and a log of decisions."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from saree_cosface.console import console
from saree_cosface.languages.language import Language
from saree_cosface.languages.packaged import packaged
from saree_cosface.languages.said import said
from saree_cosface.runs.gallery import INDEX, GalleryError
from saree_cosface.runs.run import Run, load_run


@dataclass
class Desk:
    """One run, loaded once; its gallery again when somebody has enrolled a piece, in its folder or on a server.

    Attributes:
        folder: of the run.
        manifest: of the collection that curators work on; None where there is none.
        log: of their decisions; made with the first one.
        gallery: address of a shared gallery that stands for the run's own; "" for its own.
        languages: that the page can be in, by tag.
    """

    folder: Path
    manifest: Path | None = None
    log: Path | None = None
    gallery: str = field(default="", repr=False)
    languages: Mapping[str, Language] = field(default_factory=packaged, repr=False)
    _run: Run | None = None
    _seen: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run(self) -> Run:
        """The run as it is now.

        Raises:
            ValueError: it cannot be read, or its gallery not be asked.
        """
        with self._lock:
            if self.gallery:
                self._run = _up_to_date(self._run) if self._run else load_run(self.folder, gallery=self.gallery)
                return self._run
            state = (self.folder / "gallery" / INDEX).stat() if self._run else None
            seen = (state.st_mtime_ns, state.st_ino) if state else (0, 0)
            if self._run is None or seen != self._seen:
                self._run = load_run(self.folder)
                state = (self.folder / "gallery" / INDEX).stat()
                self._seen = (state.st_mtime_ns, state.st_ino)
            return self._run


def _up_to_date(run: Run) -> Run:
    """A run as its shared gallery is now: the same object where nothing has changed."""
    from saree_cosface.runs.shared_gallery import SharedGallery

    assert isinstance(run.gallery, SharedGallery)
    try:
        return replace(run, gallery=run.gallery.read_again()) if run.gallery.changed() else run
    except GalleryError as error:  # whose address is not for visitors
        console.print(f"app: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        raise GalleryError(said("gallery.away")) from error
