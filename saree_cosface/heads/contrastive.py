"""Softmax joined by the contrastive loss on pairs of a batch.

Reference: Sun et al., Deep Learning Face Representation by Joint Identification-Verification (DeepID2),
arXiv:1406.4773.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.heads.base import Head, checked_margin, unit
from saree_cosface.heads.distance import checked_balance, mean, refuse_weight


class SoftmaxContrastive(Head):
    """Softmax and the contrastive loss of DeepID2, over all pairs of a batch.

    The loss is the cross-entropy of W_j . x, without bias, plus lambda (same + different), where d is the distance of
    two embeddings brought to unit length: same is the mean of d^2 / 2 over the pairs of one class, and different the
    mean of max(0, m - d)^2 / 2 over the pairs of two (the L2 form of the paper's verification signal).

    Our choices, where the paper draws single pairs and leaves the rest open: the two kinds of pairs are averaged
    separately, since in one mean the few pairs of one class would vanish among the others; a kind that the batch lacks
    adds 0. Unit vectors give the margin a meaning, a distance within [0, 2] (1 is an angle of 60 degrees), whatever the
    length of an embedding. The paper's lambda belongs to embeddings of free length, so it is not the default.

    Sun et al., DeepID2, arXiv:1406.4773.

    Args:
        margin: m, a distance between unit vectors.
        balance: lambda, the weight of the contrastive loss; 0 is plain softmax.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, margin: float = 1.0, balance: float = 1.0) -> None:
        super().__init__(embedding_dim, num_classes)
        self.margin = checked_margin(margin, 2.0, "a distance between unit vectors")
        self.balance = checked_balance(balance)

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean loss ``(B, D), (B,) -> ()``.

        Raises:
            ValueError: as in :meth:`Head.forward`; or there are sample weights, which say nothing about pairs.
        """
        refuse_weight(self, weight)
        loss = super().forward(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, _ = self._lift(embeddings)
            return loss + self.balance * _contrastive(unit(embeddings), labels, self.margin)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}, balance={self.balance}"


def _contrastive(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over pairs of one class plus mean over pairs of two: unit ``(B, D), (B,) -> ()``."""
    # pdist's gradient is 0 where two embeddings coincide, and its distances keep their precision there.
    distances = F.pdist(embeddings)
    first, second = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    same = labels[first] == labels[second]
    return mean(distances[same].square() / 2) + mean((margin - distances[~same]).clamp(min=0).square() / 2)
