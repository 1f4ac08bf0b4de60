"""Sets of traditions that cannot be ruled out."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.numbers import calibration_of


@pytest.mark.parametrize("allowed", [0.05, 0.1, 0.25])
@pytest.mark.parametrize("photos", [1, 3])
def test_sets_are_those_of_crepes(allowed, photos):
    crepes = pytest.importorskip("crepes")
    random = np.random.default_rng(0)
    cosines, labels = random.uniform(-1, 1, (60, 3)), random.integers(0, 3, 60)
    found = replace(calibration_of(cosines, labels, np.arange(60) % 7), false_accepts=allowed)
    asked = np.concatenate(
        [cosines, random.uniform(-1, 1, (200, 3))]
    )  # the first as strange as some of the calibration
    peer = crepes.ConformalClassifier()
    peer.fit(found.nonconformity)
    strange = 1 - found.probabilities(asked, photos)
    wanted = peer.predict_set(strange, confidence=1 - allowed, smoothing=False)
    assert np.array_equal(found.prediction_sets(asked, photos), np.asarray(wanted).astype(bool))
    assert 0 < found.prediction_sets(asked, photos).mean() < 1
