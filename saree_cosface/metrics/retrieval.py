"""Retrieval by cosine: every photo is a query, all others are its references.

With ``exclude``, a query never retrieves a reference of its own group. Groups of pieces ask whether *another* saree
of the craft is found, groups of sources whether one photographed by *somebody else* is; without them the score mostly
tells how alike the photos of one shop are.

A query without any relevant reference left cannot be answered; it is left out of the mean and counted. As in
identification a tie never helps: among equal cosines the wrong references come first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.floating]


@dataclass(frozen=True)
class RetrievalScore:
    """A mean over queries.

    Attributes:
        value: the mean, within [0, 1].
        queries: how many queries it is the mean of.
        left_out: how many had no relevant reference.
    """

    value: float
    queries: int
    left_out: int


def recall_at_k(
    embeddings: ArrayLike, labels: ArrayLike, k: int, *, exclude: ArrayLike | None = None, block: int = 1024
) -> RetrievalScore:
    """Share of queries with a reference of their craft among the k nearest: ``(N, D), (N,) -> score``.

    Args:
        embeddings: (N, D), of any length but zero.
        labels: (N,) crafts.
        k: how many references are looked at.
        exclude: (N,) groups, such as pieces or sources; a query's own group is not among its references.
        block: queries compared at once; memory is O(block x N).

    Raises:
        ValueError: a shape is wrong, an embedding is zero or not finite, k or block < 1, or no query can be answered.

    >>> embeddings = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [1.0, 0.3]]
    >>> labels = ["patola", "patola", "kota", "kota", "kota"]
    >>> recall_at_k(embeddings, labels, 1)
    RetrievalScore(value=0.8, queries=5, left_out=0)
    >>> recall_at_k(embeddings, labels, 1, exclude=["a", "a", "b", "b", "c"])  # doctest: +ELLIPSIS
    RetrievalScore(value=0.666..., queries=3, left_out=2)
    """
    if k < 1:
        raise ValueError(f"k is {k}; at least one reference has to be looked at")

    def found(relevant: _Floats, others: _Floats) -> float:
        return float(np.count_nonzero(others >= relevant.max()) < k)

    return _mean_over_queries(found, embeddings, labels, exclude, block)


def map_at_r(
    embeddings: ArrayLike, labels: ArrayLike, *, exclude: ArrayLike | None = None, block: int = 1024
) -> RetrievalScore:
    """Mean average precision at R (Musgrave et al., arXiv:2003.08505): ``(N, D), (N,) -> score``.

    For a query with R relevant references: 1/R times the sum, over the ranks i <= R that hold a relevant one, of the
    precision at i. Unlike recall@k it asks that *all* references of the craft come first.

    Arguments and errors are those of :func:`recall_at_k`.

    >>> map_at_r([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], [0, 0, 1, 1])
    RetrievalScore(value=1.0, queries=4, left_out=0)
    """

    def average_precision(relevant: _Floats, others: _Floats) -> float:
        count = len(relevant)
        order = np.arange(1, count + 1)
        descending = np.sort(relevant)[::-1]
        ranks = order + len(others) - np.searchsorted(np.sort(others), descending, side="left")
        return float(np.sum((order / ranks)[ranks <= count]) / count)

    return _mean_over_queries(average_precision, embeddings, labels, exclude, block)


def _mean_over_queries(
    score: Callable[[_Floats, _Floats], float],
    embeddings: ArrayLike,
    labels: ArrayLike,
    exclude: ArrayLike | None,
    block: int,
) -> RetrievalScore:
    """Mean over the answerable queries of ``score(cosines to relevant references, cosines to the others)``."""
    unit = _unit(embeddings)
    craft = _codes(labels, len(unit), "labels")
    group = np.arange(len(unit)) if exclude is None else _codes(exclude, len(unit), "exclude")
    if block < 1:
        raise ValueError(f"block is {block}; at least one query has to be compared at once")
    values: list[float] = []
    for start in range(0, len(unit), block):
        cosines = unit[start : start + block] @ unit.T
        for query, row in enumerate(cosines, start):
            allowed = group != group[query]
            same = craft == craft[query]
            relevant = row[allowed & same]
            if len(relevant):
                values.append(score(relevant, row[allowed & ~same]))
    if not values:
        raise ValueError(
            f"none of the {len(unit)} queries has a reference of its craft outside its own group; "
            "use coarser crafts, finer groups, or more photos"
        )
    return RetrievalScore(float(np.mean(values)), len(values), len(unit) - len(values))


def _unit(embeddings: ArrayLike) -> _Floats:
    array = np.asarray(embeddings)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"embeddings have shape {array.shape}; they must be (N, D) and not empty")
    array = array.astype(np.promote_types(array.dtype, np.float32), copy=False)
    length = np.linalg.norm(array, axis=1, keepdims=True)
    wrong = np.flatnonzero(~np.isfinite(length[:, 0]) | (length[:, 0] == 0))
    if len(wrong):
        raise ValueError(f"embedding {wrong[0]} is zero or not finite; it has no cosine")
    unit: _Floats = array / length
    return unit


def _codes(names: ArrayLike, count: int, what: str) -> NDArray[np.intp]:
    names = np.asarray(names)
    if names.shape != (count,):
        raise ValueError(f"{what} have shape {names.shape}; {count} embeddings take ({count},)")
    return np.unique(names, return_inverse=True)[1]
