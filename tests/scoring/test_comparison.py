"""The comparison of losses and frozen baselines."""

import json

import numpy as np
import pytest

from saree_cosface.options import HeadOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.scoring.baselines import FROZEN, logistic_regression, nearest_centroid, nearest_neighbour
from saree_cosface.scoring.comparison import ComparisonError, compare, heads
from saree_cosface.scoring.comparison_table import LMCL
from tests.helpers.bad_photos import save, textured

RECIPE = Recipe(
    model=ModelOptions(embedding_dim=16, precision="fp32"), optim=OptimOptions(epochs=1, batch_size=16, lr=5e-3)
)


@pytest.mark.parametrize("method", [nearest_neighbour, nearest_centroid, logistic_regression])
def test_frozen_methods_tell_clear_clusters_apart(method):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2, 5], 8)
    points = np.eye(6, dtype=np.float32)[labels] + 0.05 * rng.normal(size=(24, 6)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert (method(points[::2], labels[::2], points[1::2]) == labels[1::2]).all()


def test_nsl_differs_from_lmcl_in_the_margin_alone():
    losses = heads(HeadOptions(scale=20.0, margin=0.3))
    nsl = next(options for name, options in losses.items() if name.startswith("NSL"))
    assert (nsl.name, nsl.scale, losses[LMCL].scale, losses[LMCL].margin) == ("nsl", 20.0, 20.0, 0.3)


def test_senseless_calls_are_refused(tmp_path):
    with pytest.raises(ComparisonError, match="0 seeds"):
        compare(tmp_path / "m.csv", tmp_path, RECIPE, seeds=0, cache=tmp_path)
    patient = Recipe(optim=OptimOptions(patience=3))
    with pytest.raises(ComparisonError, match="patience"):
        compare(tmp_path / "m.csv", tmp_path, patient, cache=tmp_path)


def test_photos_that_are_away_are_not_compared(tmp_path, capsys):
    rows = [f"{row}.png,{craft},shop {row}" for row, craft in enumerate(["patola", "patola", "tant", "tant"])]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    with pytest.raises(ComparisonError, match=r"none of the 4 photos can be read; the first: .*0\.png"):
        compare(tmp_path / "m.csv", tmp_path / "out", RECIPE, folds=2, cache=tmp_path)
    for row in range(3):
        save(tmp_path / f"{row}.png", textured(64, 64, row))
    with pytest.raises(ComparisonError, match="fewer than two crafts have photos of two sources"):
        compare(tmp_path / "m.csv", tmp_path / "out", RECIPE, folds=2, cache=tmp_path)
    assert "3.png: no such file" in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_every_method_is_scored_and_a_second_call_computes_nothing(tiny_corpus, tiny_cache, tmp_path, monkeypatch):
    options = {"where": "craft in ['chanderi', 'leheriya']", "seeds": 1, "folds": 2, "cache": tiny_cache}
    first = compare(tiny_corpus, tmp_path, RECIPE, **options).to_json()
    assert set(first["methods"]) == {*FROZEN, *heads(RECIPE.head)}
    for scores in first["methods"].values():
        assert 0 <= scores["top1"]["low"] <= scores["top1"]["value"] <= scores["top1"]["high"] <= 1
    assert json.loads((tmp_path / "results.json").read_text())["methods"] == first["methods"]
    assert (tmp_path / "figure.png").stat().st_size > 1000
    assert (tmp_path / "table.md").read_text().count("\n|") == 2 + len(first["methods"])

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr("saree_cosface.scoring.comparison.fit", never)
    assert compare(tiny_corpus, tmp_path, RECIPE, **options).to_json()["methods"] == first["methods"]
