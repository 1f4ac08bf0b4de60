"""Verdicts: named where near and ahead, one of two where close, none where far or foreign."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.answers.verdict import Verdict, in_words, judge, kinds
from saree_cosface.features.familiarity import MOST, NEIGHBOURS, Familiarity
from saree_cosface.runs.calibration import Calibration, CalibrationError
from saree_cosface.scoring.calibrate import fit_calibration, least_gap
from saree_cosface.scoring.out_of_fold import OutOfFold, craft_groups
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.numbers import CALIBRATED, calibration_with


def verdict(*photos, familiarity=0.5, calibration=None):
    rows = np.array(photos)
    return judge(
        rows.mean(axis=0),
        rows,
        alike(rows),
        np.full(len(rows), familiarity),
        CALIBRATED,
        calibration or calibration_with(),
    )


def alike(rows):
    """Sides that each look as the whole photo does."""
    return np.repeat(rows[:, None], 4, axis=1)


def test_each_kind_of_verdict():
    assert verdict([0.8, 0.2, 0.1]).crafts == ("chanderi",)
    near = verdict([0.8, 0.75, 0.1])
    assert (near.kind, near.crafts) == ("between", ("chanderi", "jamdani"))
    assert "0.05 apart" in near.reason
    far = verdict([0.4, 0.1, 0.1])
    assert (far.kind, far.crafts) == ("outside", ())
    assert "0.40" in far.reason
    foreign = verdict([0.9, 0.1, 0.1], familiarity=0.1)
    assert foreign.kind == "outside"
    assert "unlike" in foreign.reason
    assert foreign.likely[0] == "chanderi"  # if it is of a known one at all
    never = verdict([0.9, 0.1, 0.1], calibration=calibration_with(gap=math.inf))
    assert never.kind == "between"
    assert "no lead is enough" in never.reason


def test_a_photo_counts_as_one_over_the_traditions_it_leaves_open():
    calibration = calibration_with(temperature=0.01)
    weights = calibration.weights(np.array([[0.9, 0.1, 0.1], [0.5, 0.5, 0.1], [0.3, 0.3, 0.3]]))
    assert weights == pytest.approx(np.array([6, 3, 2]) / 11, abs=1e-4)
    assert calibration_with().weights(np.array([[0.4, 0.3, 0.1]])).tolist() == [1]


def test_several_photos_are_surer_than_one_of_the_same_cosines():
    cosines = np.array([0.4, 0.25, 0.1])
    calibration = calibration_with()
    one, four = (calibration.probabilities(cosines, photos) for photos in (1, 4))
    assert one == pytest.approx(np.exp(cosines / 0.1) / np.exp(cosines / 0.1).sum())
    assert four == pytest.approx(np.exp(cosines / 0.05) / np.exp(cosines / 0.05).sum())
    sets = [calibration.prediction_sets(cosines[None], photos)[0] for photos in (1, 4)]
    assert sets[0].sum() > sets[1].sum() >= 1
    said = verdict(*[cosines] * 4)
    assert said.likely == tuple(np.array(CALIBRATED)[sets[1]])


def test_allowances_make_good_what_training_has_not_gathered():
    calibration = calibration_with()  # learned traditions have 0.5 in the mean, two photos of another one 0.2
    rng = np.random.default_rng(0)
    shared = rng.normal(size=4000)
    others = np.sqrt(0.2) * shared + np.sqrt(0.8) * rng.normal(size=(9, 4000))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    for pieces in (1, 3, 8):
        prototype = others[1 : 1 + pieces].mean(axis=0)
        expected = others[0] @ prototype / np.linalg.norm(prototype)
        cosines = np.array([[0.9, -1], [0.9, expected], [0.9, 0.9], [0.9, 1]])
        raised = calibration.allowances(cosines, ("chanderi", "new"), np.array([7, pieces]))
        assert raised[:, 0].tolist() == [0] * 4
        short = 0.5 - expected
        assert raised[:, 1] == pytest.approx(np.array([short, short, min(short, 0.1), 0]), abs=0.03)
    # it is as near as those learned
    assert calibration_with(kin=0.6).allowances(np.array([0.1]), ("new",), np.array([3])).tolist() == [0]
    fitted = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.1, CALIBRATED)
    assert fitted.genuine == pytest.approx(0.5, abs=0.02)
    assert fitted.kin == pytest.approx(0.2, abs=0.02)


def test_an_allowance_may_decide_and_is_told():
    crafts = (*CALIBRATED, "new")
    cosines = np.array([0.55, 0.1, 0.1, 0.45])
    plain = judge(cosines, cosines[None], alike(cosines[None]), np.ones(1), crafts, calibration_with())
    allowances = np.array([0, 0, 0, 0.3])
    summed = cosines + allowances
    raised = judge(summed, summed[None], alike(summed[None]), np.ones(1), crafts, calibration_with(), allowances)
    assert plain.crafts == ("chanderi",)
    assert raised.crafts == ("new",)
    assert "a cosine of 0.45 and an allowance of 0.30, 0.20 ahead" in raised.reason
    assert "allowance" not in plain.reason


def test_photos_that_name_different_traditions_name_none():
    found = verdict([0.95, 0.2, 0.1], [0.2, 0.9, 0.1])
    assert (found.kind, found.crafts) == ("between", ("chanderi", "jamdani"))
    assert "photos" in found.reason
    apart = verdict([0.6, -0.3, 0.1], [-0.3, 0.6, 0.1])  # whose mean is near to none
    assert (apart.kind, apart.crafts) == ("between", ("chanderi", "jamdani"))
    assert verdict([0.95, 0.2, 0.1], [0.4, 0.45, 0.1]).kind == "tradition"  # the second names nothing by itself


def test_a_run_of_one_tradition():
    rows = np.array([[0.8]])
    assert judge(rows[0], rows, alike(rows), np.array([0.5]), ("patola",), calibration_with()).kind == "tradition"
    assert kinds(rows, alike(rows), np.array([0.5]), calibration_with()).tolist() == ["tradition"]


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=5), st.floats(0, 1))
def test_many_photos_are_judged_as_one_by_one(rows, familiarity):
    cosines = np.array(rows)
    sides = np.random.default_rng(len(rows)).uniform(-1, 1, (len(rows), 4, 3)) / 10 + cosines[:, None]
    familiarities = np.full(len(rows), familiarity)
    alone = [
        judge(row, row[None], parts[None], own, CALIBRATED, calibration_with()).kind
        for row, parts, own in zip(cosines, sides, familiarities[:, None], strict=True)
    ]
    assert kinds(cosines, sides, familiarities, calibration_with()).tolist() == alone


def test_two_pieces_side_by_side_are_one_of_two():
    cosines = np.array([0.8, 0.4, 0.1])
    left, right = np.array([0.8, 0.3, 0.1]), np.array([0.3, 0.6, 0.1])
    for sides in ([left, right, cosines, cosines], [cosines, cosines, right, left]):
        found = judge(cosines, cosines[None], np.array([sides]), np.ones(1), CALIBRATED, calibration_with())
        assert (found.kind, found.crafts) == ("between", ("chanderi", "jamdani"))
        assert "several pieces" in found.reason
    agreed = judge(
        cosines, cosines[None], np.array([[left, left, cosines, left]]), np.ones(1), CALIBRATED, calibration_with()
    )
    assert agreed.kind == "tradition"
    # A piece is never between a tradition and itself, though a side of one photo be nearest to what the others are.
    photo, unsure = np.array([0.51, 0.4, 0.1]), np.array([0.3, 0.95, 0.86])
    parts = np.array([[photo, np.array([0.4, 0.5, 0.1]), photo, photo], [unsure] * 4])
    mixed = judge(
        np.array([0.4, 0.7, 0.5]), np.array([photo, unsure]), parts, np.ones(2), CALIBRATED, calibration_with()
    )
    assert len(set(mixed.crafts)) == len(mixed.crafts)
    # A second photo that names nothing by itself may have sides that differ: it is a detail.
    rows, vague = np.array([cosines, [0.3, 0.2, 0.1]]), [left, right, left, right]
    parts = np.array([[left] * 4, vague])
    assert judge(cosines, rows, parts, np.ones(2), CALIBRATED, calibration_with()).kind == "tradition"


def test_words():
    taxonomy = load_taxonomy()
    assert in_words(Verdict("tradition", ("patola",), "", ())) == taxonomy["patola"].name
    assert in_words(Verdict("outside", (), "", ())) == "Outside the known traditions"
    assert in_words(Verdict("between", ("patola", "कैसी"), "", ())).endswith("and कैसी")


def test_it_is_read_as_it_was_written(tmp_path):
    assert Calibration.load(tmp_path) is None
    before = calibration_with(gap=math.inf)
    before.save(tmp_path)
    after = Calibration.load(tmp_path)
    assert after.to_json() == before.to_json()
    assert after.gap == math.inf
    json.dumps(after.to_json(), allow_nan=False)
    cosines = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    assert np.array_equal(after.prediction_sets(cosines), before.prediction_sets(cosines))
    (tmp_path / "features.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(CalibrationError, match="calibrate the run again"):
        Calibration.load(tmp_path)


# --- thresholds --------------------------------------------------------------------------------------------------------


def scored(count=3000, seed=0):
    """Cosines of three crafts, true ones higher on average; those of other crafts are like wrong ones."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    cosines = rng.normal(0.2, 0.15, (count, 3)).clip(-1, 1)
    cosines[np.arange(count), labels] += rng.uniform(0, 0.6, count)
    unknown = rng.normal(0.2, 0.15, (count, 3)).clip(-1, 1)
    sources = np.array([f"shop {row % 12}" for row in range(count)])
    return OutOfFold(cosines, labels, sources, rng.uniform(0, 1, count), unknown, sources, unknown[:, 0])


def test_thresholds_keep_what_they_promise_on_other_photos():
    calibration = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.1, CALIBRATED)
    other = scored(seed=1)
    everyday = np.full(len(other.labels), 1.0)
    named = kinds(other.cosines, alike(other.cosines), everyday, calibration) == "tradition"
    right = other.cosines.argmax(axis=1) == other.labels
    assert np.mean(
        kinds(other.unknown_cosines, alike(other.unknown_cosines), everyday, calibration) != "outside"
    ) == pytest.approx(0.1, abs=0.03)
    assert np.mean(~right[named]) == pytest.approx(0.1, abs=0.03) or np.mean(~right[named]) < 0.1
    assert named.mean() > 0.2
    inside = calibration.prediction_sets(other.cosines)[np.arange(len(right)), other.labels]
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert np.mean(other.familiarity < calibration.familiarity) == pytest.approx(0.02, abs=0.01)
    strict = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.02, CALIBRATED)
    assert strict.cosine > calibration.cosine
    assert strict.found["open_set"]["dir"]["0.02"]["threshold"] == strict.cosine


def test_too_few_photos_for_a_rate():
    few = scored(20)
    with pytest.raises(CalibrationError, match=r"at least 0\.15 with --false_accepts"):
        fit_calibration(few, Familiarity.of(np.eye(4)), 0.1, CALIBRATED)


def test_no_gap_may_be_enough():
    assert least_gap(np.array([0.4, 0.3]), np.array([False, False]), 0.1) == math.inf
    assert least_gap(np.zeros(0), np.zeros(0, bool), 0.1) == math.inf


@given(st.lists(st.integers(0, 6), min_size=7, max_size=60), st.integers(2, 4))
def test_groups_of_crafts_are_even(labels, groups):
    labels = np.unique(labels, return_inverse=True)[1]
    dealt = craft_groups(labels, groups)
    assert len(dealt) == labels.max() + 1
    counts = np.bincount(dealt, minlength=groups)
    assert counts.max() - counts.min() <= 1


# --- familiarity -------------------------------------------------------------------------------------------------------


def test_photos_like_those_learned_from_are_familiar():
    rng = np.random.default_rng(0)
    common = np.full(64, 5.0)  # what every photo shares
    kind = rng.normal(size=(3, 64))
    learned = common + kind[rng.integers(0, 3, 100)] + 0.3 * rng.normal(size=(100, 64))
    known = Familiarity.of(learned)
    alike = known(common + kind + 0.3 * rng.normal(size=(3, 64)))
    foreign = known(common + rng.normal(size=(30, 64)))
    assert alike.min() > 0.7
    assert foreign.max() < 0.5
    with pytest.raises(ValueError, match="calibrate the run again"):
        known(np.zeros((1, 8)))


def test_of_many_photos_a_part_is_kept():
    features = np.random.default_rng(0).normal(size=(MOST + 10, 4))
    assert len(Familiarity.of(features).features) == MOST
    few = Familiarity.of(features[: NEIGHBOURS // 2])
    assert few(features[:2]).shape == (2,)
    assert np.isfinite(few(np.zeros((1, 4)))).all()
