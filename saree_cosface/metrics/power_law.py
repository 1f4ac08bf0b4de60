"""How errors fall with the number of sources: a power law for each class, fitted to all of them together.

    error(n, s) = (1 + n s^r / t)^(-c)

With n sources of a class, and a share s of those of all others. Without a source every answer is wrong; with many, the
error falls as n^(-c), a straight line in the logarithms of both, as it does wherever that was looked at (Hestness et
al., Deep Learning Scaling is Predictable, Empirically, arXiv:1712.00409). Classes have few sources each, so they share
the exponents c and r; each has a t of its own, the number of sources at which its curve bends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]

_SOURCE = 0.25  # standard deviation of the share that is right, from one source of a class to another
_EXPONENT, _EXPONENT_SPREAD = np.log(0.5), 1.0  # of c, in logarithms, before anything is measured
_OTHERS_SPREAD = 0.5  # of r, around 0
_BEND_SPREAD = 1.0  # of t, in logarithms, around that of the other classes


@dataclass(frozen=True, eq=False)
class Counts:
    """How many answers were right, by class, source and training; a row each.

    Attributes:
        craft: index of the class, ``(R,)``; every class below the largest has a row.
        source: whose photos were asked about, ``(R,)``.
        deal: number of the group of trainings, ``(R,)``; below 0 for those that belong with every group.
        own: sources of the class that were learned from, ``(R,)``.
        others: share of those of the other classes, ``(R,)``, above 0.
        photos: how many, ``(R,)``.
        right: how many of them, ``(R,)``.
    """

    craft: NDArray[np.int_]
    source: NDArray[np.int_]
    deal: NDArray[np.int_]
    own: Floats
    others: Floats
    photos: Floats
    right: Floats


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """The law of C classes, or B laws that were drawn of it.

    Attributes:
        exponent: c, ``()`` or ``(B, 1)``.
        others: r, how much sources of the other classes count, ``()`` or ``(B, 1)``.
        bend: t of each class, ``(C,)`` or ``(B, C)``.
    """

    exponent: Floats
    others: Floats
    bend: Floats

    def accuracy(self, own: Floats, others: Floats | float = 1.0) -> Floats:
        """Of each class, with so many sources of its own and such a share of those of others: ``(C,) -> (C,)``."""
        result: Floats = 1 - (1 + own * others**self.others / self.bend) ** -self.exponent
        return result

    def sources_for(self, accuracy: Floats) -> Floats:
        """How many sources of its own each class needs, with those of others as they are: ``(C,) -> (C,)``."""
        result: Floats = self.bend * ((1 - accuracy) ** (-1 / self.exponent) - 1)
        return result

    def of(self, craft: int) -> "PowerLaw":
        """That of one class: bends ``(1,)`` or ``(B, 1)``."""
        return PowerLaw(self.exponent, self.others, self.bend[..., craft : craft + 1])


def fit(counts: Counts) -> PowerLaw:
    """The law that fits best, in weighted least squares.

    Every source counts as it has photos, within a class; a class as it has sources, in what all share; and of all deals
    together as much as of one.
    """
    cells = _Cells(counts)
    return _law(cells.solve(cells.alike, np.zeros(cells.parameters), cells.start()))


def drawn(counts: Counts, number: int, seed: int = 0) -> PowerLaw:
    """Laws that might be as well: ``number`` of them, by a Bayesian bootstrap of sources and deals.

    Each source that was asked about has a random weight, of an exponential distribution (Rubin, The Bayesian Bootstrap,
    Annals of Statistics 9:130, 1981). Of all deals one is taken: that the shares of its sources happened to be better
    or worse ones than those of others stands for that the sources there are happen to be, since half of them at random
    vary from one another as a collection does from others of its size (Shao and Wu, A General Theory for Jackknife
    Variance Estimation, Annals of Statistics 17:1176, 1989). What is believed of a class is moved at random by as much
    as it is uncertain (Newton and Raftery, Approximate Bayesian Inference with the Weighted Likelihood Bootstrap,
    Journal of the Royal Statistical Society B 56:3, 1994), so that one of three sources, all right, is not certain.
    """
    cells = _Cells(counts)
    best = cells.solve(cells.alike, np.zeros(cells.parameters), cells.start())
    rng = np.random.default_rng(seed)
    deals = np.unique(counts.deal[counts.deal >= 0])
    found = []
    for _ in range(number):
        dealt = (counts.deal == rng.choice(deals)) | (counts.deal < 0)
        weights = rng.exponential(size=counts.source.max() + 1)[counts.source] * dealt
        push = np.concatenate([np.zeros(3), rng.normal(size=cells.parameters - 3)])
        found.append(cells.solve(weights, push, best))
    return _law(np.stack(found))


def _law(parameters: Floats) -> PowerLaw:
    first = parameters[..., :2] if parameters.ndim == 1 else parameters[:, None, :2]
    return PowerLaw(np.exp(first[..., 0]), first[..., 1], np.exp(parameters[..., 3:]))


class _Cells:
    """Counts in the same conditions, together; what is fitted are log c, r, the mean of log t, and each log t."""

    def __init__(self, counts: Counts) -> None:
        conditions = np.stack([counts.craft, counts.own, counts.others])
        (craft, self.own, self.others), cell = np.unique(conditions, axis=1, return_inverse=True)
        self.craft, self.cell = craft.astype(np.int_), cell.ravel()
        self.right = counts.right
        self.photos = counts.photos
        deals = len(np.unique(counts.deal[counts.deal >= 0]))
        self.alike = np.where(counts.deal < 0, 1.0, 1 / max(deals, 1))  # of the trainings of each deal
        of_source = np.zeros((counts.craft.max() + 1, counts.source.max() + 1))
        np.add.at(of_source, (counts.craft, counts.source), self.alike * counts.photos)
        # As many sources as would tell as much if all had equally many photos.
        effective = of_source.sum(axis=1) ** 2 / (of_source**2).sum(axis=1)
        self.worth = (effective / of_source.sum(axis=1))[counts.craft]  # of a photo, in sources
        self.parameters = 3 + len(of_source)

    def start(self) -> Floats:
        return np.concatenate([[_EXPONENT, 0.0], np.full(self.parameters - 2, np.log(5.0))])

    def solve(self, weights: Floats, push: Floats, start: Floats) -> Floats:
        """The parameters ``(3 + C,)`` that fit weighted counts, with what is believed moved by so many deviations."""
        asked = np.bincount(self.cell, weights * self.photos)
        measured = np.bincount(self.cell, weights * self.right) / np.maximum(asked, 1e-12)
        weight = np.sqrt(np.bincount(self.cell, weights * self.photos * self.worth)) / _SOURCE
        size, rows, columns = len(self.own), np.arange(len(self.own)), 3 + self.craft
        logs = np.log(self.others)

        def residuals(at: Floats) -> Floats:
            law = _law(at)
            bends = (at[3:] - at[2]) / _BEND_SPREAD
            believed = np.r_[(at[0] - _EXPONENT) / _EXPONENT_SPREAD, at[1] / _OTHERS_SPREAD, at[2] * 1e-3, bends]
            accuracy = 1 - (1 + self._ratio(law)) ** -law.exponent
            return np.concatenate([weight * (accuracy - measured), believed - push])

        def slopes(at: Floats) -> Floats:
            law = _law(at)
            ratio = self._ratio(law)
            error = (1 + ratio) ** -law.exponent
            steep = law.exponent * error * ratio / (1 + ratio)
            made = np.zeros((size + self.parameters, self.parameters))
            made[rows, 0] = weight * law.exponent * error * np.log1p(ratio)
            made[rows, 1] = weight * steep * logs
            made[rows, columns] = -weight * steep
            below = made[size:]
            np.fill_diagonal(below, [1 / _EXPONENT_SPREAD, 1 / _OTHERS_SPREAD, 1e-3, *[1 / _BEND_SPREAD] * len(at[3:])])
            below[3:, 2] = -1 / _BEND_SPREAD
            return made

        found: Floats = least_squares(residuals, start, slopes, method="lm").x
        return found

    def _ratio(self, law: PowerLaw) -> Floats:
        result: Floats = self.own * self.others**law.others / law.bend[self.craft]
        return result
