"""Recall and MAP@R against pytorch-metric-learning and plain sorting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from saree_cosface.metrics.retrieval import map_at_r, recall_at_k
from tests.helpers.numbers import clustered


def plain_retrieval(embeddings, labels, k, exclude):
    """recall@k and MAP@R of each answerable query, by sorting; ties put wrong references first."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    recalls, precisions = [], []
    for query in range(len(unit)):
        others = [j for j in range(len(unit)) if exclude[j] != exclude[query]]
        order = sorted(others, key=lambda j: (-(unit[query] @ unit[j]), labels[j] == labels[query]))
        hits = np.array([labels[j] == labels[query] for j in order], dtype=float)
        relevant = int(hits.sum())
        if relevant:
            recalls.append(hits[:k].any())
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            precisions.append((precision * hits)[:relevant].sum() / relevant)
    return np.mean(recalls), np.mean(precisions), len(recalls)


CRAFTS = np.array(["banarasi", "kota_doria", "patola", "paithani", "tant"])


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_agrees_with_pytorch_metric_learning(spread):
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.inference import CustomKNN

    embeddings, labels = clustered(150, 8, 6, seed=2, spread=spread)
    labels[0] = 99  # a lone query, which both leave out
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        k="max_bin_count",
        knn_func=CustomKNN(CosineSimilarity()),
    )
    expected = calculator.get_accuracy(torch.from_numpy(embeddings), torch.from_numpy(labels))
    precision, mean_average = recall_at_k(embeddings, labels, 1), map_at_r(embeddings, labels)
    assert precision.value == pytest.approx(expected["precision_at_1"])
    assert mean_average.value == pytest.approx(expected["mean_average_precision_at_r"])
    assert (precision.queries, precision.left_out) == (mean_average.queries, mean_average.left_out) == (149, 1)


@settings(max_examples=30)
@given(st.integers(2, 30), st.integers(1, 4), st.integers(1, 5), st.integers(0, 10_000))
def test_agrees_with_sorting(size, k, pieces, seed):
    embeddings, labels = clustered(size + 4, 3, 3, seed)
    labels[:2], exclude = 0, np.random.default_rng(seed).integers(pieces, size=size + 4)
    exclude[:2] = [0, 1]  # so that one query has an answer
    recall, precision, queries = plain_retrieval(embeddings, labels, k, exclude)
    found = recall_at_k(embeddings, CRAFTS[labels], k, exclude=exclude, block=7)
    assert found.value == pytest.approx(recall)
    assert (found.queries, found.left_out) == (queries, size + 4 - queries)
    assert map_at_r(embeddings, labels, exclude=exclude, block=7).value == pytest.approx(precision)


def test_a_query_never_retrieves_its_own_source():
    """Embeddings that show the shop and nothing of the craft: perfect until the shop is left out."""
    generator = np.random.default_rng(3)
    sources = np.repeat(np.arange(8), 10)
    labels = sources % 4
    embeddings = np.eye(8)[sources] + 0.01 * generator.normal(size=(80, 8))
    assert recall_at_k(embeddings, labels, 1).value == 1
    assert recall_at_k(embeddings, labels, 1, exclude=sources).value < 0.5


def test_ties_do_not_help():
    embeddings = np.ones((4, 2))
    assert recall_at_k(embeddings, [0, 0, 1, 1], 1).value == 0
    assert recall_at_k(embeddings, [0, 0, 1, 1], 2).value == 0
    assert recall_at_k(embeddings, [0, 0, 1, 1], 3).value == 1
    assert map_at_r(embeddings, [0, 0, 1, 1]).value == 0


def test_length_and_blocks_change_nothing():
    embeddings, labels = clustered(50, 4, 3, seed=4)
    longer = embeddings * np.random.default_rng(4).uniform(0.1, 100, size=(50, 1))
    assert map_at_r(longer, labels, block=3).value == pytest.approx(map_at_r(embeddings, labels).value)
    assert map_at_r(embeddings.astype(np.float32), labels).value == pytest.approx(map_at_r(embeddings, labels).value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recall_at_k(np.eye(3), [0, 0, 1], 0), "k is 0"),
        (lambda: recall_at_k(np.eye(3), [0, 0, 1], 1, block=0), "block is 0"),
        (lambda: map_at_r(np.ones(3), [0, 0, 1]), "embeddings have shape"),
        (lambda: map_at_r(np.eye(3), [0, 0]), r"labels have shape \(2,\); 3 embeddings"),
        (lambda: map_at_r(np.eye(3), [0, 0, 1], exclude=[1]), r"exclude have shape \(1,\)"),
        (lambda: map_at_r(np.diag([1.0, 0, 1]), [0, 0, 1]), "embedding 1 is zero"),
        (lambda: map_at_r(np.array([[1.0], [np.nan]]), [0, 0]), "embedding 1 is zero or not finite"),
        (lambda: map_at_r(np.eye(3), [0, 1, 2]), "none of the 3 queries"),
        (lambda: recall_at_k(np.eye(2), [0, 0], 1, exclude=[5, 5]), "none of the 2 queries"),
    ],
)
def test_refuses_wrong_arrays(call, message):
    with pytest.raises(ValueError, match=message):
        call()
