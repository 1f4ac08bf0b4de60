import json

import numpy as np
import pytest

from saree_cosface.answers.collection import see
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features import extraction
from saree_cosface.features.embedding import embed_photos
from saree_cosface.maps.make import map_collection
from saree_cosface.runs.references import build_gallery
from saree_cosface.scoring.evaluation import evaluate
from saree_cosface.shards.folder import ShardError
from saree_cosface.shards.making import embed_collection
from saree_cosface.shards.reading import read_or_embed
from tests.helpers.bad_photos import noise, save, textured
from tests.helpers.tiny import SOME


@pytest.fixture
def collection(tmp_path):
    """Manifest of six photos."""
    for seed in range(6):
        save(tmp_path / f"{seed}.png", textured(60, 50, seed))
    lines = [f"{seed}.png,patola" for seed in range(6)]
    (tmp_path / "manifest.csv").write_text("\n".join(["path,craft", *lines]) + "\n")
    return read_manifest(tmp_path / "manifest.csv")


@pytest.fixture
def nothing_computed(monkeypatch):
    """No network may be run."""

    def refuse(backbone):
        raise AssertionError("features were computed")

    monkeypatch.setattr(extraction, "runner", refuse)


def assert_same(one, other):
    for name in ("embeddings", "sides", "features", "rows"):
        # Not to the last bit: many rows may be multiplied in another order than one.
        assert np.allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-6)
    assert list(map(str, one.bad)) == list(map(str, other.bad))


def test_what_was_made_is_read_wherever_the_photo_lies_now(tiny_embedder, collection, tmp_path, request):
    embed_collection(tiny_embedder, collection, tmp_path / "out", shard=4)
    files = [collection.file(row).rename(tmp_path / f"moved {row}.png") for row in (5, 0, 3)]
    direct = embed_photos(tiny_embedder, files, description=None)
    request.getfixturevalue("nothing_computed")
    assert_same(read_or_embed(tiny_embedder, files, shards=tmp_path / "out"), direct)


def test_others_are_computed_and_bad_ones_listed(tiny_embedder, collection, tmp_path, capsys):
    embed_collection(tiny_embedder, collection.select(np.array([1, 3])), tmp_path / "out")
    files = [collection.file(0), collection.file(3), noise(tmp_path), collection.file(1), tmp_path / "none.png"]
    found = read_or_embed(tiny_embedder, files, shards=tmp_path / "out")
    assert_same(found, embed_photos(tiny_embedder, files, description=None))
    assert found.rows.tolist() == [0, 1, 3]
    assert "3 of 5 photos are not in" in capsys.readouterr().err.replace("\n", " ")


def test_of_no_photos_there_is_nothing(tiny_embedder, collection, tmp_path):
    embed_collection(tiny_embedder, collection, tmp_path / "out")
    assert len(read_or_embed(tiny_embedder, [], shards=tmp_path / "out").rows) == 0


def test_a_folder_that_is_not_finished_serves_as_far_as_it_goes(tiny_embedder, collection, tmp_path):
    embed_collection(tiny_embedder, collection, tmp_path / "out", shard=2)
    (tmp_path / "out" / "part-000001.parquet").unlink()
    files = collection.files()
    direct = embed_photos(tiny_embedder, files, description=None)
    assert_same(read_or_embed(tiny_embedder, files, shards=tmp_path / "out"), direct)


def test_embeddings_of_another_embedder_are_refused(tiny_embedder, collection, tmp_path):
    embed_collection(tiny_embedder, collection, tmp_path / "out")
    plan = json.loads((tmp_path / "out" / "embeddings.json").read_text())
    (tmp_path / "out" / "embeddings.json").write_text(json.dumps({**plan, "embedder": "0123456789ab"}))
    with pytest.raises(ShardError, match="another embedder or another version"):
        read_or_embed(tiny_embedder, collection.files(), shards=tmp_path / "out")


def test_a_damaged_shard_and_a_folder_without_any_are_told(tiny_embedder, collection, tmp_path):
    with pytest.raises(ShardError, match=r"nowhere: no embeddings.json there; `saree-cosface embed`"):
        read_or_embed(tiny_embedder, collection.files(), shards=tmp_path / "nowhere")
    embed_collection(tiny_embedder, collection, tmp_path / "out")
    (tmp_path / "out" / "part-000000.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ShardError, match=r"part-000000.parquet: damaged \(.*delete it"):
        read_or_embed(tiny_embedder, collection.files(), shards=tmp_path / "out")


@pytest.mark.slow
def test_collection_evaluation_map_and_gallery_are_the_same_from_shards(
    calibrated_run, tiny_corpus, tiny_cache, tmp_path, request
):
    manifest = read_manifest(tiny_corpus, where=SOME)
    out = tmp_path / "out"
    embed_collection(calibrated_run.embedder, manifest, out, shard=10, cache=tiny_cache)
    seen = see(calibrated_run, manifest, cache=tiny_cache)
    scored = evaluate(calibrated_run, tiny_corpus, where=SOME, cache=tiny_cache, out=tmp_path / "a").document
    gallery, _ = build_gallery(calibrated_run.embedder, manifest, cache=tiny_cache)
    request.getfixturevalue("nothing_computed")
    again = see(calibrated_run, manifest, shards=out)
    assert np.array_equal(again.embeddings, seen.embeddings)
    assert np.array_equal(again.features, seen.features)
    assert again.kinds.tolist() == seen.kinds.tolist()
    read = evaluate(calibrated_run, tiny_corpus, where=SOME, shards=out, cache=tiny_cache, out=tmp_path / "b").document
    assert read == scored
    assert np.array_equal(
        build_gallery(calibrated_run.embedder, manifest, shards=out)[0].embeddings, gallery.embeddings
    )
    made = map_collection(calibrated_run, manifest, tmp_path / "map", shards=out)
    assert len(made.map.photos) == len(manifest)
