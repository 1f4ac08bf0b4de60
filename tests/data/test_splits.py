import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from saree_cosface.data.manifest import COLUMNS, manifest_of
from saree_cosface.data.splits import (
    Split,
    SplitError,
    TooManyFolds,
    held_together,
    load_split,
    make_split,
)


def manifest_from(crafts, sources, pieces=None):
    table = pd.DataFrame({column: [""] * len(crafts) for column in COLUMNS}, dtype=object)
    table["path"] = [f"{row:03}.jpg" for row in range(len(crafts))]
    table["craft"], table["source"] = crafts, sources
    if pieces is not None:
        table["piece"] = pieces
    return manifest_of(table, Path())


def drawn(n=60, sources=12, seed=0):
    rng = np.random.default_rng(seed)
    pieces = [f"p{rng.integers(30)}" if rng.random() < 0.8 else "" for _ in range(n)]
    return manifest_from(
        rng.choice(list("abcd"), n).tolist(), [f"s{k:02}" for k in rng.integers(sources, size=n)], pieces
    )


@st.composite
def manifests(draw):
    rows = draw(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 7), st.integers(-3, 9)), min_size=4, max_size=40)
    )
    crafts, sources, pieces = zip(*rows, strict=True)
    return manifest_from(list(crafts), [f"s{k}" for k in sources], [f"p{k}" if k >= 0 else "" for k in pieces])


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(
    manifest=manifests(),
    protocol=st.sampled_from(["source", "piece", "random"]),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_folds_part_the_photos_and_nothing_that_belongs_together(manifest, protocol, n_folds, seed, data):
    n = len(manifest)
    copies = np.arange(n)
    for left, right in data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=4)):
        copies[left] = copies[right]
    try:
        split = make_split(manifest, protocol, n_folds=n_folds, seed=seed, duplicate_groups=copies)
    except SplitError:
        assume(False)
    assert split.n_folds == n_folds
    tested = []
    held = {"source": manifest.sources, "piece": manifest.pieces, "random": manifest.table["path"].to_numpy()}[protocol]
    for fold in range(n_folds):
        train, test = split.rows(manifest, fold)
        tested.extend(test)
        assert len(test)
        assert len(train)
        assert sorted([*train, *test]) == list(range(n))
        assert not set(held[train]) & set(held[test])
        assert not set(copies[train]) & set(copies[test])
    assert sorted(tested) == list(range(n))
    assert make_split(manifest, protocol, n_folds=n_folds, seed=seed, duplicate_groups=copies) == split


@settings(deadline=None, max_examples=50)
@given(manifest=manifests(), seed=st.integers(0, 99))
def test_files_give_back_the_same_split(manifest, seed, tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.json"
    try:
        split = make_split(manifest, "random", n_folds=2, seed=seed)
    except SplitError:
        assume(False)
    split.save(path)
    again = load_split(path)
    assert again == split
    assert again.hash == split.hash


@pytest.mark.parametrize("seed", range(4))
def test_source_folds_are_those_of_scikit_learn(seed):
    manifest = drawn(seed=seed)
    split = make_split(manifest, "source", seed=seed, duplicate_groups=np.arange(len(manifest)))
    assert split == make_split(manifest, "source", seed=seed)
    reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for fold, (train, test) in enumerate(reference.split(manifest.crafts, manifest.crafts, manifest.sources)):
        mine = split.rows(manifest, fold)
        np.testing.assert_array_equal(mine[0], train)
        np.testing.assert_array_equal(mine[1], test)


def test_folds_are_stratified_by_craft():
    manifest = manifest_from(list("aaab") * 50, [f"s{k}" for k in range(200)])
    split = make_split(manifest, "source")
    for fold in range(5):
        _, test = split.rows(manifest, fold)
        assert sorted(manifest.crafts[test].tolist()) == ["a"] * 30 + ["b"] * 10


def test_a_craft_of_one_photo_does_no_harm():
    manifest = manifest_from([*("ab" * 10), "rare"], [f"s{k}" for k in range(21)])
    split = make_split(manifest, "source")
    assert sum("rare" in manifest.crafts[split.rows(manifest, fold)[1]] for fold in range(5)) == 1


def test_duplicates_join_what_they_link():
    manifest = manifest_from(list("aabbab"), ["s1", "s2", "s3", "s3", "s4", "s5"])
    together = held_together(manifest, "source", np.array([0, 1, 1, 2, 3, 0]))
    assert together.tolist() == ["s1", "s2", "s2", "s2", "s4", "s1"]
    assert held_together(manifest, "random", np.array([7, 7, 1, 2, 3, 4]))[:2].tolist() == ["000.jpg", "000.jpg"]
    with pytest.raises(SplitError, match=r"shape \(2,\), not \(6,\)"):
        held_together(manifest, "source", np.array([0, 1]))


def test_splits_that_cannot_be_made():
    manifest = drawn()
    with pytest.raises(SplitError, match=r"1 of 3 photos have no source \(first: 001.jpg\)"):
        make_split(manifest_from(list("aab"), ["s", "", "t"]), "source", n_folds=2)
    with pytest.raises(SplitError, match="into 3 groups by source, fewer than 5"):
        make_split(manifest_from(list("aabb"), list("xyzz")), "source")
    alone = manifest_from(list("aabb"), ["x"] * 4)
    with pytest.raises(SplitError, match="all 4 photos are of one source, so none can be held out; add photos"):
        make_split(alone, "source", n_folds=2)
    with pytest.raises(SplitError, match="of one source, counting those that share a picture as one, so"):
        make_split(
            manifest_from(list("aabb"), list("xxyy")), "source", n_folds=2, duplicate_groups=np.array([0, 1, 1, 2])
        )
    with pytest.raises(TooManyFolds, match="fewer than 3 folds; take at most 2 folds"):
        make_split(manifest_from(list("aabb"), list("xxyy")), "source", n_folds=3)
    with pytest.raises(SplitError, match="no craft has as many as 5"):
        make_split(manifest_from(list("abcdef"), list("uvwxyz")), "source")
    with pytest.raises(SplitError, match="unknown protocol 'shop'"):
        make_split(manifest, "shop")
    with pytest.raises(SplitError, match="at least 2"):
        make_split(manifest, "source", n_folds=1)


def test_an_empty_fold_is_refused(monkeypatch):
    def lopsided(self, rows, crafts, groups):
        everything = np.arange(len(crafts))
        yield everything[:0], everything
        yield everything, everything[:0]

    monkeypatch.setattr(StratifiedGroupKFold, "split", lopsided)
    with pytest.raises(SplitError, match="1 of 2 folds would be empty"):
        make_split(drawn(), "source", n_folds=2)


def test_a_split_belongs_to_its_manifest():
    manifest = drawn()
    split = make_split(manifest, "source")
    shuffled = manifest.select(np.random.default_rng(0).permutation(len(manifest)))
    _, test = split.rows(shuffled, 2)
    assert set(shuffled.table["path"][test]) == {path for path, fold in split.fold.items() if fold == 2}
    with pytest.raises(SplitError, match="other photos, labels or sources"):
        split.rows(manifest.select(manifest.crafts == "a"), 0)
    for fold in (-1, 5):
        with pytest.raises(SplitError, match="folds 0 to 4"):
            split.rows(manifest, fold)


def test_the_hash_changes_with_whatever_changes():
    split = Split("source", 0, "abc", {"a": 0, "b": 1})
    assert split.hash == Split("source", 0, "abc", {"b": 1, "a": 0}).hash
    others = [
        Split("piece", 0, "abc", {"a": 0, "b": 1}),
        Split("source", 1, "abc", {"a": 0, "b": 1}),
        Split("source", 0, "abd", {"a": 0, "b": 1}),
        Split("source", 0, "abc", {"a": 1, "b": 0}),
        Split("source", 0, "abc", {"a": 0, "c": 1}),
    ]
    assert len({split.hash, *(other.hash for other in others)}) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {**d, "seed": 5}, "does not match its hash"),
        (lambda d: {**d, "fold": {"a": 0, "b": 2}}, "without gaps"),
        (lambda d: {**d, "fold": {"a": 0, "b": 0.5}}, "without gaps"),
        (lambda d: {**d, "fold": {}}, "does not match"),
        (lambda d: {key: d[key] for key in d if key != "hash"}, "not a split; it needs"),
        (lambda d: [d], "not a split; it needs"),
    ],
)
def test_damaged_split_files(change, message, tmp_path):
    path = tmp_path / "split.json"
    Split("source", 0, "abc", {"a": 0, "b": 1}).save(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(SplitError, match=message):
        load_split(path)


def test_split_files_that_are_none(tmp_path):
    with pytest.raises(SplitError, match="cannot be read"):
        load_split(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"protocol": "so')
    with pytest.raises(SplitError, match="damaged"):
        load_split(tmp_path / "half.json")
