"""Which regions of two photos are each other's nearest.

Local embeddings of both, seen whole and larger, are compared cell by cell by cosine.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.answers.look import local_maps
from saree_cosface.data.images import decode
from saree_cosface.networks.backbone import unit
from saree_cosface.networks.embedder import Embedder

MATCHED_SIDE = 448
"""Short side in pixels at which networks of any size match photos; most have a cell every 32 pixels."""

MATCHES = 6


@dataclass(frozen=True, eq=False)
class Match:
    """Two regions that are each other's nearest.

    Attributes:
        first: top, left, bottom, right in the first photo, as shares of its height and width.
        second: the same in the second photo.
        cosine: between their local embeddings.
    """

    first: tuple[float, float, float, float]
    second: tuple[float, float, float, float]
    cosine: float


def match_regions(embedder: Embedder, first: Path, second: Path, *, count: int = MATCHES) -> list[Match]:
    """Regions of two photos that are each other's nearest, the most alike first, no two of them side by side.

    Raises:
        BadImage: a photo cannot be read.
        BackboneError: the backbone's features are no average over a map.
    """
    pixels = [decode(photo, shrink_to=MATCHED_SIDE) for photo in (first, second)]
    return match_regions_of(embedder, pixels[0], pixels[1], count=count)


def match_regions_of(
    embedder: Embedder, first: NDArray[np.uint8], second: NDArray[np.uint8], *, count: int = MATCHES
) -> list[Match]:
    """The same of pixels ``(H, W, 3)``."""
    grids = [_local(embedder, pixels) for pixels in (first, second)]
    (one, shape_one), (two, shape_two) = grids
    # What all cells of a photo share (its light, its ground) would make any two of them alike.
    cosines = _centred(one) @ _centred(two).T
    best = cosines.argmax(axis=1)
    mutual = np.flatnonzero(cosines.argmax(axis=0)[best] == np.arange(len(best)))
    chosen: list[Match] = []
    taken: list[tuple[int, int, int, int]] = []
    for row in mutual[np.argsort(-cosines[mutual, best[mutual]], kind="stable")]:
        place = (*divmod(int(row), shape_one[1]), *divmod(int(best[row]), shape_two[1]))
        near = any(
            max(abs(place[0] - a), abs(place[1] - b)) < 2 or max(abs(place[2] - c), abs(place[3] - d)) < 2
            for a, b, c, d in taken
        )
        if near:
            continue
        taken.append(place)
        chosen.append(Match(_box(place[:2], shape_one), _box(place[2:], shape_two), float(cosines[row, best[row]])))
        if len(chosen) == count:
            break
    return chosen


def _local(embedder: Embedder, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Unit embeddings ``(h * w, D)`` of the cells of a photo seen whole, and the shape ``(h, w)``."""
    height, width = pixels.shape[:2]
    factor = MATCHED_SIDE / min(height, width)
    # Multiples of the cells' size, and no photo so long that it fills the memory.
    high, wide = (min(4 * MATCHED_SIDE, max(32, round(length * factor / 32) * 32)) for length in (height, width))
    if embedder.backbone.preprocessing.fixed_size:
        high, wide = embedder.backbone.preprocessing.shape
    resized = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    maps = local_maps(embedder, resized[None].astype(np.uint8, copy=False))
    rows, columns = maps[-1].shape[2:]
    with torch.inference_mode():
        # At other depths the maps are finer: a cell of the last one is a square of theirs.
        squares = [_squares(each[0], rows, columns) for each in maps]
        embeddings: NDArray[np.float32] = unit(embedder.raw(embedder.backbone.pooled(squares))).cpu().numpy()
    return embeddings, (rows, columns)


def _squares(local: Tensor, rows: int, columns: int) -> Tensor:
    """A map cut into so many squares: ``(C, h, w) -> (rows * columns, C, h / rows, w / columns)``."""
    channels, height, width = local.shape
    if height % rows or width % columns:
        local = F.adaptive_avg_pool2d(local, (rows, columns))
        height, width = rows, columns
    cut = local.view(channels, rows, height // rows, columns, width // columns)
    return cut.permute(1, 3, 0, 2, 4).flatten(0, 1)


def _centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    moved = vectors - vectors.mean(axis=0)
    result: NDArray[np.float32] = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return result


def _box(cell: tuple[int, ...], shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """A cell and half a cell around it, which is nearer to what it sees."""
    (row, column), (rows, columns) = cell, shape
    top, left = max(0.0, row - 0.5), max(0.0, column - 0.5)
    bottom, right = min(float(rows), row + 1.5), min(float(columns), column + 1.5)
    return top / rows, left / columns, bottom / rows, right / columns
