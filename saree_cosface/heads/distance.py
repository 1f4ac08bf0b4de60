"""What the losses of distances between embeddings share: means, sums of classes over all processes, and checks.

A pair or a triplet is made of embeddings of one batch. Pairs of one class only occur in batches that draw several
samples of a class: a sampler should see to that. With several processes, each makes the pairs of its own batch.
"""

import math

from torch import Tensor, distributed

from saree_cosface.heads.base import Head


def mean(losses: Tensor) -> Tensor:
    """Mean of ``(N,)``; 0 when there is none, still with a graph."""
    return losses.sum() / max(1, len(losses))


def class_sums(rows: Tensor, labels: Tensor, shares: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Sums of the rows (B, D) and of the shares (B,) of each class, over all processes: -> (C, D), (C,)."""
    sums = rows.new_zeros(num_classes, rows.shape[1]).index_add_(0, labels, shares.unsqueeze(1) * rows)
    counts = shares.new_zeros(num_classes).index_add_(0, labels, shares)
    if distributed.is_available() and distributed.is_initialized():
        # Sums, unlike a gathering of embeddings, may come from batches of different sizes.
        distributed.all_reduce(sums)
        distributed.all_reduce(counts)
    return sums, counts


def checked_balance(balance: float) -> float:
    """The weight of one loss against another, if it can be one."""
    if not (math.isfinite(balance) and balance >= 0):
        raise ValueError(f"balance is {balance}; it weighs one loss against another and must be at least 0")
    return float(balance)


def refuse_weight(head: Head, weight: Tensor | None) -> None:
    """Refuse sample weights, for a head that has no use for them."""
    if weight is not None:
        raise ValueError(
            f"{type(head).__name__} takes no sample weights, which say nothing of pairs or triplets: balance what is "
            "drawn into a batch instead"
        )
