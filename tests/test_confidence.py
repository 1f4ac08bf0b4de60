"""How sure answers are, across sources."""

import json

import numpy as np
import pytest

from saree_cosface.confidence import confidence_scores
from saree_cosface.figures import confidence_figure
from saree_cosface.metrics.calibration import fit_temperature
from tests.test_calibration import drawn


def photos(count=2000, sources=10, temperature=0.2):
    cosines, labels = drawn(temperature, count)
    return cosines, labels, np.array([f"shop {row % sources}" for row in range(count)])


def test_probabilities_of_an_unseen_source_hold(tmp_path):
    cosines, labels, sources = photos()
    found = confidence_scores(cosines, labels, sources)
    assert found["temperature"] == pytest.approx(0.2, rel=0.1)
    assert found["ece"]["value"] < 0.05
    accuracy = float((cosines.argmax(axis=1) == labels).mean())
    half = found["accuracy_at_coverage"]["0.5"]
    assert half["low"] <= half["value"] <= half["high"]
    assert found["accuracy_at_coverage"]["0.25"]["value"] > half["value"] > accuracy
    assert found["coverage"][-1][:2] == pytest.approx([1, accuracy], abs=1e-4)
    assert len(found["coverage"]) == 200
    assert sum(each["photos"] for each in found["reliability"]) == 2000
    json.dumps(found, allow_nan=False)
    confidence_figure(found, tmp_path / "confidence.png", "test")
    assert (tmp_path / "confidence.png").stat().st_size > 5000


def test_the_temperature_of_a_source_is_that_of_the_others():
    cosines, labels, sources = photos(400, sources=4)
    wrong = sources == "shop 0"
    labels[wrong] = (labels[wrong] + 1) % cosines.shape[1]  # nothing that others could know
    found = confidence_scores(cosines, labels, sources)
    alone = fit_temperature(cosines[~wrong], labels[~wrong])
    assert found["temperature_by_source"][0] == pytest.approx(alone, rel=1e-3)
    assert found["temperature_by_source"][1] > 1.2 * alone


def test_one_source_alone_tells_nothing():
    cosines, labels, _ = photos(20)
    assert confidence_scores(cosines, labels, np.full(20, "shop")) is None
    assert confidence_scores(cosines, labels, np.array(["", "shop"] * 10)) is None
