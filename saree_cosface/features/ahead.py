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
from saree_cosface.machine import threads

NO_MEMORY = "too large for the memory that is free; shrink it first"
"""Why a photo is left out that could be decoded."""

_AHEAD = 4
"""Photos decoded ahead of the network, at least."""


@dataclass(frozen=True)
class _Item:
    """A photo: the features that are known, of its first views, and the views that are left."""

    sha256: str
    features: NDArray[np.float16] | None
    views: NDArray[np.uint8]


class Prepared:
    """Photos read and cut by other threads, a few ahead of the network: by one, or where the network takes many photos
    at once by as many as there are cores."""

    def __init__(
        self,
        files: Sequence[Path],
        views: Views,
        size: int,
        folder: Path | None,
        together: int = 1,
        *,
        merged: bool = False,
    ) -> None:
        self._files, self._views, self._size, self._folder = files, views, size, folder
        # The whole pyramid begins with the brief views: where it is known, so are they, and the other way round a part.
        self._brief = isinstance(views, PyramidViews) and views.brief
        self._other = None
        if folder is not None and isinstance(views, PyramidViews) and not merged:
            self._other = folder.with_name(PyramidViews(size, brief=not views.brief).key)
        self._pool = ThreadPoolExecutor(1 if together == 1 else threads.count())
        self._ahead = max(_AHEAD, 2 * together)

    def __enter__(self) -> "Prepared":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[_Item | BadImage]:
        waiting: deque[Future[_Item | BadImage]] = deque()
        for path in self._files:
            waiting.append(self._pool.submit(self._prepare, path))
            if len(waiting) > self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _prepare(self, path: Path) -> _Item | BadImage:
        try:
            sha256 = photo_hash(path)
            known = _known(self._folder, sha256)
            other = _known(self._other, sha256) if known is None else None
            if other is not None and self._brief:
                known = other[:BRIEF]
            elif other is not None and len(other) != BRIEF:
                other = None
            if known is not None:
                return _Item(sha256, known, np.zeros(0, np.uint8))
            views = self._views(decode(path, shrink_to=round(LARGEST * self._size)), sha256)
            return _Item(sha256, other, views if other is None else views[len(other) :])
        except BadImage as error:
            return error
        except MemoryError:
            return BadImage(path, NO_MEMORY)


def _known(folder: Path | None, sha256: str) -> NDArray[np.float16] | None:
    if folder is None:
        return None
    try:
        features: NDArray[np.float16] = np.load(folder / f"{sha256}.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
        return None
    return features if features.ndim == 2 and len(features) else None
