"""The residual networks of the SphereFace and CosFace papers, and a variant that trains on a laptop.

Four stages, each opened by a 3×3 convolution of stride 2 and followed by residual units of two 3×3 convolutions with an
identity shortcut. Every convolution is followed by a PReLU. There is no batch norm and no pooling: the last feature map
is flattened, and one fully connected layer (the embedder's neck) makes the embedding of it.

Source: Liu et al., SphereFace, arXiv:1704.08063, Table 2; used by Wang et al., CosFace, arXiv:1801.09414, Section 4.1.
Widths 64, 128, 256 and 512; weights of the residual units drawn from a normal distribution of deviation 0.01 without a
bias, those of the opening convolutions Xavier's with a bias, as in the authors' published training files.
"""

from typing import Any

from torch import Tensor, nn

from saree_cosface.options import SphereNetworkName

HEIGHT, WIDTH = 112, 96
"""The crop of the papers, in pixels."""

_PAPER = (64, 128, 256, 512)
_LAPTOP = (32, 64, 128, 256)

UNITS: dict[SphereNetworkName, tuple[int, int, int, int]] = {
    "sphereface4": (0, 0, 0, 0),
    "sphereface10": (0, 1, 2, 0),
    "sphereface20": (1, 2, 4, 1),
    "sphereface36": (2, 4, 8, 2),
    "sphereface64": (3, 8, 16, 3),
    "laptop10": (0, 1, 2, 0),
    "laptop12": (0, 1, 2, 1),
    "laptop12_stride4": (0, 1, 2, 1),
}
"""Residual units in each stage. The number in a name counts the convolutions."""


class Unit(nn.Module):
    """Two 3×3 convolutions around an identity shortcut: ``(B, C, H, W) -> (B, C, H, W)``."""

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width, 1, batch_norm=batch_norm, bias=False),
            *_convolution(width, width, 1, batch_norm=batch_norm, bias=False),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = inputs + self.layers(inputs)
        return outputs


class SphereNetwork(nn.Module):
    """A network by name; it speaks the part of timm's interface that a backbone needs.

    The paper's have PReLU and no batch norm. The laptop's are half as wide and have batch norm and ReLU, with which a
    network learns from few photos in minutes. With "stride4" in its name, the first convolution is 7×7 and of stride 4,
    so that every map after it has a quarter of the size, and the network takes a quarter of the time.

    Attributes:
        num_features: length of the flattened feature map.
        pretrained_cfg: what timm would say of the weights: there are none.
    """

    pretrained_cfg: dict[str, Any]

    def __init__(self, name: SphereNetworkName, *, height: int = HEIGHT, width: int = WIDTH) -> None:
        super().__init__()
        self.pretrained_cfg = {}
        batch_norm = name.startswith("laptop")
        stages: list[nn.Module] = []
        before = 3
        stride, kernel = (4, 7) if name.endswith("_stride4") else (2, 3)
        for units, after in zip(UNITS[name], _LAPTOP if batch_norm else _PAPER, strict=True):
            opening = _convolution(before, after, stride, kernel, batch_norm=batch_norm, bias=not batch_norm)
            stages.append(nn.Sequential(*opening, *(Unit(after, batch_norm) for _ in range(units))))
            height, width, before = -(-height // stride), -(-width // stride), after
            stride, kernel = 2, 3
        self.stages = nn.Sequential(*stages)
        self.num_features = before * height * width

    def forward_features(self, pixels: Tensor) -> Tensor:
        """The last feature map: ``(B, 3, H, W) -> (B, C, H / 16, W / 16)``, or of a 32nd; rounded up."""
        features: Tensor = self.stages(pixels)
        return features

    def forward_head(self, features: Tensor, *, pre_logits: bool = True) -> Tensor:
        """The feature map flattened: ``(B, C, h, w) -> (B, C h w)``. There is no classifier."""
        return features.contiguous().flatten(1)

    def group_matcher(self, *, coarse: bool = True) -> dict[str, str]:
        """Which parameters belong to which stage."""
        return {"blocks": r"^stages\.(\d+)"}


def _convolution(
    before: int, after: int, stride: int, kernel: int = 3, *, batch_norm: bool, bias: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=bias)
    if batch_norm:
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        return [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    if stride == 1:
        nn.init.normal_(convolution.weight, std=0.01)
    else:
        nn.init.xavier_uniform_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return [convolution, nn.PReLU(after)]
