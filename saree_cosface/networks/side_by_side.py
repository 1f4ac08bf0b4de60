"""Several networks as one: each sees the same view at its own size, and their features lie side by side."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saree_cosface.networks.backbone import Preprocessing, unit
from saree_cosface.networks.tokens import maps_of, pooled
from saree_cosface.options import PoolingName


class SideBySide(nn.Module):
    """Networks without their classifiers; it speaks the part of timm's interface that a backbone needs.

    Args:
        networks: of timm.
        expected: what the weights of each expect of an image.
        pooling: of what each has found, see :func:`saree_cosface.networks.tokens.pooled`.

    Attributes:
        preprocessing: views are cut at the largest size; each network scales them down, and their values, by itself.
        num_features: length of all features together.
        pretrained_cfg: what timm would say of the weights.
    """

    pretrained_cfg: dict[str, Any]

    def __init__(
        self, networks: Sequence[nn.Module], expected: Sequence[Preprocessing], pooling: PoolingName = "mean"
    ) -> None:
        super().__init__()
        self.pretrained_cfg = {}
        self.pooling = pooling
        self.networks = nn.ModuleList(networks)
        self.num_features = sum(int(network.num_features) for network in networks)  # type: ignore[arg-type, misc]
        size = max(each.size for each in expected)
        self.preprocessing = Preprocessing(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
        for number, each in enumerate(expected):
            self.register_buffer(f"scaling{number}", _scaling(size, each.size), persistent=False)
            self.register_buffer(f"mean{number}", torch.tensor(each.mean).view(1, 3, 1, 1))
            self.register_buffer(f"std{number}", torch.tensor(each.std).view(1, 3, 1, 1))

    def forward_features(self, pixels: Tensor) -> Tensor:
        """Pooled features, of each network of length 1, of pixels in 0..1: ``(B, 3, S, S) -> (B, F)``."""
        parts = []
        for network, shown in zip(self.networks, self._shown(pixels), strict=True):
            found = network.forward_features(shown)  # type: ignore[operator]  # a method of every timm model
            parts.append(unit(pooled(network, found, self.pooling)[0]))
        return torch.cat(parts, dim=1)

    def forward_head(self, features: Tensor, *, pre_logits: bool = True) -> Tensor:
        """What :meth:`forward_features` gave, since it is pooled already."""
        return features

    def forward_intermediates(self, pixels: Tensor, *, indices: int, **_: Any) -> list[Tensor]:
        """Maps of the last depths of each network, as many of each, ``indices`` together: ``(B, C, h, w)`` each."""
        depths = indices // len(self.networks)
        return [
            each
            for network, shown in zip(self.networks, self._shown(pixels), strict=True)
            for each in maps_of(network, shown, depths)
        ]

    def group_matcher(self, *, coarse: bool = True) -> dict[str, str]:
        """A stage a network; none of them learns."""
        return {"blocks": r"^networks\.(\d+)"}

    def _shown(self, pixels: Tensor) -> list[Tensor]:
        """Pixels as each network expects them."""
        shown = []
        for number in range(len(self.networks)):
            values = (pixels - getattr(self, f"mean{number}")) / getattr(self, f"std{number}")
            scaling = getattr(self, f"scaling{number}")
            shown.append((scaling @ values @ scaling.T).contiguous(memory_format=torch.channels_last))
        return shown


def _scaling(size: int, smaller: int) -> Tensor:
    """What scales a side of pixels down, without stripes becoming others: ``(smaller, size)``.

    A product of matrices is the same wherever a network is exported to; what else scales images is not.
    """
    if smaller == size:
        return torch.eye(size)
    return F.interpolate(torch.eye(size)[None, None], (smaller, size), mode="bilinear", antialias=True)[0, 0]
