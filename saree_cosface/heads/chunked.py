"""The loss of a normalised head without its logits: exact, a few rows of the batch at a time.

Cross-entropy of B embeddings and C prototypes usually holds several matrices of B × C numbers, and copies of the
prototypes at unit length. Here the gradient of some rows is taken as soon as their loss is known, in the forward pass,
so that no more than these rows' logits are ever there, and lengths are divided out of the products instead of out of
the prototypes. Nothing is computed twice: three matrix products, as in plain cross-entropy.

That the gradient can be taken at once, since a mean loss passes one number back, is the idea of Hsu et al., Liger
Kernel, arXiv:2410.10989, Section 3.2 (fused linear cross-entropy).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LEAST = 1 << 20
"""Logits from which on a batch is worth it."""

_PARTS = 2  # of a batch at least: each reads all prototypes three times
_ROWS = 128  # of a block, where it would be larger than it should: with fewer, products are slow
_NUMBERS = 1 << 22  # that it should have: 16 MB
_CLASSES = 128  # whose prototypes are worked on at once: they stay near the processor

Targets = Callable[[Tensor, Tensor], Tensor]
"""Target logits ``(B,)`` from embeddings and the prototypes of their labels, both ``(B, D)``."""


def cross_entropy(
    embeddings: Tensor, features: Tensor, prototypes: Tensor, labels: Tensor, weight: Tensor, targets: Targets
) -> Tensor:
    """Sum of weight × cross-entropy: ``(B, D), (B, D), (C, D), (B,), (B,) -> ()``.

    Logits are products of features and unit prototypes, but for those of the labels, which ``targets`` gives. The
    result can be differentiated once, by embeddings, features and prototypes.

    Args:
        embeddings: what ``targets`` is given.
        features: what logits are products of: embeddings at one length, say.
        prototypes: of any length.
        labels: int64.
        weight: of each embedding.
        targets: of the labels, margin included.
    """
    if not torch.is_grad_enabled():  # of which nothing is known within
        embeddings, features, prototypes = embeddings.detach(), features.detach(), prototypes.detach()
    loss: Tensor = _CrossEntropy.apply(embeddings, features, prototypes, labels, weight, targets)
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        features: Tensor,
        prototypes: Tensor,
        labels: Tensor,
        weight: Tensor,
        targets: Targets,
    ) -> Tensor:
        wanted = any(ctx.needs_input_grad[:3])
        with torch.enable_grad():  # of the targets alone, which are few
            own = prototypes[labels].detach().requires_grad_(wanted)
            seen = embeddings.detach().requires_grad_(wanted)
            target = targets(seen, own)
        inverse = inverse_lengths(prototypes)
        made = torch.empty_like if len(features) else torch.zeros_like
        to_prototypes = made(prototypes) if wanted else None
        to_features = torch.empty_like(features) if wanted else None
        to_target = torch.empty_like(target)
        loss = features.new_zeros(())
        rows = min(-(-len(features) // _PARTS), max(_ROWS, _NUMBERS // len(prototypes)))
        for start in range(0, len(features), rows):
            block = slice(start, start + rows)
            place = torch.arange(len(labels[block]), device=labels.device), labels[block]
            logits = (features[block] @ prototypes.T).mul_(inverse)
            logits[place] = target[block].detach()
            largest = logits.amax(dim=1, keepdim=True)
            shares = logits.sub_(largest).exp_()
            total = shares.sum(dim=1)
            loss += (weight[block] * (largest[:, 0] + total.log() - target[block].detach())).sum()
            if to_prototypes is None or to_features is None:
                continue
            part = weight[block] / total
            to_target[block] = part * shares[place] - weight[block]
            shares[place] = 0  # whose gradient goes by way of the target
            shares.mul_(inverse)
            to_features[block] = (shares @ prototypes).mul_(part[:, None])
            # What is there before the first block counts for nothing.
            to_prototypes.addmm_(shares.T, features[block] * part[:, None], beta=int(start > 0))
            del logits, shares  # before those of the next block are made
        if to_prototypes is not None:
            across(to_prototypes, prototypes, inverse)
            to_embeddings, to_own = torch.autograd.grad(target, (seen, own), to_target)
            to_prototypes.index_add_(0, labels, to_own)
            ctx.gradients = to_embeddings, to_features, to_prototypes
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        # Let go of here, so that what collects them can keep them without a copy.
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError("a loss in chunks can be differentiated once; compute it again.")
        if gradient.device.type != "cpu" or float(gradient) != 1:  # which it mostly is
            gradients = tuple(each.mul_(gradient) for each in gradients)
        return *gradients, None, None, None


def inverse_lengths(vectors: Tensor) -> Tensor:
    """One over the length of each row, ``(C, D) -> (C,)``; 1 for a row of zeros."""
    length = torch.linalg.vector_norm(vectors, dim=1)
    return torch.where(length > 1e-12, length, torch.ones_like(length)).reciprocal_()


def across(gradient: Tensor, vectors: Tensor, inverse: Tensor) -> None:
    """Make of the gradient by unit vectors, divided by their lengths, that by the vectors, in place: what points along
    them goes."""
    products = vectors.new_empty(_CLASSES, vectors.shape[1])
    for start in range(0, len(vectors), _CLASSES):
        block = slice(start, start + _CLASSES)
        product = torch.mul(gradient[block], vectors[block], out=products[: len(vectors[block])])
        along = product.sum(dim=1) * inverse[block].square()
        gradient[block].addcmul_(vectors[block], along[:, None], value=-1)
