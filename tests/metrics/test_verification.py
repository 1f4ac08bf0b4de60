"""The verification protocols against plain code, scikit-learn, simulation, and the published LFW figure of an encoder."""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from saree_cosface.metrics.operating_point import TooFewImpostors, accepted_share, false_accepts, kept_impostors
from saree_cosface.metrics.verification import auc, equal_error_rate, kfold_accuracy, roc, tar_at_far


def drawn_pairs(genuine=60, impostors=300, seed=0, decimals=2, apart=1.5):
    """Overlapping scores with many ties, in random order."""
    generator = np.random.default_rng(seed)
    scores = np.concatenate([generator.normal(apart, 1, genuine), generator.normal(0, 1, impostors)]).round(decimals)
    order = generator.permutation(genuine + impostors)
    return scores[order], (np.arange(genuine + impostors) < genuine)[order]


@st.composite
def folded_pairs(draw):
    """(scores, same, folds) of 2 to 4 equal folds, with scores from few values so that ties abound."""
    count, genuine, impostors = draw(st.integers(2, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = count * (genuine + impostors)
    scores = draw(st.lists(st.integers(-4, 4), min_size=size, max_size=size))
    rows = [(fold * 3 - 2, i < genuine) for fold in range(count) for i in range(genuine + impostors)]
    rows = draw(st.permutations(rows))
    return np.array(scores) / 4, np.array([same for _, same in rows]), np.array([fold for fold, _ in rows])


@st.composite
def pairs(draw):
    """(scores, same) with both kinds."""
    genuine = draw(st.lists(st.integers(-5, 8), min_size=1, max_size=15))
    impostors = draw(st.lists(st.integers(-8, 5), min_size=1, max_size=15))
    scores = np.array(genuine + impostors) / 4
    order = np.array(draw(st.permutations(range(len(scores)))))
    return scores[order], (np.arange(len(scores)) < len(genuine))[order]


def plain_kfold(scores, same, folds):
    """Accuracy and threshold of each fold, trying one candidate after the other."""
    pairs = list(zip(scores.tolist(), same.tolist(), folds.tolist(), strict=True))

    def right(threshold, chosen):
        return sum((score >= threshold) == label for score, label, _ in chosen)

    accuracies, thresholds = [], []
    for held_out in sorted(set(folds.tolist())):
        own, others = [p for p in pairs if p[2] == held_out], [p for p in pairs if p[2] != held_out]
        values = sorted({score for score, _, _ in others})
        middles = [(low + high) / 2 for low, high in itertools.pairwise(values)]
        candidates = [values[0], *middles, math.nextafter(values[-1], math.inf)]
        best = max(candidates, key=lambda threshold: right(threshold, others))  # the first of the best
        accuracies.append(right(best, own) / len(own))
        thresholds.append(best)
    return accuracies, thresholds


class TestKFoldAccuracy:
    @given(folded_pairs())
    def test_agrees_with_plain_code(self, data):
        scores, same, folds = data
        result = kfold_accuracy(scores, same, folds)
        accuracies, thresholds = plain_kfold(scores, same, folds)
        assert result.folds == pytest.approx(accuracies, abs=1e-15)
        assert result.thresholds == pytest.approx(thresholds, abs=1e-15)
        assert result.accuracy == pytest.approx(np.mean(accuracies))
        variance = sum((value - np.mean(accuracies)) ** 2 for value in accuracies) / (len(accuracies) - 1)
        assert result.standard_error == pytest.approx(math.sqrt(variance / len(accuracies)))

    def test_the_held_out_fold_does_not_choose_its_threshold(self):
        # Each fold alone is perfectly separable, each at its own place: a threshold that has seen the fold gets 1.
        offsets = np.repeat([0.0, 10.0, 20.0], 40)
        same = np.tile(np.arange(40) < 20, 3)
        scores = offsets + np.where(same, 1, -1) + np.tile(np.linspace(-0.5, 0.5, 40), 3)
        result = kfold_accuracy(scores, same, np.repeat([1, 2, 3], 40))
        assert result.folds == (0.5, 0.5, 0.5)

    @given(folded_pairs(), st.randoms(use_true_random=False))
    def test_a_threshold_does_not_depend_on_its_own_fold(self, data, random):
        scores, same, folds = data
        before = kfold_accuracy(scores, same, folds)
        for position, fold in enumerate(np.unique(folds)):
            changed = scores.copy()
            changed[folds == fold] = [random.uniform(-3, 3) for _ in range(np.sum(folds == fold))]
            assert kfold_accuracy(changed, same, folds).thresholds[position] == before.thresholds[position]

    @given(folded_pairs(), st.integers(-6, 6), st.integers(-3, 3))
    def test_scale_and_shift_change_only_the_thresholds(self, data, exponent, shift):
        scores, same, folds = data
        before, after = kfold_accuracy(scores, same, folds), kfold_accuracy(scores * 2.0**exponent + shift, same, folds)
        assert after.folds == before.folds
        assert after.thresholds == pytest.approx([t * 2.0**exponent + shift for t in before.thresholds])

    @given(folded_pairs(), st.integers(0, 2**32 - 1))
    def test_the_order_of_the_pairs_does_not_matter(self, data, seed):
        order = np.random.default_rng(seed).permutation(len(data[0]))
        assert kfold_accuracy(*(array[order] for array in data)) == kfold_accuracy(*data)

    def test_a_constant_scorer_is_right_by_half(self):
        result = kfold_accuracy(np.full(40, 0.3), np.tile([True, False], 20), np.repeat(range(4), 10))
        assert result.accuracy == 0.5
        assert np.isfinite(result.thresholds).all()

    @pytest.mark.parametrize("low", [1.0, math.nextafter(1, 2)])  # whose middle rounds down, and up
    def test_adjacent_numbers_are_parted(self, low):
        high = math.nextafter(low, 2)
        result = kfold_accuracy([high, low] * 4, [True, False] * 4, [1, 1, 1, 1, 2, 2, 2, 2])
        assert result.accuracy == 1
        assert result.thresholds == (high, high)

    def test_single_precision_gives_what_double_gives(self):
        scores, same = drawn_pairs(100, 100, decimals=6)
        folds = np.empty(200, dtype=int)
        folds[same], folds[~same] = np.repeat(range(10), 10), np.repeat(range(10), 10)
        single = scores.astype(np.float32)
        assert kfold_accuracy(single, same, folds) == kfold_accuracy(single.astype(np.float64), same, folds)

    def test_unequal_folds_are_refused_unless_asked_for(self):
        scores, same, folds = np.arange(10.0), np.array([False, True] * 5), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
        with pytest.raises(
            ValueError, match="fold 3 has 1 genuine pairs and 1 impostors, fold 1 has 2 and 2.*unequal=True"
        ):
            kfold_accuracy(scores, same, folds)
        result = kfold_accuracy(scores, same, folds, unequal=True)
        assert result.accuracy == pytest.approx(np.mean(result.folds))

    @pytest.mark.parametrize("second", [[True, False, False], [True, True, False, False], [True, False]])
    def test_folds_must_agree_in_genuine_pairs_and_in_impostors(self, second):
        same = [True, True, False, *second]
        folds = [1] * 3 + [2] * len(second)
        with pytest.raises(
            ValueError, match=f"fold 2 has {sum(second)} genuine pairs and {second.count(False)} impostors"
        ):
            kfold_accuracy(np.arange(len(same)), same, folds)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([0.1, math.nan, 0.3, 0.4], [True, False] * 2, [1, 1, 2, 2]), r"scores\[1\] is nan; look for embeddings"),
            (([0.1, 0.2, 0.3, math.inf], [True, False] * 2, [1, 1, 2, 2]), r"scores\[3\] is inf"),
            (([0.1, 0.2], [True, False], [7, 7]), "all pairs are in fold 7; at least 2 folds"),
            (
                ([0.1, 0.2, 0.3, 0.4], [True, True, True, False], [1, 1, 2, 2]),
                "fold 1 has 2 genuine pairs and 0 impostors",
            ),
            (([0.1, 0.2, 0.3, 0.4], [True] * 4, [1, 1, 2, 2]), "4 of 4 pairs are genuine"),
            (([[0.1, 0.2]], [True, False], [1, 2]), r"scores have shape \(1, 2\)"),
            ((["a", "b"], [True, False], [1, 2]), "scores have shape .* one number each"),
            (([0.1, 0.2], [1, 0], [1, 2]), r"same has shape \(2,\) and type int64; 2 scores take"),
            (([0.1, 0.2], [True], [1, 2]), r"same has shape \(1,\)"),
            (([0.1, 0.2], [True, False], [1.0, 2.0]), "folds have shape .* float64"),
            (([0.1, 0.2], [True, False], [1]), r"folds have shape \(1,\)"),
            (([], np.zeros(0, bool), np.zeros(0, int)), "0 of 0 pairs are genuine"),
        ],
    )
    def test_refuses_wrong_pairs(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            kfold_accuracy(*arguments)

    @pytest.mark.skipif("SAREE_COSFACE_DATA" not in os.environ, reason="SAREE_COSFACE_DATA is not set")
    def test_reproduces_the_published_lfw_accuracy_of_an_encoder(self):
        folder = Path(os.environ["SAREE_COSFACE_DATA"], "faces")
        with np.load(folder / "lfw_sface_embeddings.npz") as file:
            position = {Path(str(name)).stem: index for index, name in enumerate(file["names"])}
            embeddings = file["embeddings"].astype(np.float64)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        left, right, same = [], [], []
        for line in (folder / "lfw_pairs.txt").read_text().splitlines()[1:]:
            words = line.split("\t")
            other = words[0] if len(words) == 3 else words[2]
            left.append(position[f"{words[0]}_{int(words[1]):04d}"])
            right.append(position[f"{other}_{int(words[-1]):04d}"])
            same.append(len(words) == 3)
        scores = np.sum(embeddings[left] * embeddings[right], axis=1)
        result = kfold_accuracy(scores, same, np.repeat(range(10), 600))
        assert round(100 * result.accuracy, 2) == 99.42
        assert round(100 * result.standard_error, 2) == 0.11


class TestRoc:
    @pytest.mark.parametrize("decimals", [0, 1, 6])
    def test_agrees_with_scikit_learn(self, decimals):
        scores, same = drawn_pairs(decimals=decimals)
        curve = roc(scores, same)
        far, tar, thresholds = sklearn_metrics.roc_curve(same, scores, drop_intermediate=False)
        np.testing.assert_allclose(curve.far, far, atol=1e-15)
        np.testing.assert_allclose(curve.tar, tar, atol=1e-15)
        np.testing.assert_array_equal(curve.thresholds[1:], thresholds[1:])
        assert curve.thresholds[0] == math.nextafter(scores.max(), math.inf)
        assert auc(scores, same) == pytest.approx(sklearn_metrics.roc_auc_score(same, scores), abs=1e-12)
        fine = np.linspace(0, 1, 200_001)
        expected = fine[np.argmin(np.abs(1 - np.interp(fine, far, tar) - fine))]
        assert equal_error_rate(scores, same) == pytest.approx(expected, abs=1e-5)

    @given(pairs())
    def test_auc_counts_the_pairs_of_pairs(self, data):
        scores, same = data
        difference = scores[same][:, None] - scores[~same][None]
        assert auc(scores, same) == pytest.approx(np.mean((difference > 0) + 0.5 * (difference == 0)), abs=1e-12)

    @given(pairs())
    def test_the_equal_error_rate_lies_on_the_curve(self, data):
        curve, rate = roc(*data), equal_error_rate(*data)
        # On a vertical piece of the curve all TARs between its ends belong to the FAR.
        reached = curve.tar[np.isclose(curve.far, rate)]
        at_rate = (
            np.interp(rate, curve.far, curve.tar)
            if len(reached) == 0
            else np.clip(1 - rate, reached.min(), reached.max())
        )
        assert at_rate == pytest.approx(1 - rate, abs=1e-9)

    def test_known_equal_error_rates(self):
        assert equal_error_rate([3, 2, 1, 0], [True, True, False, False]) == 0
        assert equal_error_rate([0, 1, 2, 3], [True, True, False, False]) == 1
        assert equal_error_rate([1, 1, 1, 1], [True, True, False, False]) == 0.5
        assert equal_error_rate([3, 2, 1, 0, 2.5], [True, True, False, False, False]) == pytest.approx(1 / 3)

    @given(pairs(), st.integers(0, 2**32 - 1))
    def test_only_the_order_of_the_scores_matters(self, data, seed):
        scores, same = data
        order = np.random.default_rng(seed).permutation(len(scores))
        for other, labels in ((np.exp(scores), same), (scores**3 + 5, same), (scores[order], same[order])):
            curve = roc(other, labels)
            np.testing.assert_array_equal(curve.far, roc(scores, same).far)
            np.testing.assert_array_equal(curve.tar, roc(scores, same).tar)

    @pytest.mark.parametrize("function", [roc, auc, equal_error_rate])
    def test_refuses_wrong_pairs(self, function):
        with pytest.raises(ValueError, match="0 of 2 pairs are genuine"):
            function([0.1, 0.2], [False, False])
        with pytest.raises(ValueError, match=r"scores\[0\] is nan"):
            function([math.nan, 0.2], [True, False])


def plain_tar(scores, same, far):
    """The best TAR over all thresholds whose FAR is within the bound."""
    thresholds = [*np.unique(scores), np.inf]
    return max(np.mean(scores[same] >= t) for t in thresholds if np.mean(scores[~same] >= t) <= far)


class TestTarAtFar:
    @pytest.mark.parametrize("decimals", [0, 1, 6])
    @pytest.mark.parametrize("far", [0.01, 0.013, 0.1, 0.29, 0.9])
    def test_agrees_with_plain_code(self, far, decimals):
        for seed in range(5):
            scores, same = drawn_pairs(40, 300, seed, decimals)
            result = tar_at_far(scores, same, far, n_resamples=10)
            assert result.tar == pytest.approx(plain_tar(scores, same, far), abs=1e-15)
            assert np.mean(scores[same] >= result.threshold) == pytest.approx(result.tar, abs=1e-15)
            assert np.mean(scores[~same] >= result.threshold) <= far
            assert (result.far, result.genuine, result.impostors) == (far, 40, 300)

    def test_ties_do_not_let_more_in(self):
        # Room for three false accepts, but four impostors are equal: none of them may pass, nor a genuine equal.
        scores = np.array([0.5] * 4 + [0.1] * 26 + [0.5, 0.6])
        same = np.arange(32) >= 30
        result = tar_at_far(scores, same, 0.1)
        assert result.tar == 0.5
        assert np.sum(scores[~same] >= result.threshold) == 0

    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
    def test_the_threshold_holds_in_the_type_of_the_scores(self, kind):
        scores, same = drawn_pairs(decimals=1)
        scores = scores.astype(kind)
        result = tar_at_far(scores, same, 0.05)
        assert np.mean(scores[~same] >= kind(result.threshold)) <= 0.05
        assert np.mean(scores[same] >= kind(result.threshold)) == result.tar

    @pytest.mark.slow
    def test_the_interval_is_that_of_resampled_pairs(self):
        scores, same = drawn_pairs(80, 400, decimals=1)
        genuine, impostors = scores[same], scores[~same]
        generator = np.random.default_rng(5)
        draws = []
        for _ in range(20_000):
            ordered = np.sort(generator.choice(impostors, len(impostors)))[::-1]
            draws.append(np.mean(generator.choice(genuine, len(genuine)) > ordered[int(0.05 * 400)]))
        result = tar_at_far(scores, same, 0.05, n_resamples=20_000)
        assert [result.low, result.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.013)  # one pair
        assert result.low < result.tar < result.high

    def test_the_interval_covers_the_truth(self):
        from scipy.stats import norm

        truth = norm.sf(norm.isf(0.05) - 2)
        covered = 0
        for seed in range(200):
            scores, same = drawn_pairs(200, 600, seed, decimals=12, apart=2)
            result = tar_at_far(scores, same, 0.05, n_resamples=500, seed=seed)
            covered += result.low <= truth <= result.high
        assert 0.9 <= covered / 200 <= 0.99

    def test_the_seed_decides(self):
        scores, same = drawn_pairs()
        assert tar_at_far(scores, same, 0.05, seed=3) == tar_at_far(scores, same, 0.05, seed=3)
        others = {tar_at_far(scores, same, 0.05, n_resamples=20, seed=seed).low for seed in range(8)}
        assert len(others) > 1

    @given(st.integers(0, 2**32 - 1), st.integers(0, 1))
    def test_only_the_order_of_the_scores_matters(self, seed, decimals):
        scores, same = drawn_pairs(20, 60, seed, decimals)
        order = np.random.default_rng(seed).permutation(len(scores))
        before = tar_at_far(scores, same, 0.1, n_resamples=50)
        for other, labels in ((np.exp(scores), same), (scores[order], same[order])):
            after = tar_at_far(other, labels, 0.1, n_resamples=50)
            assert (after.tar, after.low, after.high) == (before.tar, before.low, before.high)

    @pytest.mark.parametrize("far", [6e-8, 1e-4, 0.0003, 0.001, 0.01, 0.07, 0.3])
    def test_fewer_than_three_over_far_impostors_are_refused(self, far):
        enough = math.ceil(round(3 / far, 6))
        assert false_accepts(far, enough) >= 3
        with pytest.raises(TooFewImpostors, match=f"too few impostors: {enough - 1:,}, .* at least {enough:,} "):
            false_accepts(far, enough - 1)

    @given(st.integers(1, 999), st.integers(3000, 10_000))
    def test_no_more_and_no_fewer_false_accepts_than_allowed(self, thousandths, impostors):
        k = false_accepts(thousandths / 1000, impostors)
        assert k * 1000 <= thousandths * impostors < (k + 1) * 1000

    def test_the_best_impostors_are_enough(self):
        generator = np.random.default_rng(0)
        genuine, impostors = generator.normal(3, 1, 500), np.sort(generator.normal(size=200_000))[::-1]
        for far in (2e-5, 1e-3, 0.1):
            kept = kept_impostors(far, len(impostors))
            assert kept < len(impostors)
            best = accepted_share(genuine, impostors[:kept], len(impostors), far, 5000, 0)
            assert best == accepted_share(genuine, impostors, len(impostors), far, 5000, 0)

    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"far": 0.0}, "far is 0.0; it is a share"),
            ({"far": 1.0}, "far is 1.0"),
            ({"far": math.nan}, "far is nan"),
            ({"far": 0.001}, "too few impostors: 300"),
            ({"far": 0.1, "n_resamples": 0}, "n_resamples is 0"),
        ],
    )
    def test_refuses_wrong_options(self, keywords, message):
        with pytest.raises(ValueError, match=message):
            tar_at_far(*drawn_pairs(), **keywords)
