"""Photos read and cut ahead of the network, or found among the features that are known already."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import BRIEF, LARGEST, PyramidViews, Views

NO_MEMORY = "too large for the memory that is free; shrink it first"
"""Why a photo is left out that could be decoded."""

_AHEAD = 4
"""Photos decoded ahead of the network."""


@dataclass(frozen=True)
class _Item:
    sha256: str
    views: NDArray[np.uint8]
    features: NDArray[np.float16] | None


class Prepared:
    """Photos read and cut by a second thread, a few ahead of the network."""

    def __init__(self, files: Sequence[Path], views: Views, size: int, folder: Path | None) -> None:
        self._files, self._views, self._size, self._folder = files, views, size, folder
        # The whole pyramid, where it is known, holds the brief views too.
        brief = isinstance(views, PyramidViews) and views.brief
        self._complete = folder.with_name(PyramidViews(size).key) if folder is not None and brief else folder
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> "Prepared":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[_Item | BadImage]:
        waiting: deque[Future[_Item | BadImage]] = deque()
        for path in self._files:
            waiting.append(self._pool.submit(self._prepare, path))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _prepare(self, path: Path) -> _Item | BadImage:
        try:
            sha256 = photo_hash(path)
            known = self._known(sha256)
            if known is not None:
                return _Item(sha256, np.zeros(0, np.uint8), known)
            pixels = decode(path, shrink_to=round(LARGEST * self._size))
            return _Item(sha256, self._views(pixels, sha256), None)
        except BadImage as error:
            return error
        except MemoryError:
            return BadImage(path, NO_MEMORY)

    def _known(self, sha256: str) -> NDArray[np.float16] | None:
        if self._folder is None or self._complete is None:
            return None
        for folder in (self._folder, self._complete):
            try:
                features: NDArray[np.float16] = np.load(folder / f"{sha256}.npy", allow_pickle=False)
            except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
                continue
            if features.ndim != 2 or not len(features):
                continue
            return features[:BRIEF] if folder != self._folder else features
        return None
