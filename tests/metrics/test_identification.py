"""Ranks and the CMC against plain counting."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from saree_cosface.metrics.identification import cmc, ranks


def test_agrees_with_scikit_learn_without_ties():
    generator = np.random.default_rng(1)
    scores, labels = generator.normal(size=(200, 12)), generator.integers(12, size=200)
    curve = cmc(scores, labels, 12)
    for k in range(1, 13):
        expected = sklearn_metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(12)) if k < 12 else 1.0
        assert cmc(scores, labels, k)[-1] == pytest.approx(expected)
        assert curve[k - 1] == pytest.approx(expected)


@given(
    st.integers(1, 6).flatmap(
        lambda classes: st.lists(
            st.tuples(st.lists(st.integers(0, 3), min_size=classes, max_size=classes), st.integers(0, classes - 1)),
            min_size=1,
            max_size=8,
        )
    )
)
def test_ranks_count_ties_against_the_probe(probes):
    scores, labels = [row for row, _ in probes], [label for _, label in probes]
    expected = [1 + sum(score >= row[label] for j, score in enumerate(row) if j != label) for row, label in probes]
    assert ranks(scores, labels).tolist() == expected
    curve = cmc(scores, labels, 8)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == 1


def test_a_constant_scorer_earns_nothing():
    scores, labels = np.zeros((10, 4)), np.zeros(10, dtype=int)
    assert cmc(scores, labels, 1)[-1] == cmc(scores, labels, 3)[-1] == 0
    assert cmc(scores, labels, 4)[-1] == cmc(scores, labels, 9)[-1] == 1
    np.testing.assert_array_equal(cmc(scores, labels, 2), [0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cmc([[0.1, 0.2]], [0], 0), "max_rank is 0"),
        (lambda: cmc([0.1, 0.2], [0], 1)[-1], r"scores have shape \(2,\)"),
        (lambda: cmc(np.zeros((0, 3)), np.zeros(0, int), 1)[-1], "scores have shape"),
        (lambda: cmc([[0.1, 0.2]], [0, 1], 1)[-1], r"labels have shape \(2,\)"),
        (lambda: cmc([[0.1, 0.2]], [0.0], 1)[-1], "float64"),
        (lambda: cmc([[0.1, 0.2]], [2], 1)[-1], r"label 2 is outside \[0, 2\)"),
        (lambda: cmc([[0.1, 0.2]], [-1], 1)[-1], "label -1 is outside"),
        (lambda: cmc([[0.1, math.nan]], [0], 1)[-1], "NaN"),
    ],
)
def test_refuses_wrong_arrays(call, message):
    with pytest.raises(ValueError, match=message):
        call()
