"""A backbone: a network without its classifier, with the preprocessing that belongs to its weights."""

from dataclasses import dataclass

import torch
from timm.models._manipulate import group_with_matcher
from torch import Tensor, nn
from torch.nn import functional as F


class BackboneError(ValueError):
    """A backbone cannot be made, or not do what is asked of it; the message says why."""


@dataclass(frozen=True)
class Preprocessing:
    """What a network's weights expect of an image.

    Attributes:
        size: side of the square input in pixels that the weights were trained for.
        mean: per channel (R, G, B), of pixels scaled to [0, 1].
        std: per channel.
        fixed_size: the network takes no other input size, so larger images are cut into tiles.
        width: of the input, where it is not as wide as high.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fixed_size: bool
    width: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return self.size, self.width or self.size


class Backbone(nn.Module):
    """A network without its classifier: one of timm's, or one that speaks the same interface.

    Attributes:
        name: as given to :func:`saree_cosface.networks.create.create_backbone`.
        network: the model.
        preprocessing: what its weights expect; applied inside :meth:`forward`.
        learns_norms: whether training moves the statistics of the batch norms. Where weights are fine-tuned on few
            photos, those of ImageNet are the better ones; a network that starts from nothing needs its own.
        num_features: F, the length of its features.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, network: nn.Module, preprocessing: Preprocessing, *, learns_norms: bool = False
    ) -> None:
        super().__init__()
        self.name = name
        self.learns_norms = learns_norms
        self.network = network.to(memory_format=torch.channels_last)  # what convolutions are fastest with on CPUs
        self.preprocessing = preprocessing
        self.num_features = int(network.num_features)  # type: ignore[arg-type]  # an int in every timm model
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.train()  # which puts the batch norms right

    def forward(self, pixels: Tensor) -> Tensor:
        """Pooled features of RGB pixels in 0..255: ``(B, 3, H, W) -> (B, F)``.

        H and W are multiples of the preprocessing's size. Convolutional networks see the whole image at once; those of
        fixed size see it in tiles, and their features are averaged.
        """
        pixels = (pixels.float() - self.mean) / self.std
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        size = self.preprocessing.size
        if not self.preprocessing.fixed_size or pixels.shape[2:] == (size, size):
            return self._pool(pixels)
        tiles = pixels.unfold(2, size, size).unfold(3, size, size)  # (B, 3, rows, columns, size, size)
        tiles = tiles.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
        features = self._pool(tiles.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return features.view(*tiles.shape[:2], -1).mean(dim=1)

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features before they are averaged over the image, and after: ``(B, 3, H, W) -> (B, F, h, w), (B, F)``.

        The latter are those of :meth:`forward`, bit for bit.

        Raises:
            BackboneError: the network's features are no such average, as those of most transformers.
        """
        pixels = ((pixels.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        found: Tensor = self.network.forward_features(pixels)  # type: ignore[operator]
        pooled: Tensor = self.network.forward_head(found, pre_logits=True)  # type: ignore[operator]
        if (
            found.ndim != 4
            or pooled.shape != found.shape[:2]
            or not torch.allclose(found.float().mean(dim=(2, 3)), pooled.float(), rtol=0.05, atol=0.05)
        ):
            raise BackboneError(f"{self.name!r} does not average a map of features, so its regions cannot be shown.")
        return found.float(), pooled.float()

    def _pool(self, pixels: Tensor) -> Tensor:
        features = self.network.forward_features(pixels)  # type: ignore[operator]  # a method of every timm model
        pooled: Tensor = self.network.forward_head(features, pre_logits=True)  # type: ignore[operator]
        return pooled.float()

    def stages(self) -> list[list[str]]:
        """Names of the network's parameters, grouped into stages from the input on, as timm groups them."""
        groups = group_with_matcher(
            self.network.named_parameters(),
            self.network.group_matcher(coarse=True),  # type: ignore[operator]
        )
        return [groups[key] for key in sorted(groups)]

    def train(self, mode: bool = True) -> "Backbone":
        """Training mode, except for the batch norms if they do not learn."""
        super().train(mode)
        for module in () if self.learns_norms else self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


def unit(vectors: Tensor) -> Tensor:
    """Rows scaled to length 1, in float32: ``(..., D) -> (..., D)``."""
    return F.normalize(vectors.float(), dim=-1)
