"""The metrics against scikit-learn and pytorch-metric-learning, and the intervals against simulation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from scipy import stats
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from saree_cosface.metrics.classification import (
    balanced_accuracy,
    confusion_matrix,
    family_accuracy,
    macro_f1,
    top1,
)
from saree_cosface.metrics.identification import cmc, rank_k, ranks
from saree_cosface.metrics.intervals import (
    Interval,
    bootstrap_interval,
    mcnemar,
    mean_interval,
    paired_bootstrap,
)
from saree_cosface.metrics.retrieval import map_at_r, precision_at_1, recall_at_k

CRAFTS = np.array(["banarasi", "kota_doria", "patola", "paithani", "tant"])

guesses = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60).map(np.array)


class TestClassification:
    @given(guesses)
    @pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
    @pytest.mark.filterwarnings("ignore:A single label was found")
    def test_agrees_with_scikit_learn(self, pairs):
        for labels, predictions in (pairs.T, CRAFTS[pairs.T]):
            assert top1(labels, predictions) == pytest.approx(sklearn_metrics.accuracy_score(labels, predictions))
            expected = sklearn_metrics.balanced_accuracy_score(labels, predictions)
            assert balanced_accuracy(labels, predictions) == pytest.approx(expected)
            expected = sklearn_metrics.f1_score(labels, predictions, average="macro")
            assert macro_f1(labels, predictions) == pytest.approx(expected)
        expected = sklearn_metrics.confusion_matrix(*CRAFTS[pairs.T], labels=CRAFTS[::-1])
        np.testing.assert_array_equal(confusion_matrix(*CRAFTS[pairs.T], CRAFTS[::-1]), expected)

    def test_agrees_with_torchmetrics(self):
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

    def test_balanced_accuracy_counts_the_crafts_that_are_there(self):
        labels, predictions = ["patola"] * 9 + ["tant"], ["patola"] * 9 + ["banarasi"]
        assert top1(labels, predictions) == 0.9
        assert balanced_accuracy(labels, predictions) == 0.5

    def test_family_accuracy(self):
        family = {"banarasi": "brocade", "patola": "ikat", "khandua": "ikat", "tant": "cotton border weave"}
        labels = ["patola", "patola", "tant", "banarasi"]
        assert family_accuracy(labels, ["khandua", "patola", "patola", "banarasi"], family) == 0.75
        assert family_accuracy([0, 1], [1, 2], {0: "a", 1: "a", 2: "b"}) == 0.5
        with pytest.raises(ValueError, match="no family is given for organza, silk; add"):
            family_accuracy(["patola", "silk"], ["organza", "tant"], family)

    def test_confusion_matrix_reads_by_rows(self):
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
    def test_refuses_wrong_arrays(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


class TestIdentification:
    def test_agrees_with_scikit_learn_without_ties(self):
        generator = np.random.default_rng(1)
        scores, labels = generator.normal(size=(200, 12)), generator.integers(12, size=200)
        curve = cmc(scores, labels, 12)
        for k in range(1, 13):
            expected = sklearn_metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(12)) if k < 12 else 1.0
            assert rank_k(scores, labels, k) == pytest.approx(expected)
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
    def test_ranks_count_ties_against_the_probe(self, probes):
        scores, labels = [row for row, _ in probes], [label for _, label in probes]
        expected = [1 + sum(score >= row[label] for j, score in enumerate(row) if j != label) for row, label in probes]
        assert ranks(scores, labels).tolist() == expected
        curve = cmc(scores, labels, 8)
        assert (np.diff(curve) >= 0).all()
        assert curve[-1] == 1

    def test_a_constant_scorer_earns_nothing(self):
        scores, labels = np.zeros((10, 4)), np.zeros(10, dtype=int)
        assert rank_k(scores, labels, 1) == rank_k(scores, labels, 3) == 0
        assert rank_k(scores, labels, 4) == rank_k(scores, labels, 9) == 1
        np.testing.assert_array_equal(cmc(scores, labels, 2), [0, 0])

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: rank_k([[0.1, 0.2]], [0], 0), "k is 0"),
            (lambda: cmc([[0.1, 0.2]], [0], 0), "max_rank is 0"),
            (lambda: rank_k([0.1, 0.2], [0], 1), r"scores have shape \(2,\)"),
            (lambda: rank_k(np.zeros((0, 3)), np.zeros(0, int), 1), "scores have shape"),
            (lambda: rank_k([[0.1, 0.2]], [0, 1], 1), r"labels have shape \(2,\)"),
            (lambda: rank_k([[0.1, 0.2]], [0.0], 1), "float64"),
            (lambda: rank_k([[0.1, 0.2]], [2], 1), r"label 2 is outside \[0, 2\)"),
            (lambda: rank_k([[0.1, 0.2]], [-1], 1), "label -1 is outside"),
            (lambda: rank_k([[0.1, math.nan]], [0], 1), "NaN"),
        ],
    )
    def test_refuses_wrong_arrays(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


def clustered(size, dim, crafts, seed, spread=1.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(crafts, size=size)
    embeddings = generator.normal(size=(crafts, dim))[labels] + spread * generator.normal(size=(size, dim))
    return embeddings, labels


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


class TestRetrieval:
    @pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
    def test_agrees_with_pytorch_metric_learning(self, spread):
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
        precision, mean_average = precision_at_1(embeddings, labels), map_at_r(embeddings, labels)
        assert precision.value == pytest.approx(expected["precision_at_1"])
        assert mean_average.value == pytest.approx(expected["mean_average_precision_at_r"])
        assert (precision.queries, precision.left_out) == (mean_average.queries, mean_average.left_out) == (149, 1)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(2, 30), st.integers(1, 4), st.integers(1, 5), st.integers(0, 10_000))
    def test_agrees_with_sorting(self, size, k, pieces, seed):
        embeddings, labels = clustered(size + 4, 3, 3, seed)
        labels[:2], exclude = 0, np.random.default_rng(seed).integers(pieces, size=size + 4)
        exclude[:2] = [0, 1]  # so that one query has an answer
        recall, precision, queries = plain_retrieval(embeddings, labels, k, exclude)
        found = recall_at_k(embeddings, CRAFTS[labels], k, exclude=exclude, block=7)
        assert found.value == pytest.approx(recall)
        assert (found.queries, found.left_out) == (queries, size + 4 - queries)
        assert map_at_r(embeddings, labels, exclude=exclude, block=7).value == pytest.approx(precision)

    def test_a_query_never_retrieves_its_own_source(self):
        """Embeddings that show the shop and nothing of the craft: perfect until the shop is left out."""
        generator = np.random.default_rng(3)
        sources = np.repeat(np.arange(8), 10)
        labels = sources % 4
        embeddings = np.eye(8)[sources] + 0.01 * generator.normal(size=(80, 8))
        assert precision_at_1(embeddings, labels).value == 1
        assert precision_at_1(embeddings, labels, exclude=sources).value < 0.5

    def test_ties_do_not_help(self):
        embeddings = np.ones((4, 2))
        assert precision_at_1(embeddings, [0, 0, 1, 1]).value == 0
        assert recall_at_k(embeddings, [0, 0, 1, 1], 2).value == 0
        assert recall_at_k(embeddings, [0, 0, 1, 1], 3).value == 1
        assert map_at_r(embeddings, [0, 0, 1, 1]).value == 0

    def test_length_and_blocks_change_nothing(self):
        embeddings, labels = clustered(50, 4, 3, seed=4)
        longer = embeddings * np.random.default_rng(4).uniform(0.1, 100, size=(50, 1))
        assert map_at_r(longer, labels, block=3).value == pytest.approx(map_at_r(embeddings, labels).value)
        assert map_at_r(embeddings.astype(np.float32), labels).value == pytest.approx(
            map_at_r(embeddings, labels).value
        )

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
            (lambda: precision_at_1(np.eye(2), [0, 0], exclude=[5, 5]), "none of the 2 queries"),
        ],
    )
    def test_refuses_wrong_arrays(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


def photos_of_pieces(generator, pieces, photos, share):
    """Whether each photo is right, where the photos of a piece are right or wrong together: correct and pieces (N,)."""
    correct = generator.random(pieces) < share
    return np.repeat(correct, photos), np.repeat(np.arange(pieces), photos)


class TestIntervals:
    def test_the_bootstrap_covers_the_truth(self):
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

    def test_the_bootstrap_agrees_with_the_normal_interval(self):
        generator = np.random.default_rng(6)
        values = generator.normal(size=400)
        interval = bootstrap_interval(np.mean, [values], np.arange(400), confidence=0.9)
        half = 1.645 * values.std() / 20
        assert interval.value == values.mean()
        assert interval.low == pytest.approx(values.mean() - half, abs=0.01)
        assert interval.high == pytest.approx(values.mean() + half, abs=0.01)

    def test_the_bootstrap_takes_whole_groups(self):
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

    def test_the_bootstrap_takes_arrays_of_any_shape(self):
        embeddings, labels = clustered(60, 4, 3, seed=7, spread=2.0)
        pieces = np.arange(60) // 2
        scores = embeddings[:, :3]
        interval = bootstrap_interval(lambda s, y: rank_k(s, y, 1), [scores, labels], pieces, n_resamples=100)
        assert interval.low <= interval.value <= interval.high
        assert interval.value == rank_k(scores, labels, 1)

    def test_a_seed_fixes_the_interval(self):
        values, groups = np.random.default_rng(8).normal(size=(2, 30))
        first, second, other = (bootstrap_interval(np.mean, [values], groups, 100, seed) for seed in (1, 1, 2))
        assert first == second
        assert first != other

    def test_the_paired_bootstrap_holds_its_level_and_finds_differences(self):
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

    def test_the_paired_bootstrap_of_equal_methods(self):
        labels = np.arange(20) % 4
        result = paired_bootstrap(macro_f1, labels, labels, labels, np.arange(20), n_resamples=50)
        assert result.difference == Interval(0, 0, 0)
        assert result.p_value == 1

    def test_the_paired_bootstrap_has_a_sign(self):
        labels = np.arange(40) % 4
        worse = np.where(np.arange(40) < 20, labels, 0)
        better = paired_bootstrap(balanced_accuracy, labels, labels, worse, np.arange(40), n_resamples=500)
        swapped = paired_bootstrap(balanced_accuracy, labels, worse, labels, np.arange(40), n_resamples=500)
        assert better.difference.value == pytest.approx(1 - balanced_accuracy(labels, worse))
        assert better.difference.low == pytest.approx(-swapped.difference.high)
        assert better.p_value == swapped.p_value == pytest.approx(2 / 501)

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
    def test_mcnemar(self, pairs):
        a, b = np.array(pairs).T
        only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
        tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
        assert mcnemar(a, b) == pytest.approx(min(1.0, 2 * tail))
        assert mcnemar(a, b) == mcnemar(b, a)

    def test_the_t_interval_covers_the_truth(self):
        generator = np.random.default_rng(10)
        covered = 0
        for _ in range(2000):
            interval = mean_interval(generator.normal(0.5, 0.02, size=3))
            covered += interval.low <= 0.5 <= interval.high
        assert covered / 2000 == pytest.approx(0.95, abs=0.015)
        low, high = stats.t.interval(0.9, 3, loc=2.5, scale=stats.sem([1, 2, 3, 4]))
        interval = mean_interval([1, 2, 3, 4], confidence=0.9)
        assert (interval.value, interval.low, interval.high) == pytest.approx((2.5, low, high))
        assert mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)

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
            (lambda: mcnemar([1, 0], [1, 1]), "truth values"),
            (lambda: mcnemar([True], [True, False]), "same N"),
            (lambda: mean_interval([0.5]), "at least 2 values"),
            (lambda: mean_interval([[0.5, 0.6]]), "at least 2 values"),
            (lambda: mean_interval([0.5, math.inf]), "not finite"),
            (lambda: mean_interval([0.5, 0.6], confidence=0), "confidence is 0"),
        ],
    )
    def test_refuses_wrong_arguments(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()
