from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.views import PyramidViews, RandomViews
from saree_cosface.options import OptimOptions, ViewOptions
from saree_cosface.training.datamodule import SareeData
from saree_cosface.training.datasets import FeatureDataset, PixelDataset, cached_pixels
from saree_cosface.training.labelled import NoPhotosError, Photos
from saree_cosface.training.sampler import EpochSampler, balanced_weights
from tests.helpers.bad_photos import BAD, save, textured


@pytest.fixture
def photos(tmp_path):
    files = [save(tmp_path / "photos" / f"{seed}.png", textured(80, 60, seed)) for seed in range(6)]
    return Photos(
        files, np.array([0, 0, 0, 0, 1, 1]), np.array(["p", "p", "q", "r", "s", "t"]), np.array(list("aabbcc"))
    )


def with_bad(photos, tmp_path):
    bad = [make(tmp_path) for make in BAD]
    names = np.array([f"bad {index}" for index in range(len(bad))])
    return bad, Photos(
        [*bad[:5], *photos.files, *bad[5:]],
        np.array([0] * 5 + photos.labels.tolist() + [1] * (len(bad) - 5)),
        np.concatenate([names[:5], photos.pieces, names[5:]]),
        np.concatenate([names[:5], photos.sources, names[5:]]),
    )


def data_of(embedder, train, validation, cache, *, frozen, random=0, workers=0, **optim):
    return SareeData(
        embedder,
        train,
        validation,
        views=RandomViews(32, ViewOptions(random=random)),
        frozen=frozen,
        optim=OptimOptions(batch_size=4, **optim),
        cache=cache,
        workers=workers,
        seed=3,
        progress=False,
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_bad_photos_are_left_out_and_listed(tiny_embedder, photos, tmp_path, frozen):
    bad, mixed = with_bad(photos, tmp_path)
    data = data_of(tiny_embedder, mixed, photos, tmp_path / "cache", frozen=frozen)
    data.setup("fit")
    assert list(data.readable("train").files) == list(photos.files)
    assert data.readable("train").labels.tolist() == photos.labels.tolist()
    assert data.readable("train").pieces.tolist() == photos.pieces.tolist()
    assert set(data.bad) == set(bad)
    assert len(data.readable("validation")) == 6


@pytest.mark.parametrize("frozen", [True, False])
def test_not_one_readable_photo_is_an_error(tiny_embedder, photos, tmp_path, frozen):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    nothing = Photos([broken], photos.labels[:1], photos.pieces[:1], photos.sources[:1])
    with pytest.raises(NoPhotosError, match=r"broken\.jpg: empty"):
        data_of(tiny_embedder, nothing, None, tmp_path / "cache", frozen=frozen).setup("fit")


def test_frozen_batches_are_features_of_the_drawn_photos(tiny_embedder, photos, tmp_path):
    data = data_of(tiny_embedder, photos, photos, tmp_path / "cache", frozen=True, random=2)
    data.setup("fit")
    data.setup("fit")  # a second time changes nothing
    batches = list(data.train_dataloader())
    assert [features.shape for features, _ in batches] == [(4, 96), (4, 96)]
    features, labels = next(iter(data.val_dataloader()[0]))
    assert features.shape == (6, 9, 96)
    assert labels.tolist() == photos.labels.tolist()
    assert data._datasets["train"].features.shape == (6, 31 + 2, 96)
    brief = data._datasets["train"].features[:, :9]
    assert torch.equal(brief, features)  # validation sees what training saw of the same photo


def test_pixel_batches_are_random_views(tiny_embedder, photos, tmp_path):
    data = data_of(tiny_embedder, photos, photos, tmp_path / "cache", frozen=False)
    data.setup("fit")
    pixels, labels = next(iter(data.train_dataloader()))
    assert pixels.shape == (4, 3, 32, 32)
    assert pixels.dtype == torch.uint8
    assert labels.shape == (4,)
    pixels, _ = next(iter(data.val_dataloader()[0]))
    assert pixels.shape == (4, 9, 3, 32, 32)
    assert len(data.val_dataloader()[0].dataset) == 6


@pytest.mark.slow
def test_workers_change_nothing(tiny_embedder, photos, tmp_path):
    batches = []
    for workers in (0, 2):
        data = data_of(tiny_embedder, photos, None, tmp_path / "cache", frozen=False, workers=workers)
        data.setup("fit")
        loader = data.train_dataloader()
        loader.sampler.set_epoch(1)
        batches.append(list(loader))
        assert data.val_dataloader() == []
    for (pixels, labels), (same_pixels, same_labels) in zip(*batches, strict=True):
        assert torch.equal(pixels, same_pixels)
        assert torch.equal(labels, same_labels)


def test_datasets_by_row_and_view(photos, tmp_path):
    features = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    dataset = FeatureDataset(features, np.array([5, 6]))
    assert len(dataset) == 2
    views, labels = dataset.__getitems__([(1, 7), (0, 2)])  # view 7 of 3 is view 1
    assert views.tolist() == [features[1, 1].tolist(), features[0, 2].tolist()]
    assert labels.tolist() == [6, 5]
    whole, labels = dataset.__getitems__([1])
    assert whole.tolist() == features[1:].tolist()
    assert labels.tolist() == [6]
    pixels = PixelDataset(photos, RandomViews(32, ViewOptions()), tmp_path / "cache")
    assert torch.equal(pixels[2, 9][0], pixels[2, 9][0])
    assert not torch.equal(pixels[2, 9][0], pixels[2, 10][0])
    views = PixelDataset(photos, PyramidViews(32, brief=True), tmp_path / "cache")[0][0]
    expected = PyramidViews(32, brief=True)(decode(photos.files[0]), "")
    assert np.array_equal(views.permute(0, 2, 3, 1).numpy(), expected)


def test_decoded_photos_are_kept_and_mended(photos, tmp_path):
    path = cached_pixels(photos.files[0], tmp_path, 30)
    pixels = np.load(path)
    assert min(pixels.shape[:2]) == 30
    stamp = path.stat().st_mtime_ns
    assert cached_pixels(photos.files[0], tmp_path, 30) == path
    assert path.stat().st_mtime_ns == stamp
    for damage in (b"", path.read_bytes()[:200]):
        path.write_bytes(damage)
        assert np.array_equal(np.load(cached_pixels(photos.files[0], tmp_path, 30)), pixels)
    with pytest.raises(BadImage, match="no such file"):
        cached_pixels(tmp_path / "missing.jpg", tmp_path, 30)


def test_what_another_decoder_made_is_not_taken(photos, tmp_path, monkeypatch):
    path = cached_pixels(photos.files[0], tmp_path, 30)
    monkeypatch.setattr("saree_cosface.training.datasets.DECODER", 0)
    assert cached_pixels(photos.files[0], tmp_path, 30) != path


def test_an_epoch_follows_from_seed_and_number_alone():
    weights = np.array([0.5, 0.25, 0.25])
    sampler = EpochSampler(weights, 4, seed=1)
    first = list(sampler)
    assert len(first) == len(sampler) == 4  # filled up to a whole batch
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    resumed = EpochSampler(weights, 4, seed=1)
    resumed.set_epoch(1)
    assert list(resumed) == second
    assert list(EpochSampler(weights, 4, seed=2)) != first


def test_photos_are_drawn_as_often_as_their_weights_say():
    sampler = EpochSampler(np.array([0.7, 0.2, 0.1]), 20_000, seed=0)
    rows = np.array([row for row, _ in sampler])
    np.testing.assert_allclose(np.bincount(rows) / len(rows), [0.7, 0.2, 0.1], atol=0.02)


GROUPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40)


@given(groups=GROUPS, power=st.floats(0, 1), balance=st.sampled_from(["craft", "piece", "source"]))
def test_weights_balance_crafts_and_what_is_within_them(groups, power, balance):
    labels = np.array([label for label, _ in groups])
    names = np.array([f"g{group}" for _, group in groups])
    photos = Photos([Path()] * len(groups), labels, names, names)
    weights = balanced_weights(photos, OptimOptions(balance=balance, balance_power=power))
    assert np.all(weights > 0)
    np.testing.assert_allclose(weights.sum(), 1)
    crafts, sizes = np.unique(labels, return_counts=True)
    shares = np.array([weights[labels == craft].sum() for craft in crafts])
    np.testing.assert_allclose(shares, sizes ** (1 - power) / (sizes ** (1 - power)).sum())
    if balance != "craft":
        for craft in crafts:
            mine = [weights[(labels == craft) & (names == name)].sum() for name in set(names[labels == craft])]
            np.testing.assert_allclose(mine, mine[0])


def test_select_keeps_columns_together(photos):
    chosen = photos.select(np.array([5, 0]))
    assert [path.name for path in chosen.files] == ["5.png", "0.png"]
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.sources.tolist() == ["c", "a"]
