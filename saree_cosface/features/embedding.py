"""From features of photos to unit embeddings: of whole photos, and of their four sides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.data.images import BadImage
from saree_cosface.data.views import SIDES, PyramidViews
from saree_cosface.features.extraction import PhotoFeatures, features_of_each, in_half, photo_features
from saree_cosface.networks.backbone import Backbone, evaluating
from saree_cosface.networks.embedder import Embedder


@dataclass(frozen=True)
class PhotoEmbeddings:
    """What is known of the photos that could be read.

    Attributes:
        embeddings: of length 1, ``(N, D)``.
        sides: of the left, right, upper and lower side alone, of length 1, ``(N, 4, D)``; ``(N, 0, D)`` where only
            whole photos were looked at.
        features: of the backbone, the mean over the views, ``(N, F)``; of second moments those of the last depth.
        rows: position of each in the list of files asked for, ``(N,)``, ascending.
        bad: the photos that could not be read, with the reason.
    """

    embeddings: NDArray[np.float32]
    sides: NDArray[np.float32]
    features: NDArray[np.float32]
    rows: NDArray[np.int_]
    bad: tuple[BadImage, ...]


def embed_photos(
    embedder: Embedder,
    files: Sequence[Path],
    *,
    cache: Path | None = None,
    description: str | None = "Embedding photos",
) -> PhotoEmbeddings:
    """One unit embedding of each file that can be read, fused from its evaluation views.

    Args:
        embedder: trained.
        files: photos; one that cannot be read is listed, never fatal.
        cache: folder to remember features in; nothing is remembered when None.
        description: of the progress bar; None shows none.

    >>> from saree_cosface import load_run
    >>> found = embed_photos(load_run(run_folder).embedder, [photo, photo.with_name("none.jpg")], cache=cache)
    >>> found.embeddings.shape, found.rows.tolist(), found.bad[0].reason
    ((1, 32), [0], 'no such file')
    """
    brief = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    read = photo_features(embedder.backbone, files, brief, cache=cache, description=description)
    return embeddings_of(embedder, read)


def embed_whole(
    embedder: Embedder,
    files: Sequence[Path],
    *,
    cache: Path | None = None,
    description: str | None = "Embedding photos",
) -> PhotoEmbeddings:
    """Embeddings as of :func:`embed_photos`, but without sides, from what training has read of the photos already.

    Second moments are remembered of all channels for this, since the directions that are kept of them change from
    training to training.
    """
    if embedder.backbone.pooling is None:
        return embed_photos(embedder, files, cache=cache, description=description)
    return embeddings_of(embedder, whole_features(embedder.backbone, files, cache=cache, description=description))


def whole_features(
    backbone: Backbone, files: Sequence[Path], *, cache: Path | None, description: str | None
) -> PhotoFeatures:
    """Second moments of whole photos, in the directions that a backbone keeps, ``(N, 1, F)``."""
    return in_directions(backbone, wide_moments(backbone, files, cache=cache, description=description))


def wide_moments(
    backbone: Backbone, files: Sequence[Path], *, cache: Path | None, description: str | None
) -> PhotoFeatures:
    """Second moments of whole photos of all channels, ``(N, 1, F)``, from which directions are found."""
    views = PyramidViews(backbone.preprocessing.size, brief=True)
    return photo_features(backbone.wide(), files, views, cache=cache, description=description, merged=True)


def in_directions(backbone: Backbone, wide: PhotoFeatures) -> PhotoFeatures:
    """Moments of all channels as those in the directions that a backbone keeps: ``(N, 1, F) -> (N, 1, F')``."""
    pooling = backbone.wide().pooling
    assert pooling is not None
    assert backbone.pooling is not None
    with torch.inference_mode():
        moved = pooling.moved(torch.from_numpy(wide.features[:, 0]).to(backbone.mean.device), backbone.pooling)
    return replace(wide, features=in_half(moved.cpu().numpy()[:, None]))


def embed_each(embedder: Embedder, files: Sequence[Path]) -> Iterator[PhotoEmbeddings]:
    """Embeddings as of :func:`embed_photos`, a file at a time, as each is done; nothing is remembered."""
    brief = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    each = features_of_each(embedder.backbone, files, brief, description="Embedding photos")
    return (embeddings_of(embedder, read) for read in each)


def embeddings_of(embedder: Embedder, read: PhotoFeatures) -> PhotoEmbeddings:
    """What the features of photos make of them: of brief views, ``(N, V, F)``, or of whole photos, ``(N, 1, F)``."""
    mean = read.features.mean(axis=1, dtype=np.float32)
    if embedder.backbone.pooling is not None:
        # The last depth sees what things are, and so tells cloth from the rest; textures are everywhere.
        mean = embedder.backbone.pooling.split(torch.from_numpy(mean))[-1].numpy()
    whole = fuse_features(embedder, read.features)
    sides = [fuse_features(embedder, read.features[:, list(views)]) for views in SIDES if read.features.shape[1] > 1]
    apart = np.stack(sides, axis=1) if sides else np.zeros((len(whole), 0, whole.shape[1]), np.float32)
    return PhotoEmbeddings(whole, apart, mean, read.rows, read.bad)


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
    device = next(embedder.parameters()).device
    with evaluating(embedder), torch.inference_mode():
        parts = [
            embedder.fuse(torch.from_numpy(features[start : start + block]).to(device)).cpu().numpy()
            for start in range(0, len(features), block)
        ]
    return np.concatenate(parts)
