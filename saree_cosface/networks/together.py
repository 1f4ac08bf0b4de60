"""Layers that several processes of one training compute as one process would with the batches of all of them.

A batch norm takes its statistics over all processes' batches, and dropout draws one mask for all of them, of which each
process takes its rows. torch's own SyncBatchNorm does the former on GPUs alone. They are those of an embedder's neck; a
backbone's batch norms keep their statistics where it is pretrained, and else see one process's batch each.
"""

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F

from saree_cosface.heads.ranks import place


class Dropout(nn.Dropout):
    """``(B, F) -> (B, F)``; the processes must have seeded torch alike, and have batches of one size."""

    def forward(self, values: Tensor) -> Tensor:
        processes, rank = place()
        if not self.training or processes == 1:
            return super().forward(values)
        mask = F.dropout(values.new_ones(processes * len(values), *values.shape[1:]), self.p)
        return values * mask[rank * len(values) : (rank + 1) * len(values)]


class BatchNorm1d(nn.BatchNorm1d):
    """``(B, F) -> (B, F)``; the processes must have batches of one size."""

    def forward(self, values: Tensor) -> Tensor:
        processes, _ = place()
        if not self.training or processes == 1:
            return super().forward(values)
        count = processes * len(values)
        mean = _over_all(values.sum(dim=0)) / count
        centred = values - mean
        variance = _over_all(centred.square().sum(dim=0)) / count
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            self.num_batches_tracked.add_(1)
        normalised: Tensor = centred * (variance + self.eps).rsqrt() * self.weight + self.bias
        return normalised


def _over_all(values: Tensor) -> Tensor:
    """Their sum over the processes, through which gradients flow back."""
    total: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return total
