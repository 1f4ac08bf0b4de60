"""How much a photo is like those learned from, whatever their tradition.

The embedding is learned to tell traditions apart, not to tell cloth from everything else: a portrait or a screenshot
may lie as near to a prototype as a saree does. The backbone's own features, which no tradition has bent, do better.
So a photo's familiarity is its mean cosine, in these features, to the training photos nearest to it.

References: Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, arXiv:2204.06507.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from saree_cosface.metrics.neighbourhood import unit

NEIGHBOURS = 20
MOST = 5000
"""Photos kept at most; of more, a random part."""


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What photos are compared with.

    Attributes:
        features: of training photos, the mean over their views, float16 ``(M, F)``.
    """

    features: NDArray[np.float16]

    @classmethod
    def of(cls, features: NDArray[np.floating], seed: int = 0) -> "Familiarity":
        """Of these training photos ``(M, F)``, or a random part of them where there are many."""
        rows = np.arange(len(features))
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST])
        return cls(features[rows].astype(np.float16))

    @cached_property
    def _centre(self) -> NDArray[np.float32]:
        # What all photos share says nothing; without it unrelated photos are at a cosine near 0.
        centre: NDArray[np.float32] = unit(self.features.astype(np.float32)).mean(axis=0)
        return centre

    @cached_property
    def _references(self) -> NDArray[np.float32]:
        return unit(unit(self.features.astype(np.float32)) - self._centre)

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Mean cosine to the nearest training photos: ``(N, F) -> (N,)``, from -1 to 1.

        Raises:
            ValueError: the features are of another length, so of another backbone.
        """
        if features.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"features of {features.shape[1]} numbers cannot be compared with those of {self.features.shape[1]}; "
                "calibrate the run again."
            )
        cosines = unit(unit(features.astype(np.float32)) - self._centre) @ self._references.T
        count = min(NEIGHBOURS, cosines.shape[1])
        nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
        mean: NDArray[np.float32] = nearest.mean(axis=1)
        return mean
