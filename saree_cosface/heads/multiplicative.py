"""Margins that multiply the angle: L-Softmax, and A-Softmax (SphereFace) with and without normalised embeddings.

References: Liu et al., Large-Margin Softmax Loss for Convolutional Neural Networks, arXiv:1612.02295 (L-Softmax);
Liu et al., SphereFace, arXiv:1704.08063 (A-Softmax); Wang et al., CosFace, arXiv:1801.09414 (A-Softmax-NormFea).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.heads.base import Head, add_at_targets, checked_scale, lengths, unit


def psi(cosine: Tensor, margin: int) -> Tensor:
    """What takes the place of the target's cosine: psi(theta) = (-1)^k cos(m theta) - 2k, elementwise, of any shape.

    k is the integer with theta in [k pi / m, (k + 1) pi / m] (L-Softmax paper Eq. 6, SphereFace paper Eq. 7); psi falls
    from 1 at theta = 0 to 1 - 2m at pi.

    cos(m theta) is the Chebyshev polynomial T_m(cos(theta)) and k counts the bounds cos(k pi / m) above cos(theta), so
    no arccos is taken and the gradient is bounded at cos = +-1. Both branches are 1 - 2k with slope 0 where they meet:
    on which side of a bound rounding puts a cosine does not matter.

    Args:
        cosine: cos(theta).
        margin: m, a positive integer.

    >>> psi(torch.tensor([1.0, 0.5, 0.0, -0.5, -1.0]), 2)
    tensor([ 1.0000, -0.5000, -1.0000, -1.5000, -3.0000])
    """
    previous, multiple = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        previous, multiple = multiple, 2 * cosine * multiple - previous
    k = torch.zeros_like(cosine)
    for bound in range(1, margin):
        k = k + (cosine < math.cos(bound * math.pi / margin))
    return (1 - 2 * (k % 2)) * multiple - 2 * k


@dataclass(frozen=True)
class LambdaAnnealing:
    """How much plain cosine is mixed into the target of :class:`SphereFace` and :class:`LargeMarginSoftmax`.

    lambda(step) = max(minimum, start (1 + gamma step)^-power)

    The target is (lambda cos(theta) + psi(theta)) / (1 + lambda): a large lambda is nearly softmax, 0 is the pure
    angular margin. The defaults are those of SphereFace's authors' training files; with them lambda is 1000 at first,
    77 after 100 steps and stays at 5 from step 1659 on. ``LambdaAnnealing(start=0, minimum=0)`` is the margin without
    annealing.

    >>> annealing = LambdaAnnealing()
    >>> annealing.at(0), round(annealing.at(100), 1), annealing.at(10_000)
    (1000.0, 76.9, 5.0)
    """

    start: float = 1000.0
    gamma: float = 0.12
    power: float = 1.0
    minimum: float = 5.0

    def __post_init__(self) -> None:
        if min(self.start, self.gamma, self.power, self.minimum) < 0:
            raise ValueError(f"{self} has a negative value; all four must be at least 0")

    def at(self, step: int) -> float:
        """Lambda after ``step`` training steps."""
        return float(max(self.minimum, self.start * (1 + self.gamma * step) ** -self.power))


class LargeMarginSoftmax(Head):
    """L-Softmax: the target angle multiplied by an integer m; neither prototypes nor embeddings are normalised.

    The target logit is |W_y| |x| (lambda cos(theta) + psi(theta)) / (1 + lambda), with :func:`psi`; the others are
    W_j . x, without bias (L-Softmax paper Eq. 4 to 6).

    Liu et al., Large-Margin Softmax Loss for Convolutional Neural Networks, arXiv:1612.02295.

    Args:
        margin: m, a positive integer; 1 is plain softmax.
        annealing: the schedule of lambda; when None, the defaults of :class:`LambdaAnnealing`, which the same authors
            train faces with. Their L-Softmax network for MNIST has
            ``LambdaAnnealing(gamma=2.5e-5, power=35, minimum=0)``, made for a long training: lambda is still 181 after
            2,000 steps and 16 after 5,000.

    Attributes:
        margin: read at every call.
        step: how many training batches were seen; it is saved with the state and sets lambda. A call of ``forward``
            counts in training mode only, ``logits`` never.
    """

    step: Tensor

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        margin: int = 4,
        annealing: LambdaAnnealing | None = None,
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        self.margin = _checked_multiplier(margin)
        self.annealing = annealing or LambdaAnnealing()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        loss = super().forward(embeddings, labels, weight)
        if self.training:
            self.step += 1
        return loss

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        logits = F.linear(embeddings, prototypes)
        targets = prototypes[labels]
        cosine = (unit(embeddings) * unit(targets)).sum(dim=1)
        change = (psi(cosine, self.margin) - cosine) / (1 + self.annealing.at(int(self.step)))
        return add_at_targets(logits, labels, lengths(embeddings) * lengths(targets) * change)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}, annealing={self.annealing}"


class SphereFace(Head):
    """A-Softmax: unit prototypes and the target angle multiplied by an integer m; embeddings keep their length, or not.

    The target logit is |x| (lambda cos(theta) + psi(theta)) / (1 + lambda), with :func:`psi`; the others are
    |x| cos(theta_j) (SphereFace paper Eq. 7). With a scale s, |x| is replaced by s, which is the A-Softmax-NormFea of
    the CosFace paper's Table 2.

    Liu et al., SphereFace, arXiv:1704.08063; Wang et al., CosFace, arXiv:1801.09414.

    Args:
        margin: m, a positive integer; 1 is softmax with unit prototypes.
        annealing: the schedule of lambda; the defaults of :class:`LambdaAnnealing` when None.
        scale: s, the length every embedding is given; None leaves embeddings as long as they are.

    Attributes:
        margin: read at every call.
        step: how many training batches were seen; it is saved with the state and sets lambda. A call of ``forward``
            counts in training mode only, ``logits`` never.

    >>> head = SphereFace(2, 2, margin=2, scale=1.0, annealing=LambdaAnnealing(start=0, minimum=0))
    >>> _ = head.weight.data.copy_(torch.eye(2))
    >>> head.logits(torch.tensor([[3.0, 4.0]]), torch.tensor([1])).detach().round(decimals=3)  # cos(2 x 36.9 degrees)
    tensor([[0.6000, 0.2800]])
    """

    step: Tensor

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        margin: int = 4,
        annealing: LambdaAnnealing | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        self.margin = _checked_multiplier(margin)
        self.annealing = annealing or LambdaAnnealing()
        self.scale = None if scale is None else checked_scale(scale)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        loss = super().forward(embeddings, labels, weight)
        if self.training:
            self.step += 1
        return loss

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        directions, prototypes = unit(embeddings), unit(prototypes)
        if self.scale is not None:
            embeddings = directions * self.scale
        logits = F.linear(embeddings, prototypes)
        cosine = (directions * prototypes[labels]).sum(dim=1)
        change = (psi(cosine, self.margin) - cosine) / (1 + self.annealing.at(int(self.step)))
        return add_at_targets(logits, labels, lengths(embeddings) * change)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}, annealing={self.annealing}, scale={self.scale}"


def _checked_multiplier(margin: int) -> int:
    if margin != int(margin) or margin < 1:
        raise ValueError(f"margin is {margin}; it multiplies the angle and must be an integer of at least 1")
    return int(margin)
