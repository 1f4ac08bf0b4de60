import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saree_cosface.maps.label_placement import leader_end, place_boxes, place_or_number

ROOM = (0.0, 0.0, 170.0, 150.0)


def overlaps(centres, sizes, gap=0.0):
    placed = np.flatnonzero(~np.isnan(centres[:, 0]))
    pairs = []
    for index, one in enumerate(placed):
        for other in placed[:index]:
            apart = np.abs(centres[one] - centres[other]) - (sizes[one] + sizes[other]) / 2
            if (apart < gap - 1e-6).all():
                pairs.append((one, other))
    return pairs


def inside(centres, sizes, bounds):
    placed = ~np.isnan(centres[:, 0])
    low, high = (centres - sizes / 2)[placed], (centres + sizes / 2)[placed]
    return (low >= np.array(bounds[:2]) - 1e-9).all() and (high <= np.array(bounds[2:]) + 1e-9).all()


@pytest.mark.slow
@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 25),
    st.floats(0.0, 60.0),
    st.tuples(st.floats(20, 170), st.floats(20, 150)),
)
def test_no_two_boxes_overlap_and_none_leaves_the_room(seed, count, spread, room):
    rng = np.random.default_rng(seed)
    bounds = (0.0, 0.0, *room)
    anchors = np.clip(rng.normal(np.array(room) / 2, spread, (count, 2)), 0, room)
    names = np.stack([rng.uniform(5, 40, count), np.full(count, 3.0)], axis=1)
    numbers = np.full((count, 2), 3.0)
    found = place_or_number(anchors, names, numbers, bounds, gap=0.5, reach=30)
    assert not overlaps(found.centres, found.sizes, 0.5)
    assert inside(found.centres, found.sizes, bounds)
    for row, shown in enumerate(found.shown):
        assert np.isnan(found.centres[row]).all() == (shown == "nothing")
        expected = names[row] if shown == "name" else numbers[row]
        assert (found.sizes[row] == expected).all()
        if shown == "name":
            end = leader_end(anchors[row], found.centres[row], found.sizes[row])
            assert np.linalg.norm(end - anchors[row]) <= 30 + 1e-9


def test_labels_with_room_stay_on_their_places():
    anchors = np.array([[30.0, 30.0], [120.0, 30.0], [70.0, 110.0]])
    centres = place_boxes(anchors, np.full((3, 2), [20.0, 3.0]), ROOM)
    assert (centres == anchors).all()


def test_a_label_at_the_edge_is_pushed_inwards_and_no_further():
    centre = place_boxes(np.array([[1.0, 75.0]]), np.array([[20.0, 3.0]]), ROOM)[0]
    assert centre.tolist() == [10.0, 75.0]


@pytest.mark.slow
def test_forty_labels_at_one_place_all_find_room_near_it():
    anchors = np.full((40, 2), [85.0, 75.0])
    sizes = np.full((40, 2), [24.0, 3.0])
    found = place_or_number(anchors, sizes, np.full((40, 2), 3.0), ROOM, gap=0.7)
    assert set(found.shown) == {"name"}
    assert not overlaps(found.centres, found.sizes, 0.7)


def test_names_without_room_become_numbers_and_the_first_keep_theirs():
    anchors = np.full((12, 2), [20.0, 10.0])
    found = place_or_number(anchors, np.full((12, 2), [38.0, 3.0]), np.full((12, 2), 3.0), (0, 0, 40, 20))
    assert found.shown.count("name") >= 3
    assert found.shown.count("number") >= 5
    assert found.shown[0] == "name"
    assert not overlaps(found.centres, found.sizes)


def test_where_not_even_numbers_fit_nothing_is_shown():
    found = place_or_number(np.zeros((3, 2)), np.full((3, 2), 9.0), np.full((3, 2), 4.0), (0, 0, 4.5, 4.5))
    assert sorted(found.shown) == ["nothing", "nothing", "number"]
    assert np.isnan(found.centres).all(axis=1).sum() == 2


def test_a_label_rather_moves_than_hide_what_it_names():
    anchor, size = np.array([[85.0, 75.0]]), np.array([[24.0, 3.0]])
    marks = np.random.default_rng(0).normal(anchor[0], 1.0, (8, 2))
    hidden = place_boxes(anchor, size, ROOM, marks=marks, weights=np.full(8, 0.01))[0]
    assert hidden.tolist() == [85.0, 75.0]
    beside = place_boxes(anchor, size, ROOM, marks=marks, weights=np.full(8, 1.0))[0]
    assert not (np.abs(marks - beside) < size[0] / 2).all(axis=1).any()
    assert np.linalg.norm(beside - anchor[0]) < 9


def test_leaders_do_not_cross_where_they_need_not():
    anchors = np.array([[80.0, 75.0], [90.0, 75.0]])
    marks = np.stack([np.linspace(60, 110, 51), np.full(51, 75.0)], axis=1)
    centres = place_boxes(anchors, np.full((2, 2), [24.0, 3.0]), ROOM, marks=marks, weights=np.full(51, 1.0))
    ends = leader_end(anchors, centres, np.full((2, 2), [24.0, 3.0]))
    assert (ends[0, 0] <= ends[1, 0]) or (ends[0, 1] - 75) * (ends[1, 1] - 75) < 0


def test_placing_twice_gives_the_same():
    rng = np.random.default_rng(3)
    anchors, sizes = rng.uniform(0, 80, (30, 2)), np.full((30, 2), [24.0, 3.0])
    assert np.array_equal(place_boxes(anchors, sizes, ROOM), place_boxes(anchors, sizes, ROOM), equal_nan=True)


@pytest.mark.parametrize("bounds", [(0, 0, 10, 1), (0, 0, 1, 10)])
def test_a_box_larger_than_the_room_has_no_place(bounds):
    assert np.isnan(place_boxes(np.zeros((1, 2)), np.array([[5.0, 3.0]]), bounds)).all()
