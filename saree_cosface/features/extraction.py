"""From files to features: decode, cut views, run the network, and remember the result.

A photo's features under a frozen backbone never change, so they are kept on disk by the photo's content: the second
training, fold, seed or evaluation reads them instead of decoding and computing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import DECODER, BadImage
from saree_cosface.data.views import BRIEF, Views
from saree_cosface.features.ahead import Prepared
from saree_cosface.files import atomic_path, remembered
from saree_cosface.machine.caches import located
from saree_cosface.networks.backbone import Backbone
from saree_cosface.networks.fingerprint import fingerprint
from saree_cosface.networks.runtime import photos_at_once, runner, runtime_of


@dataclass(frozen=True)
class PhotoFeatures:
    """Features of the photos that could be read.

    Attributes:
        features: float16 ``(N, V, F)``, a row a readable photo.
        rows: position of each in the list of files asked for, ``(N,)``, ascending.
        bad: the photos that could not be read, with the reason.
    """

    features: NDArray[np.float16]
    rows: NDArray[np.int_]
    bad: tuple[BadImage, ...]


def photo_features(
    backbone: Backbone,
    files: Sequence[Path],
    views: Views,
    *,
    cache: Path | None = None,
    description: str | None = "Reading photos",
    merged: bool = False,
) -> PhotoFeatures:
    """Backbone features of the views of each file.

    Args:
        backbone: in any mode; it is run in evaluation mode.
        files: photos; one that cannot be read is listed, never fatal.
        views: which views of a photo.
        cache: folder to remember features in, by photo content, decoder, network and what computes it; nothing is
            remembered when None, or where it cannot be written, which is said.
        description: of the progress bar; None shows none.
        merged: whether only the mean over the views of a photo is kept, ``(N, 1, F)``, for features that are long.
    """
    each = list(features_of_each(backbone, files, views, cache=cache, description=description, merged=merged))
    if not each:
        return PhotoFeatures(_none(backbone), np.zeros(0, np.int_), ())
    read = [one for one in each if len(one.rows)]
    return PhotoFeatures(
        np.concatenate([one.features for one in read or each[:1]]),
        np.concatenate([one.rows for one in each]),
        tuple(bad for one in each for bad in one.bad),
    )


def features_of_each(
    backbone: Backbone,
    files: Sequence[Path],
    views: Views,
    *,
    cache: Path | None = None,
    description: str | None = "Reading photos",
    merged: bool = False,
) -> Iterator[PhotoFeatures]:
    """Features as of :func:`photo_features`, a file at a time, as each is done; on a GPU some are done at once.

    A photo without views, which :class:`~saree_cosface.data.views.ChangedViews` may leave, has features ``(1, 0, F)``.
    """
    folder = None if cache is None else kept_in(cache, backbone, views, merged)
    run = None
    together = photos_at_once(backbone)
    size = backbone.preprocessing.size
    with Prepared(files, views, size, folder, together, merged=merged) as prepared:
        numbered = enumerate(prepared if description is None else track(prepared, description, total=len(files)))
        while some := list(islice(numbered, together)):
            unknown = [item.views for _, item in some if not isinstance(item, BadImage) and len(item.views)]
            if unknown:
                run = run or runner(backbone)  # which takes a while, and is not needed where all is known
                found = run(np.concatenate(unknown))[0]
                parts = np.split(found, np.cumsum([len(each) for each in unknown])[:-1])
                merge = (each.mean(axis=0, keepdims=True) if merged else each for each in parts)
                computed = iter([in_half(each) for each in merge])
            for row, item in some:
                if isinstance(item, BadImage):
                    yield PhotoFeatures(_none(backbone), np.zeros(0, np.int_), (item,))
                    continue
                known = np.zeros((0, backbone.num_features), np.float16) if item.features is None else item.features
                features = np.concatenate([known, next(computed)] if len(item.views) else [known])
                if folder is not None and len(item.views):
                    path = folder / f"{item.sha256}.npy"
                    folder = folder if remembered(partial(_write, features, path), "Features", folder) else None
                yield PhotoFeatures(features[None], np.array([row]), ())


def in_half(features: NDArray[np.float32]) -> NDArray[np.float16]:
    """Features of the views of photos in half precision: ``(..., V, F) -> (..., V, F)``.

    Second moments of a network whose channels are strong can lie beyond its range. Only directions of features count,
    and how the views of a photo compare, so that all of that photo's are then made smaller by one factor.

    >>> in_half(np.array([[1e6, 5e5]], np.float32)).tolist()
    [[65504.0, 32752.0]]
    """
    bound = float(np.finfo(np.float16).max)
    largest = np.abs(features).max(axis=(-2, -1), keepdims=True, initial=bound)
    kept: NDArray[np.float16] = (features * (bound / largest)).astype(np.float16)
    return kept


def kept_in(cache: Path, backbone: Backbone, views: Views, merged: bool = False) -> Path:
    """The folder of features in a cache: by network, weights, what computes with them, decoder and views."""
    network = f"{backbone.name}-{fingerprint(backbone)}-{runtime_of(backbone)}-decoder{DECODER}{backbone.pooled_as}"
    return located(cache) / network / f"{views.key}{'-merged' * merged}"


def _write(features: NDArray[np.float16], path: Path) -> None:
    with atomic_path(path) as temporary:
        np.save(temporary, features)


def _none(backbone: Backbone) -> NDArray[np.float16]:
    return np.zeros((0, BRIEF, backbone.num_features), np.float16)
