"""Evidence: what is shown adds up to what was answered, and lies where it is said to lie."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from saree_cosface.answers.heat_map import heat_map, heat_map_of
from saree_cosface.answers.look import local_maps
from saree_cosface.answers.matches import match_regions
from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.embedding import embed_photos
from saree_cosface.networks.backbone import BackboneError
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.embedder import Embedder, new_embedder
from tests.helpers.bad_photos import save, textured


@pytest.mark.parametrize(("height", "width"), [(100, 60), (60, 100), (40, 700), (33, 33)])
@pytest.mark.parametrize("brief", [True, False])
def test_boxes_are_where_the_views_were_cut(height, width, brief):
    # Pixels that say where they are.
    place = np.zeros((height, width, 3), np.float64)
    place[..., 0] = np.linspace(0, 255, height)[:, None]
    place[..., 1] = np.linspace(0, 255, width)[None]
    views = PyramidViews(32, brief=brief)
    pixels = place.round().astype(np.uint8)
    boxes = views.boxes(pixels)
    cut = views(pixels, "")
    assert boxes.shape == (len(cut), 4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    seen = cut.reshape(len(cut), -1, 3).mean(axis=1)[:, :2] / 255
    assert np.abs(centres - seen).max() < 0.03


@pytest.mark.parametrize("changes", [{}, {"batch_norm": False}, {"unit_features": False}])
def test_the_shares_add_up_to_the_cosine_of_the_answer(tiny_embedder, tmp_path, changes):
    card = replace(tiny_embedder.card, precision="fp32", **changes)
    embedder = Embedder(card, tiny_embedder.backbone).eval()
    if card.batch_norm:
        embedder.neck[2].running_mean.uniform_(-0.2, 0.2)
        embedder.neck[2].running_var.uniform_(0.5, 2)
    photo = save(tmp_path / "photo.png", textured(130, 90))
    target = np.random.default_rng(0).normal(size=8).astype(np.float32)
    target /= np.linalg.norm(target)
    found = heat_map(embedder, photo, target)
    answered = float(embed_photos(embedder, [photo]).embeddings[0] @ target)
    assert found.cosine == pytest.approx(answered, abs=1e-5)
    assert found.shares.sum() == pytest.approx(answered, abs=1e-5)
    assert found.shares.shape[0] / found.shares.shape[1] == pytest.approx(
        found.pixels.shape[0] / found.pixels.shape[1], rel=0.02
    )


def test_the_shares_of_moments_add_up_to_the_cosine_of_the_answer(tiny_moments, tmp_path):
    photo = save(tmp_path / "photo.png", textured(130, 90))
    target = np.random.default_rng(0).normal(size=8).astype(np.float32)
    target /= np.linalg.norm(target)
    found = heat_map(tiny_moments, photo, target)
    answered = float(embed_photos(tiny_moments, [photo]).embeddings[0] @ target)
    assert found.cosine == pytest.approx(answered, abs=1e-4)
    assert found.shares.sum() == pytest.approx(answered, abs=5e-3)  # the root is iterated to, not found


@pytest.mark.parametrize("pooling", ["mean", "moments"])
def test_what_carries_the_cosine_is_found(pooling, tiny_embedder, tiny_moments):
    """A patch on a plain ground, and a target that only the patch is like."""
    embedder = tiny_embedder if pooling == "mean" else tiny_moments
    rng = np.random.default_rng(0)
    patch = np.full((128, 128, 3), 128, np.uint8)
    patch[32:64, 64:96] = rng.integers(0, 256, (32, 32, 3))
    with torch.inference_mode():
        plain = np.full_like(patch, 128)
        views = PyramidViews(32, brief=True)

        def embedded(pixels):
            batch = torch.from_numpy(views(pixels, "")).permute(0, 3, 1, 2)
            return embedder.fuse(embedder.features(batch)[None])[0].numpy()

        target = embedded(patch) - embedded(plain)
        target /= np.linalg.norm(target)
    shares = heat_map_of(embedder, patch, target).shares
    rows, columns = (np.arange(length) / length for length in shares.shape)
    inside = ((rows >= 0.25) & (rows < 0.5))[:, None] & ((columns >= 0.5) & (columns < 0.75))[None]
    assert shares[inside].mean() > 2 * shares[~inside].mean()


def test_a_region_is_matched_with_itself(tmp_path):
    embedder = _lite()
    photo = save(tmp_path / "a.png", textured(448, 448))
    pixels = np.asarray(Image.open(photo))
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "mirrored.png")
    matches = match_regions(embedder, photo, photo)
    assert matches
    for match in matches:
        assert match.first == match.second
        assert match.cosine == pytest.approx(1, abs=1e-3)
    cosines = [match.cosine for match in match_regions(embedder, photo, tmp_path / "mirrored.png")]
    assert cosines == sorted(cosines, reverse=True)
    corners = [match.first[:2] for match in matches]
    assert len(set(corners)) == len(corners)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet+test_efficientnet"])
def test_networks_of_one_size_tell_of_regions_by_their_moments(tmp_path, name):
    torch.manual_seed(0)
    card = EmbedderCard(name, 8, pooling="second_order", depths=2, directions=6, batch_norm=False)
    embedder = new_embedder(card, pretrained=False).eval()
    photo = save(tmp_path / "photo.png", textured(260, 200))
    target = np.random.default_rng(0).normal(size=8).astype(np.float32)
    target /= np.linalg.norm(target)
    found = heat_map(embedder, photo, target)
    answered = float(embed_photos(embedder, [photo]).embeddings[0] @ target)
    assert found.shares.sum() == pytest.approx(found.cosine, abs=0.02)  # the root is not quite exact
    assert found.cosine == pytest.approx(answered, abs=1e-3)
    matches = match_regions(embedder, photo, photo)
    assert matches
    assert all(match.first == match.second for match in matches)


def test_patches_of_a_transformer_carry_the_cosine_as_cells_do(tmp_path):
    torch.manual_seed(0)
    embedder = new_embedder(EmbedderCard("test_vit@64", 8), pretrained=False).eval()
    photo = save(tmp_path / "photo.png", textured(90, 130))
    target = np.random.default_rng(0).normal(size=8).astype(np.float32)
    target /= np.linalg.norm(target)
    found = heat_map(embedder, photo, target)
    answered = float(embed_photos(embedder, [photo]).embeddings[0] @ target)
    assert found.cosine == pytest.approx(answered, abs=1e-4)
    assert found.shares.sum() == pytest.approx(answered, abs=1e-4)
    assert found.shares.std() > 0
    assert match_regions(embedder, photo, photo)


def _lite():
    torch.manual_seed(0)
    return Embedder(EmbedderCard("lite0", 16, precision="fp32"), create_backbone("lite0")).eval()


def test_a_backbone_without_a_map_is_refused():
    backbone = create_backbone("test_vit", pretrained=False, pooling="token").eval()
    size = backbone.preprocessing.size
    embedder = Embedder(EmbedderCard("test_vit", 8), backbone).eval()
    with pytest.raises(BackboneError, match="regions cannot be shown"):
        local_maps(embedder, np.zeros((1, size, size, 3), np.uint8))


@pytest.mark.slow
def test_the_command_draws_the_evidence(tiny_run, tiny_corpus, tmp_path, capsys):
    photos = read_manifest(tiny_corpus, where="craft == 'chanderi'").files()[:2]
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tiny_run.folder), *map(str, photos), "--piece", "--evidence", str(tmp_path), "--json"])
    assert ended.value.code == 0
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    assert [entry["photo"] for entry in answer["evidence"]] == list(map(str, photos))
    for entry, say in zip(answer["evidence"], answer["says"], strict=True):
        assert entry["craft"] == answer["traditions"][0]["craft"]
        assert entry["cosine"] == pytest.approx(say["cosine_to_answer"], abs=0.01)
        with Image.open(entry["heat_map"]) as figure:
            assert min(figure.size) > 300
        if entry["matches"] is None:
            assert entry["remark"]
            continue
        assert entry["reference"] in {near["path"] for near in answer["references"]}
        with Image.open(entry["matches"]) as figure:
            assert min(figure.size) > 300
        for region in entry["regions"]:
            top, left, bottom, right = region["first"]
            assert 0 <= top < bottom <= 1
            assert 0 <= left < right <= 1
