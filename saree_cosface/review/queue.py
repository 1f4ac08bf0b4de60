"""The review: one ranked queue of the photos that are worth another look, each with its reasons and what to compare."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from saree_cosface.answers.collection import Collection
from saree_cosface.console import announce, console
from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.data.csv_text import csv_text
from saree_cosface.data.duplicates import groups
from saree_cosface.data.images import BadImage
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.files import write_json, write_text
from saree_cosface.metrics.neighbourhood import centred
from saree_cosface.networks.create import create_backbone
from saree_cosface.review import reasons as find
from saree_cosface.review.copies import copied, copies, cropped, leaks
from saree_cosface.review.judging import HeldOutLabels, held_out_labels
from saree_cosface.review.reasons import KINDS, Kind, Reason
from saree_cosface.runs.folder import recorded_recipe
from saree_cosface.taxonomy import craft_name

QUEUE_JSON, QUEUE_CSV = "queue.json", "queue.csv"
COLUMNS = ("rank", "score", "path", "craft", "rival", "kinds", "reasons", "split", "source", "piece", "sha256")

COMPARED = 3
"""Photos of the label, and of the rival, that stand beside a photo."""


@dataclass(frozen=True)
class Entry:
    """A photo of the queue.

    Attributes:
        rank: from 1.
        row: in the collection.
        score: from 0 to 1; that of several reasons is as if each were a chance of its own, 1 - prod(1 - score).
        reasons: the weightiest first.
        rival: id of the craft that it may be instead; "" where no reason names one and none was found.
        own: rows of the most similar photos of its label, of other pieces.
        others: rows of the photos that the weightiest reason names, or else the most similar ones of the rival.
    """

    rank: int
    row: int
    score: float
    reasons: tuple[Reason, ...]
    rival: str
    own: tuple[int, ...]
    others: tuple[int, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of the reasons, each once, the weightiest first."""
        return tuple(dict.fromkeys(reason.kind for reason in self.reasons))


@dataclass(frozen=True, eq=False)
class Queue:
    """What to look at, the most urgent first.

    Attributes:
        collection: whose photos they are.
        entries: ranked.
        settled: how many photos were left out, since a curator has decided on them.
    """

    collection: Collection
    entries: tuple[Entry, ...]
    settled: int

    @property
    def bad(self) -> tuple[BadImage, ...]:
        """Photos that could not be read, and are in no queue."""
        return self.collection.bad

    def rows(self) -> list[dict[str, Any]]:
        """A row an entry, with ``COLUMNS``."""
        facts = self.collection.facts
        found = []
        for entry in self.entries:
            photo = facts.iloc[entry.row]
            known = {name: photo[name] for name in ("path", "craft", "split", "source", "piece", "sha256")}
            said = {
                "kinds": " ".join(entry.kinds),
                "reasons": "; ".join(f"{KINDS[reason.kind]}: {reason.says}" for reason in entry.reasons),
            }
            numbers = {"rank": entry.rank, "score": round(entry.score, 4), "rival": entry.rival}
            found.append({name: {**numbers, **known, **said}[name] for name in COLUMNS})
        return found

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        paths = self.collection.manifest.table["path"].tolist()
        entries = []
        for entry, row in zip(self.entries, self.rows(), strict=True):
            each = [
                {"kind": reason.kind, "score": round(reason.score, 4), "says": reason.says} for reason in entry.reasons
            ]
            near = {
                "nearest_of_label": [paths[other] for other in entry.own],
                "nearest_of_rival": [paths[other] for other in entry.others],
            }
            entries.append({**row, "kinds": list(entry.kinds), "reasons": each, **near})
        return {
            "run": str(self.collection.run.folder),
            "manifest_sha256": self.collection.manifest.sha256,
            "photos": len(self.collection),
            "by_kind": dict(self.counts()),
            "settled": self.settled,
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in self.bad],
            "queue": entries,
        }

    def counts(self) -> Counter[str]:
        """Entries by kind; one with several counts for each."""
        return Counter(kind for entry in self.entries for kind in entry.kinds)

    def save(self, out: Path) -> None:
        """Write the queue as JSON and CSV into a folder."""
        write_json(out / QUEUE_JSON, self.to_json())
        write_text(out / QUEUE_CSV, csv_text(COLUMNS, self.rows()))

    def print_table(self, out: Console, shown: int = 15) -> None:
        """For people."""
        # A path is folded, not cut: it is what `curate` asks for.
        long = [Column(name, overflow="fold") for name in ("photo", "label", "why")]
        table = Table("rank", "score", *long, box=None, pad_edge=False)
        for entry, row in zip(self.entries[:shown], self.rows()[:shown], strict=True):
            why = f"{KINDS[entry.reasons[0].kind]}: {entry.reasons[0].says}"
            table.add_row(
                str(entry.rank),
                f"{entry.score:.2f}",
                Text(row["path"]),
                Text(craft_name(row["craft"]) or "no label"),
                Text(why),
            )
        out.print(table)
        named = ", ".join(f"{count} {KINDS[kind]}" for kind, count in self.counts().most_common())  # type: ignore[index]
        said = (
            f"{len(self.entries)} of {len(self.collection)} photos are worth another look ({named})."
            if named
            else "Nothing to look at."
        )
        out.print(said, highlight=False, markup=False)
        if self.settled:
            out.print(f"{self.settled} more were decided on by curators.", highlight=False)
        for bad in self.bad[:10]:
            out.print(f"Skipped {bad}", style="yellow", highlight=False, markup=False)
        if len(self.bad) > 10:
            out.print(f"… and {len(self.bad) - 10} more.", style="yellow")


def review(
    collection: Collection, *, decisions: Sequence[Decision | None] = (), seed: int = 0, cache: Path | None = None
) -> Queue:
    """Rank what is worth another look in a collection. Nothing is changed.

    Args:
        collection: as the run sees it.
        decisions: of each photo the curators' verdict that stands, if any, ``(N,)``. A photo leaves the queue while
            the verdict holds: its label was accepted or given, it was put off, or it is to go.
        seed: of the folds.
        cache: of features.
    """
    raw = unbent_features(collection, cache)
    features = centred(raw)
    announce("Looking for copies")
    pairs = copies(collection, features, cropped(collection, cache))
    found = held_out_labels(collection.manifest, raw, duplicate_groups=groups(len(collection), pairs), seed=seed)
    reasons = [
        *find.label_errors(found),
        *copied(collection, pairs),
        *find.disagreeing_pieces(collection, found),
        *leaks(collection, pairs),
        *find.odd_ones(collection, features),
        *find.foreigners(raw),
        *find.dominated_by_source(collection),
        *find.unfamiliar(collection),
        *find.from_captions(collection),
    ]
    return _ranked(collection, found, features, reasons, decisions or [None] * len(collection))


def unbent_features(collection: Collection, cache: Path | None = None) -> NDArray[np.float32]:
    """Features of a backbone that no label has bent, the mean over the views: ``(N, F)``.

    Those of the run, where its backbone is frozen; else of the backbone it began with. Where it began with none, the
    run's own after all, and it is said: errors that were learned from are then harder to see.
    """
    run = collection.run
    model = recorded_recipe(run.folder).model
    if not model.trainable_stages:
        return collection.features
    if not model.pretrained:
        console.print("[yellow]This backbone learned from these labels alone: errors in them are harder to see.")
        return collection.features
    backbone = create_backbone(model.backbone, pretrained=True)
    views = PyramidViews(backbone.preprocessing.size, brief=True)
    files = collection.manifest.files()
    read = photo_features(backbone, files, views, cache=cache)
    features = np.zeros((len(files), backbone.num_features), np.float32)
    features[read.rows] = read.features.mean(axis=1, dtype=np.float32)
    return features


def _ranked(
    collection: Collection,
    found: HeldOutLabels,
    features: NDArray[np.float32],
    reasons: Sequence[Reason],
    decisions: Sequence[Decision | None],
) -> Queue:
    by_row: dict[int, list[Reason]] = {}
    for reason in sorted(reasons, key=lambda reason: -reason.score):
        by_row.setdefault(reason.row, []).append(reason)
    settled = {row for row in by_row if _settled(decisions[row], str(collection.manifest.crafts[row]))}
    scored = [
        (1 - float(np.prod([1 - reason.score for reason in by_row[row]])), row, tuple(by_row[row]))
        for row in by_row.keys() - settled
    ]
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    crafts, pieces = collection.manifest.crafts, collection.manifest.pieces
    rows_of = {craft: np.flatnonzero(crafts == craft) for craft in np.unique(crafts).tolist()}
    entries = []
    for rank, (score, row, why) in enumerate(scored, start=1):
        rival = next((reason.rival for reason in why if reason.rival), "")
        if not rival and found.judges[row] and len(found.crafts) > 1:
            rival = str(found.crafts[found.rivals[row]])
        own = _most_similar(features, row, rows_of[str(crafts[row])], pieces)
        named = why[0].others[:COMPARED]
        others = named or _most_similar(features, row, rows_of.get(rival, rows_of[str(crafts[row])][:0]), pieces)
        entries.append(Entry(rank, row, score, why, rival, own, others))
    return Queue(collection, tuple(entries), len(settled))


def _settled(decision: Decision | None, craft: str) -> bool:
    if decision is None:
        return False
    return decision.kind not in ("accept", "relabel") or decision.value == craft


def _most_similar(
    features: NDArray[np.float32], row: int, rows: NDArray[np.int_], pieces: NDArray[np.str_]
) -> tuple[int, ...]:
    """Of these rows those most similar to a photo, one a piece, and none of the photo's own."""
    rows = rows[pieces[rows] != pieces[row]]
    order = rows[np.argsort(-(features[rows] @ features[row]), kind="stable")]
    _, first = np.unique(pieces[order], return_index=True)
    return tuple(int(other) for other in order[np.sort(first)][:COMPARED])
