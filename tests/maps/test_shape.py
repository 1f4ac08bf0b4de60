import numpy as np
import pytest

from saree_cosface.maps.mixing import source_mixing
from saree_cosface.maps.shape import contour_levels, densest, density, frame, without_strays

BOUNDS = (-10.0, -10.0, 10.0, 10.0)


def test_a_density_holds_all_points_and_its_contours_the_shares_asked_for():
    points = np.random.default_rng(0).normal(0, 1.5, (400, 2))
    found = density(points, BOUNDS)
    assert found.sum() == pytest.approx(1)
    tight = points / 30  # far narrower than the smoothing
    for cluster in (points, tight):
        found = density(cluster, BOUNDS)
        low, high = contour_levels(found, cluster, BOUNDS, (0.9, 0.5))
        cells = ((cluster + 10) / 20 * len(found)).astype(int)
        heights = found[cells[:, 1], cells[:, 0]]
        most = 0.3 if cluster is tight else 0.02  # a cell holds many points of a tight cluster
        assert 0.9 <= np.mean(heights >= low) <= 0.9 + most
        assert 0.5 <= np.mean(heights >= high) <= 0.5 + most


def test_contours_leave_strays_out():
    points = np.concatenate([np.random.default_rng(0).normal(0, 0.5, (40, 2)), [[8.0, 8.0]]])
    found = density(points, BOUNDS)
    level = found[-40:, -40:].max() / 2  # around the stray there would be a line
    kept = without_strays(found, level, points, BOUNDS, 3)
    assert not (kept[-40:, -40:] > level).any()
    assert (kept[:-40, :-40] == found[:-40, :-40]).all()
    assert (kept > level).any()


def test_the_densest_place_is_a_photo_of_the_larger_clump_and_no_place_between():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal((-6, 0), 0.4, (30, 2)), rng.normal((6, 0), 0.4, (20, 2))])
    place = densest(points, BOUNDS)
    assert np.linalg.norm(place - [-6, 0]) < 0.6
    assert any((place == point).all() for point in points)
    lone = np.array([[3.0, 4.0]])
    assert (densest(lone, BOUNDS) == lone[0]).all()


def test_a_frame_keeps_one_scale_and_its_limits():
    points = np.random.default_rng(0).normal(0, (5, 1), (50, 2))
    left, bottom, right, top = frame(points, 0.6, 0.9)
    assert (top - bottom) / (right - left) == pytest.approx(0.6)
    assert left < points[:, 0].min() < points[:, 0].max() < right
    left, bottom, right, top = frame(points[:, ::-1], 0.6, 0.9)
    assert (top - bottom) / (right - left) == pytest.approx(0.9)
    assert bottom < points[:, 0].min() < points[:, 0].max() < top


def brute(points, sources, k):
    shared = []
    for row, point in enumerate(points):
        away = np.linalg.norm(points - point, axis=1)
        away[row] = np.inf
        shared += [sources[row] == sources[other] for other in np.argsort(away)[:k]]
    return np.mean(shared)


@pytest.mark.slow
def test_mixing_is_counted_right_and_chance_is_that_of_sources_dealt_out_within_crafts():
    rng = np.random.default_rng(0)
    crafts = rng.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1])
    points = rng.normal(0, 1, (60, 2)) + np.array([[4.0 * ord(craft), 0] for craft in crafts])
    sources = np.array([f"{craft if rng.random() < 0.5 else ''}{rng.integers(3)}" for craft in crafts])
    found = source_mixing(points, list(sources), list(crafts), [""] * 60, k=5)
    assert found.observed == pytest.approx(brute(points, sources, 5))
    dealt = []
    for _ in range(3000):
        shuffled = sources.copy()
        for craft in "abc":
            mine = np.flatnonzero(crafts == craft)
            shuffled[mine] = rng.permutation(sources[mine])
        dealt.append(source_mixing(points, list(shuffled), list(crafts), [""] * 60, k=5).observed)
    assert found.chance == pytest.approx(np.mean(dealt), abs=0.003)


def test_photos_of_one_piece_and_of_unknown_source_count_nowhere():
    points = np.array([[0.0, 0], [0.1, 0], [5, 0], [5.1, 0]])
    same = source_mixing(points, ["s"] * 4, ["c"] * 4, ["", "", "", ""], k=1)
    assert same.observed == 1
    pieces = source_mixing(points, ["s"] * 4, ["c"] * 4, ["p", "p", "", ""], k=1)
    assert np.isnan(pieces.own[:2]).all()
    assert pieces.own[2:].tolist() == [1, 1]
    unknown = source_mixing(points, ["", "", "s", "t"], ["c"] * 4, [""] * 4, k=1)
    assert unknown.observed == 0
    assert np.isnan(unknown.own[:2]).all()


def test_a_small_source_is_judged_by_as_many_neighbours_as_it_can_have():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal((9, 0), 0.1, (6, 2))])
    sources = [f"s{row}" for row in range(40)] + ["clump"] * 6
    found = source_mixing(points, sources, ["c"] * 46, [""] * 46, k=15)
    assert found.own[40:].tolist() == [1] * 6
    assert np.isnan(found.own[:40]).all()


@pytest.mark.parametrize("count", [1, 2, 40])
def test_no_photo_is_its_own_neighbour_even_where_all_lie_at_one_place(count):
    found = source_mixing(np.ones((count, 2)), [f"s{row}" for row in range(count)], ["c"] * count, [""] * count)
    assert not found.observed > 0
