"""Identification and verification against distractors that are too many for a matrix of scores.

These follow MegaFace (Kemelmacher-Shlizerman et al., arXiv:1512.00596): a probe's mate is hidden among distractors.
They take embeddings, which may be memory maps, and compare ``block`` probes with ``block`` distractors at a time.

Cosines are computed in float64, whatever the type of the embeddings. Their rounding depends on the shape of the block,
but stays below 1e-12 for up to several thousand dimensions; cosines closer than that count as tied, and a tie counts
against the mate. So a copy of the mate among the distractors always stands before it, and the block size does not
change the answer.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.metrics.operating_point import accepted_share, kept_impostors
from saree_cosface.metrics.verification import TarAtFar

_Array = NDArray[Any]
_TIE = 1e-12


def distractor_ranks(
    probes: ArrayLike,
    mates: ArrayLike,
    distractors: ArrayLike,
    sizes: Sequence[int],
    *,
    owners: ArrayLike | None = None,
    block: int = 2048,
) -> NDArray[np.int64]:
    """Rank of each mate by cosine to its probe, among itself and the first n distractors for each n of ``sizes``.

    ``(P, D), (M, D), (N, D), (S,) -> (M, S)``, ranks from 1, ties counted against the mate. The rank-k rates are
    ``np.mean(ranks <= k, axis=0)``. Other mates of the same probe do not stand in its way.

    Args:
        probes: (P, D), of any length but zero.
        mates: (M, D), other photos of the classes of the probes.
        distractors: (N, D), photos of classes that no probe has. To draw a subset at random, shuffle them.
        sizes: how many of the distractors to use, each within [1, N], in any order.
        owners: (M,) the probe that each mate belongs to; by default M = P and row i belongs to probe i.
        block: probes and distractors compared at once; memory is O(block x (block + D)), by default below 150 MB for
            D = 512.

    Raises:
        ValueError: a shape or type is wrong, an embedding is zero or not finite, or a size or ``block`` is out of
            range.

    >>> probes, mates = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 1.0], [0.0, 3.0]]
    >>> distractor_ranks(probes, mates, [[0.0, 1.0], [5.0, 1.0], [1.0, 0.0]], sizes=[1, 3])
    array([[1, 3],
           [2, 2]])
    """
    probes, mates, distractors = _checked_embeddings(probes, mates, distractors, block)
    owners = _checked_owners(owners, len(mates), len(probes))
    wanted = np.asarray(sizes)
    if wanted.ndim != 1 or wanted.size == 0 or wanted.dtype.kind not in "iu":
        raise ValueError(f"sizes are {sizes!r}; give a sequence of whole numbers, such as [10, 100]")
    wrong = wanted[(wanted < 1) | (wanted > len(distractors))]
    if len(wrong):
        raise ValueError(f"sizes asks for {wrong[0]:,} distractors; it must lie within [1, {len(distractors):,}]")
    found = np.empty((len(mates), len(wanted)), dtype=np.int64)
    for rows, unit, own, genuine in _probe_blocks(probes, mates, owners, block):
        rank, start = np.ones(len(rows), dtype=np.int64), 0
        for size in np.unique(wanted):
            for cosines in _cosine_blocks(unit, distractors, start, int(size), block):
                rank += np.count_nonzero(cosines[own] >= genuine[:, None], axis=1)
            found[np.ix_(rows, wanted == size)] = rank[:, None]
            start = int(size)
    return found


def large_scale_tar_at_far(
    probes: ArrayLike,
    mates: ArrayLike,
    distractors: ArrayLike,
    fars: Sequence[float],
    *,
    owners: ArrayLike | None = None,
    block: int = 2048,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[TarAtFar, ...]:
    """TAR at each FAR, for M probe-mate and P x N probe-distractor pairs: ``(P, D), (M, D), (N, D), (F,) -> (F,)``.

    The thresholds are exact: the best impostor scores are kept while the blocks pass, about max(fars) x P x N of them,
    at about 32 bytes each. FAR and interval mean what they do in
    :func:`~saree_cosface.metrics.verification.tar_at_far`. The interval takes the pairs as independent; here every
    probe and every distractor is in thousands of them, so that the true uncertainty is larger.

    Args:
        probes: (P, D), of any length but zero.
        mates: (M, D), other photos of the classes of the probes.
        distractors: (N, D), photos of classes that no probe has.
        fars: each within (0, 1), such as [1e-6].
        owners: (M,) the probe that each mate belongs to; by default M = P and row i belongs to probe i.
        block: probes and distractors compared at once; see :func:`distractor_ranks`.
        n_resamples: bootstrap samples.
        seed: the same seed gives the same intervals.

    Raises:
        TooFewImpostors: P x N is below 3 / far, found out before anything is computed
            (:class:`~saree_cosface.metrics.operating_point.TooFewImpostors`, a ValueError).
        ValueError: as in :func:`distractor_ranks`, or ``far`` is outside (0, 1).

    >>> angles = np.linspace(0.5, 1.5, 40)
    >>> distractors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    >>> (result,) = large_scale_tar_at_far([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.1], [1.0, 0.1]], distractors, [0.05])
    >>> result.tar, result.genuine, result.impostors
    (0.5, 2, 80)
    """
    probes, mates, distractors = _checked_embeddings(probes, mates, distractors, block)
    owners = _checked_owners(owners, len(mates), len(probes))
    total = len(probes) * len(distractors)
    if len(fars) == 0:
        raise ValueError("fars is empty; give at least one, such as [1e-6]")
    keep = max(kept_impostors(far, total) for far in fars)
    genuine = np.empty(len(mates))
    for rows, _, _, mate_cosines in _probe_blocks(probes, mates, owners, block):
        genuine[rows] = mate_cosines
    kept, bound = [np.empty(0)], -np.inf
    for start in range(0, len(probes), block):
        unit = _unit(probes, np.arange(start, min(start + block, len(probes))), "probes")
        for cosines in _cosine_blocks(unit, distractors, 0, len(distractors), block):
            kept.append(cosines[cosines > bound])
            if sum(map(len, kept)) > 2 * keep:
                best = np.concatenate(kept)
                best.partition(len(best) - keep)
                kept, bound = [best[-keep:].copy()], best[-keep]
    best = np.sort(np.concatenate(kept))[::-1]
    results = []
    for far in fars:
        rate, threshold = accepted_share(genuine, best, total, far, n_resamples, seed)
        results.append(TarAtFar(far, rate.value, rate.low, rate.high, threshold, len(mates), total))
    return tuple(results)


def _probe_blocks(
    probes: _Array, mates: _Array, owners: NDArray[np.intp], block: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp] | slice, NDArray[np.float64]]]:
    """Some mates at a time, with their probes.

    Yields rows (B,) of mates, unit vectors (P', D) of the probes they belong to, which of these each belongs to (B,),
    and the least cosine (B,) at which something is not behind the mate.
    """
    order = np.argsort(owners, kind="stable")
    for start in range(0, len(order), block):
        rows = order[start : start + block]
        needed, own = np.unique(owners[rows], return_inverse=True)
        unit = _unit(probes, needed, "probes")
        genuine = np.einsum("bd,bd->b", unit[own], _unit(mates, rows, "mates")) - _TIE
        # A slice of everything, unlike an index, copies nothing.
        yield rows, unit, slice(None) if len(needed) == len(rows) else own, genuine


def _cosine_blocks(
    unit: NDArray[np.float64], distractors: _Array, start: int, stop: int, block: int
) -> Iterator[NDArray[np.float64]]:
    """Cosines (B, block) of unit probes (B, D) with the distractors from ``start`` up to ``stop``."""
    for first in range(start, stop, block):
        yield unit @ _unit(distractors, np.arange(first, min(first + block, stop)), "distractors").T


def _unit(embeddings: _Array, rows: NDArray[np.intp], what: str) -> NDArray[np.float64]:
    """Rows at unit length in float64, in which neither half-precision nor large values overflow."""
    vectors = np.array(embeddings[rows], dtype=np.float64)
    length = np.sqrt(np.einsum("bd,bd->b", vectors, vectors))
    wrong = np.flatnonzero(~np.isfinite(length) | (length == 0))
    if len(wrong):
        raise ValueError(f"{what}[{rows[wrong[0]]}] is zero or not finite; it has no cosine: leave it out")
    vectors /= length[:, None]
    return vectors


def _checked_owners(owners: ArrayLike | None, mates: int, probes: int) -> NDArray[np.intp]:
    if owners is None:
        if mates != probes:
            raise ValueError(f"{mates} mates for {probes} probes; each probe has one mate, unless owners says whose")
        return np.arange(mates)
    whose = np.asarray(owners)
    if whose.shape != (mates,) or whose.dtype.kind not in "iu" or whose.min() < 0 or whose.max() >= probes:
        raise ValueError(f"owners must be ({mates},) whole numbers within [0, {probes})")
    return whose.astype(np.intp)


def _checked_embeddings(
    probes: ArrayLike, mates: ArrayLike, distractors: ArrayLike, block: int
) -> tuple[_Array, _Array, _Array]:
    arrays = {"probes": np.asarray(probes), "mates": np.asarray(mates), "distractors": np.asarray(distractors)}
    for what, array in arrays.items():
        if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
            raise ValueError(f"{what} have shape {array.shape} and type {array.dtype}; they must be numbers (N, D)")
        if array.shape[1] != arrays["probes"].shape[1]:
            raise ValueError(f"{what} have {array.shape[1]} dimensions, probes {arrays['probes'].shape[1]}")
    if block < 1:
        raise ValueError(f"block is {block}; at least one probe has to be compared at once")
    return arrays["probes"], arrays["mates"], arrays["distractors"]
