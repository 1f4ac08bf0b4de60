import numpy as np
import pandas as pd
import pytest
from sklearn.manifold import trustworthiness

from saree_cosface.maps.coordinates import FEWEST, map_parameters
from saree_cosface.maps.embedding import EmbeddingMap, MapError
from saree_cosface.metrics.neighbourhood import map_quality, nearest_neighbours
from tests.helpers.numbers import unit_rows


def mapped(count=60, seed=0):
    """Three bundles of photos, far apart on the map."""
    rng = np.random.default_rng(seed)
    bundle = np.arange(count) % 3
    embeddings = np.eye(8)[bundle] + 0.1 * rng.normal(size=(count, 8))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    places = np.array([[0, 0], [10, 0], [0, 10]])[bundle] + 0.1 * rng.normal(size=(count, 2))
    photos = pd.DataFrame({"sha256": [f"{row:064d}" for row in range(count)], "x": places[:, 0], "y": places[:, 1]})
    return EmbeddingMap(photos.astype({"x": np.float32, "y": np.float32}), embeddings, map_parameters(count, seed))


def test_new_photos_are_placed_in_their_bundle_and_by_themselves():
    found = mapped()
    new = np.eye(8, dtype=np.float32)[[0, 1, 2, 1]]
    placed = found.place(new)
    assert np.allclose(placed, [[0, 0], [10, 0], [0, 10], [10, 0]], atol=0.5)
    assert np.array_equal(placed[2:3], found.place(new[2:3]))


def test_a_photo_between_two_clusters_is_not_put_into_the_emptiness():
    near = np.array([1, 0, 0], np.float32)
    embeddings = np.array(
        [[0.99, 0.14, 0], [0.99, 0.13, 0], [0.99, 0.12, 0], [0.99, 0, 0.14], [0.99, 0, 0.13]], np.float32
    )
    photos = pd.DataFrame({"sha256": list("abcde"), "x": [0, 0, 0, 100, 100], "y": [0.0] * 5})
    placed = EmbeddingMap(photos, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), {}).place(near[None])
    assert placed[0, 0] < 1


def test_a_photo_of_the_map_is_placed_where_it_is():
    found = mapped()
    assert np.abs(found.place(found.embeddings) - found.coordinates).max() < 0.5


def test_an_empty_map_and_another_embedder():
    empty = EmbeddingMap(pd.DataFrame({"sha256": [], "x": [], "y": []}), np.zeros((0, 8), np.float32), {})
    assert empty.place(unit_rows(2)).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(MapError, match="make a new map"):
        mapped().place(np.ones((1, 3), np.float32))


@pytest.mark.parametrize("count", [1, FEWEST - 1, 60])
def test_a_map_is_read_as_it_was_written(tmp_path, count):
    found = mapped(count)
    found = EmbeddingMap(found.photos.assign(craft="patola", outlier=False), found.embeddings, found.parameters)
    found.save(tmp_path / "coords.parquet", tmp_path / "map.json")
    read = EmbeddingMap.load(tmp_path / "coords.parquet", tmp_path / "map.json")
    pd.testing.assert_frame_equal(read.photos, found.photos)
    assert np.array_equal(read.embeddings, found.embeddings)
    assert read.parameters == found.parameters


@pytest.mark.parametrize(
    "damage",
    ["gone", "cut", "a number changed", "foreign", "no places", "not finite", "no parameters", "a list", "another map"],
)
def test_damaged_maps_are_refused_by_name(tmp_path, damage):
    coordinates, parameters = tmp_path / "coords.parquet", tmp_path / "map.json"
    mapped().save(coordinates, parameters)
    match damage:
        case "gone":
            coordinates.unlink()
        case "cut":
            coordinates.write_bytes(coordinates.read_bytes()[:-100])
        case "a number changed":
            content = bytearray(coordinates.read_bytes())
            content[len(content) // 3] ^= 1
            coordinates.write_bytes(content)
        case "foreign":
            pd.DataFrame({"a": [1]}).to_parquet(coordinates)
        case "no places":
            found = mapped()
            EmbeddingMap(found.photos.drop(columns="x"), found.embeddings, {}).save(coordinates, parameters)
        case "not finite":
            found = mapped()
            EmbeddingMap(found.photos.assign(x=np.nan), found.embeddings, {}).save(coordinates, parameters)
        case "no parameters":
            parameters.write_text("{")
        case "a list":
            parameters.write_text("[]")
        case "another map":
            mapped(seed=7).save(tmp_path / "other.parquet", parameters)
    with pytest.raises(MapError, match="coords.parquet: not a map, or damaged"):
        EmbeddingMap.load(coordinates, parameters)


def test_quality_agrees_with_scikit_learn_and_a_plain_count():
    embeddings = unit_rows(120)
    places = embeddings[:, :2] + 0.1 * np.random.default_rng(1).normal(size=(120, 2))
    trust, kept = map_quality(embeddings, places, 7)
    assert trust == pytest.approx(trustworthiness(embeddings, places, n_neighbors=7, metric="cosine"), abs=1e-9)
    near = nearest_neighbours(embeddings, 7)[0]
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(120, np.inf))
    on_map = np.argsort(distance, axis=1)[:, :7]
    assert kept == pytest.approx(np.mean([len(set(a) & set(b)) / 7 for a, b in zip(near, on_map, strict=True)]))
    assert map_quality(embeddings, np.random.default_rng(2).normal(size=(120, 2)), 7)[0] == pytest.approx(0.5, abs=0.1)
    assert map_quality(embeddings, places, 7, most=60)[0] == pytest.approx(trust, abs=0.05)


def test_quality_where_photos_lie_at_one_place():
    embeddings = unit_rows(30)
    trust, kept = map_quality(embeddings, np.zeros((30, 2)), 5)
    assert 0 <= kept <= 1
    assert 0 < trust < 1
    assert map_quality(embeddings[:2], np.zeros((2, 2)), 5) == (1.0, 1.0)


def test_neighbours_are_exact_and_in_order():
    embeddings = unit_rows(200)
    rows, cosines = nearest_neighbours(embeddings, 6)
    products = embeddings @ embeddings.T - 2 * np.eye(200)
    assert np.array_equal(rows, np.argsort(-products, axis=1, kind="stable")[:, :6])
    assert np.allclose(cosines, np.sort(products, axis=1)[:, ::-1][:, :6])
    assert nearest_neighbours(embeddings[:3], 6)[0].shape == (3, 2)
    assert nearest_neighbours(embeddings[:1], 6)[0].shape == (1, 0)
