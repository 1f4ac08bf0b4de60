"""How weights are optimised: what learns, at which rate, and how the rate changes."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from saree_cosface.heads import Head, ShardedHead
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import OptimOptions, Recipe


def rate_factor(optim: OptimOptions, step: int, steps: int) -> float:
    """Factor on the learning rates at ``step`` of ``steps``: linear warm-up, then a half cosine or division by 10.

    >>> [round(rate_factor(OptimOptions(warmup=0.1), step, 100), 2) for step in (0, 9, 10, 55, 100)]
    [0.09, 0.91, 1.0, 0.5, 0.0]
    >>> stepped = OptimOptions(warmup=0.0, milestones=(50, 80))
    >>> [round(rate_factor(stepped, step, 100), 2) for step in (0, 49, 50, 80)]
    [1.0, 1.0, 0.1, 0.01]
    """
    warmup = round(optim.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if optim.milestones:
        return float(10.0 ** -sum(step >= milestone for milestone in optim.milestones))
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def freeze(embedder: Embedder, trainable_stages: int) -> None:
    """Let only the last stages of the backbone learn."""
    stages = embedder.backbone.stages()
    learning = {name for stage in stages[max(0, len(stages) - trainable_stages) :] for name in stage}
    for name, parameter in embedder.backbone.network.named_parameters():
        parameter.requires_grad_(name in learning)


def parameter_groups(embedder: Embedder, head: Head | ShardedHead, recipe: Recipe) -> list[dict[str, Any]]:
    """The optimiser's groups: neck and head at ``lr``, backbone stages at rates that fall towards the input.

    Weight decay is off for norms and biases, which are the parameters with at most one dimension. For Muon,
    ``use_fallback`` leaves these to AdamW, and neck and head too: orthogonal steps are for hidden layers.
    """
    optim = recipe.optim
    groups: list[dict[str, Any]] = []
    named = dict(embedder.backbone.network.named_parameters())
    for depth, stage in enumerate(reversed(embedder.backbone.stages())):
        rate = optim.backbone_lr * optim.layer_decay**depth
        groups += _decayed([named[name] for name in stage if named[name].requires_grad], rate, optim.weight_decay)
    above = [each for each in (*embedder.neck.parameters(), *head.parameters()) if each.requires_grad]
    rest = _decayed(above, optim.lr, optim.weight_decay)
    if optim.optimizer == "muon":
        for group in groups:
            group["use_fallback"] = group["params"][0].ndim <= 1
        for group in rest:
            group["use_fallback"] = True
    return groups + rest


def _decayed(parameters: Sequence[torch.nn.Parameter], rate: float, decay: float) -> list[dict[str, Any]]:
    plain = [parameter for parameter in parameters if parameter.ndim <= 1]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    groups = [
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": matrices, "lr": rate, "weight_decay": decay},
    ]
    return [group for group in groups if group["params"]]
