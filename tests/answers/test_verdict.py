"""Verdicts: named where near and ahead, one of two where close, unsure where far, outside where very far or foreign."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.answers.advice import advice
from saree_cosface.answers.verdict import Verdict, in_words, judge, kinds, verdicts
from saree_cosface.features.familiarity import MOST, NEIGHBOURS, Familiarity
from saree_cosface.runs.calibration import Calibration, CalibrationError
from saree_cosface.scoring.calibrate import AIM, fit_calibration, least_gap, least_kept
from saree_cosface.scoring.found_accuracy import found_accuracy
from saree_cosface.scoring.out_of_fold import OutOfFold, craft_groups
from saree_cosface.scoring.zones import measured_zones
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
    unsure = verdict([0.4, 0.1, 0.1])
    assert unsure.kind == "unsure"
    assert unsure.crafts == unsure.likely == ("chanderi",)
    assert "0.40" in unsure.reason
    assert unsure.advice == advice(["chanderi"])
    far = verdict([0.15, 0.1, 0.1])
    assert (far.kind, far.crafts, far.advice) == ("outside", (), "")
    assert "0.15" in far.reason
    assert "less than 0.20" in far.reason
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


def test_of_an_unsure_verdict_that_rules_out_all_or_nothing_none_is_named():
    level = verdict([0.4, 0.39, 0.38])
    assert (level.kind, level.crafts, len(level.likely)) == ("unsure", (), 3)
    assert "none of the 3 can be ruled out" in level.reason
    strict = calibration_with(nonconformity=np.linspace(0, 0.1, 19))
    none = verdict([0.4, 0.39, 0.38], calibration=strict)
    assert (none.kind, none.crafts, none.likely) == ("unsure", (), ())
    assert "none stands out" in none.reason
    assert in_words(level) == in_words(none) == "Not sure which of the known traditions"


def test_a_piece_is_outside_only_if_each_of_its_photos_is():
    # The mean of these is as far off as anything that is outside; neither of them is.
    apart = verdict([0.3, -0.2, 0.0], [-0.2, 0.3, 0.0])
    assert apart.kind == "unsure"
    assert verdict([0.1, 0, 0], [0, 0.1, 0]).kind == "outside"
    rows, familiarity = np.array([[0.9, 0.1, 0.1], [0.1, 0.1, 0.1]]), np.array([0.1, 0.5])  # foreign, and far
    mixed = judge(rows.mean(axis=0), rows, alike(rows), familiarity, CALIBRATED, calibration_with())
    assert mixed.kind == "outside"
    assert "none of its photos" in mixed.reason
    one = judge(rows.mean(axis=0), rows, alike(rows), familiarity[::-1], CALIBRATED, calibration_with())
    assert one.kind != "outside"


def test_an_allowance_keeps_a_tradition_enrolled_later_from_being_outside():
    crafts, allowances = (*CALIBRATED, "new"), np.array([0, 0, 0, 0.3])
    cosines = np.array([0.1, 0.1, 0.1, 0.05]) + allowances
    found = judge(cosines, cosines[None], alike(cosines[None]), np.ones(1), crafts, calibration_with(), allowances)
    assert found.kind == "unsure"
    assert found.likely[0] == "new"
    assert "a cosine of 0.05 and an allowance of 0.30" in found.reason


def test_what_many_photos_may_be_is_what_each_is_told():
    cosines = np.array([[0.8, 0.2, 0.1], [0.8, 0.75, 0.1], [0.4, 0.3, 0.1], [0.1, 0.1, 0.1], [0.8, 0.4, 0.1]])
    sides = alike(cosines)
    sides[4, 0] = [0.3, 0.1, 0.6]  # of another piece
    kind, said = verdicts(cosines, sides, np.ones(5), calibration_with())
    assert kind.tolist() == ["tradition", "between", "unsure", "outside", "between"]
    for row, parts, mine, each in zip(cosines, sides, said, kind, strict=True):
        alone = judge(row, row[None], parts[None], np.ones(1), CALIBRATED, calibration_with())
        assert alone.kind == each
        assert set(alone.crafts) == set(np.array(CALIBRATED)[mine])
    assert verdicts(cosines, None, np.ones(5), calibration_with())[0].tolist()[4] == "tradition"


def test_advice_is_of_the_part_that_tells_most_of_the_likely_apart():
    taxonomy = load_taxonomy()
    close = advice(["banarasi", "chikankari", "kota_doria", "paithani"])
    assert "the cloth at close range" in close
    for craft in ("chikankari", "kota_doria"):
        assert f"{taxonomy[craft].look_for[0]} ({taxonomy[craft].name})" in close
    assert "Paithani" not in close  # beyond those compared
    border = advice(["kanjivaram", "gadwal", "ilkal"])
    assert "a photo of the border" in border
    assert border.count("(") == 3
    for nothing in ([], ["not in the taxonomy"]):
        assert "the border, the pallu, or the cloth at close range" in advice(nothing)


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
    assert in_words(Verdict("unsure", ("patola",), "", ())) == "Not sure, perhaps Patola"
    many = ("patola", "ajrakh", "kantha", "kasuti", "garad")
    assert in_words(Verdict("unsure", many[:4], "", ())).endswith("Kantha or Kasuti")
    assert in_words(Verdict("unsure", many, "", ())) == "Not sure, perhaps Patola, Ajrakh, Kantha or one of 2 others"


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


def test_one_of_an_earlier_version_is_refused_with_the_remedy(tmp_path):
    calibration_with().save(tmp_path / "calibration")
    document = tmp_path / "calibration" / "calibration.json"
    found = json.loads(document.read_text())
    del found["known"]
    document.write_text(json.dumps({**found, "format": 1}))
    with pytest.raises(CalibrationError, match=f"another version.*saree-cosface calibrate {tmp_path}` again"):
        Calibration.load(document.parent)
    document.write_text("[]")
    with pytest.raises(CalibrationError, match="damaged"):
        Calibration.load(document.parent)


# --- thresholds --------------------------------------------------------------------------------------------------------


def scored(count=3000, seed=0):
    """Cosines of three crafts, true ones higher on average; those of other crafts are like wrong ones."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    cosines = rng.normal(0.2, 0.15, (count, 3)).clip(-1, 1)
    cosines[np.arange(count), labels] += rng.uniform(0, 0.6, count)
    unknown = rng.normal(0.2, 0.15, (count, 3)).clip(-1, 1)
    sources = np.array([f"shop {row % 12}" for row in range(count)])
    familiarity = rng.uniform(0, 1, (2, count))
    return OutOfFold(cosines, labels, sources, familiarity[0], unknown, sources, familiarity[1], unknown[:, 0])


def test_thresholds_keep_what_they_promise_on_other_photos():
    calibration = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.1, CALIBRATED)
    other = scored(seed=1)
    everyday = np.full(len(other.labels), 1.0)
    named = kinds(other.cosines, alike(other.cosines), everyday, calibration) == "tradition"
    right = other.cosines.argmax(axis=1) == other.labels
    strange = kinds(other.unknown_cosines, alike(other.unknown_cosines), everyday, calibration)
    assert np.mean(np.isin(strange, ["tradition", "between"])) == pytest.approx(0.1, abs=0.03)
    assert np.mean(~right[named]) == pytest.approx(0.1, abs=0.03) or np.mean(~right[named]) < 0.1
    assert named.mean() > 0.2
    inside = calibration.prediction_sets(other.cosines)[np.arange(len(right)), other.labels]
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert np.mean(other.familiarity < calibration.familiarity) == pytest.approx(0.02, abs=0.01)
    kind, said = verdicts(other.cosines, None, other.familiarity, calibration)
    assert np.mean(kind == "outside") == pytest.approx(AIM, abs=0.01)
    zones = calibration.found["zones"]
    assert sum(zone["known"] for zone in zones.values()) == pytest.approx(1)
    assert sum(zone["left_out"] for zone in zones.values()) == pytest.approx(1)
    own = said[np.arange(len(right)), other.labels]
    for name in ("tradition", "between", "unsure"):
        assert zones[name]["known"] == pytest.approx(np.mean(kind == name), abs=0.03)
        assert zones[name]["wrong"] == pytest.approx(np.mean(~own[kind == name]), abs=0.04)
    assert zones["outside"]["wrong"] == zones["outside"]["known"] == pytest.approx(AIM, abs=0.01)
    strict = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.02, CALIBRATED)
    assert strict.cosine > calibration.cosine
    assert strict.found["open_set"]["dir"]["0.02"]["threshold"] == strict.cosine


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=80))
def test_both_thresholds_together_reject_no_more_than_promised(rows):
    best, code, familiarity = np.array(rows, dtype=float).T
    sources, counts = np.unique(code, return_counts=True)
    by_source = 1 / counts[np.searchsorted(sources, code)]
    foreign = familiarity < least_kept(familiarity, by_source, 0.02)
    rejected = foreign | (best < least_kept(np.where(foreign, -np.inf, best), by_source, AIM))
    assert rejected.mean() <= AIM + 1e-9
    assert np.average(rejected, weights=by_source) <= AIM + 1e-9


def test_what_is_outside_is_never_near_enough_for_a_name():
    generous = fit_calibration(scored(), Familiarity.of(np.eye(4)), 0.99, CALIBRATED)
    assert generous.known == generous.cosine


def test_zones_are_judged_without_the_source_of_the_photo():
    seen = []

    def fit(rest):
        seen.append(set(rest.sources.tolist()))
        return calibration_with()

    found = measured_zones(scored(600), fit)
    assert len(seen) == 5
    every = {f"shop {row}" for row in range(12)}
    assert sorted(source for rest in seen for source in every - rest) == sorted(every)  # each left out once
    assert found["tradition"]["known"] > found["tradition"]["left_out"]
    assert measured_zones(scored(600).of(np.array(["shop 0", "shop 1"])), fit)["outside"]["known"] is not None
    assert len(seen) == 7


def test_accuracy_found_is_of_photos_and_by_craft():
    photos = scored(600)
    photos.sources[photos.labels == 2] = "shop 0"
    found = found_accuracy(photos, CALIBRATED)
    right = photos.cosines.argmax(axis=1) == photos.labels
    assert found["top1"]["value"] == pytest.approx(right.mean())
    by_craft = [right[photos.labels == label].mean() for label in range(3)]
    assert found["balanced_accuracy"]["value"] == pytest.approx(np.mean(by_craft))
    assert [each["value"] for each in found["per_craft"].values()] == pytest.approx(by_craft)
    for score in (found["top1"], found["balanced_accuracy"], found["per_craft"]["chanderi"]):
        assert score["low"] < score["value"] < score["high"]
    assert found["per_craft"]["chanderi"]["sources"] == 12
    assert "low" not in found["per_craft"]["patola"]
    assert set(found_accuracy(photos, (*CALIBRATED, "ikat"))["per_craft"]) == set(CALIBRATED)


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
