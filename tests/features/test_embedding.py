import numpy as np
import pytest
import torch

from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.views import PyramidViews, RandomViews
from saree_cosface.features import extraction
from saree_cosface.features.embedding import embed_each, embed_photos, embed_whole, fuse_features
from saree_cosface.features.extraction import photo_features
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.networks.runtime import VARIABLE
from saree_cosface.options import ViewOptions
from tests.helpers.bad_photos import BAD, named_in_unicode, save, textured

FULL, BRIEF = PyramidViews(32), PyramidViews(32, brief=True)


@pytest.fixture
def photos(tmp_path):
    return [save(tmp_path / f"{seed}.png", textured(80, 60, seed)) for seed in range(7)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def features(embedder, files, views=BRIEF, cache=None):
    return photo_features(embedder.backbone, files, views, cache=cache, description=None)


def test_whole_photos_have_the_embeddings_of_their_views_together(tiny_moments, photos, cache, monkeypatch):
    direct = embed_photos(tiny_moments, photos)
    whole = embed_whole(tiny_moments, [*photos, photos[0].with_name("none.png")], cache=cache)
    assert (whole.embeddings * direct.embeddings).sum(axis=1).min() > 0.9995  # both are kept in half precision
    np.testing.assert_allclose(whole.features, direct.features, atol=0.1)
    assert whole.sides.shape == (7, 0, 8)
    assert [bad.reason for bad in whole.bad] == ["no such file"]
    # Other directions are made of what is known.
    forbid_network(monkeypatch)
    tiny_moments.backbone.pooling.basis0.copy_(tiny_moments.backbone.pooling.basis0.flip(1))
    again = embed_whole(tiny_moments, photos, cache=cache)
    assert not np.allclose(again.embeddings, whole.embeddings, atol=1e-3)
    assert len(list(cache.rglob("*-merged/*.npy"))) == 7


def test_moments_beyond_half_precision_say_the_same(tiny_moments, photos, cache, monkeypatch):
    plain = embed_whole(tiny_moments, photos)
    weak = SecondOrder.forward
    monkeypatch.setattr(SecondOrder, "forward", lambda self, local: weak(self, [1e3 * each for each in local]))
    monkeypatch.setenv(VARIABLE, "torch")
    for found in (embed_whole(tiny_moments, photos, cache=cache), embed_photos(tiny_moments, photos)):
        assert (found.embeddings * plain.embeddings).sum(axis=1).min() > 0.999


def forbid_network(monkeypatch):
    def fail(*_):
        raise AssertionError("the network was run")

    monkeypatch.setattr(extraction, "runner", fail)


def test_what_the_cache_gives_back_is_what_was_computed(tiny_embedder, photos, cache, monkeypatch):
    fresh = features(tiny_embedder, photos)
    first = features(tiny_embedder, photos, cache=cache)
    forbid_network(monkeypatch)
    second = features(tiny_embedder, photos, cache=cache)
    assert fresh.features.dtype == np.float16
    assert fresh.features.shape == (7, 9, 96)
    assert np.array_equal(fresh.features, first.features)
    assert np.array_equal(first.features, second.features)
    assert fresh.features.std(axis=0).max() > 0  # photos differ


def test_what_another_decoder_made_is_not_taken(tiny_embedder, photos, cache, monkeypatch):
    features(tiny_embedder, photos, cache=cache)
    forbid_network(monkeypatch)
    monkeypatch.setattr("saree_cosface.features.extraction.DECODER", 0)
    with pytest.raises(AssertionError, match="the network was run"):
        features(tiny_embedder, photos, cache=cache)


def test_brief_features_come_from_the_pyramids_bit_for_bit(tiny_embedder, photos, cache, monkeypatch):
    direct = features(tiny_embedder, photos, BRIEF)
    full = features(tiny_embedder, photos, FULL, cache)
    forbid_network(monkeypatch)
    from_pyramid = features(tiny_embedder, photos, BRIEF, cache)
    assert full.features.shape[1] == 31
    assert np.array_equal(from_pyramid.features, direct.features)


def test_the_pyramids_go_on_from_the_brief_features_bit_for_bit(tiny_embedder, photos, cache, monkeypatch):
    direct = features(tiny_embedder, photos, FULL)
    features(tiny_embedder, photos, BRIEF, cache)
    shown, run = [], extraction.runner(tiny_embedder.backbone)
    monkeypatch.setattr(extraction, "runner", lambda _: lambda views: shown.append(len(views)) or run(views))
    assert np.array_equal(features(tiny_embedder, photos, FULL, cache).features, direct.features)
    assert sum(shown) == len(photos) * (31 - 9)
    forbid_network(monkeypatch)
    assert np.array_equal(features(tiny_embedder, photos, FULL, cache).features, direct.features)


def test_random_views_are_cached_apart(tiny_embedder, photos, cache):
    views = RandomViews(32, ViewOptions(random=3))
    first = features(tiny_embedder, photos, views, cache)
    assert first.features.shape[1] == 3
    assert np.array_equal(first.features, features(tiny_embedder, photos, views, cache).features)
    assert features(tiny_embedder, photos, BRIEF, cache).features.shape[1] == 9


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None, "pickle", "foreign"])
def test_a_damaged_cache_file_is_computed_again(tiny_embedder, photos, cache, damage):
    expected = features(tiny_embedder, photos, cache=cache)
    entry = sorted(cache.rglob("*.npy"))[3]
    whole = entry.read_bytes()
    if damage is None:
        entry.write_bytes(whole[: len(whole) // 2])
    elif damage == "pickle":
        np.save(entry, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif damage == "foreign":
        np.save(entry, np.zeros(3))
    else:
        entry.write_bytes(damage)
    assert np.array_equal(features(tiny_embedder, photos, cache=cache).features, expected.features)
    assert entry.read_bytes() == whole


def test_the_cache_knows_photos_by_content_and_networks_by_weights(tiny_embedder, photos, cache, monkeypatch):
    monkeypatch.setenv(VARIABLE, "torch")
    features(tiny_embedder, photos[:3], cache=cache)
    renamed = photos[0].rename(photos[0].with_name("renamed.png"))
    features(tiny_embedder, [renamed], cache=cache)
    assert len(list(cache.rglob("*.npy"))) == 3
    monkeypatch.setenv(VARIABLE, "openvino")
    features(tiny_embedder, [renamed], cache=cache)
    assert len(list(cache.rglob("*.npy"))) == 4
    with torch.no_grad():
        next(tiny_embedder.backbone.parameters()).mul_(2)
    features(tiny_embedder, [renamed], cache=cache)
    assert len(list(cache.rglob("*.npy"))) == 5


def test_a_photos_features_do_not_depend_on_the_others(tiny_embedder, photos):
    every = features(tiny_embedder, photos).features
    assert np.array_equal(features(tiny_embedder, photos[4:5]).features[0], every[4])


def test_bad_photos_are_listed_and_the_rest_are_read(tiny_embedder, photos, tmp_path, cache):
    folder = tmp_path / "bad"
    folder.mkdir()
    bad = [make(folder) for make in BAD]  # among them a pipe, which must not be waited for
    good = [*photos[:2], named_in_unicode(folder)]
    files = [*bad, tmp_path / "missing.jpg", tmp_path / ("long" * 100), tmp_path / "null\0.jpg"]
    files[1:1], files[5:5], files[9:9] = good[:1], good[1:2], good[2:]
    for place in (None, cache):
        read = features(tiny_embedder, files, cache=place)
        assert [files[row] for row in read.rows] == good
        assert {entry.path for entry in read.bad} == set(files) - set(good)
        assert len(read.features) == 3
    reasons = {entry.path.name: entry.reason for entry in read.bad}
    assert "not a regular file" in reasons["pipe.jpg"]
    assert "a folder" in reasons["folder.jpg"]
    assert all(reason for reason in reasons.values())


def test_no_photo_at_all(tiny_embedder):
    embedded = embed_photos(tiny_embedder, [])
    assert embedded.embeddings.shape == (0, 8)
    assert embedded.rows.size == 0
    assert embedded.bad == ()


def test_embeddings_are_unit_and_equal_the_fused_features(tiny_embedder, photos, cache):
    embedded = embed_photos(tiny_embedder, photos, cache=cache)
    np.testing.assert_allclose(np.linalg.norm(embedded.embeddings, axis=1), 1, rtol=1e-5)
    assert np.array_equal(embedded.embeddings, embed_photos(tiny_embedder, photos).embeddings)
    blocks = fuse_features(tiny_embedder, features(tiny_embedder, photos).features, block=2)
    np.testing.assert_allclose(blocks, embedded.embeddings, atol=1e-6)


def test_modes_are_left_as_they_were(tiny_embedder, photos):
    tiny_embedder.train()
    expected = embed_photos(tiny_embedder, photos[:1]).embeddings
    assert tiny_embedder.training
    assert tiny_embedder.neck.training
    tiny_embedder.eval()
    assert np.array_equal(embed_photos(tiny_embedder, photos[:1]).embeddings, expected)
    assert not tiny_embedder.training


def test_photo_hash_says_what_is_wrong(tmp_path):
    with pytest.raises(BadImage, match="no such file"):
        photo_hash(tmp_path / "missing.jpg")


def test_an_unreadable_photo_is_listed_even_if_it_can_be_decoded_later(tiny_embedder, photos, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("saree_cosface.data.content.sha256_of", refuse)
    read = features(tiny_embedder, photos[:1])
    assert "Permission denied" in read.bad[0].reason


def test_a_cache_that_cannot_be_written_costs_no_photo(tiny_embedder, photos, tmp_path, capsys):
    (tmp_path / "file").touch()
    found = features(tiny_embedder, photos, cache=tmp_path / "file")
    assert np.array_equal(found.features, features(tiny_embedder, photos).features)
    assert capsys.readouterr().err.count("Features are not kept in") == 1


def test_photos_come_one_at_a_time_as_they_come_together(tiny_embedder, photos, tmp_path):
    files = [photos[0], tmp_path / "missing.jpg", photos[1]]
    together, each = embed_photos(tiny_embedder, files), list(embed_each(tiny_embedder, files))
    assert np.concatenate([one.rows for one in each]).tolist() == together.rows.tolist() == [0, 2]
    assert [len(one.bad) for one in each] == [0, 1, 0]
    for part in ("embeddings", "sides", "features"):
        joined = np.concatenate([getattr(one, part) for one in each])
        assert np.allclose(joined, getattr(together, part), atol=1e-6)


def test_a_photo_that_memory_does_not_hold_is_listed(tiny_embedder, photos):
    class Greedy:
        key = "greedy"

        def __call__(self, pixels, sha256):
            raise MemoryError

    found = features(tiny_embedder, photos[:2], Greedy())
    assert len(found.rows) == 0
    assert [bad.reason for bad in found.bad] == ["too large for the memory that is free; shrink it first"] * 2
