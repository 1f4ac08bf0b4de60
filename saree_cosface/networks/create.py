"""Backbones made by name: the packaged ones, those for faces, and every model of timm."""

import difflib
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache

import timm
import torch
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

from saree_cosface.networks import sphere
from saree_cosface.networks.backbone import Backbone, BackboneError, Preprocessing, evaluating
from saree_cosface.networks.packaged import ARCHITECTURES, PACKAGED, packaged_weights
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.networks.side_by_side import SideBySide
from saree_cosface.networks.tokens import has_summary, has_tokens, maps_of
from saree_cosface.options import PoolingName

_LEAST = 32  # pixels; convolutional networks make one cell of as many

FACES = Preprocessing(sphere.HEIGHT, (0.5, 0.5, 0.5), (128 / 255, 128 / 255, 128 / 255), False, sphere.WIDTH)
"""Of the papers on faces: (pixel - 127.5) / 128, 112 pixels high and 96 wide."""


def create_backbone(
    name: str,
    *,
    pretrained: bool = True,
    learns_norms: bool = False,
    faces: bool = False,
    preprocessing: Preprocessing | None = None,
    pooling: PoolingName = "mean",
    depths: int = 1,
    directions: int = 0,
) -> Backbone:
    """Make a backbone by name.

    Args:
        name: "lite0", "lite1" or "lite2", a network for faces such as "sphereface20", or any timm model, such as
            "resnet50.a1_in1k"; "lite0+lite2" puts the features of several side by side, and "lite0@320" shows images
            of another size to a network than it was trained with.
        pretrained: load its weights; those of lite0 come with the installation, those of lite1 and lite2 with its extra
            ``backbones``, others through timm's hub. Networks for faces have none.
        learns_norms: whether training moves the statistics of the batch norms; networks for faces always learn theirs.
        faces: the input is an aligned face of 112 × 96, scaled as in the papers unless the weights expect another.
        preprocessing: what weights that are loaded later expect; by default what timm says of the model.
        pooling: "mean" of local features, "second_order" for their second moments; of transformers "token" for the one
            that sums a view up, "token+mean" for both.
        depths: how many of the last depths of the network, or of each, are pooled so.
        directions: of channels that are kept at each, of weights that are loaded later; 0 keeps all.

    Raises:
        BackboneError: timm knows no such model, its weights cannot be had or are not installed, it takes no images or
            faces of that size, or has not so many depths with maps of local features, or no tokens.

    >>> create_backbone("lite0", pretrained=False).num_features
    1280
    """
    if name in sphere.UNITS:
        if pooling != "mean":
            raise BackboneError(f"{name!r} flattens its last map, and pools nothing: keep model.pooling mean.")
        return Backbone(name, sphere.SphereNetwork(name), preprocessing or FACES, learns_norms=True)
    parts = name.split("+")
    networks = [_network(part, pretrained) for part in parts]
    if pooling in ("token", "token+mean"):
        for part, network in zip(parts, networks, strict=True):
            if not has_summary(network):
                raise BackboneError(f"{part!r} has no token that sums a view up: keep model.pooling mean.")
    network = networks[0] if len(parts) == 1 else _side_by_side(parts, networks, pooling, faces)
    preprocessing = preprocessing or _preprocessing(name, network, pretrained, faces)
    if pooling == "second_order":
        pools = _second_order(name, network, preprocessing, depths * len(parts), directions)
        return Backbone(name, network, preprocessing, learns_norms=learns_norms, pooling=pools)
    return Backbone(name, network, preprocessing, learns_norms=learns_norms, tokens=pooling)


def _network(name: str, pretrained: bool) -> nn.Module:
    name, size = _parted(name)
    network: nn.Module
    if name in ARCHITECTURES:
        return deepcopy(_packaged(name)) if pretrained else timm.create_model(ARCHITECTURES[name], num_classes=0)
    if not timm.is_model(name):
        plain, models = name.split(".")[0], timm.list_models()
        near = [model for model in models if plain and plain in model] or difflib.get_close_matches(plain, models)
        hint = f"did you mean {' or '.join(near[:3])}?" if near else f"use {PACKAGED!r}, or see timm.list_models()."
        raise BackboneError(f"timm has no model {name!r}: {hint}")
    sized = {}
    try:
        if size and timm.get_pretrained_cfg_value(name, "fixed_input_size"):
            sized["img_size"] = size  # position embeddings of the weights are interpolated
        network = timm.create_model(name, pretrained=pretrained, num_classes=0, **sized)
    except Exception as error:  # hub clients raise errors of many libraries
        wished = f" for images of {size} pixels" if sized else ""
        raise BackboneError(
            f"the weights of {name!r} could not be loaded{wished} ({type(error).__name__}: {error}); they are "
            f"downloaded on first use, so connect once, or use {PACKAGED!r}, whose weights come with the installation."
        ) from error
    return network


def _packaged(name: str) -> nn.Module:
    """A network with its packaged weights; one more from the same random numbers, of which a calibration needs a dozen,
    is a copy of the first, and leaves the numbers where that has left them."""
    network, numbers = _made(name, torch.get_rng_state().numpy().tobytes())
    torch.set_rng_state(numbers)
    return deepcopy(network)


@lru_cache(maxsize=4)
def _made(name: str, numbers: bytes) -> tuple[nn.Module, Tensor]:
    network = timm.create_model(ARCHITECTURES[name], num_classes=0)
    network.load_state_dict(packaged_weights(name, classifier=False))
    return network, torch.get_rng_state()


def _parted(name: str) -> tuple[str, int | None]:
    """The name of a network, and the side of its input in pixels if it is said behind an @."""
    plain, at, size = name.partition("@")
    if at and not (size.isdecimal() and int(size) >= _LEAST):
        raise BackboneError(
            f"{name!r}: behind @ stands the side of the input in pixels, {_LEAST} or more, such as {plain}@320."
        )
    return plain, int(size) if at else None


def _side_by_side(names: list[str], networks: list[nn.Module], pooling: PoolingName, faces: bool) -> SideBySide:
    if faces:
        raise BackboneError(f"{'+'.join(names)!r}: faces are shown to one network.")
    expected = [_preprocessing(*each, False, False) for each in zip(names, networks, strict=True)]
    return SideBySide(networks, expected, pooling)


def _second_order(
    name: str, network: nn.Module, preprocessing: Preprocessing, depths: int, directions: int
) -> SecondOrder:
    """The pooling of a network's last depths, whose channels are found by showing it an image, as small as it takes."""
    any_size = not (preprocessing.fixed_size or isinstance(network, SideBySide) or has_tokens(network))
    shown = torch.zeros(1, 3, *((_LEAST, _LEAST) if any_size else preprocessing.shape))
    try:
        with evaluating(network), torch.inference_mode():
            maps = maps_of(network, shown, depths)
    except (AttributeError, TypeError, AssertionError, RuntimeError, ValueError) as error:
        raise BackboneError(
            f"{name!r} does not give {depths} maps of local features ({error}): take fewer model.depths, or keep "
            "model.pooling mean."
        ) from error
    return SecondOrder([each.shape[1] for each in maps], directions)


def _preprocessing(name: str, network: nn.Module, pretrained: bool, faces: bool) -> Preprocessing:
    if isinstance(network, SideBySide):
        return network.preprocessing
    data = resolve_model_data_config(network)
    config = network.pretrained_cfg
    _, size = _parted(name)
    usual = Preprocessing(
        size=size or int(data["input_size"][-1]),
        mean=tuple(float(value) for value in data["mean"]),  # type: ignore[arg-type]  # timm gives 3 values
        std=tuple(float(value) for value in data["std"]),  # type: ignore[arg-type]
        fixed_size=bool(config.get("fixed_input_size", False)),  # type: ignore[operator, union-attr]
    )
    if size:
        _require_size(name, network, usual)
    if not faces:
        return usual
    if usual.fixed_size:
        raise BackboneError(
            f"{name!r} takes images of {usual.size} x {usual.size} only, and aligned faces are {FACES.size} x "
            f"{FACES.width}: take a convolutional network, such as 'resnet18'."
        )
    return replace(usual, size=FACES.size, width=FACES.width) if pretrained else FACES


def _require_size(name: str, network: nn.Module, preprocessing: Preprocessing) -> None:
    plain, size = _parted(name)
    patch = network.patch_embed.patch_size[0] if has_tokens(network) else 1  # type: ignore[index, union-attr]
    if preprocessing.size % patch:  # the rest would go unseen
        raise BackboneError(f"{plain!r} cuts images into patches of {patch} pixels: {size} is no multiple of it.")
    try:
        with evaluating(network), torch.inference_mode():
            network.forward_features(torch.zeros(1, 3, *preprocessing.shape))  # type: ignore[operator]
    except (AssertionError, RuntimeError, ValueError) as error:
        raise BackboneError(f"{plain!r} takes no images of {size} pixels: {error}") from error
