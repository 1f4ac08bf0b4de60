"""Evidence: which regions of a photo carry its cosine to a tradition, and which match which of a reference.

*What carries the cosine.* A view's features are the mean of a map of local features, the neck is linear, and a photo's
embedding is the mean of its views' unit embeddings. So the cosine of a photo and a prototype is a sum over the cells
of these maps, exactly: nothing is approximated, and the shares add up to the number that was answered. This is the
class activation map (Zhou et al., Learning Deep Features for Discriminative Localization, arXiv:1512.04150) of a
cosine instead of a logit, over a pyramid of views.

*What matches what.* Local embeddings of both photos, seen whole and larger, are compared cell by cell; those that are
each other's nearest are matches.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saree_cosface.data.images import decode
from saree_cosface.data.views import BRIEF, LARGEST, PyramidViews
from saree_cosface.networks.backbones import BackboneError, autocast, unit
from saree_cosface.networks.embedder import Embedder

FINE = 96
"""Cells of a heat map along the photo's longer side."""

MATCHED_SIDE = 448
"""Short side in pixels at which photos are matched; their maps have a cell every 32 pixels."""

MATCHES = 6


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


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How much each part of a photo adds to a cosine.

    Attributes:
        pixels: of the photo, uint8 ``(H, W, 3)``.
        shares: what each cell adds, ``(h, w)``; they sum to the cosine.
        cosine: of the photo's embedding and the target.
    """

    pixels: NDArray[np.uint8]
    shares: NDArray[np.float64]
    cosine: float


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


def heat_map(embedder: Embedder, photo: Path, target: NDArray[np.float32]) -> HeatMap:
    """What carries the cosine of a photo and a unit vector ``(D,)``, such as the prototype of a tradition.

    Raises:
        BadImage: the photo cannot be read.
        BackboneError: the backbone's features are no average over a map.
    """
    size = embedder.backbone.preprocessing.size
    return heat_map_of(embedder, decode(photo, shrink_to=round(LARGEST * size)), target)


def heat_map_of(
    embedder: Embedder, pixels: NDArray[np.uint8], target: NDArray[np.float32], maps: Tensor | None = None
) -> HeatMap:
    """The same of pixels ``(H, W, 3)``; ``maps`` of their views ``(V, F, h, w)`` if they are known already."""
    views = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    if maps is None:
        maps = _maps(embedder, views(pixels, ""))[0]
    device = maps.device
    wanted = torch.from_numpy(np.array(target, dtype=np.float32)).to(device)
    with torch.inference_mode():
        matrix, constant = _affine(embedder)
        pooled = maps.mean(dim=(2, 3))
        lengths = pooled.norm(dim=1).clamp_min(1e-12) if embedder.card.unit_features else torch.ones(len(maps))
        scale = (matrix.shape[1] ** 0.5 if embedder.card.unit_features else 1.0) / lengths.to(device)
        raw = (pooled * scale[:, None]) @ matrix.T + constant
        fused = unit(raw).mean(dim=0)
        cells = maps.shape[2] * maps.shape[3]
        local = torch.einsum("vfhw,f->vhw", maps, matrix.T @ wanted) * scale[:, None, None] + constant @ wanted
        # Each cell's part of <u_v, target>, and of the mean over views scaled to length 1.
        shares = local / cells / raw.norm(dim=1)[:, None, None] / len(maps) / fused.norm()
    canvas = _canvas(pixels.shape[:2])
    for box, view in zip(views.boxes(pixels), shares.double().cpu().numpy(), strict=True):
        _spread(canvas, box, view)
    return HeatMap(pixels, canvas, float(unit(fused) @ wanted))


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


def look(embedder: Embedder, photo: Path) -> Look:
    """What the network sees of a photo: its views, looked at once, for an answer and for what it rests on.

    Raises:
        BadImage: the photo cannot be read.
    """
    size = embedder.backbone.preprocessing.size
    pixels = decode(photo, shrink_to=round(LARGEST * size))
    views = PyramidViews(size, brief=True)(pixels, "")
    try:
        maps, features = _maps(embedder, views)
    except BackboneError:
        with torch.inference_mode():
            return Look(pixels, None, embedder.features(_batch(embedder, views)).half().cpu().numpy())
    return Look(pixels, maps, features.half().cpu().numpy())


def _batch(embedder: Embedder, views: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(views).permute(0, 3, 1, 2).to(next(embedder.parameters()).device)


def _maps(embedder: Embedder, views: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    pixels = _batch(embedder, views)
    with torch.inference_mode(), autocast(pixels.device.type, embedder.card.precision):
        parts = [embedder.backbone.maps(part) for part in torch.split(pixels, BRIEF)]
    return torch.cat([maps for maps, _ in parts]), torch.cat([features for _, features in parts])


def _affine(embedder: Embedder) -> tuple[Tensor, Tensor]:
    """The neck in evaluation mode as a matrix ``(D, F)`` and a constant ``(D,)``."""
    features = embedder.backbone.num_features
    device = next(embedder.parameters()).device
    was_training = embedder.training
    embedder.eval()
    constant = embedder.neck(torch.zeros(1, features, device=device))[0].float()
    matrix = (embedder.neck(torch.eye(features, device=device)) - constant).T.float()
    embedder.train(was_training)
    return matrix, constant


def _local(embedder: Embedder, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Unit embeddings ``(h * w, D)`` of the cells of a photo seen whole, and the shape ``(h, w)``."""
    height, width = pixels.shape[:2]
    factor = MATCHED_SIDE / min(height, width)
    # Multiples of the cells' size, and no photo so long that it fills the memory.
    high, wide = (min(4 * MATCHED_SIDE, max(32, round(length * factor / 32) * 32)) for length in (height, width))
    resized = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    maps = _maps(embedder, resized[None].astype(np.uint8, copy=False))[0][0]
    with torch.inference_mode():
        cells = maps.flatten(1).T
        embeddings: NDArray[np.float32] = unit(embedder.raw(cells)).cpu().numpy()
    return embeddings, (maps.shape[1], maps.shape[2])


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


def _canvas(shape: tuple[int, ...]) -> NDArray[np.float64]:
    height, width = shape[:2]
    longest = max(height, width)
    return np.zeros((max(1, round(FINE * height / longest)), max(1, round(FINE * width / longest))))


def _spread(canvas: NDArray[Any], box: NDArray[np.float64], view: NDArray[np.float64]) -> None:
    """Add what the cells of a view carry to the canvas, each cell's evenly over the part of the canvas it covers."""
    rows = _overlaps(box[0], box[2], view.shape[0], canvas.shape[0])
    columns = _overlaps(box[1], box[3], view.shape[1], canvas.shape[1])
    canvas += rows.T @ view @ columns


def _overlaps(start: float, stop: float, cells: int, length: int) -> NDArray[np.float64]:
    """Share of each of the cells between start and stop that falls on each of the canvas' rows: ``(cells, length)``.

    >>> _overlaps(0.0, 1.0, 2, 4).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.linspace(start, stop, cells + 1) * length
    lines = np.arange(length + 1)
    low = np.maximum(edges[:-1, None], lines[None, :-1])
    high = np.minimum(edges[1:, None], lines[None, 1:])
    shares: NDArray[np.float64] = np.maximum(high - low, 0) / (edges[1] - edges[0])
    return shares
