"""Open-set identification against plain code."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.metrics.open_set import best_match, detection_identification_rate
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.scoring.open_set import auroc


def drawn_probes(mated=50, unmated=200, classes=6, seed=0, decimals=1):
    """(mated scores (P, C), labels (P,), unmated scores (Q, C)) with ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=mated)
    scores = generator.normal(size=(mated, classes))
    scores[np.arange(mated), labels] += 2
    return scores.round(decimals), labels, generator.normal(size=(unmated, classes)).round(decimals)


def plain_rate(scores, labels, unmated, far):
    """The highest DIR over all thresholds whose FAR is within the bound."""
    named = []
    for row, label in zip(scores.tolist(), labels, strict=True):
        others = [score for index, score in enumerate(row) if index != label]
        named.append(row[label] if row[label] > max(others) else -math.inf)
    alarms = [max(row) for row in unmated.tolist()]
    rates = []
    for threshold in [*{*named, *alarms} - {-math.inf}, math.inf]:
        if sum(score >= threshold for score in alarms) / len(alarms) <= far:
            rates.append(sum(score >= threshold for score in named) / len(named))
    return max(rates)


def rate_of(scores, labels, unmated, far, **options):
    return detection_identification_rate(*best_match(scores, labels), unmated.max(axis=1), far, **options)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("far", [0.02, 0.1, 0.5])
def test_agrees_with_plain_code(far, decimals):
    for seed in range(3):
        scores, labels, unmated = drawn_probes(seed=seed, decimals=decimals)
        result = rate_of(scores, labels, unmated, far, n_resamples=10)
        assert result.rate == pytest.approx(plain_rate(scores, labels, unmated, far), abs=1e-15)
        assert np.mean(unmated.max(axis=1) >= result.threshold) <= far
        assert (result.far, result.mated, result.unmated) == (far, 50, 200)


def test_a_wrong_name_counts_as_none_however_sure():
    unmated = np.full(30, 0.1)
    result = detection_identification_rate([0.9, 0.8, 0.7], [False, True, True], unmated, 0.1)
    assert result.rate == pytest.approx(2 / 3)
    assert detection_identification_rate([0.9, 0.8], [False, False], unmated, 0.1).rate == 0


def test_a_tie_of_two_classes_names_neither():
    best, correct = best_match([[0.4, 0.4, 0.1], [0.4, 0.3, 0.1]], [0, 0])
    assert best.tolist() == [0.4, 0.4]
    assert correct.tolist() == [False, True]


def test_an_unmated_probe_as_high_as_a_mated_one_turns_it_away():
    # Three false alarms are allowed, but four probes are equal.
    unmated = [0.5] * 4 + [0.1] * 26
    result = detection_identification_rate([0.5, 0.6], [True, True], unmated, 0.1)
    assert result.rate == 0.5


def test_the_interval_is_that_of_resampled_probes():
    scores, labels, unmated = drawn_probes(80, 300, seed=4)
    best, correct = best_match(scores, labels)
    alarms = unmated.max(axis=1)
    generator = np.random.default_rng(9)
    draws = []
    for _ in range(20_000):
        bound = np.sort(generator.choice(alarms, 300))[::-1][30]
        chosen = generator.integers(80, size=80)
        draws.append(np.mean(correct[chosen] & (best[chosen] > bound)))
    result = detection_identification_rate(best, correct, alarms, 0.1, n_resamples=20_000)
    assert [result.low, result.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.013)  # one probe
    assert result.low < result.rate < result.high


@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_only_the_order_of_the_scores_matters(seed, decimals):
    scores, labels, unmated = drawn_probes(15, 40, 4, seed, decimals)
    generator = np.random.default_rng(seed)
    order, columns = generator.permutation(15), generator.permutation(4)
    before = rate_of(scores, labels, unmated, 0.1, n_resamples=30)
    for arrays in (
        (np.exp(scores), labels, np.exp(unmated)),
        (scores[order], labels[order], generator.permutation(unmated)),
        (scores[:, columns], np.argsort(columns)[labels], unmated[:, columns]),
    ):
        after = rate_of(*arrays, 0.1, n_resamples=30)
        assert (after.rate, after.low, after.high) == (before.rate, before.low, before.high)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.9], [True], [0.1] * 29, 0.1), "too few impostors: 29, .* at least 30 "),
        (([0.9], [True], [], 0.1), "too few impostors: 0,"),
        (([0.9], [True], [0.1] * 30, 1.5), "far is 1.5"),
        (([], np.zeros(0, bool), [0.1] * 30, 0.1), "no mated probes"),
        (([0.9], [1], [0.1] * 30, 0.1), "correct has shape .* int64; 1 scores take"),
        (([0.9], [True, False], [0.1] * 30, 0.1), r"correct has shape \(2,\)"),
        (([math.nan], [True], [0.1] * 30, 0.1), r"best_scores\[0\] is nan"),
        (([0.9], [True], [0.1] * 29 + [math.inf], 0.1), r"unmated_best_scores\[29\] is inf"),
        (([[0.9]], [True], [0.1] * 30, 0.1), r"best_scores have shape \(1, 1\)"),
    ],
)
def test_refuses_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        detection_identification_rate(*arguments)


def test_too_few_unmated_probes_is_an_error_of_its_own():
    with pytest.raises(TooFewImpostors):
        detection_identification_rate([0.9], [True], [0.1] * 29, 0.1)


def test_the_interval_of_the_auroc_is_of_samples_with_both_sorts_of_photos():
    """However few sources the known photos come from."""
    known, sources = np.linspace(0.8, 0.9, 40), np.repeat(["shop a", "shop b"], 20)
    unknown = np.linspace(0.1, 0.2, 30)
    assert auroc(known, sources, unknown, np.arange(30).astype(str)) == pytest.approx(
        {"value": 1.0, "low": 1.0, "high": 1.0}
    )
    mixed = auroc(known, sources, np.linspace(0.1, 1.0, 30), np.arange(30).astype(str))
    assert 0.5 < mixed["low"] < mixed["value"] < mixed["high"] < 1


def test_best_match_refuses_what_ranks_refuses():
    with pytest.raises(ValueError, match="label 2 is outside"):
        best_match([[0.1, 0.2]], [2])
