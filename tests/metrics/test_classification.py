"""Accuracies, macro-F1 and the confusion matrix against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from saree_cosface.metrics.classification import (
    balanced_accuracy,
    confusion_matrix,
    family_accuracy,
    macro_f1,
    top1,
)

CRAFTS = np.array(["banarasi", "kota_doria", "patola", "paithani", "tant"])

guesses = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60).map(np.array)


@given(guesses)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_agrees_with_scikit_learn(pairs):
    for labels, predictions in (pairs.T, CRAFTS[pairs.T]):
        assert top1(labels, predictions) == pytest.approx(sklearn_metrics.accuracy_score(labels, predictions))
        expected = sklearn_metrics.balanced_accuracy_score(labels, predictions)
        assert balanced_accuracy(labels, predictions) == pytest.approx(expected)
        expected = sklearn_metrics.f1_score(labels, predictions, average="macro")
        assert macro_f1(labels, predictions) == pytest.approx(expected)
    expected = sklearn_metrics.confusion_matrix(*CRAFTS[pairs.T], labels=CRAFTS[::-1])
    np.testing.assert_array_equal(confusion_matrix(*CRAFTS[pairs.T], CRAFTS[::-1]), expected)


def test_agrees_with_torchmetrics():
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(5, size=(2, 300))
    target, guess = torch.from_numpy(labels), torch.from_numpy(predictions)
    assert top1(labels, predictions) == pytest.approx(
        multiclass_accuracy(guess, target, num_classes=5, average="micro").item()
    )
    assert balanced_accuracy(labels, predictions) == pytest.approx(
        multiclass_accuracy(guess, target, num_classes=5, average="macro").item()
    )
    assert macro_f1(labels, predictions) == pytest.approx(
        multiclass_f1_score(guess, target, num_classes=5, average="macro").item()
    )


def test_balanced_accuracy_counts_the_crafts_that_are_there():
    labels, predictions = ["patola"] * 9 + ["tant"], ["patola"] * 9 + ["banarasi"]
    assert top1(labels, predictions) == 0.9
    assert balanced_accuracy(labels, predictions) == 0.5


def test_family_accuracy():
    family = {"banarasi": "brocade", "patola": "ikat", "khandua": "ikat", "tant": "cotton border weave"}
    labels = ["patola", "patola", "tant", "banarasi"]
    assert family_accuracy(labels, ["khandua", "patola", "patola", "banarasi"], family) == 0.75
    assert family_accuracy([0, 1], [1, 2], {0: "a", 1: "a", 2: "b"}) == 0.5
    with pytest.raises(ValueError, match="no family is given for organza, silk; add"):
        family_accuracy(["patola", "silk"], ["organza", "tant"], family)


def test_confusion_matrix_reads_by_rows():
    matrix = confusion_matrix(["patola", "patola", "tant"], ["tant", "tant", "tant"], ["patola", "tant", "kota"])
    assert matrix.tolist() == [[0, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert matrix.dtype == np.int64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top1([], []), "no labels to score"),
        (lambda: balanced_accuracy([0, 1], [0]), r"labels have shape \(2,\) and predictions \(1,\)"),
        (lambda: macro_f1([[0, 1]], [[0, 1]]), r"must be \(N,\)"),
        (lambda: top1(["patola"], [3]), "both as names or both as indices"),
        (lambda: confusion_matrix([0], [2], [0, 1]), "does not list 2"),
        (lambda: confusion_matrix([0], [0], [0, 0]), "more than once"),
    ],
)
def test_refuses_wrong_arrays(call, message):
    with pytest.raises(ValueError, match=message):
        call()
