"""Protocols on photos that serve as each other's references, and the shortcut gap between two of them.

*Shortcut gap.* Score with ``random`` minus score with ``source``, both on gallery and held-out photos together, so that
they differ in nothing but the photos of the same source: what a shop's backdrop, light and pose give away.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.splits import Protocol
from saree_cosface.features.prototypes import shares

Arrays = Mapping[str, NDArray[Any]]
"""Photos by column: embedding ``(N, D)``, craft, piece and source ``(N,)``."""


def pooled_cosines(
    probe: Arrays, gallery: Arrays, classes: NDArray[np.str_], protocol: Protocol
) -> tuple[NDArray[np.float32], NDArray[np.int_]]:
    """Cosines to prototypes, and nearest references, when probes serve as references too.

    Returns:
        Cosines ``(N, C)`` to prototypes made of what the protocol allows for each probe, and the class ``(N,)`` of the
        nearest reference it allows. A craft without such a reference has cosine -1, and the nearest is -1 where there
        is none at all.
    """
    every = {name: np.concatenate([probe[name], gallery[name]]) for name in ("embedding", "craft", "piece", "source")}
    pieces = np.unique(every["piece"], return_inverse=True)[1]
    group_name = {"source": "source", "piece": "piece"}.get(protocol)
    own = np.arange(len(every["craft"])) if group_name is None else _codes(every[group_name])
    craft = np.searchsorted(classes, every["craft"])
    cosines = np.full((len(probe["craft"]), len(classes)), -1.0, np.float32)
    nearest = np.full(len(probe["craft"]), -1, np.int_)
    similarity = probe["embedding"] @ every["embedding"].T
    for row in range(len(cosines)):
        allowed = own != own[row]
        if not allowed.any():
            continue
        weights = np.zeros((allowed.sum(), len(classes)), np.float32)
        for each in np.unique(craft[allowed]):
            mine = craft[allowed] == each
            weights[mine, each] = shares(pieces[allowed][mine], every["source"][allowed][mine])
        sums = weights.T @ every["embedding"][allowed]
        lengths = np.linalg.norm(sums, axis=1)
        there = lengths > 0
        cosines[row, there] = (sums[there] @ probe["embedding"][row]) / lengths[there]
        nearest[row] = craft[np.flatnonzero(allowed)[similarity[row, allowed].argmax()]]
    return cosines, nearest


def shortcut_gap(
    probe: Arrays, gallery: Arrays, classes: NDArray[np.str_], labels: NDArray[np.int_]
) -> dict[str, Any] | None:
    """What photos of the same source give away: by prototype (top1) and by nearest photo; None without sources."""
    if np.any(probe["source"] == ""):
        return None
    found: dict[str, dict[str, float]] = {"top1": {}, "nearest": {}}
    protocols: Sequence[Protocol] = ("random", "source")
    for protocol in protocols:
        cosines, nearest = pooled_cosines(probe, gallery, classes, protocol)
        found["top1"][protocol] = float(np.mean((cosines.argmax(axis=1) == labels) & (nearest >= 0)))
        found["nearest"][protocol] = float(np.mean(nearest == labels))
    return {name: {**scores, "gap": scores["random"] - scores["source"]} for name, scores in found.items()}


def _codes(names: NDArray[Any]) -> NDArray[np.int_]:
    # An unknown group, "", is nobody else's.
    codes = np.unique(names, return_inverse=True)[1].astype(np.int_)
    unknown = names == ""
    codes[unknown] = len(names) + np.arange(int(unknown.sum()))
    return codes
