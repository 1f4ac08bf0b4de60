import json
import shutil
from dataclasses import asdict

import pytest
import torch

from saree_cosface.networks.card import CARD, EmbedderCard, EmbedderError
from saree_cosface.networks.embedder import WEIGHTS, Embedder, new_embedder


def pixels(count=3, size=32):
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@torch.inference_mode()
def test_save_and_load_give_the_same_embeddings_bit_for_bit(tiny_embedder, tmp_path):
    expected = tiny_embedder(pixels())
    tiny_embedder.save(tmp_path)
    loaded = Embedder.load(tmp_path)
    assert torch.equal(loaded(pixels()), expected)
    assert loaded.card == tiny_embedder.card
    assert not loaded.training
    torch.testing.assert_close(expected.norm(dim=1), torch.ones(3))


def test_a_folder_holds_safetensors_and_json_only(tiny_embedder, tmp_path):
    tiny_embedder.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD, WEIGHTS]
    assert json.loads((tmp_path / CARD).read_text())["backbone"] == "test_resnet"
    header = int.from_bytes((tmp_path / WEIGHTS).read_bytes()[:8], "little")
    assert b'"neck.1.weight"' in (tmp_path / WEIGHTS).read_bytes()[8 : 8 + header]


def test_the_cards_preprocessing_counts_not_timms(tiny_embedder, tmp_path):
    tiny_embedder.save(tmp_path)
    loaded = Embedder.load(tmp_path)
    assert asdict(loaded.backbone.preprocessing) == asdict(tiny_embedder.backbone.preprocessing)
    card = json.loads((tmp_path / CARD).read_text())
    card["preprocessing"]["mean"] = [0.0, 0.0, 0.0]
    (tmp_path / CARD).write_text(json.dumps(card))
    with torch.inference_mode():
        assert not torch.equal(Embedder.load(tmp_path)(pixels()), loaded(pixels()))


def test_from_and_save_pretrained(tiny_embedder, tmp_path):
    tiny_embedder.save_pretrained(tmp_path / "hub")
    loaded = Embedder.from_pretrained(tmp_path / "hub")
    with torch.inference_mode():
        assert torch.equal(loaded(pixels()), tiny_embedder(pixels()))


def test_from_pretrained_takes_card_and_weights_of_a_repository(tiny_embedder, tmp_path, monkeypatch):
    tiny_embedder.save(tmp_path / "downloaded")
    asked = {}

    def download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path / "downloaded")

    monkeypatch.setattr("saree_cosface.networks.embedder.snapshot_download", download)
    assert Embedder.from_pretrained("someone/sarees", revision="v1").card == tiny_embedder.card
    assert (asked["name"], asked["revision"]) == ("someone/sarees", "v1")
    assert set(asked["allow_patterns"]) == {CARD, WEIGHTS}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: cut(folder / WEIGHTS), r"model\.safetensors: cut short.*train again"),
        (lambda folder: (folder / WEIGHTS).unlink(), r"model\.safetensors: no such file.*whole folder"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), r"model\.safetensors: cut short"),
        (lambda folder: cut(folder / CARD), r"embedder\.json: damaged"),
        (lambda folder: (folder / CARD).unlink(), r"embedder\.json: cannot be read.*folder of an embedder"),
        (lambda folder: (folder / CARD).write_text('{"format": 99}'), r"embedder\.json: not the card.*format 1"),
        (lambda folder: (folder / CARD).write_text("[]"), r"embedder\.json: not the card"),
        (lambda folder: (folder / CARD).write_text('{"format": 1}'), r"embedder\.json: not the card"),
        (lambda folder: (folder / CARD).write_bytes(b"\xff\xfe"), r"embedder\.json: damaged"),
        (lambda folder: edit(folder, embedding_dim=16), r"model\.safetensors: .* of another network"),
        (lambda folder: edit(folder, colour="red"), r"embedder\.json: not the card of an embedder .*colour"),
        (lambda folder: edit(folder, preprocessing={"size": 32}), r"embedder\.json: its preprocessing is damaged"),
        (lambda folder: shutil.rmtree(folder), "folder of an embedder"),
    ],
)
def test_a_damaged_folder_is_named_with_the_remedy(tiny_embedder, tmp_path, damage, said):
    tiny_embedder.save(tmp_path / "embedder")
    damage(tmp_path / "embedder")
    with pytest.raises(EmbedderError, match=said):
        Embedder.load(tmp_path / "embedder")


def edit(folder, **changes):
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, **changes}))


def test_a_card_without_preprocessing_takes_timms(tiny_embedder, tmp_path):
    tiny_embedder.save(tmp_path)
    edit(tmp_path, preprocessing={})
    assert Embedder.load(tmp_path).backbone.preprocessing.size == 160


def test_a_full_disk_keeps_the_old_weights(tiny_embedder, tmp_path, full_disk):
    tiny_embedder.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(1_000_000), pytest.raises(OSError, match=WEIGHTS):
        tiny_embedder.save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_raw_embeddings_ignore_the_length_of_features(tiny_embedder):
    features = torch.randn(4, 5, tiny_embedder.backbone.num_features).abs()
    with torch.inference_mode():
        raw = tiny_embedder.raw(features)
        assert raw.shape == (4, 5, 8)
        torch.testing.assert_close(tiny_embedder.raw(features * 7), raw, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(raw[2], tiny_embedder.raw(features[2]), rtol=1e-4, atol=1e-5)


def test_fusing_is_the_direction_of_the_mean_of_the_views(tiny_embedder):
    features = torch.rand(3, 4, tiny_embedder.backbone.num_features)
    with torch.inference_mode():
        views = torch.nn.functional.normalize(tiny_embedder.raw(features), dim=-1)
        expected = torch.nn.functional.normalize(views.mean(dim=1), dim=-1)
        torch.testing.assert_close(tiny_embedder.fuse(features), expected)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_new_embedder_notes_its_preprocessing(batch_norm):
    embedder = new_embedder(EmbedderCard(embedding_dim=4, batch_norm=batch_norm, dropout=0.5))
    assert embedder.card.preprocessing["mean"] == (0.5, 0.5, 0.5)
    linear = embedder.neck[1]
    assert (linear.bias is None) == batch_norm  # a batch norm has a bias of its own
    assert len(embedder.neck) == 2 + batch_norm
