"""Tokens of transformers: the class token, the mean of the patches, and both."""

from functools import partial
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from torch.nn import functional as F

from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import kept_in
from saree_cosface.networks.backbone import BackboneError
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.embedder import Embedder, new_embedder
from saree_cosface.networks.tokens import has_summary, has_tokens, pooled
from saree_cosface.options import ModelOptions

ROOT = Path(__file__).parents[2]
DINOV2 = "vit_small_patch14_dinov2.lvd142m@224"


def pixels(side, count=2):
    made = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=made, dtype=torch.uint8)


def made(name, pooling):
    torch.manual_seed(0)
    return create_backbone(name, pretrained=False, pooling=pooling).eval()


@pytest.mark.parametrize("name", ["test_vit", pytest.param(DINOV2, marks=pytest.mark.slow)])
def test_features_are_the_class_token_the_mean_of_patches_or_both(name):
    backbones = {pooling: made(name, pooling) for pooling in ("mean", "token", "token+mean")}
    one = backbones["mean"]
    shown = pixels(one.preprocessing.size)
    with torch.inference_mode():
        tokens = one.network.forward_features((shown.float() - one.mean) / one.std)
        found = {pooling: backbone.features_and_maps(shown) for pooling, backbone in backbones.items()}
    token, mean = tokens[:, 0], tokens[:, 1:].mean(dim=1)
    assert not torch.allclose(token, mean, atol=0.05)
    expected = {"mean": mean, "token": token}
    expected["token+mean"] = torch.cat([F.normalize(token, dim=1), F.normalize(mean, dim=1)], dim=1)
    for pooling, (features, maps) in found.items():
        torch.testing.assert_close(features, expected[pooling], atol=1e-4, rtol=1e-4)
        assert backbones[pooling].num_features == features.shape[1]
        assert len(maps) == (pooling == "mean")
    torch.testing.assert_close(one.pooled(found["mean"][1]), mean, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_the_recipe_for_dinov2_makes_an_embedder_that_is_saved_and_loaded(tmp_path):
    recipe = yaml.safe_load((ROOT / "configs" / "sarees_dinov2.yaml").read_text(encoding="utf-8"))
    model = ModelOptions(**recipe["model"])
    assert model.backbone == DINOV2
    card = EmbedderCard(
        *(model.backbone, model.embedding_dim, model.dropout, model.batch_norm),
        **{"pooling": model.pooling, "depths": model.depths, "directions": model.directions},
    )
    torch.manual_seed(0)
    embedder = new_embedder(card, pretrained=False).eval()
    assert embedder.backbone.pooling.channels == (384, 384)
    assert embedder.backbone.num_features == 2 * 64 * 65 // 2
    embedder.save(tmp_path)
    shown = pixels(224)
    with torch.inference_mode():
        assert torch.equal(Embedder.load(tmp_path)(shown), embedder(shown))


@pytest.mark.slow
def test_weights_of_dinov2_are_loaded_for_the_size_asked_for(tmp_path, monkeypatch):
    """As they are downloaded: of 518 pixels, whose position embeddings are then interpolated."""
    torch.manual_seed(0)
    large = timm.create_model("vit_small_patch14_dinov2", num_classes=0)
    save_file(large.state_dict(), tmp_path / "weights.safetensors")
    overlay = {"file": str(tmp_path / "weights.safetensors"), "num_classes": 0}
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, pretrained_cfg_overlay=overlay))
    small = create_backbone(DINOV2).network
    assert (large.pos_embed.shape[1], small.pos_embed.shape[1]) == (1 + 37 * 37, 1 + 16 * 16)
    assert torch.equal(small.pos_embed[:, 0], large.pos_embed[:, 0])
    assert torch.equal(small.blocks[-1].mlp.fc2.weight, large.blocks[-1].mlp.fc2.weight)


@pytest.mark.slow
def test_dinov2_is_made_for_the_size_asked_for():
    backbone = made(DINOV2, "token+mean")
    assert (backbone.preprocessing.size, backbone.num_features) == (224, 768)
    assert backbone.network.pos_embed.shape == (1, 1 + 16 * 16, 384)
    assert backbone.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406))
    with pytest.raises(BackboneError, match="patches of 14 pixels: 230 is no multiple"):
        create_backbone("vit_small_patch14_dinov2.lvd142m@230", pretrained=False)


def test_moments_of_tokens_are_of_normalised_ones():
    """Of all depths: a few channels of what a transformer adds up from block to block are huge."""
    torch.manual_seed(0)
    backbone = create_backbone("test_vit@64", pretrained=False, pooling="second_order", depths=2).eval()
    shown = pixels(64)
    with torch.inference_mode():
        _, maps = backbone.features_and_maps(shown)
        tokens = backbone.network.forward_features((shown.float() - backbone.mean) / backbone.std)
    assert len(maps) == 2
    torch.testing.assert_close(maps[1].flatten(2).transpose(1, 2), tokens[:, 1:], atol=1e-4, rtol=1e-4)
    assert maps[0].mean(dim=1).abs().max() < 1e-4
    assert maps[0].std(dim=1) == pytest.approx(1, abs=0.1)


def test_a_network_sums_up_in_its_own_way_where_it_has_one():
    """By attention, where there is no class token; by the mean, which is then normalised as its weights expect."""
    shown = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    attends = timm.create_model("test_vit", img_size=32, num_classes=0, class_token=False, global_pool="map").eval()
    averages = timm.create_model("test_vit", img_size=32, num_classes=0, global_pool="avg").eval()
    with torch.inference_mode():
        found = attends.forward_features(shown)
        assert torch.equal(pooled(attends, found, "token")[0], attends.forward_head(found, pre_logits=True))
        torch.testing.assert_close(pooled(attends, found, "mean")[0], found.mean(dim=1))
        found = averages.forward_features(shown)
        assert torch.equal(pooled(averages, found, "mean")[0], averages.forward_head(found, pre_logits=True))
        torch.testing.assert_close(pooled(averages, found, "token")[0], averages.fc_norm(found[:, 0]))


def test_a_network_without_such_a_token_is_refused():
    assert not has_tokens(timm.create_model("test_resnet"))
    assert not has_summary(timm.create_model("test_vit", class_token=False, global_pool="avg"))
    for pooling in ("token", "token+mean"):
        with pytest.raises(BackboneError, match="'test_resnet' has no token that sums a view up"):
            create_backbone("test_vit+test_resnet", pretrained=False, pooling=pooling)


def test_poolings_are_told_apart_in_caches(tmp_path):
    views = PyramidViews(32, brief=True)
    folders = {kept_in(tmp_path, made("test_vit", pooling), views) for pooling in ("mean", "token", "token+mean")}
    assert len(folders) == 3
    resnet = made("test_resnet", "mean")  # which has one way only, so that what is known of it stays so
    assert resnet.pooled_as == ""


@pytest.mark.parametrize("name", ["test_vit@64", "test_vit@64+test_vit"])
def test_what_is_saved_is_loaded(tmp_path, name):
    torch.manual_seed(0)
    embedder = new_embedder(EmbedderCard(name, 8, pooling="token+mean"), pretrained=False).eval()
    embedder.save(tmp_path)
    loaded = Embedder.load(tmp_path)
    shown = pixels(embedder.backbone.preprocessing.size)
    with torch.inference_mode():
        assert torch.equal(loaded(shown), embedder(shown))
    assert loaded.card.preprocessing["size"] == embedder.backbone.preprocessing.size
