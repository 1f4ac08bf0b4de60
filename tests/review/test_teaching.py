import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.review.teaching import Candidates, most_teaching


def unit(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def candidates(embeddings, gaps=None, sources=None, groups=None):
    count = len(embeddings)
    return Candidates(
        unit(embeddings),
        np.zeros(count) if gaps is None else np.asarray(gaps, float),
        np.array([f"s{row}" for row in range(count)] if sources is None else sources),
        np.arange(count) if groups is None else np.asarray(groups),
    )


LABELLED = unit([[1, 0, 0]])


def rows(*given, known=frozenset(), count=50):
    return [pick.row for pick in most_teaching(given[0], LABELLED, known, count)]


def test_the_run_is_asked_where_it_doubts_most():
    alike = np.tile([0, 1, 0], (3, 1)) + 1e-3 * np.eye(3)
    assert rows(candidates(alike, gaps=[0.3, 0.01, 0.2], sources=["shop"] * 3), count=1) == [1]


def test_what_is_unlike_all_that_has_a_label_comes_first():
    two = candidates([[1, 0.1, 0], [0, 1, 0]], gaps=[0.1, 0.1], sources=["shop"] * 2)
    found = most_teaching(two, LABELLED, set(), 2)
    assert [pick.row for pick in found] == [1, 0]
    assert found[0].nearest == pytest.approx(0, abs=1e-6)
    assert found[1].nearest == pytest.approx(1 / np.sqrt(1.01), abs=1e-6)


def test_what_was_chosen_counts_as_known():
    # The second is nearly the first; the third is nearer to what has a label, and unlike the first.
    near = [[0, 1, 0], [0, 1, 0.05], [1, 0, 0.6]]
    assert rows(candidates(near, gaps=[0.1, 0.1, 0.1], sources=["shop"] * 3), count=2) == [0, 2]


def test_sources_take_turns_and_those_that_are_there_have_had_theirs():
    far = [[0, 1, 0], [0, 1, 0.3], [0, 0, 1], [1, 0.2, 0]]
    four = candidates(far, sources=["shop", "shop", "museum", "fair"])
    chosen = rows(four)
    assert sorted(chosen[:3]) in ([0, 2, 3], [1, 2, 3])
    assert rows(four, known={"museum", "fair"})[0] in (0, 1)
    assert set(rows(four, known={"shop"})[:2]) == {2, 3}


def test_which_source_comes_first_is_left_to_chance_but_the_same_each_time():
    many = candidates(np.random.default_rng(0).normal(size=(30, 3)))
    firsts = [most_teaching(many, LABELLED, set(), 1, seed=seed)[0].row for seed in range(20)]
    assert len(set(firsts)) > 5
    assert rows(many) == rows(many)


def test_photos_of_unknown_sources_are_each_of_one_of_their_own():
    spread = [[0, 1, 0], [0, 0, 1], [0, 1, 1]]
    assert len(set(rows(candidates(spread, sources=["", "", "shop"]), known={""}, count=2))) == 2
    together = rows(candidates(spread, sources=["", "", ""]), known={"shop"})
    assert sorted(together) == [0, 1, 2]


def test_of_each_picture_one_photo_is_chosen():
    found = rows(candidates(np.eye(3), groups=[4, 4, 2]))
    assert len(found) == 2
    assert 2 in found


def test_there_may_be_fewer_than_asked_for_or_none():
    assert len(rows(candidates(np.eye(3)), count=50)) == 3
    assert rows(candidates(np.zeros((0, 3)))) == []


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000))
def test_no_source_is_two_turns_ahead(photos, count, seed):
    rng = np.random.default_rng(seed)
    sources = np.array([f"s{number}" for number in rng.integers(0, 5, photos)])
    given_ = candidates(rng.normal(size=(photos, 3)), rng.random(photos), sources, rng.integers(0, photos, photos))
    found = rows(given_, count=count)
    assert len(set(found)) == len(found) <= count
    assert len(set(given_.groups[found].tolist())) == len(found)
    turns = {name: int((sources[found] == name).sum()) for name in set(sources.tolist())}
    for name, number in turns.items():
        taken = np.isin(given_.groups, given_.groups[found])
        left = bool((~taken & (sources == name)).any())
        # Whoever still has pictures is at most one turn behind the others.
        assert not left or number >= max(turns.values()) - 1
