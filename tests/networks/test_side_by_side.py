"""Several networks whose features lie side by side."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from saree_cosface.networks.backbone import Backbone, BackboneError, Preprocessing, unit
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.embedder import Embedder, new_embedder
from saree_cosface.networks.export import export
from saree_cosface.networks.runtime import _by_openvino, _by_torch
from saree_cosface.networks.side_by_side import SideBySide
from saree_cosface.options import ModelOptions

PAIR = "test_resnet+test_efficientnet"


def pixels(side, count=2):
    made = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=made, dtype=torch.uint8)


def made(**options):
    torch.manual_seed(0)
    return create_backbone(PAIR, pretrained=False, **options).eval()


def alone(both, number, name, preprocessing=None, **options):
    """One of the networks by itself, with the weights that it has in the pair."""
    one = create_backbone(name, pretrained=False, preprocessing=preprocessing, **options).eval()
    one.network.load_state_dict(both.network.networks[number].state_dict())
    return one


def test_features_are_those_of_each_network_each_of_length_one():
    both = made()
    with torch.inference_mode():
        together = both(pixels(both.preprocessing.size))
        parts = [alone(both, number, name)(pixels(160)) for number, name in enumerate(PAIR.split("+"))]
    assert both.preprocessing == Preprocessing(160, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
    assert both.num_features == sum(part.shape[1] for part in parts)
    assert sorted(name for stage in both.stages() for name in stage) == sorted(dict(both.network.named_parameters()))
    torch.testing.assert_close(together, torch.cat([unit(part) for part in parts], dim=1), rtol=1e-3, atol=1e-4)


def test_each_network_sees_a_view_at_its_own_size_and_scaling():
    class Seen(torch.nn.Module):
        num_features = 3

        def forward_features(self, shown):
            self.shape = shown.shape
            return shown

        def forward_head(self, found, *, pre_logits):
            return found.mean(dim=(2, 3))

    small, large = Seen(), Seen()
    expected = [Preprocessing(32, (0.5,) * 3, (0.5,) * 3, False), Preprocessing(64, (0.0,) * 3, (0.25,) * 3, False)]
    network = SideBySide([small, large], expected)
    white = network.forward_features(torch.ones(1, 3, 64, 64))
    assert (small.shape[2:], large.shape[2:]) == ((32, 32), (64, 64))
    torch.testing.assert_close(white, torch.full((1, 6), 3**-0.5))
    board = torch.arange(64).remainder(2).float().expand(1, 3, 64, 64)  # which must become grey, not stripes
    assert network._shown(board)[0][..., 2:-2].abs().max() < 0.2
    assert network._shown(board)[1].unique().tolist() == [0.0, 4.0]


def test_moments_of_all_networks_weigh_alike():
    both = made(pooling="second_order", depths=2)
    assert len(both.pooling.channels) == 4
    with torch.inference_mode():
        features, maps = both.features_and_maps(pixels(160))
        assert len(maps) == 4
        ours = both.normal(features) / both.num_features**0.5
        roots = []
        for number, name in enumerate(PAIR.split("+")):
            one = alone(both, number, name, pooling="second_order", depths=2)
            roots.append(unit(one.normal(one(pixels(160)))))
    expected = sum(each @ each.T for each in roots) / 2
    torch.testing.assert_close(ours @ ours.T, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "second_order"])
def test_what_is_saved_is_loaded(tmp_path, pooling):
    torch.manual_seed(0)
    card = EmbedderCard(PAIR, 8, pooling=pooling, depths=2, directions=4 if pooling == "second_order" else 0)
    embedder = new_embedder(card, pretrained=False).eval()
    embedder.save(tmp_path)
    loaded = Embedder.load(tmp_path)
    shown = pixels(160)
    with torch.inference_mode():
        assert torch.equal(loaded(shown), embedder(shown))


@pytest.mark.slow
def test_networks_of_two_sizes_say_the_same_everywhere(tmp_path):
    torch.manual_seed(0)
    networks = [create_backbone(name, pretrained=False).network for name in PAIR.split("+")]
    expected = [Preprocessing(size, (0.5,) * 3, (0.5,) * 3, False) for size in (120, 160)]
    network = SideBySide(networks, expected)
    both = Backbone(PAIR, network, network.preprocessing).eval()
    views = np.random.default_rng(0).integers(0, 256, (3, *both.preprocessing.shape, 3), dtype=np.uint8)
    assert _by_torch(both, views)[0] == pytest.approx(_by_openvino(both)(views)[0], abs=1e-3)
    card = EmbedderCard(PAIR, 8, preprocessing=asdict(both.preprocessing))
    for kind in ("onnx", "openvino"):
        assert export(Embedder(card, both).eval(), tmp_path, kind).cosine > 0.9999


def test_what_cannot_be_beside_another_is_refused():
    with pytest.raises(BackboneError, match="no_such_network"):
        create_backbone("lite0+no_such_network", pretrained=False)
    with pytest.raises(BackboneError, match="no model 'sphereface20'"):
        create_backbone("test_resnet+sphereface20", pretrained=False)
    with pytest.raises(BackboneError, match="faces are shown to one network"):
        create_backbone(PAIR, pretrained=False, faces=True)
    with pytest.raises(ValueError, match=r"model.trainable_stages must be 0 for lite0\+lite2"):
        ModelOptions("lite0+lite2", trainable_stages=1)
