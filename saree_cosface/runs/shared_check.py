"""What a shared gallery holds beside a run's own, and how much of the exact search its index finds, and how soon."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from saree_cosface.console import track
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.shared_gallery import SharedGallery


@dataclass(frozen=True)
class Search:
    """How a search did.

    Attributes:
        recall: the share of the k nearest by the exact search that it finds, in the mean; 1 for that itself.
        p50: milliseconds of the middle query, with the way to the server and back.
        p95: of the slowest of twenty.
    """

    recall: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Checked:
    """What a shared gallery holds, and how it is searched.

    Attributes:
        gallery: its address, without password.
        photos, crafts, pieces: how many it has.
        missing: photos of the run's own gallery that it does not have.
        other_craft: those that it has as another craft.
        more: photos that the run's own gallery does not have.
        k: how many nearest were asked for.
        queries: how many references were asked about, each left out of its own answer.
        exact: the exact search.
        index: the search by HNSW; None where there is no index.
    """

    gallery: str
    photos: int
    crafts: int
    pieces: int
    missing: int
    other_craft: int
    more: int
    k: int
    queries: int
    exact: Search | None
    index: Search | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return asdict(self)

    def print_table(self, console: Console) -> None:
        """For people."""

        def say(text: str) -> None:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

        say(f"{self.gallery}: {self.photos} photos of {self.pieces} pieces, {self.crafts} crafts")
        say(
            f"Of the run's own gallery {self.missing} photos are not there, and {self.other_craft} as another craft; "
            f"{self.more} photos are there alone."
        )
        for name, found in (("exact", self.exact), ("HNSW", self.index)):
            if found is not None:
                say(
                    f"{name:>5}: recall@{self.k} {found.recall:.4f}, p50 {found.p50:.1f} ms, p95 {found.p95:.1f} ms "
                    f"({self.queries} queries)"
                )
        if self.index is None:
            say("There is no index: every search is exact.")


def check(gallery: SharedGallery, own: Gallery, *, k: int = 10, queries: int = 200, seed: int = 0) -> Checked:
    """Compare a shared gallery with a run's own, and its search by HNSW with the exact one.

    Args:
        gallery: on the server.
        own: of the run.
        k: how many nearest photos are asked for.
        queries: how many references are asked about, drawn at random.
        seed: of the draw.

    Raises:
        GalleryError: the server cannot be asked.
    """
    whole = gallery.whole
    here = dict(zip(own.references["sha256"], own.references["craft"], strict=True))
    there = dict(zip(whole.references["sha256"], whole.references["craft"], strict=True))
    rows = np.random.default_rng(seed).permutation(len(whole))[:queries]
    found: dict[str, list[set[str]]] = {"exact": [], "index": []}
    milliseconds: dict[str, list[float]] = {"exact": [], "index": []}
    for row in track(rows, "Searching"):
        itself = whole.references["sha256"].iloc[row]
        for way in ("exact", "index") if gallery.about.indexed else ("exact",):
            start = time.perf_counter()
            rest = gallery.neighbours(whole.embeddings[row], k + 1, one_a_piece=False, exact=way == "exact")
            milliseconds[way].append(1000 * (time.perf_counter() - start))
            nearest = [sha256 for sha256 in rest["sha256"] if sha256 != itself][:k]
            found[way].append(set(nearest))

    def search(way: str) -> Search | None:
        if not milliseconds[way]:
            return None
        shares = [len(one & true) / max(len(true), 1) for one, true in zip(found[way], found["exact"], strict=True)]
        return Search(
            float(np.mean(shares)), float(np.median(milliseconds[way])), float(np.quantile(milliseconds[way], 0.95))
        )

    return Checked(
        gallery=gallery.database.address.shown,
        photos=len(whole),
        crafts=len(gallery.crafts),
        pieces=int(gallery.pieces.sum()),
        missing=len(here.keys() - there.keys()),
        other_craft=sum(there.get(sha256, craft) != craft for sha256, craft in here.items()),
        more=len(there.keys() - here.keys()),
        k=k,
        queries=len(rows),
        exact=search("exact"),
        index=search("index"),
    )
