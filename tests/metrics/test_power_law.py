"""The power law against laws that are known, against a plain float64 fit, and what its draws are sure of."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from saree_cosface.metrics.power_law import Counts, PowerLaw, drawn, fit

TRUE = PowerLaw(np.array(0.6), np.array(-0.3), np.array([2.0, 6.0, 15.0]))


def counts(*, sources=8, deals=3, spread=0.0):
    """What trainings say of a collection of three classes, whose sources may differ in how easy they are."""
    rng = np.random.default_rng(0)
    ease = rng.normal(size=(3, sources)) * spread
    steps = [(-1, True, np.ones(3))]
    for deal in range(deals):
        steps += [(deal, True, np.full(3, share)) for share in (0.25, 0.5, 0.75)]
        steps += [(deal, False, np.array([1, 0.25, 0.5])), (deal, False, np.array([0.25, 1, 0.75]))]
    rows = []
    for deal, alike, shares in steps:
        own = np.round(0.8 * sources * shares)
        ratio = np.ones(3) if alike else (shares.sum() - shares) / 2 / shares
        right = np.clip(TRUE.accuracy(own, ratio)[:, None] + ease, 0, 1) * 3
        for craft in range(3):
            rows += [
                (craft, craft * sources + source, deal, own[craft], ratio[craft], alike, 3, right[craft, source])
                for source in range(sources)
            ]
    craft, source, deal, own, ratio, alike, photos, right = (np.array(column) for column in zip(*rows, strict=True))
    return Counts(craft, source, deal, own, ratio, alike, photos.astype(float), right)


def test_without_a_source_nothing_is_right_and_every_further_one_helps():
    grown = [TRUE.accuracy(np.full(3, float(own))) for own in range(30)]
    assert grown[0].tolist() == [0, 0, 0]
    assert (np.diff(grown, axis=0) > 0).all()
    assert (np.diff(grown, n=2, axis=0) < 0).all()  # and less than the one before
    many = [np.log(1 - TRUE.accuracy(np.full(3, own))) for own in (1e9, 2e9)]
    assert many[1] - many[0] == pytest.approx(-0.6 * np.log(2))


def test_how_many_sources_an_accuracy_takes_is_the_inverse():
    now, own = np.array([2.0, 8.0, 10.0]), np.array([3.0, 11.0, 40.0])
    accuracy = TRUE.accuracy(own, now / own)  # the others are where they were
    assert TRUE.sources_for(accuracy, now) == pytest.approx(own)
    assert TRUE.of(1).sources_for(accuracy[1:2], now[1:2]) == pytest.approx(own[1:2])


def test_a_known_law_is_found_again_where_there_are_many_sources():
    found = fit(counts(sources=4000))
    for own in (1000.0, 3000.0, 9000.0):
        assert found.accuracy(np.full(3, own)) == pytest.approx(TRUE.accuracy(np.full(3, own)), abs=0.01)
    assert found.others == pytest.approx(-0.3, abs=0.02)


def test_trainings_in_which_classes_grow_apart_do_not_bend_the_curve():
    told = counts(spread=0.2)
    other = replace(told, right=np.where(told.alike, told.right, 0))
    assert fit(other).exponent == fit(told).exponent
    assert (fit(other).bend == fit(told).bend).all()
    assert fit(other).others != fit(told).others
    alone = fit(Counts(**{name: column[told.alike] for name, column in vars(told).items()}))
    assert (alone.exponent, alone.others) == (fit(told).exponent, 0)


def test_the_fit_is_that_of_a_plain_minimisation():
    told = counts(spread=0.2)
    found = fit(told)

    def loss(at):
        c, mean, *bends = at
        total = ((c - np.log(0.5)) / 0.5) ** 2 + (mean * 1e-3) ** 2 + sum(((t - mean) / 2) ** 2 for t in bends)
        for craft in range(3):
            for deal, own in sorted({*zip(told.deal[told.alike], told.own[told.alike], strict=True)}):
                rows = (told.craft == craft) & (told.own == own) & (told.deal == deal) & told.alike
                share = told.right[rows].sum() / told.photos[rows].sum()
                error = (1 + own / np.exp(bends[craft])) ** -np.exp(c)
                # Eight sources of equally many photos, over a training on all and three that count as one deal.
                total += 8 / 4 * (1 if deal < 0 else 1 / 3) * ((1 - error - share) / 0.45) ** 2
        return total

    best = minimize(loss, [0.0, 1.0, 1.0, 1.0, 1.0], method="BFGS").x
    assert np.log(found.exponent) == pytest.approx(best[0], abs=2e-3)
    assert np.log(found.bend) == pytest.approx(best[2:], abs=5e-3)


def test_a_class_of_three_sources_that_were_all_right_is_not_taken_for_certain():
    told = counts(sources=3)
    laws = drawn(replace(told, right=np.where(told.craft == 0, told.photos, told.right)), 60)
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
