"""How well the source of a photo can be read from its embedding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 2000


def source_readability(
    embeddings: NDArray[np.float32],
    crafts: NDArray[np.str_],
    sources: NDArray[np.str_],
    pieces: NDArray[np.str_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Whether photos of one craft lie nearer to those of their own source: ``(N, D), (N,), (N,), (N,)``.

    The share of photos whose nearest photo of another piece of their craft is of their source, beside what it is when
    the sources of the pieces are exchanged at random within each craft.

    Returns:
        ``share``; ``expected``, its mean over permutations; ``p``, one-sided; and ``photos``. None where no craft has
        pieces of two sources.
    """
    nearest = np.full(len(crafts), -1)
    for craft in np.unique(crafts):
        rows = np.flatnonzero(crafts == craft)
        if len(set(sources[rows].tolist())) < 2 or "" in sources[rows]:
            continue
        cosines = embeddings[rows] @ embeddings[rows].T
        cosines[pieces[rows][:, None] == pieces[rows][None]] = -np.inf
        reachable = np.isfinite(cosines.max(axis=1))
        nearest[rows[reachable]] = rows[cosines[reachable].argmax(axis=1)]
    asked = np.flatnonzero(nearest >= 0)
    if not len(asked):
        return None
    piece = np.unique(np.char.add(np.char.add(crafts, "\n"), pieces), return_inverse=True)[1]
    first = np.unique(piece, return_index=True)[1]
    code = np.unique(sources, return_inverse=True)[1][first]  # of each piece
    craft_of = crafts[first]
    near, far = piece[asked], piece[nearest[asked]]

    def share(code: NDArray[np.int_]) -> float:
        return float(np.mean(code[near] == code[far]))

    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(craft_of == craft) for craft in np.unique(craft_of)]
    drawn = np.empty(permutations)
    for turn in range(permutations):
        shuffled = code.copy()
        for members in groups:
            shuffled[members] = code[rng.permutation(members)]
        drawn[turn] = share(shuffled)
    value = share(code)
    p = (1 + int(np.sum(drawn >= value - 1e-12))) / (1 + permutations)
    return {
        "share": value,
        "expected": float(drawn.mean()),
        "low": float(np.quantile(drawn, 0.025)),
        "high": float(np.quantile(drawn, 0.975)),
        "p": p,
        "photos": len(asked),
    }
