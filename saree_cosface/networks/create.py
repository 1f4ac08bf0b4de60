"""Backbones made by name: the packaged ones, those for faces, and every model of timm."""

import difflib
from dataclasses import replace

import timm
import torch
from timm.data.config import resolve_model_data_config
from torch import nn

from saree_cosface.networks import sphere
from saree_cosface.networks.backbone import Backbone, BackboneError, Preprocessing, evaluating
from saree_cosface.networks.packaged import ARCHITECTURES, PACKAGED, packaged_weights
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.networks.side_by_side import SideBySide
from saree_cosface.options import PoolingName

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
            "resnet50.a1_in1k"; "lite0+lite2" puts the features of several side by side.
        pretrained: load its weights; those of lite0 come with the installation, those of lite1 and lite2 with its extra
            ``backbones``, others through timm's hub. Networks for faces have none.
        learns_norms: whether training moves the statistics of the batch norms; networks for faces always learn theirs.
        faces: the input is an aligned face of 112 × 96, scaled as in the papers unless the weights expect another.
        preprocessing: what weights that are loaded later expect; by default what timm says of the model.
        pooling: "mean" for the network's own, "second_order" for second moments of local features.
        depths: how many of the last depths of the network, or of each, are pooled so.
        directions: of channels that are kept at each, of weights that are loaded later; 0 keeps all.

    Raises:
        BackboneError: timm knows no such model, its weights cannot be had or are not installed, it takes no faces of
            that size, or has not so many depths with maps of local features.

    >>> create_backbone("lite0", pretrained=False).num_features
    1280
    """
    if name in sphere.UNITS:
        if pooling != "mean":
            raise BackboneError(f"{name!r} flattens its last map, and pools nothing: keep model.pooling mean.")
        return Backbone(name, sphere.SphereNetwork(name), preprocessing or FACES, learns_norms=True)
    parts = name.split("+")
    network = _network(name, pretrained) if len(parts) == 1 else _side_by_side(parts, pretrained, faces)
    preprocessing = preprocessing or _preprocessing(name, network, pretrained, faces)
    depths *= len(parts)
    pools = _second_order(name, network, preprocessing, depths, directions) if pooling == "second_order" else None
    return Backbone(name, network, preprocessing, learns_norms=learns_norms, pooling=pools)


def _network(name: str, pretrained: bool) -> nn.Module:
    network: nn.Module
    if name in ARCHITECTURES:
        network = timm.create_model(ARCHITECTURES[name], num_classes=0)
        if pretrained:
            network.load_state_dict(packaged_weights(name, classifier=False))
        return network
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
    return network


def _side_by_side(names: list[str], pretrained: bool, faces: bool) -> SideBySide:
    if faces or not sphere.UNITS.keys().isdisjoint(names):
        raise BackboneError(f"{'+'.join(names)!r}: faces are shown to one network.")
    networks = [_network(name, pretrained) for name in names]
    expected = [_preprocessing(*each, pretrained, faces) for each in zip(names, networks, strict=True)]
    return SideBySide(networks, expected)


def _second_order(
    name: str, network: nn.Module, preprocessing: Preprocessing, depths: int, directions: int
) -> SecondOrder:
    """The pooling of a network's last depths, whose channels are found by showing it a small image."""
    shown = torch.zeros(1, 3, *preprocessing.shape)
    try:
        with evaluating(network), torch.inference_mode():
            maps = network.forward_intermediates(  # type: ignore[operator]
                shown, indices=depths, intermediates_only=True, output_fmt="NCHW"
            )
    except (AttributeError, AssertionError, RuntimeError, ValueError) as error:
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
