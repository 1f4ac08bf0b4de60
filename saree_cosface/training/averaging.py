"""A moving average of weights while they learn: often better than the last ones, and far steadier."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of what learns in a module: its trainable parameters, and the statistics of the batch
    norms that are in training mode.

    What is frozen is left alone: averaging it would only round it, and change features that are known already.
    Early on the decay is smaller, (1 + t) / (10 + t) after t steps, or the first weights would stay for long.

    Args:
        module: whose weights are averaged, in training mode.
        decay: share of the average that a step keeps.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.0)
    >>> average = WeightAverage(layer, decay=0.05)
    >>> _ = nn.init.constant_(layer.weight, 1.0)
    >>> average.update(layer)
    >>> average.swap(layer)
    >>> round(layer.weight.item(), 3)
    0.95
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.tensors = {name: tensor.detach().clone() for name, tensor in _learning(module).items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the module's weights after a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, tensor in _tensors(module).items():
            if name in self.tensors:
                self.tensors[name].lerp_(tensor, 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module) -> None:
        """Exchange the module's weights and their averages; a second time undoes it."""
        for name, tensor in _tensors(module).items():
            if name in self.tensors:
                current = tensor.clone()
                tensor.copy_(self.tensors[name])
                self.tensors[name].copy_(current)

    def state(self) -> dict[str, object]:
        """What :meth:`restore` takes."""
        return {"steps": self.steps, "tensors": self.tensors}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from an earlier :meth:`state`."""
        steps, tensors = state["steps"], state["tensors"]
        assert isinstance(steps, int)
        assert isinstance(tensors, dict)
        self.steps = steps
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _learning(module: nn.Module) -> dict[str, Tensor]:
    statistics = {
        f"{name}.{statistic}"
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training
        for statistic in ("running_mean", "running_var")
    }
    return {name: tensor for name, tensor in _tensors(module).items() if tensor.requires_grad or name in statistics}
