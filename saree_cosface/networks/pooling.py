"""What channels do together: second moments of local features, and their matrix square root.

Cloth is texture, and a texture is told less by how strong each channel is than by which are strong in the same place.
So the local features x of a view, one for each cell of a map, are pooled into the mean of x xᵀ, over all cells. Means
of such moments are moments again: those of the views of a photo add up, and those of the photos of a piece.

A few strong channels outweigh all others in a moment, so it is scaled to trace 1 and its square root is taken, which
shortens long directions more than short ones (Li et al., Towards Faster Training of Global Covariance Pooling Networks
by Iterative Matrix Square Root Normalization, arXiv:1712.01034; here of the moment, from which no mean is subtracted).

Symmetric matrices are kept as vectors of their upper triangle, in which what lies off the diagonal is times sqrt(2), so
that the inner product of two vectors is that of the matrices.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ITERATIONS = 15
"""Of the square root: directions that hold a ten-thousandth of the trace come out within a per cent."""


class SecondOrder(nn.Module):
    """Second moments of maps of local features, at one or several depths of a network.

    At first of all channels; after :meth:`narrow`, of the directions in which training photos differ most.

    Args:
        channels: of the map at each depth.
        directions: how many of them are kept at each; all where it is 0.

    Attributes:
        sizes: k, side of the moment at each depth.
        num_features: length of all of them together as vectors.
    """

    def __init__(self, channels: Sequence[int], directions: int = 0) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.directions = directions
        self.sizes = tuple(min(directions, count) if directions else count for count in channels)
        self.num_features = sum(map(_length, self.sizes))
        for depth, (count, size) in enumerate(zip(channels, self.sizes, strict=True)):
            if directions:
                self.register_buffer(f"basis{depth}", torch.eye(count, size))
            rows, columns = torch.triu_indices(size, size).unbind()
            place = torch.zeros(size, size, dtype=torch.long)
            place[rows, columns] = place[columns, rows] = torch.arange(len(rows))
            self.register_buffer(f"index{depth}", rows * size + columns, persistent=False)
            self.register_buffer(f"place{depth}", place.flatten(), persistent=False)
            self.register_buffer(f"factor{depth}", torch.where(rows == columns, 1.0, math.sqrt(2.0)), persistent=False)

    def local(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps in the directions that are kept: ``(B, C, h, w) -> (B, k, h, w)`` at each depth."""
        if not self.directions:
            return tuple(maps)
        with torch.autocast(maps[0].device.type, enabled=False):  # half precision would lose the weak directions
            return tuple(
                F.conv2d(each.float(), getattr(self, f"basis{depth}").T[:, :, None, None])
                for depth, each in enumerate(maps)
            )

    def forward(self, local: Sequence[Tensor]) -> Tensor:
        """Moments of :meth:`local` maps, over their cells: ``(B, k, h, w)`` at each depth ``-> (B, F)``."""
        moments = []
        with torch.autocast(local[0].device.type, enabled=False):
            for depth, each in enumerate(local):
                cells = each.float().flatten(2)
                moments.append(self._packed(cells @ cells.transpose(1, 2) / cells.shape[2], depth))
        return torch.cat(moments, dim=1)

    def root(self, features: Tensor) -> Tensor:
        """The square root of moments at each depth, each of length 1: ``(N, F) -> (N, F)``."""
        parts = self.split(features.float())
        roots = [self._packed(square_root(self.unpacked(part, depth)), depth) for depth, part in enumerate(parts)]
        return torch.cat(roots, dim=1)

    def split(self, features: Tensor) -> tuple[Tensor, ...]:
        """The part of each depth: ``(N, F) -> (N, k (k + 1) / 2)`` each."""
        return torch.split(features, list(map(_length, self.sizes)), dim=1)

    def unpacked(self, part: Tensor, depth: int) -> Tensor:
        """The symmetric matrices of a depth: ``(N, k (k + 1) / 2) -> (N, k, k)``."""
        place, factor = getattr(self, f"place{depth}"), getattr(self, f"factor{depth}")
        matrices: Tensor = (part / factor).index_select(1, place)
        return matrices.view(-1, self.sizes[depth], self.sizes[depth])

    def narrowed(self, features: Tensor, directions: int) -> "SecondOrder":
        """The same in the principal directions of moments of training photos: those of their mean, at trace 1.

        Args:
            features: of training photos, moments of all channels ``(N, F)``.
            directions: how many are kept at each depth.
        """
        made = SecondOrder(self.channels, directions)
        for depth, part in enumerate(self.split(features)):
            total = part.new_zeros(part.shape[1], dtype=torch.float64)
            identity = self._packed(torch.eye(self.sizes[depth], dtype=torch.float64)[None], depth)[0]
            for some in torch.split(part, 256):  # in double precision, and not all at once
                exact = some.double()
                traces = (exact @ identity).clamp_min(1e-12)  # a view may excite nothing at all
                total += (1 / traces) @ exact
            mean = self.unpacked((total / len(part))[None], depth)[0]
            vectors = torch.linalg.eigh(mean)[1].flip(1)[:, : made.sizes[depth]]
            # The sign of an eigenvector is chance; it does not change a cosine, but it would change the weights.
            largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
            getattr(made, f"basis{depth}").copy_(vectors * largest.sign())
        return made

    def moved(self, features: Tensor, narrow: "SecondOrder") -> Tensor:
        """Moments of all channels as those in the directions of another: ``(N, F) -> (N, F')``."""
        parts = []
        for depth, part in enumerate(self.split(features)):
            basis = getattr(narrow, f"basis{depth}")
            moved = [  # not all at once
                narrow._packed(basis.T @ (self.unpacked(some.float(), depth) @ basis), depth)  # first one large product
                for some in torch.split(part, 64)
            ]
            parts.append(torch.cat(moved))
        return torch.cat(parts, dim=1)

    def _packed(self, matrices: Tensor, depth: int) -> Tensor:
        index, factor = getattr(self, f"index{depth}"), getattr(self, f"factor{depth}")
        packed: Tensor = matrices.flatten(1)[:, index] * factor
        return packed


def square_root(moments: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """The square root of symmetric, positive matrices after scaling them to trace 1: ``(N, k, k) -> (N, k, k)``.

    By the coupled Newton-Schulz iteration: products of matrices, which are differentiable and fast in batches. A matrix
    of zeros stays one.
    """
    identity = torch.eye(moments.shape[1], dtype=moments.dtype, device=moments.device)
    trace = (moments * identity).sum(dim=(1, 2), keepdim=True)
    scaled = moments / trace.clamp_min(torch.finfo(moments.dtype).tiny)
    root, inverse, thrice = scaled, identity.expand_as(scaled), 3 * identity
    for _ in range(iterations):
        step = (thrice - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root


def _length(size: int) -> int:
    return size * (size + 1) // 2
