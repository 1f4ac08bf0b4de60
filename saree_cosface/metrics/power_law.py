"""How errors fall with the number of sources: a power law for each class, fitted to all of them together.

    error(n) = (1 + n / t)^(-c)

Without a source every answer is wrong; with many, the error falls as n^(-c), a straight line in the logarithms of both,
as it does wherever that was looked at (Hestness et al., Deep Learning Scaling is Predictable, Empirically,
arXiv:1712.00409). Classes have few sources each, so they share the exponent c; each has a t of its own, the number of
sources at which its curve bends, which is drawn towards those of the others as far as it is uncertain.

That holds where the sources of all classes grow alike. Where they do not, n (q / f)^r stands for n: f and q are the
shares of its own sources, and of those of another class, that were learned from, and r tells how much the others count;
it is below 0 where they take answers away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize_scalar

Floats = NDArray[np.float64]

_SOURCE = 0.45  # standard deviation of the share that is right, from one source of a class to another
_EXPONENT, _EXPONENT_SPREAD = np.log(0.5), 0.5  # of c, in logarithms, before anything is measured
_BEND_SPREAD = 2.0  # of t, in logarithms, around that of the other classes
_OTHERS = (-2.0, 0.8)  # bounds of r; at 1 a class would gain nothing by sources of its own


@dataclass(frozen=True, eq=False)
class Counts:
    """How many answers were right, by class, source and training; a row each.

    Attributes:
        craft: index of the class, ``(R,)``; every class below the largest has a row.
        source: whose photos were asked about, ``(R,)``.
        deal: number of the group of trainings, ``(R,)``; below 0 for those that belong with every group.
        own: sources of the class that were learned from, ``(R,)``, above 0.
        ratio: q / f, ``(R,)``, above 0.
        alike: whether the sources of all classes had grown alike, ``(R,)``.
        photos: how many, ``(R,)``.
        right: how many of them, ``(R,)``.
    """

    craft: NDArray[np.int_]
    source: NDArray[np.int_]
    deal: NDArray[np.int_]
    own: Floats
    ratio: Floats
    alike: NDArray[np.bool_]
    photos: Floats
    right: Floats


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """The law of C classes, or B laws that were drawn of it.

    Attributes:
        exponent: c, ``()`` or ``(B, 1)``.
        others: r, ``()`` or ``(B, 1)``.
        bend: t of each class, ``(C,)`` or ``(B, C)``.
    """

    exponent: Floats
    others: Floats
    bend: Floats

    def accuracy(self, own: Floats, ratio: Floats | float = 1.0) -> Floats:
        """Of each class with so many sources, and so many times as large a share of those of others: ``(C,) -> (C,)``.

        >>> law = PowerLaw(np.array(0.5), np.array(-0.5), np.array([2.0, 10.0]))
        >>> law.accuracy(np.array([6.0, 30.0])).tolist()
        [0.5, 0.5]
        """
        result: Floats = 1 - (1 + own * ratio**self.others / self.bend) ** -self.exponent
        return result

    def sources_for(self, accuracy: Floats, now: Floats) -> Floats:
        """How many sources each class needs if only its own grow in number, of so many now: ``(C,), (C,) -> (C,)``."""
        alike = self.bend * ((1 - accuracy) ** (-1 / self.exponent) - 1)
        result: Floats = now * (alike / now) ** (1 / (1 - self.others))
        return result

    def of(self, craft: int) -> "PowerLaw":
        """That of one class: bends ``(1,)`` or ``(B, 1)``."""
        return PowerLaw(self.exponent, self.others, self.bend[..., craft : craft + 1])


def fit(counts: Counts) -> PowerLaw:
    """The law that fits best, in weighted least squares: c and t where all grew alike, then r where they did not.

    Every source counts as it has photos, within a class; a class as it has sources, in what all share; and of all deals
    together as much as of one.
    """
    fitting = _Fitting(counts)
    return fitting.law(fitting.weights, np.zeros(fitting.crafts))


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
    fitting = _Fitting(counts)
    rng = np.random.default_rng(seed)
    deals = np.unique(counts.deal[counts.deal >= 0])
    found = []
    for _ in range(number):
        dealt = (counts.deal == rng.choice(deals)) | (counts.deal < 0)
        weights = rng.exponential(size=counts.source.max() + 1)[counts.source] * dealt
        found.append(fitting.law(weights, rng.normal(size=fitting.crafts)))
    exponent, others = (np.array([[getattr(law, name)] for law in found]) for name in ("exponent", "others"))
    return PowerLaw(exponent, others, np.stack([law.bend for law in found]))


class _Fitting:
    """What laws are fitted to, with any weights of its rows."""

    def __init__(self, counts: Counts) -> None:
        self.crafts = int(counts.craft.max()) + 1
        deals = len(np.unique(counts.deal[counts.deal >= 0]))
        self.weights = np.where(counts.deal < 0, 1.0, 1 / max(deals, 1))  # all deals together count as one
        of_source = np.zeros((self.crafts, counts.source.max() + 1))
        np.add.at(of_source, (counts.craft, counts.source), self.weights * counts.photos * counts.alike)
        # As many sources as would tell as much if all had equally many photos.
        effective = of_source.sum(axis=1) ** 2 / (of_source**2).sum(axis=1)
        worth = (effective / of_source.sum(axis=1))[counts.craft]  # of a photo, in sources
        self._alike = _Cells.of(counts, worth, counts.alike, np.stack([counts.craft, counts.own]))
        self._apart = _Cells.of(counts, worth, ~counts.alike, np.stack([counts.craft, counts.own, counts.ratio]))

    def law(self, weights: Floats, push: Floats) -> PowerLaw:
        """The law that fits with such weights ``(R,)``, where what is believed of each class is moved by so many
        standard deviations ``(C,)``."""
        exponent, bend = self._alike_law(weights, push)
        craft, own, ratio = self._apart.conditions
        weight, measured = self._apart.weighed(weights)

        def loss(others: float) -> float:
            error = (1 + own * ratio**others / bend[craft.astype(np.int_)]) ** -exponent
            return float(np.sum((weight * (1 - error - measured)) ** 2))

        others = minimize_scalar(loss, bounds=_OTHERS, method="bounded").x if len(own) else 0.0
        return PowerLaw(np.array(exponent), np.array(others), bend)

    def _alike_law(self, weights: Floats, push: Floats) -> tuple[float, Floats]:
        """c, and t of each class; what is fitted are log c, the mean of log t, and each log t."""
        craft, own = self._alike.conditions
        weight, measured = self._alike.weighed(weights)
        size, rows, columns = len(own), np.arange(len(own)), 2 + craft.astype(np.int_)
        pull = np.concatenate([np.zeros(2), push])

        def residuals(at: Floats) -> Floats:
            error = (1 + own / np.exp(at[columns])) ** -np.exp(at[0])
            believed = [(at[0] - _EXPONENT) / _EXPONENT_SPREAD, at[1] * 1e-3]
            bends = (at[2:] - at[1]) / _BEND_SPREAD
            return np.concatenate([weight * (1 - error - measured), np.concatenate([believed, bends]) - pull])

        def slopes(at: Floats) -> Floats:
            exponent, grown = np.exp(at[0]), own / np.exp(at[columns])
            error = (1 + grown) ** -exponent
            made = np.zeros((size + len(at), len(at)))
            made[rows, 0] = weight * exponent * error * np.log1p(grown)
            made[rows, columns] = -weight * exponent * error * grown / (1 + grown)
            believed = made[size:]
            np.fill_diagonal(believed, [1 / _EXPONENT_SPREAD, 1e-3, *[1 / _BEND_SPREAD] * self.crafts])
            believed[2:, 1] = -1 / _BEND_SPREAD
            return made

        start = np.concatenate([[_EXPONENT], np.full(1 + self.crafts, np.log(5.0))])
        found = least_squares(residuals, start, slopes, method="lm").x
        return float(np.exp(found[0])), np.exp(found[2:])


@dataclass(frozen=True, eq=False)
class _Cells:
    """Rows of the same conditions, together: K of them.

    Attributes:
        conditions: ``(2, K)`` or ``(3, K)``.
        rows: of the counts, ``(S,)``.
        cell: of each of them, ``(S,)``.
        photos: of each, ``(S,)``.
        right: of each, ``(S,)``.
        worth: of a photo of each, in sources, ``(S,)``.
    """

    conditions: Floats
    rows: NDArray[np.int_]
    cell: NDArray[np.int_]
    photos: Floats
    right: Floats
    worth: Floats

    @classmethod
    def of(cls, counts: Counts, worth: Floats, chosen: NDArray[np.bool_], conditions: Floats) -> "_Cells":
        rows = np.flatnonzero(chosen)
        found, cell = np.unique(conditions[:, rows], axis=1, return_inverse=True)
        return cls(found, rows, cell.ravel(), counts.photos[rows], counts.right[rows], worth[rows])

    def weighed(self, weights: Floats) -> tuple[Floats, Floats]:
        """How much each cell counts, in residuals of deviation 1, and which share was right: ``(K,), (K,)``."""
        weight, cells = weights[self.rows], self.conditions.shape[1]
        asked = np.bincount(self.cell, weight * self.photos, cells)
        right = np.bincount(self.cell, weight * self.right, cells)
        counted = np.bincount(self.cell, weight * self.photos * self.worth, cells)
        return np.sqrt(counted) / _SOURCE, right / np.maximum(asked, 1e-12)
