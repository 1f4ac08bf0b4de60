"""From files to features and embeddings: decode, cut views, run the network, and remember the result.

A photo's features under a frozen backbone never change, so they are kept on disk by the photo's content: the second
training, fold, seed or evaluation reads them instead of decoding and computing.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import BRIEF, LARGEST, SIDES, PyramidViews, RandomViews
from saree_cosface.files import atomic_path, sha256_of
from saree_cosface.networks.backbones import Backbone, Precision, autocast
from saree_cosface.networks.embedder import Embedder

Views = PyramidViews | RandomViews

_AHEAD = 4
"""Photos decoded ahead of the network."""


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


@dataclass(frozen=True)
class PhotoEmbeddings:
    """What is known of the photos that could be read.

    Attributes:
        embeddings: of length 1, ``(N, D)``.
        sides: of the left, right, upper and lower side alone, of length 1, ``(N, 4, D)``.
        features: of the backbone, the mean over the views, ``(N, F)``.
        rows: as above.
        bad: as above.
    """

    embeddings: NDArray[np.float32]
    sides: NDArray[np.float32]
    features: NDArray[np.float32]
    rows: NDArray[np.int_]
    bad: tuple[BadImage, ...]


def photo_features(
    backbone: Backbone,
    precision: Precision,
    files: Sequence[Path],
    views: Views,
    *,
    cache: Path | None = None,
    description: str | None = "Reading photos",
) -> PhotoFeatures:
    """Backbone features of the views of each file.

    Args:
        backbone: in any mode; it is run in evaluation mode.
        precision: of the backbone.
        files: photos; one that cannot be read is listed, never fatal.
        views: which views of a photo.
        cache: folder to remember features in, by photo content and network; nothing is remembered when None.
        description: of the progress bar; None shows none.
    """
    folder = None
    if cache is not None:
        network = f"{backbone.name}-{fingerprint(backbone)}-{precision}"
        folder = Path(cache).expanduser() / network / views.key
    was_training = backbone.training
    backbone.eval()
    found: list[NDArray[np.float16]] = []
    rows: list[int] = []
    bad: list[BadImage] = []
    try:
        with _Prepared(files, views, backbone.preprocessing.size, folder) as prepared:
            shown = prepared if description is None else track(prepared, description, total=len(files))
            for row, item in enumerate(shown):
                if isinstance(item, BadImage):
                    bad.append(item)
                    continue
                features = _run(backbone, precision, item.views) if item.features is None else item.features
                if folder is not None and item.features is None:
                    with atomic_path(folder / f"{item.sha256}.npy") as temporary:
                        np.save(temporary, features)
                found.append(features)
                rows.append(row)
    finally:
        backbone.train(was_training)
    empty = np.zeros((0, BRIEF, backbone.num_features), np.float16)
    return PhotoFeatures(np.stack(found) if found else empty, np.array(rows, dtype=np.int_), tuple(bad))


def embed_photos(
    embedder: Embedder,
    files: Sequence[Path],
    *,
    cache: Path | None = None,
    description: str | None = "Embedding photos",
) -> PhotoEmbeddings:
    """One unit embedding of each file that can be read, fused from its evaluation views."""
    brief = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    read = photo_features(
        embedder.backbone, embedder.card.precision, files, brief, cache=cache, description=description
    )
    return embeddings_of(embedder, read)


def embeddings_of(embedder: Embedder, read: PhotoFeatures) -> PhotoEmbeddings:
    """What the brief views' features of photos, ``(N, V, F)``, make of them."""
    mean = read.features.mean(axis=1, dtype=np.float32)
    sides = np.stack([fuse_features(embedder, read.features[:, list(views)]) for views in SIDES], axis=1)
    return PhotoEmbeddings(fuse_features(embedder, read.features), sides, mean, read.rows, read.bad)


def embeddings_with_gaps(embedder: Embedder, files: Sequence[Path]) -> NDArray[np.float32]:
    """Embeddings ``(N, D)`` of all files; a photo that cannot be read gets a row of NaN."""
    embedded = embed_photos(embedder, files)
    full = np.full((len(files), embedder.card.embedding_dim), np.nan, np.float32)
    full[embedded.rows] = embedded.embeddings
    return full


def fuse_features(embedder: Embedder, features: NDArray[np.float16], *, block: int = 256) -> NDArray[np.float32]:
    """Unit embeddings of features of evaluation views: ``(N, V, F) -> (N, D)``."""
    if not len(features):
        return np.zeros((0, embedder.card.embedding_dim), np.float32)
    was_training = embedder.training
    embedder.eval()
    device = next(embedder.parameters()).device
    with torch.inference_mode():
        parts = [
            embedder.fuse(torch.from_numpy(features[start : start + block]).to(device)).cpu().numpy()
            for start in range(0, len(features), block)
        ]
    embedder.train(was_training)
    return np.concatenate(parts)


def photo_hash(path: Path) -> str:
    """SHA-256 of a photo's bytes.

    Raises:
        BadImage: it cannot be read.
    """
    try:
        return sha256_of(path)
    except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
        decode(path)  # finds better words
        raise BadImage(path, f"cannot be read ({error})") from error


def first_of_copies(files: Sequence[Path]) -> tuple[list[Path], list[BadImage]]:
    """Files without those of the same content as an earlier one, and these: a photo shown twice says nothing new."""
    first: dict[str, Path] = {}
    kept: list[Path] = []
    copies: list[BadImage] = []
    for path in files:
        try:
            content = photo_hash(path)
        except BadImage:  # told when it is decoded
            content = ""
        if content in first:
            copies.append(BadImage(path, f"the same picture as {first[content].name}, which counts once"))
            continue
        kept.append(path)
        if content:
            first[content] = path
    return kept, copies


def _run(backbone: Backbone, precision: Precision, views: NDArray[np.uint8]) -> NDArray[np.float16]:
    # One photo at a time, in batches of as many views as a prediction takes: what is computed for a view must not
    # depend on what else happens to be asked for, since a batch of another size may round differently.
    device = next(backbone.parameters()).device
    pixels = torch.from_numpy(views).permute(0, 3, 1, 2).to(device)
    with torch.inference_mode(), autocast(device.type, precision):
        parts = [backbone(part) for part in torch.split(pixels, BRIEF)]
        features: NDArray[np.float16] = torch.cat(parts).half().cpu().numpy()
    return features


def fingerprint(network: torch.nn.Module) -> str:
    """Names a network by its weights, in caches."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class _Item:
    sha256: str
    views: NDArray[np.uint8]
    features: NDArray[np.float16] | None


class _Prepared:
    """Photos read and cut by a second thread, a few ahead of the network."""

    def __init__(self, files: Sequence[Path], views: Views, size: int, folder: Path | None) -> None:
        self._files, self._views, self._size, self._folder = files, views, size, folder
        # The whole pyramid, where it is known, holds the brief views too.
        brief = isinstance(views, PyramidViews) and views.brief
        self._complete = folder.with_name(PyramidViews(size).key) if folder is not None and brief else folder
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> "_Prepared":
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
