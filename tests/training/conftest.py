"""Three kinds of pattern to be learned, and a small network that learns them."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from saree_cosface.networks.backbone import Preprocessing
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.embedder import Embedder
from saree_cosface.training import fit as training
from saree_cosface.training.labelled import Photos
from tests.helpers.bad_photos import save, textured


@pytest.fixture
def small_network(monkeypatch):
    """A backbone of untrained weights that looks at views of 32 pixels."""
    preprocessing = Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)

    def new_embedder(card, *, pretrained=True):
        assert pretrained
        torch.manual_seed(0)
        backbone = create_backbone(
            "test_resnet",
            pretrained=False,
            preprocessing=preprocessing,
            pooling=card.pooling,
            depths=card.depths,
            directions=card.directions,
        )
        return Embedder(replace(card, preprocessing=asdict(preprocessing)), backbone)

    monkeypatch.setattr(training, "new_embedder", new_embedder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three kinds of coloured pattern, eight photos each."""
    folder = tmp_path_factory.mktemp("photos")
    files = []
    for seed in range(24):
        pixels = textured(48, 40, seed).astype(int)
        pixels[..., seed % 3] += 150
        files.append(save(folder / f"{seed}.png", pixels.clip(0, 255).astype(np.uint8)))
    names = np.array([f"piece {seed}" for seed in range(24)])
    return Photos(files, np.arange(24) % 3, names, names)


@pytest.fixture(scope="module")
def train(photos):
    return photos.select(np.arange(18))


@pytest.fixture(scope="module")
def held_out(photos):
    return photos.select(np.arange(18, 24))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
