"""Copies and leaks as reasons, on collections of drawn squares."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from saree_cosface.data.crops import Crop
from saree_cosface.features.crops import find_crops
from saree_cosface.metrics.neighbourhood import centred
from saree_cosface.review import copies as find
from tests.helpers import altered
from tests.helpers import bad_photos as bad
from tests.helpers.collected import bundles, collected, picture


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
    return collected(crafts, near, files=files, folder=folder), centred(near)


def test_copies_are_found_by_picture_and_by_content(copies):
    collection, features = seen(["patola"] * 6, copies)
    assert find.copies(collection, features).tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]


def test_pictures_that_lie_far_apart_are_not_even_decoded(copies):
    collection, _ = seen(["patola"] * 6, copies)
    apart = centred(np.random.default_rng(0).normal(size=(6, 300)))
    assert find.copies(collection, apart).tolist() == [[4, 5]]


def test_a_mirrored_copy_is_a_copy_and_a_picture_is_none_of_its_own(tmp_path):
    picture(1).save(tmp_path / "a.png")
    ImageOps.mirror(picture(1)).resize((90, 90)).save(tmp_path / "mirrored.jpg", quality=80)
    half = np.asarray(picture(3))[:, :80]
    Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1)).save(tmp_path / "symmetric.png")
    near = bundles(["a"] * 3, spread=0.1)
    collection = collected(["patola"] * 3, near, files=["a.png", "mirrored.jpg", "symmetric.png"], folder=tmp_path)
    assert find.copies(collection, near / np.linalg.norm(near, axis=1, keepdims=True)).tolist() == [[0, 1]]


def test_crops_are_copies_and_leak(copies):
    collection, features = seen(["patola", "patola", "patola", "ikat", "patola", "patola"], copies)
    pairs = find.copies(collection, features, [Crop(1, 3, 200, False)])
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [4, 5]]
    assert [reason.kind for reason in find.copied(collection, pairs) if reason.row == 3] == ["contradiction"]
    (leak,) = find.leaks(collected(["patola"] * 4, parts=["test", "test", "test", "train"]), np.array([[1, 3]]))
    assert (leak.row, leak.others) == (1, (3,))


def test_a_large_collection_is_told_of_the_crops_that_are_known(monkeypatch, tmp_path):
    woven = altered.photo(altered.woven("banarasi", 0), shop=0)
    files = [
        bad.save(tmp_path / f"{name}.jpg", pixels, quality=85)
        for name, pixels in (
            ("whole", woven),
            ("other", np.asarray(picture(1))),
            ("part", altered.part(woven, 0.1, 0.6)),
        )
    ]
    near = bundles(["a"] * 3, spread=0.1)
    collection = collected(["patola"] * 3, near, files=[path.name for path in files], folder=tmp_path)
    monkeypatch.setattr(find, "SEARCHED", 2)
    assert find.cropped(collection, tmp_path) == []
    (known,) = find_crops(files, near[:, None], cache=tmp_path)
    assert (known.first, known.second) == (0, 2)
    assert find.cropped(collection, tmp_path) == [known]
    assert find.cropped(collection) == []


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
    assert found[0].says == "the same picture is ikat as a_small.jpg (and 1 more with another label)"
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
