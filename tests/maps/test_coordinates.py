import numpy as np
import pytest

from saree_cosface.maps.coordinates import align, umap_coordinates
from saree_cosface.metrics.neighbourhood import nearest_neighbours
from tests.helpers.numbers import unit_rows


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6, 9, 40])
def test_every_number_of_photos_can_be_mapped(count):
    coordinates = umap_coordinates(unit_rows(count), seed=0)
    assert coordinates.shape == (count, 2)
    assert coordinates.dtype == np.float32
    assert np.isfinite(coordinates).all()


@pytest.mark.slow
def test_map_follows_its_seed():
    embeddings = unit_rows(30)
    first = umap_coordinates(embeddings, seed=3)
    assert np.array_equal(first, umap_coordinates(embeddings, seed=3))
    assert not np.array_equal(first, umap_coordinates(embeddings, seed=4))


@pytest.mark.slow
def test_map_keeps_two_bundles_apart():
    rng = np.random.default_rng(0)
    centres = np.eye(8, dtype=np.float32)[:2]
    embeddings = np.repeat(centres, 25, axis=0) + 0.05 * rng.normal(size=(50, 8)).astype(np.float32)
    coordinates = umap_coordinates(embeddings, seed=0)
    one, other = coordinates[:25], coordinates[25:]
    spread = max(np.linalg.norm(part - part.mean(axis=0), axis=1).mean() for part in (one, other))
    assert np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)) > 2 * spread


def test_map_refuses_what_is_not_finite():
    embeddings = unit_rows(10)
    embeddings[3, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        umap_coordinates(embeddings, seed=0)


@pytest.mark.slow
def test_a_map_can_start_from_places():
    embeddings = unit_rows(60)
    before = umap_coordinates(embeddings, seed=4)
    free, led = umap_coordinates(embeddings, seed=0), umap_coordinates(embeddings, seed=0, start=before)
    assert align(led, before)[1] < align(free, before)[1]


@pytest.mark.slow
def test_known_neighbours_change_nothing():
    embeddings = unit_rows(50)
    near = nearest_neighbours(embeddings, 20)
    assert np.array_equal(umap_coordinates(embeddings, 0), umap_coordinates(embeddings, 0, near))


def test_alignment_undoes_a_turn_a_reflection_and_a_scale():
    rng = np.random.default_rng(0)
    there = rng.normal(size=(30, 2)).astype(np.float32)
    turned = 3 * there @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [5, -7]
    matrix, left = align(turned.astype(np.float32), there)
    assert np.allclose(np.c_[turned, np.ones(30)] @ matrix, there, atol=1e-5)
    assert left < 1e-5
    assert align(rng.normal(size=(30, 2)).astype(np.float32), there)[1] > 0.5
