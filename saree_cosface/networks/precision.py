"""In which precision a network learns: bf16 where this machine is faster with it, else fp32."""

import time
from typing import Literal

import torch
from torch import Tensor

from saree_cosface.networks.backbone import Backbone
from saree_cosface.networks.create import create_backbone
from saree_cosface.options import ModelOptions

Precision = Literal["bf16", "fp32"]

_PRECISIONS: dict[str, Precision] = {}  # of each backbone, once it was timed


def faster_precision(backbone: Backbone, *, batch: int = 4, repeats: int = 2) -> Precision:
    """Whether this machine learns the backbone faster in bf16 autocast or in fp32, found by trying both.

    Gradients are computed too. A processor that is twice as fast with features in bf16 may take several times as long
    for the gradients of depthwise convolutions.
    """
    weights = list(backbone.parameters())
    device = weights[0].device
    pixels = torch.zeros(batch, 3, *backbone.preprocessing.shape, device=device)
    options: tuple[Precision, ...] = ("fp32", "bf16")

    def seconds(precision: Precision, pixels: Tensor) -> float:
        start = time.perf_counter()
        with autocast(device.type, precision):
            total = backbone(pixels).sum()
        for gradient in torch.autograd.grad(total, weights, allow_unused=True):
            if gradient is not None:
                float(gradient.flatten()[0])  # waits for an asynchronous device
        return time.perf_counter() - start

    single, half = (min(seconds(precision, pixels[:1]) for _ in range(2)) for precision in options)
    if half > 3 * single:  # emulated: a whole batch would take minutes
        return "fp32"
    times: dict[Precision, list[float]] = {precision: [] for precision in options}
    for _ in range(repeats):  # in turns, so that a passing load on the machine slows both
        for precision in options:
            times[precision].append(seconds(precision, pixels))
    return min(options, key=lambda precision: min(times[precision]))


def autocast(device_type: str, precision: Precision) -> torch.autocast:
    """The context in which a network runs at ``precision``."""
    return torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16")


def resolved_precision(model: ModelOptions) -> Precision:
    """The precision asked for; "auto" is found by timing once a process. A network that does not learn runs in fp32."""
    if not model.trainable_stages:
        return "fp32"
    if model.precision != "auto":
        return model.precision
    if model.backbone not in _PRECISIONS:
        _PRECISIONS[model.backbone] = faster_precision(create_backbone(model.backbone, pretrained=False).eval())
    return _PRECISIONS[model.backbone]
