"""Calibration against scikit-learn and torchmetrics, and against probabilities that are known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import binary_calibration_error

from saree_cosface.metrics.calibration import (
    COLDEST,
    HOTTEST,
    accuracy_at_coverage,
    coverage_accuracy,
    expected_calibration_error,
    fit_temperature,
    probabilities,
    reliability,
)
from tests.helpers.numbers import scores_at

answers = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    cosines, labels = scores_at(temperature)
    found = fit_temperature(cosines, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    chances = probabilities(cosines, found)
    right = chances.argmax(axis=1) == labels
    assert expected_calibration_error(chances.max(axis=1), right) < 0.02
    assert expected_calibration_error(probabilities(cosines, found / 4).max(axis=1), right) > 0.1


def test_certain_labels_are_cold_and_empty_cosines_hot():
    cosines = np.eye(3) * 0.1
    cold = fit_temperature(cosines, [0, 1, 2])
    assert COLDEST <= cold < 4 * COLDEST  # below, the loss is 0 to the last digit
    assert probabilities(cosines, cold).max(axis=1) == pytest.approx(1)
    assert fit_temperature(cosines, [1, 2, 0]) == pytest.approx(HOTTEST, rel=0.3)


def test_weights_count_photos_as_if_there_were_so_many():
    cosines, labels = scores_at(0.2, count=300)
    weights = np.random.default_rng(1).integers(0, 4, 300)
    repeated = fit_temperature(cosines.repeat(weights, axis=0), labels.repeat(weights))
    assert fit_temperature(cosines, labels, weights) == pytest.approx(repeated, rel=1e-4)


@given(answers, st.integers(1, 20))
def test_the_calibration_error_agrees_with_torchmetrics(pairs, bins):
    confidences = np.array([confidence for confidence, _ in pairs], np.float32)
    correct = np.array([right for _, right in pairs])
    # There a bin is open on its other side, and 1 has one of its own: bounds are stepped off.
    on_bound = np.abs(confidences[:, None] - np.linspace(0, 1, bins + 1)[1:]).min(axis=1) < 1e-6
    confidences[on_bound] -= 1e-3
    expected = binary_calibration_error(torch.from_numpy(confidences), torch.from_numpy(correct).int(), n_bins=bins)
    assert expected_calibration_error(confidences, correct, bins) == pytest.approx(float(expected), abs=1e-5)


def test_the_reliability_diagram_agrees_with_scikit_learn():
    rng = np.random.default_rng(2)
    confidences = rng.random(500)
    correct = rng.random(500) < confidences
    accuracy, confidence = calibration_curve(correct, confidences, n_bins=8)
    found = reliability(confidences, correct, 8)
    assert [each.accuracy for each in found] == pytest.approx(accuracy)
    assert [each.confidence for each in found] == pytest.approx(confidence)
    assert sum(each.photos for each in found) == 500
    assert (found[0].low, found[-1].high) == (0.0, 1.0)


@given(answers)
def test_coverage_is_what_a_threshold_answers(pairs):
    confidences = np.array([confidence for confidence, _ in pairs])
    correct = np.array([right for _, right in pairs])
    coverage, accuracy, threshold = coverage_accuracy(confidences, correct)
    for share, right, bound in zip(coverage, accuracy, threshold, strict=True):
        answered = confidences >= bound
        assert share == pytest.approx(answered.mean())
        assert right == pytest.approx(correct[answered].mean())
    assert coverage[-1] == 1
    assert accuracy_at_coverage(confidences, correct, 1.0) == pytest.approx(correct.mean())
    assert list(coverage) == sorted(coverage)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: probabilities([0.1], 0.0), "temperature is 0.0"),
        (lambda: fit_temperature([[0.1, 0.2]], [0, 1]), r"cosines have shape \(1, 2\) and labels \(2,\)"),
        (lambda: fit_temperature(np.zeros((0, 2)), np.zeros(0, int)), "shape"),
        (lambda: fit_temperature([[np.nan, 0.2]], [0]), "not finite"),
        (lambda: fit_temperature([[0.1, 0.2]], [2]), "from 0 to 1"),
        (lambda: fit_temperature([[0.1, 0.2]], [0.0]), "whole numbers"),
        (lambda: fit_temperature([[0.1, 0.2]], [0], [-1.0]), "weights"),
        (lambda: reliability([1.2], [True]), "probabilities lie within"),
        (lambda: reliability([0.2], [1]), "truth values"),
        (lambda: reliability([0.2], [True], 0), "bins is 0"),
        (lambda: expected_calibration_error([], np.zeros(0, bool)), "no photo"),
        (lambda: accuracy_at_coverage([0.2], [True], 0.0), "coverage is 0.0"),
        (lambda: accuracy_at_coverage([], np.zeros(0, bool), 0.5), "no photo"),
    ],
)
def test_wrong_input_is_told(call, said):
    with pytest.raises(ValueError, match=said):
        call()
