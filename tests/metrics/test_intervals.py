"""Intervals against simulation, and the paired bootstrap."""

import numpy as np
import pytest

from saree_cosface.metrics.classification import (
    balanced_accuracy,
    macro_f1,
    top1,
)
from saree_cosface.metrics.identification import cmc
from saree_cosface.metrics.intervals import (
    Interval,
    bootstrap_interval,
    paired_bootstrap,
)
from tests.helpers.numbers import clustered


def photos_of_pieces(generator, pieces, photos, share):
    """Whether each photo is right, where the photos of a piece are right or wrong together: correct and pieces (N,)."""
    correct = generator.random(pieces) < share
    return np.repeat(correct, photos), np.repeat(np.arange(pieces), photos)


@pytest.mark.slow
def test_the_bootstrap_covers_the_truth():
    generator = np.random.default_rng(5)
    grouped, single = 0, 0
    for trial in range(150):
        correct, pieces = photos_of_pieces(generator, 40, 5, share=0.7)
        interval = bootstrap_interval(np.mean, [correct], pieces, n_resamples=300, seed=trial)
        grouped += interval.low <= 0.7 <= interval.high
        interval = bootstrap_interval(np.mean, [correct], np.arange(200), n_resamples=300, seed=trial)
        single += interval.low <= 0.7 <= interval.high
    assert grouped / 150 >= 0.89
    assert single / 150 < 0.75, "resampling photos of the same piece singly promises too much"


def test_the_bootstrap_agrees_with_the_normal_interval():
    generator = np.random.default_rng(6)
    values = generator.normal(size=400)
    interval = bootstrap_interval(np.mean, [values], np.arange(400), confidence=0.9)
    half = 1.645 * values.std() / 20
    assert interval.value == values.mean()
    assert interval.low == pytest.approx(values.mean() - half, abs=0.01)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.01)


def test_the_bootstrap_takes_whole_groups():
    groups = np.array(["b", "a", "c", "a", "b", "a"])
    values = np.array([2, 1, 3, 1, 2, 1])
    seen = []

    def statistic(values, groups):
        seen.append((values, groups))
        return values.mean()

    bootstrap_interval(statistic, [values, groups], groups, n_resamples=50)
    for values, names in seen:
        for name, size, value in (("a", 3, 1), ("b", 2, 2), ("c", 1, 3)):
            assert (names == name).sum() % size == 0
            assert (values[names == name] == value).all()
        assert (names == "a").sum() / 3 + (names == "b").sum() / 2 + (names == "c").sum() == 3


def test_the_bootstrap_takes_arrays_of_any_shape():
    embeddings, labels = clustered(60, 4, 3, seed=7, spread=2.0)
    pieces = np.arange(60) // 2
    scores = embeddings[:, :3]
    interval = bootstrap_interval(lambda s, y: cmc(s, y, 1)[-1], [scores, labels], pieces, n_resamples=100)
    assert interval.low <= interval.value <= interval.high
    assert interval.value == cmc(scores, labels, 1)[-1]


def test_a_seed_fixes_the_interval():
    values, groups = np.random.default_rng(8).normal(size=(2, 30))
    first, second, other = (bootstrap_interval(np.mean, [values], groups, 100, seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


@pytest.mark.slow
def test_the_paired_bootstrap_holds_its_level_and_finds_differences():
    generator = np.random.default_rng(9)
    rejected, found, covered = 0, 0, 0
    for trial in range(120):
        labels, pieces = np.ones(180, dtype=int), np.repeat(np.arange(60), 3)
        easy = generator.random(60) < 0.5
        a = (np.repeat(easy, 3) | (generator.random(180) < 0.3)).astype(int)
        b = (np.repeat(easy, 3) | (generator.random(180) < 0.3)).astype(int)
        worse = b * (generator.random(180) < 0.85)
        null = paired_bootstrap(top1, labels, a, b, pieces, n_resamples=200, seed=trial)
        rejected += null.p_value < 0.05
        covered += null.difference.low <= 0 <= null.difference.high
        found += paired_bootstrap(top1, labels, a, worse, pieces, n_resamples=200, seed=trial).p_value < 0.05
    assert rejected / 120 <= 0.10
    assert covered / 120 >= 0.89
    assert found / 120 >= 0.6


def test_the_paired_bootstrap_of_equal_methods():
    labels = np.arange(20) % 4
    result = paired_bootstrap(macro_f1, labels, labels, labels, np.arange(20), n_resamples=50)
    assert result.difference == Interval(0, 0, 0)
    assert result.p_value == 1


def test_the_paired_bootstrap_has_a_sign():
    labels = np.arange(40) % 4
    worse = np.where(np.arange(40) < 20, labels, 0)
    better = paired_bootstrap(balanced_accuracy, labels, labels, worse, np.arange(40), n_resamples=500)
    swapped = paired_bootstrap(balanced_accuracy, labels, worse, labels, np.arange(40), n_resamples=500)
    assert better.difference.value == pytest.approx(1 - balanced_accuracy(labels, worse))
    assert better.difference.low == pytest.approx(-swapped.difference.high)
    assert better.p_value == swapped.p_value == pytest.approx(2 / 501)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(np.mean, [[1, 2, 3]], [0, 1]), "groups have shape"),
        (lambda: bootstrap_interval(np.mean, [[1, 2]], [[0, 1]]), "groups have shape"),
        (lambda: bootstrap_interval(np.mean, [[1, 2]], [0, 0]), "1 group cannot be resampled"),
        (lambda: bootstrap_interval(np.mean, [[1, 2]], [0, 1], n_resamples=0), "n_resamples is 0"),
        (lambda: bootstrap_interval(np.mean, [[1, 2]], [0, 1], confidence=95), "confidence is 95"),
        (lambda: bootstrap_interval(np.mean, [[1, np.nan]], [0, 1]), "not finite"),
        (lambda: paired_bootstrap(top1, [0, 1], [0, 1], [0], [0, 1]), "labels have shape"),
    ],
)
def test_refuses_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
