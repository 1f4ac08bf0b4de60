"""Softmax joined by the center loss.

Reference: Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from saree_cosface.heads.base import Head
from saree_cosface.heads.distance import checked_balance, class_sums


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
        self.balance = checked_balance(balance)
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
        sums, counts = class_sums(offsets, labels, shares, self.num_classes)
        self.centers += (self.alpha * sums / (1 + counts).unsqueeze(1)).to(self.centers.dtype)

    def _logits(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        return F.linear(embeddings, prototypes)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, balance={self.balance}, alpha={self.alpha}"
