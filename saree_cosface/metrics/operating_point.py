"""The threshold at a false accept rate, and what is accepted at it: shared by verification and open-set identification.

A score is accepted when it is at or above the threshold. FAR is the share of impostors' scores that are accepted.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.metrics.intervals import Interval


class TooFewImpostors(ValueError):
    """A FAR was asked for that so few impostors cannot show."""


def false_accepts(far: float, impostors: int) -> int:
    """How many of so many impostors may be accepted at a FAR: the largest k with k / impostors <= far.

    With fewer than 3 / far impostors, none of whom is accepted, the rate could still be higher than far.

    Raises:
        TooFewImpostors: there are fewer than 3 / far.
        ValueError: ``far`` is outside (0, 1).

    >>> false_accepts(0.001, 3000), false_accepts(0.29, 100)
    (3, 29)
    """
    if not 0 < far < 1:
        raise ValueError(f"far is {far}; it is a share and must lie strictly between 0 and 1")
    needed = math.ceil(3 / far * (1 - 1e-12))  # 3 / far may miss a whole number by a rounding error
    if impostors < needed:
        raise TooFewImpostors(
            f"too few impostors: {impostors:,}, and a FAR of {far:g} takes at least {needed:,} (3 / FAR)"
        )
    return _most(far, impostors)


def _most(far: float, impostors: int) -> int:
    k = math.floor(far * impostors)
    # far x impostors may miss a whole number by a rounding error: 0.29 x 100 is just below 29.
    return k + 1 if (k + 1) / impostors <= far else k


def threshold_at(impostors: NDArray[Any], far: float) -> float:
    """The lowest threshold that at most this share of impostors' scores reaches: ``(I,) -> float``, however few they
    are; -inf where there are none.

    >>> threshold_at(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.3
    True
    """
    if not len(impostors):
        return -math.inf
    falling = np.sort(impostors)[::-1]
    return float(np.nextafter(falling[_most(far, len(falling))], falling.dtype.type(np.inf)))


def accepted_share(
    genuine: NDArray[Any], impostors: NDArray[Any], total: int, far: float, n_resamples: int, seed: int
) -> tuple[Interval, float]:
    """Share of genuine scores that are accepted at a FAR, with its bootstrap interval, and the threshold.

    Args:
        genuine: (G,) scores; -inf is never accepted.
        impostors: (I,) the best of the impostors' scores, falling; at least :func:`kept_impostors` of them, or all.
        total: how many impostors there are.
        far: within (0, 1).
        n_resamples: bootstrap samples.
        seed: of the bootstrap.
    """
    k = false_accepts(far, total)
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}; at least 1 is needed")
    ascending = np.sort(genuine)
    generator = np.random.default_rng(seed)
    # Accepted is what exceeds the (k + 1)-th best impostor. In a resample that one is the (k + 1)-th smallest of
    # ``total`` positions drawn uniformly from the sorted impostors, and the (k + 1)-th smallest of ``total`` uniform
    # numbers has the distribution Beta(k + 1, total - k): no resample need be drawn. Nor of the genuine scores, whose
    # number above a threshold is binomial.
    position = (total * generator.beta(k + 1, total - k, n_resamples)).astype(np.int64)
    bounds = impostors[np.append(k, np.minimum(position, len(impostors) - 1))]
    shares = (len(ascending) - np.searchsorted(ascending, bounds, side="right")) / len(ascending)
    draws = generator.binomial(len(ascending), shares[1:]) / len(ascending)
    low, high = np.quantile(draws, [0.025, 0.975])
    threshold = np.nextafter(impostors[k], impostors.dtype.type(np.inf))
    return Interval(float(shares[0]), float(low), float(high)), float(threshold)


def kept_impostors(far: float, total: int) -> int:
    """How many of the best impostor scores :func:`accepted_share` needs; it raises what :func:`false_accepts` does."""
    k = false_accepts(far, total)
    # Ten standard deviations of the bootstrap's position, whose tail is exponential where k is small.
    return min(total, k + 1 + math.ceil(10 * math.sqrt(k + 1)) + 50)


def checked_scores(scores: ArrayLike, what: str) -> NDArray[Any]:
    """Scores as a floating-point array (N,); raises ValueError where they are something else or not finite."""
    array = np.asarray(scores)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ValueError(f"{what} have shape {array.shape} and type {array.dtype}; they must be one number each, (N,)")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise ValueError(f"{what}[{wrong[0]}] is {array[wrong[0]]}; look for embeddings that are zero or NaN")
    return array


def checked_truths(truths: ArrayLike, count: int, what: str) -> NDArray[np.bool_]:
    """Truth values as an array (count,); raises ValueError where they are something else."""
    array = np.asarray(truths)
    if array.shape != (count,) or array.dtype != bool:
        raise ValueError(
            f"{what} has shape {array.shape} and type {array.dtype}; {count} scores take ({count},) truth values (bool)"
        )
    return array
