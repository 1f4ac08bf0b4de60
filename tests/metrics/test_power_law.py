"""The power law against laws that are known, against a plain float64 fit, and its intervals against many collections."""

import numpy as np
import pytest
from scipy.optimize import minimize

from saree_cosface.metrics.power_law import Counts, PowerLaw, drawn, fit

TRUE = PowerLaw(np.array(0.6), np.array(0.3), np.array([2.0, 6.0, 15.0]))


def counts(law=TRUE, *, sources=8, deals=4, photos=3, spread=0.0, rng=None):
    """What deals of four steps say of a collection; the sources of a class differ in how easy they are.

    In every other deal each class has shares of its own.
    """
    rng = rng or np.random.default_rng(0)
    crafts = len(law.bend)
    ease = rng.normal(scale=spread, size=(crafts, sources)) if spread else np.zeros((crafts, sources))
    rows = []
    for deal in range(deals):
        shares = np.tile([0.25, 0.5, 0.75, 1.0], (crafts, 1))
        if deal % 2:
            shares = rng.permuted(shares, axis=1)
        for step in range(4):
            own = np.maximum(1, np.round(0.8 * sources * shares[:, step]))
            others = (shares[:, step].sum() - shares[:, step]) * 0.8 / (crafts - 1)
            accuracy = law.accuracy(own, others)
            for craft in range(crafts):
                expected = np.clip(accuracy[craft] + ease[craft], 0, 1) * photos
                right = rng.binomial(photos, expected / photos) if spread else expected
                rows += [
                    (craft, craft * sources + source, deal, own[craft], others[craft], photos, right[source])
                    for source in range(sources)
                ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Counts(*columns[:3], *(column.astype(np.float64) for column in columns[3:]))


def test_without_a_source_nothing_is_right_and_every_further_one_helps():
    grown = [TRUE.accuracy(np.full(3, float(own))) for own in range(30)]
    assert grown[0].tolist() == [0, 0, 0]
    assert (np.diff(grown, axis=0) > 0).all()
    assert (np.diff(grown, n=2, axis=0) < 0).all()  # and less than the one before
    assert np.log(1 - TRUE.accuracy(np.full(3, 2e9))) - np.log(1 - TRUE.accuracy(np.full(3, 1e9))) == pytest.approx(
        -0.6 * np.log(2)
    )


def test_how_many_sources_an_accuracy_takes_is_the_inverse():
    own = np.array([3.0, 11.0, 40.0])
    assert TRUE.sources_for(TRUE.accuracy(own)) == pytest.approx(own)
    assert TRUE.of(1).sources_for(TRUE.of(1).accuracy(own[1:2])) == pytest.approx(own[1:2])


def test_a_known_law_is_found_again_where_there_are_many_sources():
    found = fit(counts(sources=400))
    for own in (100.0, 300.0, 900.0):
        assert found.accuracy(np.full(3, own)) == pytest.approx(TRUE.accuracy(np.full(3, own)), abs=0.01)
    assert found.others == pytest.approx(0.3, abs=0.15)


def test_the_fit_is_that_of_a_plain_minimisation():
    told = counts(spread=0.2)
    found = fit(told)

    def loss(at):
        c, r, mean, *bends = at
        total = (c - np.log(0.5)) ** 2 + (r / 0.5) ** 2 + (mean * 1e-3) ** 2 + sum((t - mean) ** 2 for t in bends)
        conditions = list(zip(told.craft, told.own, told.others, strict=True))
        for craft, own, others in sorted(set(conditions)):
            rows = [row for row, each in enumerate(conditions) if each == (craft, own, others)]
            share = told.right[rows].sum() / told.photos[rows].sum()
            error = (1 + own * others**r / np.exp(bends[craft])) ** -np.exp(c)
            # Eight sources of equally many photos, over all trainings.
            weight = 8 * told.photos[rows].sum() / told.photos[told.craft == craft].sum()
            total += weight * ((1 - error - share) / 0.25) ** 2
        return total

    best = minimize(loss, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], method="BFGS").x
    assert [np.log(found.exponent), found.others] == pytest.approx(best[:2], abs=2e-3)
    assert np.log(found.bend) == pytest.approx(best[3:], abs=5e-3)


def test_a_class_of_three_sources_that_were_all_right_is_not_taken_for_certain():
    told = counts(sources=3)
    right = np.where(told.craft == 0, told.photos, told.right)
    laws = drawn(Counts(**{**vars(told), "right": right}), 60)
    low, high = np.quantile(laws.accuracy(np.full(3, 6.0))[:, 0], [0.1, 0.9])
    assert high - low > 0.02
    assert low < 0.97


def test_draws_follow_from_the_seed_and_lie_around_the_fit():
    told = counts(spread=0.2)
    one, again, other = drawn(told, 40, 1), drawn(told, 40, 1), drawn(told, 40, 2)
    assert one.bend.shape == (40, 3)
    assert (one.bend == again.bend).all()
    assert (one.bend != other.bend).any()
    own = np.full(3, 12.0)
    low, high = np.quantile(one.accuracy(own), [0.05, 0.95], axis=0)
    assert (low < fit(told).accuracy(own)).all()
    assert (fit(told).accuracy(own) < high).all()
