"""Softmax, and margins that are added to a cosine or an angle: none (NSL), a cosine (CosFace), an angle (ArcFace).

References: Wang et al., CosFace, arXiv:1801.09414; Wang et al., NormFace, arXiv:1704.06369 (NSL); Deng et al., ArcFace,
arXiv:1801.07698.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.heads.base import Head, add_at_targets, checked_margin, checked_scale, lengths, unit


class Softmax(Head):
    """Plain softmax cross-entropy without bias (CosFace paper Eq. 1): logit_j = W_j . x.

    Neither prototypes nor embeddings are normalised.
    """

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)


class NormalizedSoftmax(Head):
    """Normalised softmax loss, NSL: logit_j = s cos(theta_j). It is CosFace without a margin.

    Args:
        scale: s, the length every embedding is given. See :func:`saree_cosface.heads.scale.minimum_scale`.

    >>> head = NormalizedSoftmax(2, 2, scale=10.0)
    >>> _ = head.weight.data.copy_(torch.eye(2))
    >>> head.logits(torch.tensor([[3.0, 4.0]]), torch.tensor([1])).detach()
    tensor([[6., 8.]])
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, scale: float = 64.0) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = checked_scale(scale)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(self._features(embeddings), unit(prototypes))

    def _features(self, embeddings: Tensor) -> Tensor:
        return unit(embeddings) * self.scale

    def _targets(self, embeddings: Tensor, prototypes: Tensor) -> Tensor:
        return (self._features(embeddings) * unit(prototypes)).sum(dim=1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale}"


class CosFace(Head):
    """Large Margin Cosine Loss, LMCL (CosFace paper Eq. 4): target logit s (cos(theta_y) - m), others s cos(theta_j).

    Args:
        scale: s, the length every embedding is given. See :func:`saree_cosface.heads.scale.minimum_scale`. None leaves
            each its own length, |x| (cos(theta_y) - m), which is the paper's Table 1 "without feature normalisation".
        margin: m, a difference of cosines. See :func:`saree_cosface.heads.scale.maximum_margin`.

    Attributes:
        margin: read at every call, so a warm-up may assign it between steps.

    >>> head = CosFace(2, 2, scale=10.0, margin=0.25)
    >>> _ = head.weight.data.copy_(torch.eye(2))
    >>> embeddings = torch.tensor([[3.0, 4.0]])
    >>> head.cosines(embeddings).detach()
    tensor([[0.6000, 0.8000]])
    >>> head.logits(embeddings, torch.tensor([1])).detach()
    tensor([[6.0000, 5.5000]])
    """

    warms_up = True

    def __init__(
        self, embedding_dim: int, num_classes: int, *, scale: float | None = 64.0, margin: float = 0.35
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = None if scale is None else checked_scale(scale)
        self.margin = checked_margin(margin, 2.0, "a difference of cosines")

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return add_at_targets(
            F.linear(self._features(embeddings), unit(prototypes)), labels, -self._deduction(embeddings)
        )

    def _features(self, embeddings: Tensor) -> Tensor:
        return embeddings if self.scale is None else unit(embeddings) * self.scale

    def _targets(self, embeddings: Tensor, prototypes: Tensor) -> Tensor:
        return (self._features(embeddings) * unit(prototypes)).sum(dim=1) - self._deduction(embeddings)

    def _deduction(self, embeddings: Tensor) -> Tensor:
        """What the margin takes off the target logits, (B,) or ()."""
        return (
            self.margin * lengths(embeddings)
            if self.scale is None
            else embeddings.new_full((), self.scale * self.margin)
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale}, margin={self.margin}"


class ArcFace(Head):
    """Additive angular margin (ArcFace paper Eq. 3): s cos(theta_y + m) at the target, s cos(theta_j) elsewhere.

    No arccos is taken: cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m), and the sine of the angle between two
    unit vectors a and b is |a - b| |a + b| / 2. Unlike sqrt(1 - cos^2), that keeps its precision near theta = 0 and
    pi, and its gradient is bounded there (the gradient of a norm is a unit vector, and 0 at the zero vector), so cos
    = +-1 needs no epsilon, no clamp and no detached sine.

    cos(theta + m) would rise again past theta + m = pi. There the target becomes cos(theta) - m sin(m), as in the
    authors' implementation: it keeps falling up to theta = pi, with a step down where the two pieces meet.

    Args:
        scale: s, the length every embedding is given.
        margin: m, an angle in radians (0.5 is 28.6 degrees).

    Attributes:
        margin: read at every call, so a warm-up may assign it between steps.

    >>> head = ArcFace(2, 2, scale=1.0, margin=math.pi / 3)
    >>> _ = head.weight.data.copy_(torch.eye(2))
    >>> head.logits(torch.tensor([[0.0, 5.0]]), torch.tensor([1])).detach().round(decimals=3)  # cos(0 + 60 degrees)
    tensor([[0.0000, 0.5000]])
    """

    warms_up = True

    def __init__(self, embedding_dim: int, num_classes: int, *, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = checked_scale(scale)
        self.margin = checked_margin(margin, math.pi, "an angle in radians")

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        embeddings, prototypes = unit(embeddings), unit(prototypes)
        logits = F.linear(embeddings * self.scale, prototypes)
        cosine, shifted = self._shifted(embeddings, prototypes[labels])
        return add_at_targets(logits, labels, self.scale * (shifted - cosine))

    def _features(self, embeddings: Tensor) -> Tensor:
        return unit(embeddings) * self.scale

    def _targets(self, embeddings: Tensor, prototypes: Tensor) -> Tensor:
        return self.scale * self._shifted(unit(embeddings), unit(prototypes))[1]

    def _shifted(self, embeddings: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines of unit vectors (B, D) and the unit prototypes of their labels, without and with the margin."""
        cosine = (embeddings * targets).sum(dim=1)
        sine = lengths(embeddings - targets) * lengths(embeddings + targets) / 2
        shifted = torch.where(
            cosine >= -math.cos(self.margin),
            cosine * math.cos(self.margin) - sine * math.sin(self.margin),
            cosine - self.margin * math.sin(self.margin),
        )
        return cosine, shifted

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale}, margin={self.margin}"
