"""A backbone: a network without its classifier, with the preprocessing that belongs to its weights, and its pooling."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models._manipulate import group_with_matcher
from torch import Tensor, nn
from torch.nn import functional as F

from saree_cosface.networks.tokens import has_tokens, maps_of, pooled
from saree_cosface.options import PoolingName

if TYPE_CHECKING:
    from saree_cosface.networks.pooling import SecondOrder


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
        pooling: of local features into second moments; None where ``tokens`` says what is made of them.
        tokens: "mean" of local features, or of transformers "token" or "token+mean".
        num_features: F, the length of its features.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        network: nn.Module,
        preprocessing: Preprocessing,
        *,
        learns_norms: bool = False,
        pooling: "SecondOrder | None" = None,
        tokens: PoolingName = "mean",
    ) -> None:
        super().__init__()
        self.name = name
        self.learns_norms = learns_norms
        self.network = network.to(memory_format=torch.channels_last)  # what convolutions are fastest with on CPUs
        self.preprocessing = preprocessing
        self.pooling = pooling
        self.tokens = tokens
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.train()  # which puts the batch norms right

    def forward(self, pixels: Tensor) -> Tensor:
        """Pooled features of RGB pixels in 0..255: ``(B, 3, H, W) -> (B, F)``.

        H and W are multiples of the preprocessing's size. Convolutional networks see the whole image at once; those of
        fixed size see it in tiles, and their features are averaged.
        """
        size = self.preprocessing.size
        if not self.preprocessing.fixed_size or pixels.shape[2:] == (size, size):
            return self.features_and_maps(pixels)[0]
        tiles = pixels.unfold(2, size, size).unfold(3, size, size)  # (B, 3, rows, columns, size, size)
        tiles = tiles.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
        features, _ = self.features_and_maps(tiles.flatten(0, 1))
        return features.view(*tiles.shape[:2], -1).mean(dim=1)

    @property
    def num_features(self) -> int:
        if self.pooling is not None:
            return self.pooling.num_features
        own = int(self.network.num_features)  # type: ignore[arg-type]  # an int in every timm model
        return 2 * own if self.tokens == "token+mean" else own

    @property
    def pooled_as(self) -> str:
        """Names how features are pooled, in caches; nothing where a network has but one way."""
        if self.pooling is not None:
            return f"-moments{'-'.join(map(str, self.pooling.sizes))}"
        return f"-{self.tokens}" if has_tokens(self.network) else ""

    def features_and_maps(self, pixels: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Features, and what they were before they were pooled: ``(B, 3, H, W) -> (B, F), (B, C, h, w) each``.

        There is a map at each depth that is pooled; none where the network pools no map of local features, as where a
        transformer has a token for it. Whether features are what :meth:`pooled` makes of them, :func:`made_of` tells.
        """
        pixels = ((pixels.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        if self.pooling is not None:
            maps = maps_of(self.network, pixels, len(self.pooling.channels))
            local = self.pooling.local([each.float() for each in maps])
            return self.pooling(local), local
        found: Tensor = self.network.forward_features(pixels)  # type: ignore[operator]  # a method of every timm model
        return pooled(self.network, found, self.tokens)

    def pooled(self, maps: Sequence[Tensor]) -> Tensor:
        """Features of maps of local features, or of parts of them: ``(B, C, h, w) each -> (B, F)``."""
        return maps[0].mean(dim=(2, 3)) if self.pooling is None else self.pooling(maps)

    def normal(self, features: Tensor) -> Tensor:
        """Features of one length, sqrt(F), whatever of: ``(N, F) -> (N, F)``.

        How strongly a photo excites a network says little of its craft. Of second moments the root is taken.
        """
        features = features.float()
        if self.pooling is not None:
            features = self.pooling.root(features)
        return unit(features) * math.sqrt(self.num_features)

    def wide(self) -> "Backbone":
        """The same network with moments of all channels, of which other directions can be made."""
        assert self.pooling is not None
        pooling = type(self.pooling)(self.pooling.channels)
        made = Backbone(
            self.name, self.network, self.preprocessing, learns_norms=self.learns_norms, pooling=pooling
        ).to(self.mean.device)
        made.train(self.training)
        return made

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


def made_of(backbone: Backbone, maps: Sequence[NDArray[np.float32]], features: NDArray[np.float32]) -> bool:
    """Whether features ``(B, F)`` are what the backbone pools of maps ``(B, C, h, w)``."""
    if backbone.pooling is not None:
        return True
    return bool(maps) and np.allclose(maps[0].mean(axis=(2, 3)), features, rtol=0.05, atol=0.05)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within this context a module is in evaluation mode."""
    if not any(part.training for part in module.modules()):  # there are hundreds, and asking is quicker than telling
        yield
        return
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
