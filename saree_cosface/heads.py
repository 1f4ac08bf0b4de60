"""Classification heads that are losses: softmax, NSL, SphereFace, CosFace (LMCL) and ArcFace.

A head holds one *prototype* per class and turns embeddings and labels into a mean cross-entropy. It is used in training
only: afterwards an embedding is compared with prototypes or references by its cosine.

All heads share one shape: ``Head(embedding_dim, num_classes, *, ...)``, prototypes in ``weight`` (C, D), and

- ``cosines(embeddings)``: margin-free cosines, from which training accuracy must be read (with the margin it
  looks like 0);
- ``logits(embeddings, labels)``: what the cross-entropy sees, the margin applied at the targets;
- ``forward(embeddings, labels, weight=None)``: the mean loss.

Normalisation, cosines and loss are computed in float32 even inside ``torch.autocast`` and for half-precision inputs,
and in float64 when the embeddings or the prototypes are float64.

The margin changes one logit per row. No (B, C) one-hot or masked copy is made for it: the scale is folded into the
(B, D) embeddings before the matrix product, and the change of the B target logits is added to the product in place.

Units: CosFace's margin is a difference of cosines, ArcFace's an angle in radians, SphereFace's an integer that
multiplies the angle.

References: Wang et al., CosFace, arXiv:1801.09414; Liu et al., SphereFace, arXiv:1704.08063; Deng et al., ArcFace,
arXiv:1801.07698; Wang et al., NormFace, arXiv:1704.06369 (NSL).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SMALLEST_NORM = 1e-12


class Head(nn.Module, ABC):
    """What the heads share: prototypes, margin-free cosines, the checks and the cross-entropy.

    Args:
        embedding_dim: D, the length of an embedding.
        num_classes: C, at least 2.

    Attributes:
        weight: prototypes (C, D), not kept at unit length (the heads that need unit prototypes normalise them).
            Drawn from a normal distribution with variance 2 / (C + D) (Xavier).
    """

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        if embedding_dim < 1:
            raise ValueError(f"embedding_dim is {embedding_dim}; an embedding needs at least 1 dimension")
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}; a head separates at least 2 classes")
        self.embedding_dim = embedding_dim
        self.num_classes = num_classes
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_dim))
        nn.init.xavier_normal_(self.weight)

    @abstractmethod
    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, C) from embeddings (B, D), ``weight`` (C, D) and labels (B,) that are checked and lifted."""

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines between embeddings and prototypes, without margin or scale: ``(B, D) -> (B, C)`` within [-1, 1].

        Raises:
            ValueError: the embeddings are not (B, D).
        """
        self._check_embeddings(embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, prototypes = self._lift(embeddings)
            return F.linear(_unit(embeddings), _unit(prototypes)).clamp(-1, 1)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """What the cross-entropy sees, the margin applied at the labels: ``(B, D), (B,) -> (B, C)``.

        Raises:
            ValueError: the embeddings are not (B, D), or the labels are not (B,) integers within [0, C).
        """
        self._check_embeddings(embeddings)
        self._check_labels(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, prototypes = self._lift(embeddings)
            return self._logits(embeddings, prototypes, labels.long())

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean cross-entropy ``(B, D), (B,) -> ()``.

        Args:
            embeddings: (B, D), any length, any floating-point type.
            labels: (B,) integers within [0, C).
            weight: (B,) weights of the samples, not negative; the mean is then sum(weight x loss) / sum(weight). The
                weight of a class is ``class_weight[labels]``.

        Raises:
            ValueError: as in :meth:`logits`; or the batch is empty, or ``weight`` is not (B,) or has no positive sum.
        """
        if len(embeddings) == 0:
            raise ValueError("the batch is empty: there is no mean loss over 0 embeddings")
        logits = self.logits(embeddings, labels)
        with torch.autocast(logits.device.type, enabled=False):
            if weight is None:
                return F.cross_entropy(logits, labels.long())
            weight = self._check_weight(weight, labels).to(logits.dtype)
            losses = F.cross_entropy(logits, labels.long(), reduction="none")
            return (losses * weight).sum() / weight.sum()

    def extra_repr(self) -> str:
        return f"embedding_dim={self.embedding_dim}, num_classes={self.num_classes}"

    def _lift(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and prototypes in one type: float64 if either is, else float32."""
        dtype = torch.promote_types(torch.promote_types(embeddings.dtype, self.weight.dtype), torch.float32)
        return embeddings.to(dtype), self.weight.to(dtype)

    def _check_embeddings(self, embeddings: Tensor) -> None:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embedding_dim:
            raise ValueError(
                f"embeddings have shape {tuple(embeddings.shape)}; this head takes (B, {self.embedding_dim}): "
                "set embedding_dim to the embedder's dimension"
            )
        if not embeddings.is_floating_point():
            raise ValueError(f"embeddings are {embeddings.dtype}; a head takes floating-point embeddings")

    def _check_labels(self, embeddings: Tensor, labels: Tensor) -> None:
        if labels.shape != embeddings.shape[:1]:
            raise ValueError(
                f"labels have shape {tuple(labels.shape)}; {len(embeddings)} embeddings take ({len(embeddings)},)"
            )
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise ValueError(f"labels are {labels.dtype}; they must be integer class indices")
        if labels.numel():
            low, high = (int(bound) for bound in torch.aminmax(labels))
            if low < 0 or high >= self.num_classes:
                wrong = low if low < 0 else high
                raise ValueError(
                    f"label {wrong} is outside [0, {self.num_classes}): labels are indices into the {self.num_classes} "
                    "classes of this head"
                )

    @staticmethod
    def _check_weight(weight: Tensor, labels: Tensor) -> Tensor:
        if weight.shape != labels.shape:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; it holds one value per sample: {len(labels)}")
        if not (bool((weight >= 0).all()) and bool(weight.sum() > 0)):
            raise ValueError("the sample weights must not be negative or NaN, and at least one must be positive")
        return weight


class Softmax(Head):
    """Plain softmax cross-entropy without bias (CosFace paper Eq. 1): logit_j = W_j . x.

    Neither prototypes nor embeddings are normalised.
    """

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)


class NormalizedSoftmax(Head):
    """Normalised softmax loss, NSL: logit_j = s cos(theta_j). It is CosFace without a margin.

    Args:
        scale: s, the length every embedding is given. See :func:`saree_cosface.scale.minimum_scale`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, scale: float = 64.0) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = _checked_scale(scale)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(_unit(embeddings) * self.scale, _unit(prototypes))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale}"


class CosFace(Head):
    """Large Margin Cosine Loss, LMCL (CosFace paper Eq. 4): target logit s (cos(theta_y) - m), others s cos(theta_j).

    Args:
        scale: s, the length every embedding is given. See :func:`saree_cosface.scale.minimum_scale`.
        margin: m, a difference of cosines. See :func:`saree_cosface.scale.maximum_margin`.

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

    def __init__(self, embedding_dim: int, num_classes: int, *, scale: float = 64.0, margin: float = 0.35) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = _checked_scale(scale)
        self.margin = _checked_margin(margin, 2.0, "a difference of cosines")

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        logits = F.linear(_unit(embeddings) * self.scale, _unit(prototypes))
        return _add_at_targets(logits, labels, logits.new_full((), -self.scale * self.margin))

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
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__(embedding_dim, num_classes)
        self.scale = _checked_scale(scale)
        self.margin = _checked_margin(margin, math.pi, "an angle in radians")

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        embeddings, prototypes = _unit(embeddings), _unit(prototypes)
        logits = F.linear(embeddings * self.scale, prototypes)
        targets = prototypes[labels]
        cosine = (embeddings * targets).sum(dim=1)
        sine = _length(embeddings - targets) * _length(embeddings + targets) / 2
        shifted = torch.where(
            cosine >= -math.cos(self.margin),
            cosine * math.cos(self.margin) - sine * math.sin(self.margin),
            cosine - self.margin * math.sin(self.margin),
        )
        return _add_at_targets(logits, labels, self.scale * (shifted - cosine))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale}, margin={self.margin}"


@dataclass(frozen=True)
class LambdaAnnealing:
    """How much plain cosine is mixed into SphereFace's target.

    lambda(step) = max(minimum, start (1 + gamma step)^-power)

    The target is (lambda cos(theta) + psi(theta)) / (1 + lambda): a large lambda is nearly softmax, 0 is the pure
    angular margin. The defaults are those of the authors' training files; with them lambda is 1000 at first, 77 after
    100 steps and stays at 5 from step 1659 on. ``LambdaAnnealing(start=0, minimum=0)`` is A-Softmax without
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


class SphereFace(Head):
    """A-Softmax: unit prototypes, embeddings *not* normalised, the target angle multiplied by an integer m.

    The target logit is |x| (lambda cos(theta) + psi(theta)) / (1 + lambda) with psi(theta) = (-1)^k cos(m theta) - 2k
    on theta in [k pi / m, (k + 1) pi / m]; the others are |x| cos(theta_j) (SphereFace paper Eq. 7).

    cos(m theta) is the Chebyshev polynomial T_m(cos(theta)) and k counts the bounds cos(k pi / m) above cos(theta),
    so no arccos is taken and the gradient is bounded at cos = +-1.

    Args:
        margin: m, a positive integer; 1 is softmax with unit prototypes.
        annealing: the schedule of lambda; the defaults of :class:`LambdaAnnealing` when None.

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
        if margin != int(margin) or margin < 1:
            raise ValueError(f"margin is {margin}; SphereFace multiplies the angle by an integer of at least 1")
        self.margin = int(margin)
        self.annealing = annealing or LambdaAnnealing()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        loss = super().forward(embeddings, labels, weight)
        if self.training:
            self.step += 1
        return loss

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        prototypes = _unit(prototypes)
        logits = F.linear(embeddings, prototypes)
        cosine = (_unit(embeddings) * prototypes[labels]).sum(dim=1)
        mixed = self.annealing.at(int(self.step))
        change = (self._psi(cosine) - cosine) / (1 + mixed)
        return _add_at_targets(logits, labels, _length(embeddings) * change)

    def _psi(self, cosine: Tensor) -> Tensor:
        previous, multiple = torch.ones_like(cosine), cosine
        for _ in range(self.margin - 1):
            previous, multiple = multiple, 2 * cosine * multiple - previous
        k = torch.zeros_like(cosine)
        for bound in range(1, self.margin):
            k = k + (cosine < math.cos(bound * math.pi / self.margin))
        return (1 - 2 * (k % 2)) * multiple - 2 * k

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}, annealing={self.annealing}"


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length of each row ``(B, D) -> (B,)``; its gradient at a zero row is 0."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=1)
    return length


def _unit(vectors: Tensor) -> Tensor:
    """Rows at unit length. A zero row stays zero and passes its gradient on unscaled, not multiplied by 1 / epsilon."""
    length = _length(vectors).unsqueeze(1)
    # Multiplying by the inverse spares the backward pass the (C, D) temporaries of the quotient rule.
    return vectors * torch.where(length > _SMALLEST_NORM, length, torch.ones_like(length)).reciprocal()


def _add_at_targets(logits: Tensor, labels: Tensor, change: Tensor) -> Tensor:
    """Add ``change``, (B,) or (), to the target logit of each row, in place; nothing of size (B, C) is made."""
    rows = torch.arange(len(labels), device=labels.device)
    return logits.index_put_((rows, labels), change, accumulate=True)


def _checked_scale(scale: float) -> float:
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; it must be a positive number")
    return float(scale)


def _checked_margin(margin: float, limit: float, unit: str) -> float:
    if not 0 <= margin <= limit:
        raise ValueError(f"margin is {margin}; it is {unit} and must lie within [0, {limit:.4g}]")
    return float(margin)
