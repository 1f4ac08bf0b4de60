"""What the network sees of a photo: its features, and the maps of local features they are means of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import BRIEF, LARGEST, PyramidViews
from saree_cosface.features.ahead import NO_MEMORY
from saree_cosface.networks.backbone import BackboneError
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.precision import autocast


@dataclass(frozen=True, eq=False)
class Look:
    """What a network sees of a photo.

    Attributes:
        pixels: of the photo, uint8 ``(H, W, 3)``.
        maps: local features of its evaluation views, ``(V, F, h, w)``; None where the backbone has none.
        features: of these views, float16 ``(V, F)``, those that an answer is made of.
    """

    pixels: NDArray[np.uint8]
    maps: Tensor | None
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
    try:
        maps, features = local_maps(embedder, views)
    except BackboneError:
        with torch.inference_mode():
            return Look(pixels, None, embedder.features(_batch(embedder, views)).half().cpu().numpy())
    return Look(pixels, maps, features.half().cpu().numpy())


def _batch(embedder: Embedder, views: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(views).permute(0, 3, 1, 2).to(next(embedder.parameters()).device)


def local_maps(embedder: Embedder, views: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Local features ``(V, F, h, w)`` of views ``(V, S, S, 3)``, and their means ``(V, F)``, as the embedder runs."""
    pixels = _batch(embedder, views)
    with torch.inference_mode(), autocast(pixels.device.type, embedder.card.precision):
        parts = [embedder.backbone.maps(part) for part in torch.split(pixels, BRIEF)]
    return torch.cat([maps for maps, _ in parts]), torch.cat([features for _, features in parts])
