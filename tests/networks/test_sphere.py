import pytest
import torch
from torch import nn

from saree_cosface.heads import CosFace
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import FACES, create_backbone
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.sphere import UNITS, SphereNetwork

PAPER = [name for name in UNITS if name.startswith("sphereface")]


def expected_parameters(units, widths=(64, 128, 256, 512)):
    """Counted from Table 2 of the SphereFace paper: convolutions 3×3, a bias at each opening, a slope a channel."""
    total, before = 0, 3
    for count, width in zip(units, widths, strict=True):
        total += 9 * before * width + width + width
        total += count * 2 * (9 * width * width + width)
        before = width
    return total


def test_the_papers_networks_have_the_published_units():
    """Table 2 of the SphereFace paper."""
    assert {name: UNITS[name] for name in PAPER} == {
        "sphereface4": (0, 0, 0, 0),
        "sphereface10": (0, 1, 2, 0),
        "sphereface20": (1, 2, 4, 1),
        "sphereface36": (2, 4, 8, 2),
        "sphereface64": (3, 8, 16, 3),
    }


@pytest.mark.parametrize("name", PAPER)
def test_papers_networks_have_the_published_layers(name):
    network = SphereNetwork(name)
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    slopes = [part for part in network.modules() if isinstance(part, nn.PReLU)]
    assert len(convolutions) == len(slopes) == int(name.removeprefix("sphereface"))
    assert sum(parameter.numel() for parameter in network.parameters()) == expected_parameters(UNITS[name])
    assert not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())
    assert [part.stride for part in convolutions].count((2, 2)) == 4
    assert all((part.bias is not None) == (part.stride == (2, 2)) for part in convolutions)


def test_the_paper_s_twenty_layers_have_22_million_parameters_with_the_embedding():
    embedder = Embedder(
        EmbedderCard("sphereface20", embedding_dim=512, batch_norm=False, unit_features=False),
        create_backbone("sphereface20"),
    )
    # 4 + 2 (1 + 2 + 4 + 1) convolutions and 512 · 7 · 6 · 512 + 512 of the fully connected layer.
    assert sum(p.numel() for p in embedder.parameters()) == expected_parameters((1, 2, 4, 1)) + 512 * 42 * 512 + 512


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_a_face_of_112_by_96_becomes_a_map_of_7_by_6_or_half_of_that(name):
    height, width = (4, 3) if name.endswith("_stride4") else (7, 6)
    backbone = create_backbone(name).eval()
    assert backbone.preprocessing == FACES
    with torch.inference_mode():
        features = backbone.network.forward_features(torch.zeros(1, 3, 112, 96))
        assert features.shape[2:] == (height, width)
        assert backbone(torch.zeros(2, 3, 112, 96, dtype=torch.uint8)).shape == (2, backbone.num_features)
    assert backbone.num_features == features.shape[1] * height * width
    assert sum(map(len, backbone.stages())) == len(list(backbone.network.parameters()))
    assert len(backbone.stages()) == 4


def test_pixels_are_scaled_as_in_the_paper():
    backbone = create_backbone("sphereface4")
    seen = []
    backbone.network.forward_features = lambda pixels: seen.append(pixels) or torch.zeros(1, 512, 7, 6)
    backbone(torch.tensor([0, 127, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 112, 96))
    expected = (torch.tensor([0.0, 127.0, 255.0]) - 127.5) / 128
    torch.testing.assert_close(seen[0][0, :, 5, 5], expected, rtol=0, atol=1e-6)


def test_channels_last_does_not_change_the_order_of_the_features():
    backbone = create_backbone("sphereface4").eval()
    faces = torch.randint(0, 256, (2, 3, 112, 96), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        flat = backbone(faces)
        maps = backbone.network.forward_features((faces.float() - 127.5) / 128)
    torch.testing.assert_close(flat, maps.reshape(2, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sphereface20", "laptop12"])
def test_the_initial_weights_train(name):
    torch.manual_seed(0)
    card = EmbedderCard(name, embedding_dim=16, batch_norm=name == "laptop12", unit_features=False)
    embedder = Embedder(card, create_backbone(name)).train()
    head = CosFace(16, 4, scale=16.0, margin=0.2)
    labels = torch.arange(4)
    shades = torch.randint(0, 256, (4, 3, 1, 1))[labels]
    faces = (shades + torch.randint(-20, 20, (4, 3, 112, 96))).clamp(0, 255)
    optimizer = torch.optim.SGD([*embedder.parameters(), *head.parameters()], lr=0.005, momentum=0.9)
    losses = []
    for _ in range(15):
        loss = head(embedder.raw(embedder.features(faces)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # Embeddings are short at first, so the first step turns them far, often for the worse.
    assert losses[-1] < 0.4 * max(losses[:3])
    first = next(iter(embedder.backbone.network.parameters()))
    assert first.grad.abs().sum() > 0


def test_deep_network_passes_signal_and_gradient_at_first():
    torch.manual_seed(0)
    backbone = create_backbone("sphereface64")
    features = backbone(torch.randint(0, 256, (2, 3, 112, 96)))
    assert 1e-3 < features.std() < 1e3
    features.square().mean().backward()
    norms = [parameter.grad.norm() for name, parameter in backbone.named_parameters() if parameter.ndim == 4]
    assert min(norms) > 0
    assert max(norms) < 1e4


def test_norms_of_a_network_from_nothing_learn_and_those_of_pretrained_weights_do_not():
    laptop = create_backbone("laptop10").train()
    norms = [part for part in laptop.modules() if isinstance(part, nn.BatchNorm2d)]
    before = norms[0].running_mean.clone()
    laptop(torch.randint(0, 256, (4, 3, 112, 96)))
    assert all(norm.training for norm in norms)
    assert not torch.equal(norms[0].running_mean, before)
    assert not any(norm.training for norm in laptop.eval().modules() if isinstance(norm, nn.BatchNorm2d))


def test_a_saved_face_embedder_gives_the_same_embeddings(tmp_path):
    torch.manual_seed(0)
    card = EmbedderCard("laptop10", embedding_dim=8, batch_norm=False, unit_features=False)
    embedder = Embedder(card, create_backbone("laptop10")).eval()
    embedder.save(tmp_path)
    again = Embedder.load(tmp_path)
    assert again.card.unit_features is False
    assert again.backbone.preprocessing == FACES
    assert again.backbone.learns_norms
    faces = torch.randint(0, 256, (2, 3, 112, 96))
    with torch.inference_mode():
        assert torch.equal(embedder(faces), again(faces))
        # Features keep their lengths: a brighter face is another vector before the neck, not only another direction.
        features = torch.rand(1, embedder.backbone.num_features)
        assert not torch.allclose(embedder.raw(features), embedder.raw(2 * features))
