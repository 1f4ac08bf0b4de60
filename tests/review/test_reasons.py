"""Each kind of reason, on collections of drawn squares and made-up features."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from saree_cosface.data.content import photo_hash
from saree_cosface.data.manifest import COLUMNS, manifest_of
from saree_cosface.maps.collection import Collection, outliers
from saree_cosface.review import reasons as find
from saree_cosface.review.held_out import HeldOutLabels, held_out_labels


def collected(crafts, features=None, *, sources=None, pieces=None, files=None, parts=None, folder=Path("/nowhere")):
    """A collection as if a run had seen it."""
    count = len(crafts)
    table = pd.DataFrame("", index=range(count), columns=list(COLUMNS), dtype=object)
    table["path"] = [f"{row}.jpg" for row in range(count)] if files is None else list(files)
    table["craft"] = list(crafts)
    table["source"] = [f"s{row}" for row in range(count)] if sources is None else list(sources)
    table["piece"] = [f"p{row}" for row in range(count)] if pieces is None else list(pieces)
    manifest = manifest_of(table, folder)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 300)).astype(np.float32) if features is None else features.astype(np.float32)
    sha256 = np.array(
        [photo_hash(path) for path in manifest.files()] if files else [f"{row:064d}" for row in range(count)]
    )
    used = {} if parts is None else dict(zip(sha256.tolist(), parts, strict=True))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    run = SimpleNamespace(used=used, folder=Path("/run"), gallery=SimpleNamespace(crafts=sorted(set(crafts))))
    kinds = np.full(count, "")
    return Collection(run, manifest, unit, features, np.zeros((count, len(set(crafts))), np.float32), kinds, sha256, ())


def bundles(kinds, spread=1.0, seed=0, width=300):
    """Features near a direction of each kind."""
    rng = np.random.default_rng(seed)
    towards = rng.normal(size=(50, width))
    return towards[np.unique(kinds, return_inverse=True)[1]] + spread * rng.normal(size=(len(kinds), width))


def judged(crafts, probabilities):
    names, labels = np.unique(crafts, return_inverse=True)
    probabilities = np.array(probabilities, float)
    return HeldOutLabels(names, labels, probabilities, np.where(np.isnan(probabilities[:, 0]), 0, 2))


def picture(seed, side=160):
    """Blurred noise: structure enough for a hash."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


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
    assert find.odd_ones(collected([""] * 90, odd), find.centred(odd)) == []


def test_photos_that_nobody_could_judge_are_not_doubted():
    nothing = [[np.nan, np.nan]] * 4
    assert find.label_errors(judged(["ajrakh", "ajrakh", "patola", "patola"], nothing)) == []
    assert find.label_errors(judged(["ajrakh"] * 3, [[1.0]] * 3)) == []


@pytest.fixture
def copies(tmp_path):
    """Two pictures; the first again smaller, at another quality and in another format; and two equal flat files."""
    picture(1).save(tmp_path / "a.png")
    picture(1).resize((90, 90)).save(tmp_path / "a_small.jpg", quality=60)
    picture(1).save(tmp_path / "a_worse.jpg", quality=40)
    picture(2).save(tmp_path / "b.png")
    for name in ("flat.png", "flat_again.png"):
        Image.new("RGB", (50, 50), "red").save(tmp_path / name)
    return tmp_path, ["a.png", "a_small.jpg", "a_worse.jpg", "b.png", "flat.png", "flat_again.png"]


def seen(crafts, copies):
    folder, files = copies
    near = bundles(["a", "a", "a", "b", "flat", "flat"], spread=0.1)
    return collected(crafts, near, files=files, folder=folder), find.centred(near)


def test_copies_are_found_by_picture_and_by_content(copies):
    collection, features = seen(["patola"] * 6, copies)
    assert find.copies(collection, features).tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]


def test_pictures_that_lie_far_apart_are_not_even_decoded(copies):
    collection, _ = seen(["patola"] * 6, copies)
    apart = find.centred(np.random.default_rng(0).normal(size=(6, 300)))
    assert find.copies(collection, apart).tolist() == [[4, 5]]


def test_a_mirrored_copy_is_a_copy_and_a_picture_is_none_of_its_own(tmp_path):
    picture(1).save(tmp_path / "a.png")
    ImageOps.mirror(picture(1)).resize((90, 90)).save(tmp_path / "mirrored.jpg", quality=80)
    half = np.asarray(picture(3))[:, :80]
    Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1)).save(tmp_path / "symmetric.png")
    near = bundles(["a"] * 3, spread=0.1)
    collection = collected(["patola"] * 3, near, files=["a.png", "mirrored.jpg", "symmetric.png"], folder=tmp_path)
    assert find.copies(collection, near / np.linalg.norm(near, axis=1, keepdims=True)).tolist() == [[0, 1]]


def test_many_copies_give_a_photo_one_reason_of_a_kind(copies):
    collection, features = seen(["patola", "ikat", "ikat", "patola", "patola", "patola"], copies)
    pairs = find.copies(collection, features)
    found = find.copied(collection, pairs)
    assert sorted((reason.kind, reason.row) for reason in found if reason.row < 3) == [
        ("contradiction", 0),
        ("contradiction", 1),
        ("contradiction", 2),
        ("duplicate", min((1, 2), key=lambda row: collection.manifest.files()[row].stat().st_size)),
    ]
    assert found[0].says == "the same picture is Ikat as a_small.jpg (and 1 more with another label)"
    assert found[0].others == (1, 2)
    trained = collected(["patola"] * 4, parts=["test", "train", "train", "train"])
    (leak,) = find.leaks(trained, np.array([[0, 1], [0, 2], [0, 3]]))
    assert leak.others == (1, 2, 3)


def test_of_a_labelled_copy_and_one_without_the_labelled_stays(copies):
    collection, features = seen(["", "ikat", "", "patola", "patola", "patola"], copies)
    found = [each for each in find.copied(collection, find.copies(collection, features)) if each.row < 3]
    assert {(reason.kind, reason.row, reason.says) for reason in found} == {
        ("duplicate", 0, "the same picture as a_small.jpg"),
        ("duplicate", 2, "the same picture as a_small.jpg"),
    }


def test_of_copies_with_one_label_the_largest_file_stays(copies):
    collection, features = seen(["patola"] * 6, copies)
    found = find.copied(collection, find.copies(collection, features))
    assert {reason.kind for reason in found} == {"duplicate"}
    assert {reason.row for reason in found} == {1, 2, 5}
    assert found[0].says == "the same picture as a.png"


def test_copies_with_two_labels_contradict_each_other(copies):
    collection, features = seen(["patola", "ikat", "patola", "patola", "patola", "patola"], copies)
    found = [
        reason
        for reason in find.copied(collection, find.copies(collection, features))
        if reason.kind == "contradiction"
    ]
    assert {(reason.row, reason.rival) for reason in found} == {(0, "ikat"), (1, "patola"), (2, "ikat")}
    assert found[0].others == (1,)


def test_a_piece_with_two_labels_blames_the_fewer():
    collection = collected(["patola", "patola", "ikat", "ikat"], pieces=["one", "one", "one", "two"])
    nobody = judged(["patola", "patola", "ikat", "ikat"], [[np.nan] * 2] * 4)
    found = sorted(find.disagreeing_pieces(collection, nobody), key=lambda reason: -reason.score)
    assert [reason.row for reason in found] == [2, 0, 1]
    assert found[0].rival == "patola"
    assert found[0].others == (0, 1)
    assert "Patola (2), Ikat (1)" in found[0].says


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


def test_leaks_of_copies_pieces_and_sources():
    collection = collected(
        ["patola"] * 6,
        pieces=["a", "b", "c", "c", "d", "e"],
        sources=["s", "t", "u", "u", "v", "v"],
        parts=["train", "test", "train", "validation", "train", "test"],
    )
    found = find.leaks(collection, np.array([[0, 1]]))
    said = {(reason.row, reason.says) for reason in found}
    assert (1, "held out (test), but a copy was trained on: 0.jpg") in said
    assert (3, "photos of its piece that were held out: 1, that were trained on: 1") in said
    assert (5, "photos of its source that were held out: 1, that were trained on: 1") in said
    assert (3, "photos of its source that were held out: 1, that were trained on: 1") in said
    assert len(found) == 4


def test_nothing_leaks_where_nothing_was_trained_on():
    assert find.leaks(collected(["patola"] * 3, sources=["s"] * 3), np.array([[0, 1]])) == []


def test_a_photo_unlike_its_craft_is_an_outlier_though_others_may_be_like_it():
    kinds = ["patola"] * 20 + ["ikat"] * 21
    crafts = ["patola"] * 21 + ["ikat"] * 20
    features = find.centred(bundles(kinds))
    found = find.odd_ones(collected(crafts, features), features)
    assert [reason.row for reason in found] == [20]
    assert len(found[0].others) == 5


def test_photos_of_one_piece_do_not_make_each_other_usual():
    features = find.centred(bundles(["patola"] * 30 + ["odd"] * 6 + ["ikat"] * 20))
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
