"""Small calibrations and scores, made of numbers: for tests that need one and care little how it came."""

import numpy as np

from saree_cosface.features.familiarity import Familiarity
from saree_cosface.metrics.calibration import probabilities
from saree_cosface.runs.calibration import Calibration
from saree_cosface.scoring.calibrate import fit_calibration
from saree_cosface.scoring.out_of_fold import OutOfFold

CALIBRATED = ("chanderi", "jamdani", "patola")
"""The crafts of :func:`calibration_with` and :func:`calibration_of`."""


def calibration_of(cosines, labels, sources, false_accepts=0.1):
    """Of photos of known crafts; those of others are as near as these, halved."""
    photos = Familiarity.of(np.random.default_rng(0).normal(size=(50, 8)))
    familiarity, kin = np.linspace(0.2, 0.8, len(labels)), cosines[:, 0] / 4
    scored = OutOfFold(cosines, labels, sources, familiarity, cosines / 2, sources, familiarity, kin)
    return fit_calibration(scored, photos, false_accepts, CALIBRATED[: cosines.shape[1]])


def calibration_with(**changes):
    values = {
        "false_accepts": 0.1,
        "cosine": 0.5,
        "known": 0.2,
        "gap": 0.1,
        "familiarity": 0.3,
        "temperature": 0.1,
        "nonconformity": np.linspace(0, 0.9, 19),
        "knots": np.array([[0.2, 0.9], [0.1, 0.8]]),
        "photos": Familiarity.of(np.eye(4)),
        "crafts": CALIBRATED,
        "genuine": 0.5,
        "kin": 0.2,
        "found": {"photos": 19, "open_set": {"auroc": {"value": 0.7, "low": 0.6, "high": 0.8}, "dir": {}}},
    }
    return Calibration(**{**values, **changes})


def scores_at(temperature, count=20_000, classes=5, seed=0):
    """Cosines, and labels that follow their softmax at a temperature."""
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-0.2, 0.8, (count, classes))
    chances = probabilities(cosines, temperature)
    return cosines, (rng.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1)


def clustered(size, dim, crafts, seed, spread=1.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(crafts, size=size)
    embeddings = generator.normal(size=(crafts, dim))[labels] + spread * generator.normal(size=(size, dim))
    return embeddings, labels


def unit_rows(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
