"""Processes that train together, as ranks of ``torch.distributed``'s default group: what each holds and tells others.

Where no processes have been joined there is one, and nothing is exchanged.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable


def shard(classes: int, ranks: int, rank: int) -> range:
    """The classes whose prototypes a rank holds: one after the other, on no rank more than one class more than another.

    >>> [list(shard(10, 4, rank)) for rank in range(4)]
    [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    """
    least, more = divmod(classes, ranks)
    start = rank * least + min(rank, more)
    return range(start, start + least + (rank < more))


def place() -> tuple[int, int]:
    """How many ranks there are, and which is this one; (1, 0) where no processes have been joined."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size(), distributed.get_rank()
    return 1, 0


class Everyone(torch.autograd.Function):
    """The rows of all ranks, in their order; back, W times the sum of what all ranks find for one's own."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return gathered(own, sizes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ranks, rank = place()
        gradient = gradient.clone()
        if ranks > 1:  # not reduce_scatter, which takes as many rows from each
            distributed.all_reduce(gradient)
        start = sum(ctx.sizes[:rank])
        return gradient[start : start + ctx.sizes[rank]] * ranks, None


@torch.no_grad()
def clip_gradients(shared: Sequence[Tensor], own: Tensor, most: float) -> None:
    """Shorten a gradient to a length, in place, as ``torch.nn.utils.clip_grad_norm_`` does: collective.

    Args:
        shared: parameters that are the same on every rank, with the same gradients.
        own: prototypes of this rank.
        most: the length that the gradient of all may have, with the prototypes of all ranks.
    """
    gradients = [each.grad for each in shared if each.grad is not None]
    squares = [torch.linalg.vector_norm(gradient).square() for gradient in gradients]
    mine = torch.zeros((), device=own.device) if own.grad is None else torch.linalg.vector_norm(own.grad).square()
    if place()[0] > 1:
        distributed.all_reduce(mine)
    factor = (most / (torch.stack([*squares, mine]).sum().sqrt() + 1e-6)).clamp(max=1)
    for gradient in [*gradients, *([] if own.grad is None else [own.grad])]:
        gradient.mul_(factor)


def from_each(tensor: Tensor) -> Tensor:
    """The tensor of each rank, all of one shape: ``(...) -> (W, ...)``."""
    ranks = place()[0]
    if ranks == 1:
        return tensor[None]
    every = tensor.new_empty(ranks, *tensor.shape)
    distributed.all_gather(list(every), tensor.contiguous())
    return every


def sizes_of(embeddings: Tensor) -> list[int]:
    """How many rows each rank has."""
    sizes: list[int] = from_each(torch.tensor(len(embeddings), device=embeddings.device)).tolist()
    return sizes


def gathered(tensor: Tensor, sizes: list[int]) -> Tensor:
    """The rows of all ranks, one rank's after another's."""
    most = max(sizes)
    padded = tensor.detach()
    if len(padded) < most:
        padded = torch.cat([padded, padded.new_zeros(most - len(padded), *padded.shape[1:])])
    each = from_each(padded)
    return torch.cat([rows[:size] for rows, size in zip(each, sizes, strict=True)])
