"""The triplet loss on semi-hard triplets of a batch.

Reference: Schroff et al., FaceNet, arXiv:1503.03832.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.heads.base import Head, checked_margin, unit
from saree_cosface.heads.distance import class_sums, mean, refuse_weight

_MEMORY = 0.9  # share of a running mean that stays when a batch is added to it


class Triplet(Head):
    """Triplet loss of FaceNet, over all semi-hard triplets of a batch.

    The loss of an anchor a, a positive p of its class and a negative n of another is max(0, |a - p|^2 - |a - n|^2 +
    alpha), for unit embeddings (paper Section 3.1). It is averaged over the triplets whose negative is farther than
    the positive, but by less than alpha: the semi-hard ones (paper Section 3.2). Every ordered pair of one class is an
    anchor and a positive, and all their semi-hard negatives count, where the paper leaves open which one is taken.
    Without any such triplet (no class twice in the batch, or every class well apart) the loss is 0, with gradient 0.
    Memory is that of P x B numbers for P ordered pairs of one class.

    There is nothing to learn but the embeddings. ``weight`` is a running mean of the unit embeddings of each class, in
    place of prototypes, and serves ``cosines`` and ``logits`` (which are cosines here) to show an accuracy. A call of
    ``forward`` in training mode moves it, over the batches of all processes; a class not yet seen has cosine 0. It is a
    buffer, not a parameter: saved with the state, and unknown to optimizers.

    Schroff et al., FaceNet, arXiv:1503.03832.

    Args:
        margin: alpha, a difference of squared distances between unit vectors, which lie within [0, 4].
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, margin: float = 0.2) -> None:
        super().__init__(embedding_dim, num_classes)
        if margin == 0:
            raise ValueError("margin is 0; no triplet is semi-hard then: FaceNet's margin is 0.2")
        self.margin = checked_margin(margin, 4.0, "a difference of squared distances between unit vectors")
        del self.weight
        self.register_buffer("weight", torch.zeros(num_classes, embedding_dim))

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean loss ``(B, D), (B,) -> ()``.

        Raises:
            ValueError: as in :meth:`Head.forward`; or there are sample weights, which say nothing about triplets.
        """
        refuse_weight(self, weight)
        self._check_not_empty(embeddings)
        self._check_batch(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, _ = self._lift(embeddings)
            embeddings = unit(embeddings)
            loss = _semi_hard_triplets(embeddings, labels, self.margin)
            if self.training:
                self._follow(embeddings.detach(), labels.long())
        return loss

    @torch.no_grad()
    def _follow(self, embeddings: Tensor, labels: Tensor) -> None:
        sums, counts = class_sums(embeddings, labels, torch.ones_like(embeddings[:, 0]), self.num_classes)
        means = (sums / counts.clamp(min=1).unsqueeze(1)).to(self.weight.dtype)
        # The first mean is shortened by this too, which cosines do not see.
        self.weight.lerp_(means, ((1 - _MEMORY) * (counts > 0).unsqueeze(1)).to(self.weight.dtype))

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(unit(embeddings), unit(prototypes))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}"


def _semi_hard_triplets(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over the semi-hard triplets: unit ``(B, D), (B,) -> ()``."""
    cosines = embeddings @ embeddings.t()
    same = labels.unsqueeze(1) == labels
    anchors, positives = torch.nonzero(same.fill_diagonal_(False), as_tuple=True)
    # Squared distances of unit vectors are 2 - 2 cos; these are those of the negatives less that of the positive.
    leads = 2 * (cosines[anchors, positives].unsqueeze(1) - cosines[anchors])
    negative = labels[anchors].unsqueeze(1) != labels
    return mean(margin - leads[negative & (leads > 0) & (leads < margin)])
