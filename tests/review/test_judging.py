from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saree_cosface.data.manifest import COLUMNS, manifest_of
from saree_cosface.review.judging import held_out_labels


def photographed(crafts, sources, pieces=None):
    """A manifest of photos that nobody opens."""
    table = pd.DataFrame("", index=range(len(crafts)), columns=list(COLUMNS), dtype=object)
    table["path"] = [f"{row}.jpg" for row in range(len(crafts))]
    table["craft"], table["source"] = list(crafts), list(sources)
    table["piece"] = [f"p{row}" for row in range(len(crafts))] if pieces is None else list(pieces)
    return manifest_of(table, Path("/nowhere"))


def features(kinds, sources, seed=0, shop=0.0):
    """Of each kind, and to some degree of each source, a direction of its own."""
    rng = np.random.default_rng(seed)
    towards = rng.normal(size=(40, 600))
    kind = np.unique(kinds, return_inverse=True)[1]
    source = np.unique(sources, return_inverse=True)[1]
    seen = towards[kind] + shop * towards[20 + source] + rng.normal(size=(len(kind), 600))
    return seen.astype(np.float32)


@pytest.fixture
def collection():
    kinds = np.repeat(["ajrakh", "bandhani", "patola"], 40)
    sources = np.array([f"shop {row % 8}" for row in range(120)])
    return kinds, sources


def test_a_wrong_label_is_not_believed(collection):
    kinds, sources = collection
    labels = kinds.copy()
    labels[7] = "patola"
    found = held_out_labels(photographed(labels, sources), features(kinds, sources))
    assert found.own[7] < 0.5 < np.delete(found.own, 7).min()
    assert found.crafts[found.rivals[7]] == "ajrakh"
    assert found.judges.tolist() == [2] * 120
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_the_mistake_of_a_whole_shop_is_seen_only_by_those_who_do_not_know_the_shop(collection):
    kinds, sources = collection
    labels = kinds.copy()
    wrong = (sources == "shop 3") & (kinds == "ajrakh")
    labels[wrong] = "patola"
    seen = features(kinds, sources, shop=1.0)
    manifest = photographed(labels, sources)
    outside = held_out_labels(manifest, seen, hold_out=("source",))
    inside = held_out_labels(manifest, seen, hold_out=("random",))
    assert outside.own[wrong].max() < 0.5
    assert inside.own[wrong].mean() > 3 * outside.own[wrong].mean()
    both = held_out_labels(manifest, seen)
    assert both.own[wrong].max() < np.delete(both.own, np.flatnonzero(wrong)).min()


def test_the_only_shop_of_a_craft_is_judged_by_its_other_pieces(collection):
    kinds, sources = collection
    sources = np.where(kinds == "patola", "the only one", sources)
    found = held_out_labels(photographed(kinds, sources), features(kinds, sources))
    assert set(found.judges[kinds == "patola"]) == {1}
    assert set(found.judges[kinds != "patola"]) == {2}
    assert found.own[kinds == "patola"].min() > 0.4


def test_photos_of_unknown_source_are_sources_of_their_own(collection):
    kinds, _ = collection
    found = held_out_labels(photographed(kinds, [""] * 120), features(kinds, [""] * 120))
    assert found.judges.tolist() == [2] * 120
    assert found.own.min() > 0.4


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_too_few_photos_nothing_is_said(count):
    kinds = ["ajrakh", "bandhani", "patola"][:count]
    found = held_out_labels(photographed(kinds, ["a", "b", "c"][:count]), np.eye(3, dtype=np.float32)[:count])
    assert found.judges.tolist() == [0] * count
    assert np.isnan(found.own).all()


def test_one_craft_cannot_be_doubted():
    found = held_out_labels(photographed(["patola"] * 20, list("abcde") * 4), np.eye(20, dtype=np.float32))
    assert found.judges.tolist() == [0] * 20


def test_the_seed_deals_the_folds(collection):
    kinds, sources = collection
    manifest, seen = photographed(kinds, sources), features(kinds, sources)
    first = held_out_labels(manifest, seen, seed=1).probabilities
    assert np.array_equal(first, held_out_labels(manifest, seen, seed=1).probabilities)
    assert not np.array_equal(first, held_out_labels(manifest, seen, seed=2).probabilities)
