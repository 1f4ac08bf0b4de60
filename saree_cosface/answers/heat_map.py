"""Which regions of a photo carry its cosine to a tradition.

A view's features are the mean of a map of local features, the neck is linear, and a photo's embedding is the mean of
its views' unit embeddings. So the cosine of a photo and a prototype is a sum over the cells of these maps, exactly:
nothing is approximated, and the shares add up to the number that was answered. This is the class activation map (Zhou
et al., Learning Deep Features for Discriminative Localization, arXiv:1512.04150) of a cosine instead of a logit, over a
pyramid of views.

Of second moments, each cell x adds x x^T, so the moment of a photo is such a sum too. Its square root is none: there a
cell counts for what it changes to first order. The root grows with the square root of the moment, so twice these
changes add up to the root again (Euler's theorem on homogeneous functions), and the shares to the cosine; but without
a cell the cosine would not be less by its share, since the other cells' shares would change as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from saree_cosface.answers.look import local_maps
from saree_cosface.data.images import decode
from saree_cosface.data.views import LARGEST, PyramidViews
from saree_cosface.networks.backbone import evaluating, unit
from saree_cosface.networks.embedder import Embedder

FINE = 96
"""Cells of a heat map along the photo's longer side."""


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


def heat_map(embedder: Embedder, photo: Path, target: NDArray[np.float32]) -> HeatMap:
    """What carries the cosine of a photo and a unit vector ``(D,)``, such as the prototype of a tradition.

    Raises:
        BadImage: the photo cannot be read.
        BackboneError: the backbone's features are no average over a map.
    """
    size = embedder.backbone.preprocessing.size
    return heat_map_of(embedder, decode(photo, shrink_to=round(LARGEST * size)), target)


def heat_map_of(
    embedder: Embedder, pixels: NDArray[np.uint8], target: NDArray[np.float32], maps: tuple[Tensor, ...] = ()
) -> HeatMap:
    """The same of pixels ``(H, W, 3)``; ``maps`` of their views, ``(V, C, h, w)`` each, if they are known already."""
    views = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    maps = maps or local_maps(embedder, views(pixels, ""))
    wanted = torch.from_numpy(np.array(target, dtype=np.float32)).to(maps[0].device)
    with torch.inference_mode():
        each = _of_means if embedder.backbone.pooling is None else _of_moments
        shares, cosine = each(embedder, maps, wanted)
    canvas = _canvas(pixels.shape[:2])
    for part in shares:  # of a depth
        for box, view in zip(views.boxes(pixels), part.double().cpu().numpy(), strict=True):
            _spread(canvas, box, view)
    return HeatMap(pixels, canvas, cosine)


def _of_means(embedder: Embedder, maps: tuple[Tensor, ...], wanted: Tensor) -> tuple[list[Tensor], float]:
    """What each cell of the only map adds, ``(V, h, w)``, and the cosine."""
    local = maps[0]
    matrix, constant = _affine(embedder)
    pooled = local.mean(dim=(2, 3))
    lengths = pooled.norm(dim=1).clamp_min(1e-12) if embedder.card.unit_features else pooled.new_ones(len(local))
    scale = (matrix.shape[1] ** 0.5 if embedder.card.unit_features else 1.0) / lengths
    raw = (pooled * scale[:, None]) @ matrix.T + constant
    fused = unit(raw).mean(dim=0)
    cells = local.shape[2] * local.shape[3]
    carried = torch.einsum("vfhw,f->vhw", local, matrix.T @ wanted) * scale[:, None, None] + constant @ wanted
    # Each cell's part of <u_v, target>, and of the mean over views scaled to length 1.
    shares = carried / cells / raw.norm(dim=1)[:, None, None] / len(local) / fused.norm()
    return [shares], float(unit(fused) @ wanted)


def _of_moments(embedder: Embedder, maps: tuple[Tensor, ...], wanted: Tensor) -> tuple[list[Tensor], float]:
    """What each cell of each depth's map adds, ``(V, h, w)``, and the cosine."""
    pooling = embedder.backbone.pooling
    assert pooling is not None
    matrix, constant = _affine(embedder)
    moments = pooling(maps).mean(dim=0, keepdim=True)
    raw = embedder.raw(moments)[0]
    # All depths' roots are of length 1, and brought to sqrt(F) together.
    scale = (matrix.shape[1] / len(maps)) ** 0.5
    weights = pooling.split((matrix.T @ wanted)[None])
    shares = []
    for depth, (local, part, weight) in enumerate(zip(maps, pooling.split(moments), weights, strict=True)):
        moment = pooling.unpacked(part, depth)[0].double()
        trace = moment.trace().clamp_min(1e-12)
        values, vectors = torch.linalg.eigh(moment / trace)
        roots = values.clamp_min(0).sqrt()
        # A change E of the moment changes its root R by what solves R X + X R = E, which is as easy to turn round: in
        # the directions of R each entry is divided by the sum of two roots.
        turned = vectors.T @ pooling.unpacked(weight, depth)[0].double() @ vectors
        form = vectors @ (2 * turned / (roots[:, None] + roots[None]).clamp_min(1e-6)) @ vectors.T
        form = (form / trace).to(local.dtype)
        carried = torch.einsum("vchw,cd,vdhw->vhw", local, form, local) * scale + constant @ wanted / len(maps)
        shares.append(carried / (len(local) * local.shape[2] * local.shape[3]) / raw.norm())
    return shares, float(unit(raw) @ wanted)


def _affine(embedder: Embedder) -> tuple[Tensor, Tensor]:
    """The neck in evaluation mode as a matrix ``(D, F)`` and a constant ``(D,)``."""
    device = embedder.backbone.mean.device
    with evaluating(embedder):
        constant = embedder.neck(torch.zeros(1, embedder.backbone.num_features, device=device))[0].float()
    matrix = torch.ones((), device=device)
    for layer in embedder.neck:
        if isinstance(layer, nn.Linear):
            matrix = layer.weight.float() @ matrix if matrix.ndim else layer.weight.float()
        elif isinstance(layer, nn.BatchNorm1d):
            assert layer.running_var is not None
            matrix = matrix * (layer.weight / torch.sqrt(layer.running_var + layer.eps))[:, None]
    return matrix, constant


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
