"""What every head shares: :class:`Head`, and the few functions of vectors that heads are written with."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saree_cosface.heads import chunked

_SMALLEST_NORM = 1e-12


class Head(nn.Module, ABC):
    """What the heads share: prototypes, margin-free cosines, the checks and the cross-entropy.

    A head implements ``_logits``; one whose loss is not, or not only, the cross-entropy of them extends ``forward``.
    One of unit prototypes whose margin is at the labels alone also gives ``_features`` and ``_targets``.

    Args:
        embedding_dim: D, the length of an embedding.
        num_classes: C, at least 2.

    Attributes:
        weight: prototypes (C, D), not kept at unit length (the heads that need unit prototypes normalise them).
            Drawn from a normal distribution with variance 2 / (C + D) (Xavier).
        warms_up: whether its ``margin`` may grow from 0 while it trains.
        chunked: whether the loss is taken some rows at a time, where a head can (:mod:`saree_cosface.heads.chunked`):
            the same loss and gradient without a matrix of (B, C). None does so where the batch has a million logits.
    """

    weight: Tensor
    warms_up = False
    chunked: bool | None = None

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

    def _features(self, embeddings: Tensor) -> Tensor | None:
        """What is multiplied with unit prototypes, (B, D); None where logits are made in another way."""
        return None

    def _targets(self, embeddings: Tensor, prototypes: Tensor) -> Tensor:
        """Logits (B,) of the labels, from embeddings and the prototypes of their labels, both (B, D)."""
        raise NotImplementedError

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines between embeddings and prototypes, without margin or scale: ``(B, D) -> (B, C)`` within [-1, 1].

        Raises:
            ValueError: the embeddings are not (B, D).
        """
        self._check_embeddings(embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, prototypes = self._lift(embeddings)
            return F.linear(unit(embeddings), unit(prototypes)).clamp(-1, 1)

    def predictions(self, embeddings: Tensor) -> Tensor:
        """The class of the largest cosine, ``(B, D) -> (B,)``.

        Raises:
            ValueError: the embeddings are not (B, D).
        """
        return self.cosines(embeddings).argmax(dim=1)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """What the cross-entropy sees, the margin applied at the labels: ``(B, D), (B,) -> (B, C)``.

        Raises:
            ValueError: the embeddings are not (B, D), or the labels are not (B,) integers within [0, C).
        """
        self._check_batch(embeddings, labels)
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
        self._check_not_empty(embeddings)
        if self.chunked or (self.chunked is None and len(embeddings) * self.num_classes >= chunked.LEAST):
            loss = self._in_chunks(embeddings, labels, weight)
            if loss is not None:
                return loss
        logits = self.logits(embeddings, labels)
        with torch.autocast(logits.device.type, enabled=False):
            if weight is None:
                return F.cross_entropy(logits, labels.long())
            weight = self._check_weight(weight, labels).to(logits.dtype)
            losses = F.cross_entropy(logits, labels.long(), reduction="none")
            return (losses * weight).sum() / weight.sum()

    def _in_chunks(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None) -> Tensor | None:
        """The loss without its logits; None where the head has no such."""
        self._check_batch(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            lifted, prototypes = self._lift(embeddings)
            features = self._features(lifted)
            if features is None:
                return None
            if weight is None:
                weight = lifted.new_full((len(lifted),), 1 / len(lifted))
            else:
                weight = self._check_weight(weight, labels).to(lifted.dtype)
                weight = weight / weight.sum()
            return chunked.cross_entropy(lifted, features, prototypes, labels.long(), weight, self._targets)

    def extra_repr(self) -> str:
        return f"embedding_dim={self.embedding_dim}, num_classes={self.num_classes}"

    def _lift(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and prototypes in one type: float64 if either is, else float32."""
        dtype = torch.promote_types(torch.promote_types(embeddings.dtype, self.weight.dtype), torch.float32)
        return embeddings.to(dtype), self.weight.to(dtype)

    @staticmethod
    def _check_not_empty(embeddings: Tensor) -> None:
        if len(embeddings) == 0:
            raise ValueError("the batch is empty: there is no mean loss over 0 embeddings")

    def _check_embeddings(self, embeddings: Tensor) -> None:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embedding_dim:
            raise ValueError(
                f"embeddings have shape {tuple(embeddings.shape)}; this head takes (B, {self.embedding_dim}): "
                "set embedding_dim to the embedder's dimension"
            )
        if not embeddings.is_floating_point():
            raise ValueError(f"embeddings are {embeddings.dtype}; a head takes floating-point embeddings")

    def _check_batch(self, embeddings: Tensor, labels: Tensor) -> None:
        self._check_embeddings(embeddings)
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


def lengths(vectors: Tensor) -> Tensor:
    """Euclidean length of each row ``(B, D) -> (B,)``; its gradient at a zero row is 0."""
    found: Tensor = torch.linalg.vector_norm(vectors, dim=1)
    return found


def unit(vectors: Tensor) -> Tensor:
    """Rows at unit length. A zero row stays zero and passes its gradient on unscaled, not multiplied by 1 / epsilon."""
    length = lengths(vectors).unsqueeze(1)
    # Multiplying by the inverse spares the backward pass the (C, D) temporaries of the quotient rule.
    return vectors * torch.where(length > _SMALLEST_NORM, length, torch.ones_like(length)).reciprocal()


def add_at_targets(logits: Tensor, labels: Tensor, change: Tensor) -> Tensor:
    """Add ``change``, (B,) or (), to the target logit of each row, in place; nothing of size (B, C) is made."""
    rows = torch.arange(len(labels), device=labels.device)
    return logits.index_put_((rows, labels), change, accumulate=True)


def checked_scale(scale: float) -> float:
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; it must be a positive number")
    return float(scale)


def checked_margin(margin: float, limit: float, meaning: str) -> float:
    if not 0 <= margin <= limit:
        raise ValueError(f"margin is {margin}; it is {meaning} and must lie within [0, {limit:.4g}]")
    return float(margin)
