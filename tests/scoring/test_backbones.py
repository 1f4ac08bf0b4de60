"""The comparison of backbones, with small networks of random weights in the place of pretrained ones."""

import json
from io import StringIO

import numpy as np
import pytest
import torch
from rich.console import Console

from saree_cosface.networks.backbone import BackboneError
from saree_cosface.networks.create import create_backbone
from saree_cosface.scoring import backbones, baselines
from saree_cosface.scoring.backbones import compare_backbones
from saree_cosface.scoring.backbones_table import BackboneComparison
from saree_cosface.scoring.comparable import ComparisonError


@pytest.fixture
def untrained(monkeypatch):
    """Backbones of random weights, the same each time that one is asked for."""

    def made(name, **options):
        torch.manual_seed(0)
        return create_backbone(name, pretrained=False, **options)

    for module in (backbones, baselines):
        monkeypatch.setattr(module, "create_backbone", made)


def score(value, low=0.0, high=1.0):
    return {"value": value, "low": low, "high": high}


def row(name, balanced, seconds, p=None):
    scores = {"top1": score(balanced), "balanced_accuracy": score(balanced)}
    behind = {} if p is None else {"best_minus_this": {**score(0.1), "p": p}}
    kinds = {"whitened_cosine": scores, "nearest_neighbour": scores}
    cost = {"sizes": [224], "features": 4160, "weights": 3_400_000, "seconds": seconds}
    return {"backbone": name, "pooling": "mean", **cost, **kinds, **behind}


def comparison(*rows):
    said = {"manifest": "m.csv", "photos": 9, "sources": 3, "crafts": ["ikat", "tant"], "folds": 3, "seeds": 1}
    return BackboneComparison({**said, "backbones": list(rows)})


def test_the_best_is_advised_and_told_what_is_quicker_and_not_surely_worse():
    found = comparison(row("big", 0.7, 0.9), row("small", 0.69, 0.3, p=0.4), row("tiny", 0.5, 0.1, p=0.001))
    assert "small (mean) is not surely worse (p = 0.400), and takes 33% of the time" in found.advice()
    assert "--model.backbone big --model.pooling mean" in found.advice()
    assert "tiny" not in found.advice()
    slower = comparison(row("small", 0.7, 0.3), row("big", 0.69, 0.9, p=0.4)).advice()
    assert "--model.backbone small " in slower
    assert "surely" not in slower


def test_the_table_has_a_row_a_backbone_with_its_cost():
    text = StringIO()
    found = comparison(row("big", 0.7, 0.9), row("small", 0.69, 0.2, p=0.4))
    found.print_table(Console(file=text, width=80))
    lines = text.getvalue().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("small"))
    assert lines[first].split() == ["small", "0.690", "0.690", "0.690", "0.400", "0.200", "4,160"]
    assert lines[first + 1].split() == ["mean", *["0.000–1.000"] * 3, "224", "3.4", "M"]


@pytest.mark.slow
def test_each_network_is_scored_with_each_pooling_that_it_can_do(tiny_corpus, tmp_path, untrained):
    options = {"where": "craft in ['chanderi', 'leheriya']", "seeds": 2, "folds": 2, "cache": tmp_path}
    names = ["test_resnet", "test_vit", "test_resnet+test_vit", "test_resnet"]
    found = compare_backbones(tiny_corpus, names, **options).to_json()
    json.dumps(found, allow_nan=False)
    kinds = {(row["backbone"], row["pooling"]) for row in found["backbones"]}
    both = {(name, pooling) for name in names for pooling in ("mean", "second_order")}
    assert kinds == {*both, ("test_vit", "token"), ("test_vit", "token+mean")}
    assert len(kinds) == len(found["backbones"])
    values = [row["whitened_cosine"]["balanced_accuracy"]["value"] for row in found["backbones"]]
    assert values == sorted(values, reverse=True)
    for row in found["backbones"]:
        for readout in ("whitened_cosine", "nearest_neighbour"):
            scores = row[readout]["top1"]
            assert 0 <= scores["low"] <= scores["value"] <= scores["high"] <= 1
            assert np.mean(scores["per_seed"]) == pytest.approx(scores["value"])
        assert row["seconds"] > 0
    by_kind = {(row["backbone"], row["pooling"]): row for row in found["backbones"]}
    one, other, both = (by_kind[name, "mean"] for name in ("test_resnet", "test_vit", "test_resnet+test_vit"))
    assert both["features"] == one["features"] + other["features"]
    assert both["weights"] == one["weights"] + other["weights"]
    assert both["sizes"] == [*one["sizes"], *other["sizes"]]


@pytest.mark.slow
def test_the_readout_of_means_is_that_of_the_photos_themselves(tiny_corpus, tmp_path, untrained):
    """A nearest neighbour by hand, on the same folds."""
    from saree_cosface.data.views import PyramidViews
    from saree_cosface.features.extraction import photo_features
    from saree_cosface.scoring.comparable import Comparable

    where = "craft in ['chanderi', 'leheriya']"
    options = {"where": where, "seeds": 1, "folds": 2, "cache": tmp_path}
    found = compare_backbones(tiny_corpus, ["test_resnet"], **options).to_json()
    photos = Comparable.read(tiny_corpus, ["source"], **options)
    backbone = backbones.create_backbone("test_resnet")
    views = PyramidViews(backbone.preprocessing.size, brief=True)
    mean = photo_features(backbone, photos.manifest.files(), views).features.astype(np.float64).mean(axis=1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    right = []
    for fold in range(2):
        train, test = photos.splits["source", 0].rows(photos.manifest, fold)
        assert not set(photos.manifest.sources[train]) & set(photos.manifest.sources[test])
        right += (photos.labels[train][(mean[test] @ mean[train].T).argmax(axis=1)] == photos.labels[test]).tolist()
    row = next(row for row in found["backbones"] if row["pooling"] == "mean")
    assert row["nearest_neighbour"]["top1"]["value"] == pytest.approx(np.mean(right))


def test_moments_that_would_fill_the_memory_are_left_out(monkeypatch, tmp_path, capsys, untrained):
    monkeypatch.setattr(backbones, "_MOST", 100)
    monkeypatch.setattr(backbones, "_seconds", lambda *_: 0.1)
    assert list(backbones._seen("test_resnet", [], tmp_path)) == ["mean"]
    assert "Second moments of test_resnet are left out" in capsys.readouterr().err


def test_side_by_side_each_network_counts_alike():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(4, width)).astype(np.float32) for width in (3, 50)]
    parts = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in parts]
    together = backbones._side_by_side(parts)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)
    assert together @ together.T == pytest.approx((parts[0] @ parts[0].T + parts[1] @ parts[1].T) / 2, abs=1e-6)


def test_what_cannot_be_compared_is_refused_before_photos_are_read(tmp_path, untrained):
    with pytest.raises(BackboneError, match="no_such_network"):
        compare_backbones(tmp_path / "m.csv", ["test_resnet+no_such_network"], cache=tmp_path)
    with pytest.raises(ComparisonError, match="0 seeds"):
        compare_backbones(tmp_path / "m.csv", ["test_resnet"], seeds=0, cache=tmp_path)
