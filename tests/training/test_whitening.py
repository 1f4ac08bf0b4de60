"""The start in closed form."""

import numpy as np
import pytest

from saree_cosface.features.prototypes import prototypes
from saree_cosface.training.whitening import SHRINKAGES, best_shrinkage, whitening


def drawn(seed=0, classes=4, each=40, size=12):
    """Classes that differ in a few directions, and photos of one class in others, by their source."""
    random = np.random.default_rng(seed)
    centres = np.zeros((classes, size))
    centres[:, :4] = random.standard_normal((classes, 4))
    labels = np.repeat(np.arange(classes), each)
    sources = np.array([f"{label}-{number % 4}" for number, label in enumerate(labels)])
    names = {name: 6 * np.r_[np.zeros(6), random.standard_normal(size - 6)] for name in sorted(set(sources))}
    noise = 0.3 * random.standard_normal((len(labels), size))
    features = centres[labels] + np.stack([names[source] for source in sources]) + noise
    return features.astype(np.float32), labels, sources


def test_the_scatter_within_classes_becomes_a_sphere():
    features, labels, _ = drawn()
    found = whitening(features, labels, 12, 0.0)
    moved = (features - found.centre) @ found.matrix
    inner = moved - np.stack([moved[labels == label].mean(axis=0) for label in range(4)])[labels]
    np.testing.assert_allclose(inner.T @ inner / len(inner), np.eye(12), atol=2e-2)


def test_photos_of_new_sources_are_told_better_than_without():
    features, labels, sources = drawn()
    new = np.char.endswith(sources, "-3")
    answers = {}
    for shrinkage in (0.0, 1.0):  # a sphere leaves everything as it is
        found = whitening(features[~new], labels[~new], 12, shrinkage)
        means = prototypes(found(features[~new]), labels[~new], np.flatnonzero(~new), sources[~new], range(4))
        answers[shrinkage] = float(np.mean((found(features[new]) @ means.T).argmax(axis=1) == labels[new]))
    assert answers[0.0] > answers[1.0] + 0.2
    assert answers[0.0] > 0.8


def test_the_shrinkage_is_one_of_those_tried_and_little_where_the_scatter_is_known():
    features, labels, sources = drawn(each=200)
    assert best_shrinkage(features, labels, sources, 12) == SHRINKAGES[0]
    assert best_shrinkage(features, labels, np.full(len(labels), "one"), 12) == 0.2


@pytest.mark.parametrize(("photos", "dimensions"), [(5, 12), (160, 3)])
def test_fewer_photos_than_dimensions_and_fewer_dimensions_than_features(photos, dimensions):
    features, labels, _ = drawn()
    rows = np.linspace(0, len(features) - 1, photos).astype(int)
    found = whitening(features[rows], labels[rows], dimensions, 0.1)
    assert found.matrix.shape == (12, dimensions)
    np.testing.assert_allclose(np.linalg.norm(found(features[rows]), axis=1), 1, rtol=1e-4)
