"""Face identification among distractors: whose photo is this, when most people in the gallery are strangers?

A smaller MegaFace from any folder of people, such as LFW: everyone with two photos or more is sought, and everyone with
one is a distractor.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.embeddings import NamedEmbeddings
from saree_cosface.metrics.distractors import distractor_ranks
from saree_cosface.metrics.open_set import detection_identification_rate
from saree_cosface.metrics.operating_point import TooFewImpostors

FARS = (0.1, 0.01, 0.001)
RANKS = (1, 5, 10, 100)


@dataclass(frozen=True)
class Identification:
    """Scores of a search among distractors. Rates are shares from 0 to 1.

    Attributes:
        people: who have two photos or more; the first photo of each is in the gallery, the others are probes.
        probes: photos that are sought.
        distractors: people with one photo.
        rates: by number of distractors, by rank, the share of probes whose mate is at that rank or before it. The mate
            stands alone among the distractors, as in MegaFace.
        dir_at_far: by false accept rate, the share of probes that are named, and rightly, in a gallery of all mates,
            when the people with one photo are the strangers who must not be named; or why it cannot be told.
    """

    people: int
    probes: int
    distractors: int
    rates: Mapping[str, Mapping[str, float]]
    dir_at_far: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return asdict(self)

    def print_table(self, console: Console) -> None:
        """For people, in per cent."""
        title = f"{self.probes} probes of {self.people} people"
        table = Table("distractors", *(f"rank {rank}" for rank in RANKS), title=title, title_justify="left")
        for size, rates in self.rates.items():
            table.add_row(size, *(f"{100 * rates[str(rank)]:.2f}" for rank in RANKS))
        console.print(table)
        strangers = Table("strangers named", "probes named rightly, %", title="open set", title_justify="left")
        for far, found in self.dir_at_far.items():
            said = found.get("refused") or (
                f"{100 * found['rate']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"
            )
            strangers.add_row(f"{float(far):.1%}", said)
        console.print(strangers)


def identify(embeddings: NamedEmbeddings, *, seed: int = 0) -> Identification:
    """Search everyone with two photos or more among everyone with one.

    Args:
        embeddings: of all photos; a name's folder is the person. Where there is none, or but one for all, it is what
            stands before the last underscore.
        seed: of the order in which distractors are added.

    Raises:
        FaceDataError: nobody has two photos, or nobody has one.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    flat = len({PurePosixPath(name).parent for name in embeddings.names}) == 1
    for row, name in sorted(enumerate(embeddings.names), key=lambda item: item[1]):
        rows[person_of(PurePosixPath(name).name if flat else name)].append(row)
    several = [photos for photos in rows.values() if len(photos) > 1]
    single = np.array([photos[0] for photos in rows.values() if len(photos) == 1], dtype=np.int64)
    if not several or not len(single):
        raise FaceDataError(
            f"{embeddings.source}: {len(several)} people have two photos or more and {len(single)} have one; both are "
            "needed, those to be sought and the distractors."
        )
    probes = np.array([probe for photos in several for probe in photos[1:]])
    mates = np.array([photos[0] for photos in several])
    own = np.repeat(np.arange(len(several)), [len(photos) - 1 for photos in several])
    vectors = embeddings.embeddings
    distractors = vectors[np.random.default_rng(seed).permutation(single)]
    sizes = [size for size in (10, 100, 1_000, 10_000, 100_000) if size < len(single)] + [len(single)]
    ranks = distractor_ranks(vectors[probes], vectors[mates[own]], distractors, sizes)
    rates = {
        str(size): {str(rank): float(np.mean(ranks[:, column] <= rank)) for rank in RANKS}
        for column, size in enumerate(sizes)
    }
    return Identification(len(several), len(probes), len(single), rates, _open_set(vectors, probes, mates, own, single))


def person_of(name: str) -> str:
    """The person whom a photo shows, by its name.

    >>> person_of("Aaron_Eckhart/Aaron_Eckhart_0001.jpg"), person_of("Aaron_Eckhart_0001")
    ('Aaron_Eckhart', 'Aaron_Eckhart')
    """
    path = PurePosixPath(name)
    return path.parent.name or path.stem.rpartition("_")[0] or path.stem


def _open_set(
    vectors: NDArray[np.float32],
    probes: NDArray[np.int64],
    mates: NDArray[np.int64],
    own: NDArray[np.int64],
    strangers: NDArray[np.int64],
) -> dict[str, dict[str, Any]]:
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    gallery = unit[mates].T

    def best(rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        # In blocks: every photo against the whole gallery at once would fill a laptop's memory.
        highest, where = np.empty(len(rows)), np.empty(len(rows), np.int64)
        for start in range(0, len(rows), 1024):
            cosines = unit[rows[start : start + 1024]] @ gallery
            highest[start : start + 1024], where[start : start + 1024] = cosines.max(axis=1), cosines.argmax(axis=1)
        return highest, where

    scores, named = best(probes)
    unmated, _ = best(strangers)
    rates: dict[str, dict[str, Any]] = {}
    for far in FARS:
        try:
            rates[f"{far:g}"] = asdict(detection_identification_rate(scores, named == own, unmated, far))
        except TooFewImpostors as error:
            rates[f"{far:g}"] = {"refused": str(error)}
    return rates
