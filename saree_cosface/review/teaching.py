"""The order in which photos without a label are best labelled: a pure function of arrays.

What is scarce is sources, so they take turns: one photo of every source is chosen before any has two. Which source
comes first is left to chance. Of its photos that one is taken that the run doubts most and that is least like what has
a label or was chosen before.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidates:
    """Photos without a label.

    Attributes:
        embeddings: of length 1, ``(N, D)``.
        gaps: by which the cosine of the first tradition is ahead of that of the second, ``(N,)``.
        sources: of each, ``(N,)``; a photo of unknown source, "", is of one of its own.
        groups: of near-duplicates, ``(N,)``; of each one photo is chosen at most.
    """

    embeddings: NDArray[np.float32]
    gaps: NDArray[np.floating]
    sources: NDArray[np.str_]
    groups: NDArray[np.int_]


@dataclass(frozen=True)
class Pick:
    """A photo that was chosen.

    Attributes:
        row: of the candidates.
        nearest: cosine to the photo most like it of those that have a label or were chosen before.
    """

    row: int
    nearest: float


def most_teaching(
    candidates: Candidates, labelled: NDArray[np.float32], known_sources: Set[str], count: int, *, seed: int = 0
) -> list[Pick]:
    """Choose photos, the first first; fewer than asked for where there are no more pictures.

    Args:
        candidates: photos without a label.
        labelled: embeddings of those that have one, of length 1, ``(M, D)``, at least one.
        known_sources: sources of these: they have had a turn.
        count: how many to choose.
        seed: of the order of sources.
    """
    places = np.argsort(np.argsort(candidates.gaps, kind="stable"), kind="stable")
    doubt = 1 - places / max(len(places), 1)
    nearest = (candidates.embeddings @ labelled.T).max(axis=1)
    names, source = _sources(candidates.sources)
    order = np.random.default_rng(seed).permutation(len(names))
    turns = np.isin(names, sorted(known_sources - {""})).astype(np.int_)
    free = np.ones(len(source), np.bool_)
    chosen: list[Pick] = []
    while len(chosen) < count and free.any():
        waiting = np.unique(source[free])
        first = waiting[np.lexsort((order[waiting], turns[waiting]))[0]]
        worth = np.where(free & (source == first), doubt * np.maximum(1 - nearest, 1e-6), -1)
        row = int(worth.argmax())
        chosen.append(Pick(row, float(nearest[row])))
        free &= candidates.groups != candidates.groups[row]
        turns[first] += 1
        nearest = np.maximum(nearest, candidates.embeddings @ candidates.embeddings[row])
    return chosen


def _sources(sources: NDArray[np.str_]) -> tuple[NDArray[np.str_], NDArray[np.int_]]:
    """Names of sources, and which of them each photo is of; every unknown one has a place of its own."""
    names, source = np.unique(sources, return_inverse=True)
    unknown = np.flatnonzero(sources == "")
    source[unknown] = len(names) + np.arange(len(unknown))
    return np.concatenate([names, np.full(len(unknown), "", names.dtype)]), source
