"""How sure answers are, on photos of sources that the calibration has not seen."""

import json

import numpy as np
import pytest

from saree_cosface.figures.confidence import confidence_figure
from saree_cosface.scoring.confidence import confidence_scores, sets_in_words
from tests.helpers.numbers import calibration_of, scores_at


def photos(count=2000, sources=10, temperature=0.2):
    cosines, labels = scores_at(temperature, count)
    return cosines, labels, np.array([f"shop {row % sources}" for row in range(count)])


@pytest.mark.slow
def test_probabilities_hold_where_photos_are_like_those_calibrated_on(tmp_path):
    cosines, labels, sources = photos(4000)
    calibration = calibration_of(cosines[::2], labels[::2], sources[::2])
    cosines, labels, sources = cosines[1::2], labels[1::2], sources[1::2]
    found = confidence_scores(cosines, labels, sources, calibration)
    assert found["temperature"] == pytest.approx(0.2, rel=0.1)
    assert found["ece"]["value"] < 0.05
    assert found["ece_isotonic"]["value"] < 0.05
    accuracy = float((cosines.argmax(axis=1) == labels).mean())
    half = found["accuracy_at_coverage"]["0.5"]
    assert half["low"] <= half["value"] <= half["high"]
    assert found["accuracy_at_coverage"]["0.25"]["value"] > half["value"] > accuracy
    assert found["coverage"][-1][:2] == pytest.approx([1, accuracy], abs=1e-4)
    assert len(found["coverage"]) == 200
    assert sum(each["photos"] for each in found["reliability"]) == 2000
    assert found["sets"]["promised"] == 0.9
    assert found["sets"]["covered"]["value"] == pytest.approx(0.9, abs=0.03)
    assert "fails" not in sets_in_words(found["sets"])
    json.dumps(found, allow_nan=False)
    confidence_figure(found, tmp_path / "confidence.png", "test")
    assert (tmp_path / "confidence.png").stat().st_size > 5000


def test_a_promise_that_fails_on_other_sources_is_told():
    cosines, labels, sources = photos(1000)
    calibration = calibration_of(cosines, labels, sources)
    strange = (labels + 1) % cosines.shape[1]  # sources where everything goes by another name
    found = confidence_scores(cosines, strange, sources, calibration)
    assert found["sets"]["covered"]["high"] < 0.9
    assert "fails" in sets_in_words(found["sets"])
    assert found["ece"]["value"] > 0.1


def test_one_source_alone_tells_nothing():
    cosines, labels, sources = photos(200)
    calibration = calibration_of(cosines, labels, sources)
    assert confidence_scores(cosines, labels, np.full(200, "shop"), calibration) is None
    assert confidence_scores(cosines, labels, np.array(["", "shop"] * 100), calibration) is None
