"""What the network sees of a photo: its features, and the maps of local features they are made of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import LARGEST, PyramidViews
from saree_cosface.features.ahead import NO_MEMORY
from saree_cosface.features.extraction import in_half
from saree_cosface.networks.backbone import BackboneError, made_of
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.runtime import runner


@dataclass(frozen=True, eq=False)
class Look:
    """What a network sees of a photo.

    Attributes:
        pixels: of the photo, uint8 ``(H, W, 3)``.
        maps: local features of its evaluation views at each depth, ``(V, C, h, w)``; none where the backbone has none.
        features: of these views, float16 ``(V, F)``, those that an answer is made of.
    """

    pixels: NDArray[np.uint8]
    maps: tuple[Tensor, ...]
    features: NDArray[np.float16]


def look(embedder: Embedder, photo: Path) -> Look:
    """What the network sees of a photo: its views, looked at once, for an answer and for what it rests on.

    Raises:
        BadImage: the photo cannot be read.
    """
    size = embedder.backbone.preprocessing.size
    try:
        pixels = decode(photo, shrink_to=round(LARGEST * size))
        views = PyramidViews(size, brief=True)(pixels, "")
    except MemoryError as error:
        raise BadImage(photo, NO_MEMORY) from error
    features, maps = _seen(embedder, views)
    return Look(pixels, maps, in_half(features))


def local_maps(embedder: Embedder, views: NDArray[np.uint8]) -> tuple[Tensor, ...]:
    """Local features of views at each depth that is pooled: ``(V, S, S, 3) -> (V, C, h, w)`` each.

    Raises:
        BackboneError: the network's features are not made of such, as those of most transformers.
    """
    _, maps = _seen(embedder, views)
    if not maps:
        name = embedder.backbone.name
        raise BackboneError(f"{name!r} does not average a map of features, so its regions cannot be shown.")
    return maps


def _seen(embedder: Embedder, views: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[Tensor, ...]]:
    """Features of views, and the maps that they are made of; these lie where the embedder does."""
    features, maps = runner(embedder.backbone)(views)
    if not made_of(embedder.backbone, maps, features):
        return features, ()
    device = next(embedder.parameters()).device
    return features, tuple(torch.from_numpy(each).to(device) for each in maps)
