"""Each kind of reason, on made-up features."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from saree_cosface.data.manifest import manifest_of
from saree_cosface.metrics.neighbourhood import centred
from saree_cosface.metrics.outliers import outliers
from saree_cosface.review import reasons as find
from saree_cosface.review.judging import HeldOutLabels, held_out_labels
from tests.helpers.collected import bundles, collected, judged


def test_doubtful_labels_name_their_rival_and_the_probable_ones_weigh_more():
    kinds = np.repeat(["ajrakh", "bandhani", "patola"], 40)
    labels = kinds.copy()
    labels[[7, 50]] = "patola"
    sources = [f"s{row % 8}" for row in range(120)]
    collection = collected(labels, bundles(kinds), sources=sources)
    found = find.label_errors(held_out_labels(collection.manifest, collection.features))
    assert {reason.row for reason in found} == {7, 50}
    by_row = {reason.row: reason for reason in found}
    assert (by_row[7].rival, by_row[50].rival) == ("ajrakh", "bandhani")
    assert by_row[7].says.startswith("probably Ajrakh")
    assert 0.5 < by_row[7].score < 1


def test_a_label_that_is_only_less_probable_than_another_counts_half():
    crafts = ["ajrakh"] * 20 + ["patola"] * 20
    sure = [[0.9, 0.1]] * 19 + [[0.49, 0.51]] + [[0.1, 0.9]] * 20
    (reason,) = find.label_errors(judged(crafts, sure))
    assert reason.row == 19
    assert reason.says == "perhaps Patola (0.51) rather than Ajrakh (0.49)"
    assert reason.score == pytest.approx(0.255)


def test_crafts_of_few_photos_are_judged_without_a_warning_about_numbers():
    sure = [[0.9, 0.1]] * 4 + [[0.2, 0.8]] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find.label_errors(judged(["ajrakh"] * 4 + ["patola"] * 2, sure)) == []


def test_a_label_judged_once_says_so_and_claims_no_more():
    found = judged(["ajrakh", "patola", "patola"], [[0.2, 0.8], [0.1, 0.9], [0.1, 0.9]])
    (reason,) = find.label_errors(HeldOutLabels(found.crafts, found.labels, found.probabilities, np.array([1, 2, 2])))
    assert reason.says.endswith("; only one of two judges knew Ajrakh")


def test_photos_without_a_label_are_of_no_craft():
    kinds = np.repeat(["ajrakh", "bandhani", "patola"], 30)
    labels = kinds.copy()
    labels[[3, 5, 40, 41, 42, 70, 71, 72, 73]] = ""
    collection = collected(labels, bundles(kinds), sources=[f"s{row % 8}" for row in range(90)])
    found = held_out_labels(collection.manifest, collection.features)
    assert found.crafts.tolist() == ["ajrakh", "bandhani", "patola"]
    assert np.isnan(found.probabilities[labels == ""]).all()
    assert found.judges[labels == ""].max() == 0
    assert found.judges[labels != ""].min() == 2
    assert find.label_errors(found) == []
    odd = bundles(np.where(labels == "", [f"odd {row}" for row in range(90)], kinds))
    assert find.odd_ones(collected([""] * 90, odd), centred(odd)) == []


def test_photos_that_nobody_could_judge_are_not_doubted():
    nothing = [[np.nan, np.nan]] * 4
    assert find.label_errors(judged(["ajrakh", "ajrakh", "patola", "patola"], nothing)) == []
    assert find.label_errors(judged(["ajrakh"] * 3, [[1.0]] * 3)) == []


def test_a_piece_with_two_labels_blames_the_fewer():
    collection = collected(["patola", "patola", "ikat", "ikat"], pieces=["one", "one", "one", "two"])
    nobody = judged(["patola", "patola", "ikat", "ikat"], [[np.nan] * 2] * 4)
    found = sorted(find.disagreeing_pieces(collection, nobody), key=lambda reason: -reason.score)
    assert [reason.row for reason in found] == [2, 0, 1]
    assert found[0].rival == "patola"
    assert found[0].others == (0, 1)
    assert "Patola (2), ikat (1)" in found[0].says


def test_a_photo_that_looks_unlike_the_rest_of_its_piece():
    crafts = ["ajrakh"] * 4 + ["patola"] * 2
    sure = [[0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    collection = collected(crafts, pieces=["one"] * 4 + ["two"] * 2)
    (reason,) = find.disagreeing_pieces(collection, judged(crafts, sure))
    assert (reason.row, reason.rival) == (2, "patola")
    assert reason.score == pytest.approx(0.4 * 0.9)
    assert reason.says == "looks like Patola, unlike the other 3 photos of its piece"


def test_a_photo_that_alone_looks_like_its_label_has_no_rival():
    sure = [[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.1, 0.9]]
    crafts = ["ajrakh"] * 3 + ["patola"]
    (reason,) = find.disagreeing_pieces(collected(crafts, pieces=["one"] * 3 + ["two"]), judged(crafts, sure))
    assert (reason.row, reason.rival) == (2, "")


def test_a_photo_unlike_its_craft_is_an_outlier_though_others_may_be_like_it():
    kinds = ["patola"] * 20 + ["ikat"] * 21
    crafts = ["patola"] * 21 + ["ikat"] * 20
    features = centred(bundles(kinds))
    found = find.odd_ones(collected(crafts, features), features)
    assert [reason.row for reason in found] == [20]
    assert len(found[0].others) == 5


def test_photos_of_one_piece_do_not_make_each_other_usual():
    features = centred(bundles(["patola"] * 30 + ["odd"] * 6 + ["ikat"] * 20))
    pieces = [f"p{row}" for row in range(30)] + ["one odd piece"] * 6 + [f"q{row}" for row in range(20)]
    crafts = ["patola"] * 36 + ["ikat"] * 20
    found = find.odd_ones(collected(crafts, features, pieces=pieces), features)
    assert {reason.row for reason in found} == set(range(30, 36))


def test_strangers_are_found_though_they_are_like_each_other():
    rng = np.random.default_rng(9)
    cloth = rng.normal(size=300)  # what all photos of cloth share
    sarees = cloth + bundles(["one", "two", "three"] * 30) * 0.8
    portraits = bundles(["face"] * 12, seed=5, spread=0.3)
    found = find.foreigners(np.concatenate([sarees, portraits]))
    assert {reason.row for reason in found} == set(range(90, 102))
    assert found[0].says.startswith("a cosine of ")
    assert find.foreigners(sarees) == []
    alike = cloth + 0.3 * rng.normal(size=(20, 300)) * np.repeat([0.1, 1.0], [18, 2])[:, None]
    assert find.foreigners(alike) == []  # far off only where all others are one picture
    assert find.foreigners(portraits[:3]) == []


def test_a_shop_that_lies_by_itself_is_named_once():
    kinds = ["shop"] * 12 + ["others"] * 30
    sources = ["one shop"] * 12 + [f"s{row % 6}" for row in range(30)]
    collection = collected(["patola"] * 42, bundles(kinds), sources=sources)
    (reason,) = find.dominated_by_source(collection)
    assert reason.row < 12
    assert reason.says.startswith("the 12 photos of one shop lie by themselves")
    mixed = collected(["patola"] * 42, bundles(["all"] * 42), sources=sources)
    assert find.dominated_by_source(mixed) == []


def test_a_shop_that_has_most_of_a_craft_is_not_called_dominating():
    sources = ["one shop"] * 30 + [f"s{row % 6}" for row in range(12)]
    assert find.dominated_by_source(collected(["patola"] * 42, sources=sources)) == []


def test_outliers_need_a_group_and_a_number():
    assert not outliers(np.array([0.9, 0.1]), ["a", "a"]).any()
    scores = np.array([0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, np.nan, 0.1])
    assert np.flatnonzero(outliers(scores, ["a"] * 9)).tolist() == [8]


def test_labels_from_captions_are_the_least_urgent_and_say_what_was_read():
    collection = collected(["ajrakh", "patola", "", "patola"])
    table = collection.manifest.table.assign(basis=["caption", "museum", "caption", " Caption"], note="Red saree")
    captioned = replace(collection, manifest=manifest_of(table, collection.manifest.root))
    found = find.from_captions(captioned)
    assert [reason.row for reason in found] == [0, 3]
    assert found[0].says == "“Red saree”, by s0"
    assert {reason.score for reason in found} == {0.1}
    titled = replace(collection, manifest=manifest_of(table.assign(title="Patola"), collection.manifest.root))
    assert find.from_captions(titled)[1].says == "“Patola”, by s3"
    assert find.from_captions(collection) == []


def test_captions_of_unfamiliar_photos_are_doubted_by_a_calibrated_run():
    collection = collected(["ajrakh", "patola", "patola"])
    collection.run.calibration = SimpleNamespace(photos=lambda features: np.array([0.1, 0.5]), familiarity=0.3)
    assert find.unfamiliar(collection) == []
    table = collection.manifest.table.assign(basis=["", "caption", "caption"])
    captioned = replace(collection, manifest=manifest_of(table, collection.manifest.root))
    (reason,) = find.unfamiliar(captioned)
    assert (reason.kind, reason.row) == ("foreign", 1)
    assert reason.says == "a familiarity of 0.10, where this run takes 0.30 for such cloth"
    collection.run.calibration = None
    assert find.unfamiliar(captioned) == []
