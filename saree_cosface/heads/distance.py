"""Losses of the distances between embeddings: beside a softmax (contrastive, center), or alone (triplet).

A pair or a triplet is made of embeddings of one batch. Pairs of one class only occur in batches that draw several
samples of a class: a sampler should see to that. With several processes, each makes the pairs of its own batch.

References: Sun et al., Deep Learning Face Representation by Joint Identification-Verification (DeepID2),
arXiv:1406.4773; Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016 (center
loss); Schroff et al., FaceNet, arXiv:1503.03832 (triplet loss).
"""

import math

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

from saree_cosface.heads.base import Head, checked_margin, unit

_MEMORY = 0.9  # share of a running mean that stays when a batch is added to it


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
        self.balance = _checked_balance(balance)

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean loss ``(B, D), (B,) -> ()``.

        Raises:
            ValueError: as in :meth:`Head.forward`; or there are sample weights, which say nothing about pairs.
        """
        _refuse_weight(self, weight)
        loss = super().forward(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, _ = self._lift(embeddings)
            return loss + self.balance * _contrastive(unit(embeddings), labels, self.margin)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}, balance={self.balance}"


class SoftmaxCenter(Head):
    """Softmax and center loss: embeddings are drawn to the centre of their class.

    The loss is the mean of the cross-entropy of W_j . x, without bias, plus lambda / 2 |x - c_y|^2. The paper (Eq. 5)
    sums both terms over the batch; dividing both by B leaves lambda what it is there and changes the step length only.
    Neither embeddings nor centres are normalised.

    Centres move by a rule of their own (paper Eq. 4), after the loss is computed, in training mode only:

        c_j <- c_j + alpha sum(x_i - c_j over the n_j samples i of class j) / (1 + n_j)

    A class that the batch lacks keeps its centre. Centres start at the origin. Where training runs in several
    processes, the sum and n_j are taken over the batches of all, so that all keep the same centres. As in the mean,
    sample weights count relative to their own mean: a sample of weight 0 moves no centre, and equal weights change
    nothing.

    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016.

    Args:
        balance: lambda, the weight of the center loss; 0 is plain softmax.
        alpha: how far a centre moves, within [0, 1].

    Attributes:
        centers: c, (C, D); saved with the state.
    """

    centers: Tensor

    def __init__(self, embedding_dim: int, num_classes: int, *, balance: float = 0.003, alpha: float = 0.5) -> None:
        super().__init__(embedding_dim, num_classes)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it is the share of the way that a centre moves, within [0, 1]")
        self.balance = _checked_balance(balance)
        self.alpha = float(alpha)
        self.register_buffer("centers", torch.zeros(num_classes, embedding_dim))

    def forward(self, embeddings: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        loss = super().forward(embeddings, labels, weight)
        labels = labels.long()
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, _ = self._lift(embeddings)
            offsets = embeddings - self.centers.to(embeddings.dtype)[labels]
            shares = torch.ones_like(offsets[:, 0]) if weight is None else weight.to(offsets.dtype)
            shares = shares / shares.mean()
            loss = loss + self.balance / 2 * (shares * offsets.square().sum(dim=1)).mean()
            if self.training:
                self._move_centers(offsets.detach(), labels, shares)
        return loss

    @torch.no_grad()
    def _move_centers(self, offsets: Tensor, labels: Tensor, shares: Tensor) -> None:
        sums, counts = _class_sums(offsets, labels, shares, self.num_classes)
        self.centers += (self.alpha * sums / (1 + counts).unsqueeze(1)).to(self.centers.dtype)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, balance={self.balance}, alpha={self.alpha}"


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
        _refuse_weight(self, weight)
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
        sums, counts = _class_sums(embeddings, labels, torch.ones_like(embeddings[:, 0]), self.num_classes)
        means = (sums / counts.clamp(min=1).unsqueeze(1)).to(self.weight.dtype)
        # The first mean is shortened by this too, which cosines do not see.
        self.weight.lerp_(means, ((1 - _MEMORY) * (counts > 0).unsqueeze(1)).to(self.weight.dtype))

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(unit(embeddings), unit(prototypes))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, margin={self.margin}"


def _contrastive(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over pairs of one class plus mean over pairs of two: unit ``(B, D), (B,) -> ()``."""
    # pdist's gradient is 0 where two embeddings coincide, and its distances keep their precision there.
    distances = F.pdist(embeddings)
    first, second = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    same = labels[first] == labels[second]
    return _mean(distances[same].square() / 2) + _mean((margin - distances[~same]).clamp(min=0).square() / 2)


def _semi_hard_triplets(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over the semi-hard triplets: unit ``(B, D), (B,) -> ()``."""
    cosines = embeddings @ embeddings.t()
    same = labels.unsqueeze(1) == labels
    anchors, positives = torch.nonzero(same.fill_diagonal_(False), as_tuple=True)
    # Squared distances of unit vectors are 2 - 2 cos; these are those of the negatives less that of the positive.
    leads = 2 * (cosines[anchors, positives].unsqueeze(1) - cosines[anchors])
    negative = labels[anchors].unsqueeze(1) != labels
    return _mean(margin - leads[negative & (leads > 0) & (leads < margin)])


def _mean(losses: Tensor) -> Tensor:
    """Mean of ``(N,)``; 0 when there is none, still with a graph."""
    return losses.sum() / max(1, len(losses))


def _class_sums(rows: Tensor, labels: Tensor, shares: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Sums of the rows (B, D) and of the shares (B,) of each class, over all processes: -> (C, D), (C,)."""
    sums = rows.new_zeros(num_classes, rows.shape[1]).index_add_(0, labels, shares.unsqueeze(1) * rows)
    counts = shares.new_zeros(num_classes).index_add_(0, labels, shares)
    if distributed.is_available() and distributed.is_initialized():
        # Sums, unlike a gathering of embeddings, may come from batches of different sizes.
        distributed.all_reduce(sums)
        distributed.all_reduce(counts)
    return sums, counts


def _checked_balance(balance: float) -> float:
    if not (math.isfinite(balance) and balance >= 0):
        raise ValueError(f"balance is {balance}; it weighs one loss against another and must be at least 0")
    return float(balance)


def _refuse_weight(head: Head, weight: Tensor | None) -> None:
    if weight is not None:
        raise ValueError(
            f"{type(head).__name__} takes no sample weights, which say nothing of pairs or triplets: balance what is "
            "drawn into a batch instead"
        )
