"""The bench at which curators go through a review together: its queue, and the log that their decisions go to.

The queue is ranked once and keeps its order, so that nobody loses their place; what has been decided is read from the
log each time, so that everybody sees what others said a moment ago, and a restart loses nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from saree_cosface.answers.collection import see
from saree_cosface.curation.deciding import decide_about, log_beside, open_log
from saree_cosface.curation.decisions import MANIFEST, Conflict, CurationError, Standing, replay
from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.curation.log import CurationLog
from saree_cosface.curation.naming import names_in_log
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.review.queue import Entry, Queue, review
from saree_cosface.runs.run import Run

_COPIES = ("duplicate", "contradiction")


@dataclass(frozen=True, eq=False)
class Bench:
    """A review that is being worked through.

    Attributes:
        queue: all photos worth another look, those decided on before as well.
        place: of the manifest.
        manifest: as it was when the queue was ranked; photos that could not be read are in it too.
        log: of decisions; the first one makes it.
    """

    queue: Queue
    place: Path
    manifest: Manifest
    log: Path

    def __len__(self) -> int:
        return len(self.queue.entries)

    def path(self, index: int) -> str:
        """The photo of an entry, as the manifest lists it."""
        return str(self.queue.collection.manifest.table["path"].iloc[self.queue.entries[index].row])

    def label(self, index: int) -> str:
        """Id of its craft."""
        return str(self.queue.collection.manifest.crafts[self.queue.entries[index].row])

    def mark(self, index: int) -> str:
        """What tells whether somebody still sees the photo that stands here: another queue has other photos."""
        content = self.queue.collection.sha256[self.queue.entries[index].row]
        return hashlib.sha256(f"{self.path(index)}\0{content}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Said:
    """What curators have said of a photo.

    Attributes:
        entries: of the log, in their order.
        verdict: that stands; None where there is none, or several contradict each other.
        conflict: those that do; None where none do.
        undone: numbers of entries that were taken back.
        seen: number of the last entry; 0 for none.
    """

    entries: tuple[Decision, ...]
    verdict: Decision | None
    conflict: Conflict | None
    undone: frozenset[int]
    seen: int


@dataclass(frozen=True)
class Progress:
    """How far a review is.

    Attributes:
        total: entries of the queue.
        decided: of them with a verdict that holds and is none to put it off.
        put_off: indices of those.
        conflicts: photos of the queue on which curators contradict each other.
        by: decisions of each curator on photos of the queue, the most first.
    """

    total: int
    decided: int
    put_off: frozenset[int]
    conflicts: int
    by: Mapping[str, int]


def set_up(run: Run, manifest: Path, log: Path | None = None, *, cache: Path | None = None) -> Bench:
    """Look through a collection and rank what is worth another look.

    Args:
        run: that looks.
        manifest: of the collection.
        log: of decisions, new or begun; ``decisions.db`` beside the manifest by default.
        cache: of features.

    Raises:
        CurationError: there is a file for a log that is none.
        ManifestError: the manifest cannot be read, or none of its photos can.
    """
    log = log_beside(manifest) if log is None else log
    if log.exists():
        CurationLog(log).close()  # what is no log is better known before an hour's work than after it
    read = read_manifest(manifest, on_unknown="keep")
    return Bench(review(see(run, read, cache=cache), cache=cache), manifest, read, log)


def said_of(bench: Bench, index: int) -> Said:
    """What the log says of the photo of an entry."""
    entries, manifests = _entries(bench)
    name = _names(bench, manifests)[index]
    about = tuple(entry for entry in entries if entry.photo == name and entry.kind != MANIFEST)
    standing = replay(about)
    conflict = next((each for each in standing.conflicts if name in each.photos), None)
    return Said(about, standing.verdicts.get(name), conflict, standing.undone, about[-1].number if about else 0)


def decided(bench: Bench) -> tuple[set[int], Progress]:
    """Indices of the entries that are decided, and how far the review is."""
    entries, manifests = _entries(bench)
    names = _names(bench, manifests)
    standing = replay(entries)
    said = {index for index, name in enumerate(names) if _holds(bench, index, standing, name)}
    put_off = frozenset(index for index in said if standing.verdicts[names[index]].kind == "defer")
    done = said - put_off
    torn = {photo for conflict in standing.conflicts for photo in conflict.photos}
    here = set(names)
    by = Counter(
        entry.by
        for entry in entries
        if entry.photo in here and entry.kind not in (MANIFEST, "undo") and entry.number not in standing.undone
    )
    return done, Progress(len(bench), len(done), put_off, len(torn & here), dict(by.most_common()))


def next_open(bench: Bench, index: int, done: Set[int], step: int = 1, put_off: Set[int] = frozenset()) -> int:
    """The next entry after one that is not decided, round the end of the queue; the one given if there is none.

    Those that were put off come last.

    >>> class Four:
    ...     __len__ = lambda self: 4
    >>> next_open(Four(), 1, {2, 3}), next_open(Four(), 1, {0, 2}, step=-1), next_open(Four(), 1, {0, 1, 2, 3})
    (0, 3, 1)
    >>> next_open(Four(), 1, {0}, put_off={2}), next_open(Four(), 1, {0, 3}, put_off={2})
    (3, 2)
    """
    others = [(index + step * away) % len(bench) for away in range(1, len(bench))]
    for passed_over in (done | put_off, done):
        for other in others:
            if other not in passed_over:
                return other
    return index


def decide(
    bench: Bench,
    index: int,
    kind: str,
    *,
    by: str,
    craft: str = "",
    kept: str = "",
    why: str = "",
    seen: int = 0,
    over: Sequence[int] = (),
) -> Decision:
    """Record a decision on the photo of an entry; see :func:`saree_cosface.curation.deciding.decide_about`.

    Args:
        bench: at which it is made.
        index: of the entry.
        kind: of decision.
        by: who decides.
        craft: of a relabel.
        kept: of a duplicate, the photo that stays.
        why: the reason, or the comment.
        seen: number of the last entry on the photo that the curator has seen.
        over: numbers of the decisions that this one overrules.

    Raises:
        Clash: somebody else decided otherwise meanwhile.
        CurationError: the decision makes no sense, or the manifest or the photo was changed since the queue was
            ranked.
        UnknownCraft, NotACraft: the craft is none.
    """
    if read_manifest(bench.place, on_unknown="keep").sha256 != bench.manifest.sha256:
        raise CurationError(
            f"{bench.place}: was changed since this queue was ranked; look through the collection anew."
        )
    row = bench.queue.entries[index].row
    _require_seen(bench.queue.collection.manifest.files()[row], str(bench.queue.collection.sha256[row]))
    log, manifest = open_log(bench.log, bench.place, by=by)
    with log:
        return decide_about(
            log,
            manifest,
            kind,
            bench.path(index),
            by=by,
            craft=craft,
            others=[kept] if kept else [],
            why=why,
            seen=seen,
            over=over,
        )


def _require_seen(photo: Path, sha256: str) -> None:
    """Refuse a decision on a file that was put in the place of the one that was looked at."""
    with suppress(BadImage):  # one that has gone can still be decided on, such as to leave it out
        if photo_hash(photo) != sha256:
            raise CurationError(f"{photo.name}: was changed since this queue was ranked; rank it anew.")


def take_back(bench: Bench, by: str) -> tuple[Decision, int]:
    """Take back the last decision of a curator on a photo of the queue.

    Returns:
        The decision that was taken back, and the index of its photo.

    Raises:
        CurationError: there is none.
    """
    entries, manifests = _entries(bench)
    names, undone = _names(bench, manifests), replay(entries).undone
    for entry in reversed(entries):
        mine = entry.by == by and entry.kind not in (MANIFEST, "undo")
        if mine and entry.number not in undone and entry.photo in names:
            with CurationLog(bench.log) as log:
                log.undo(entry.number, by=by)
            return entry, names.index(entry.photo)
    raise CurationError(f"{by or 'nobody'} has decided nothing here that could be taken back.")


def candidates(bench: Bench, index: int) -> tuple[str, ...]:
    """Photos that an entry may be a duplicate of, the likeliest first: those it stands beside."""
    entry, paths = bench.queue.entries[index], bench.queue.collection.manifest.table["path"].tolist()
    copies = [row for reason in entry.reasons if reason.kind in _COPIES for row in reason.others]
    return tuple(paths[row] for row in dict.fromkeys([*copies, *entry.others, *entry.own]))


def is_copy(entry: Entry) -> bool:
    """Whether a photo is in the queue because there is another of the same picture."""
    return any(reason.kind in _COPIES for reason in entry.reasons)


def _entries(bench: Bench) -> tuple[list[Decision], list[Decision]]:
    """All entries of the log, and those that brought manifests into use; none before the first decision."""
    if not bench.log.exists():
        return [], []
    with CurationLog(bench.log) as log:
        entries = log.entries()
    return entries, [entry for entry in entries if entry.kind == MANIFEST]


def _names(bench: Bench, manifests: Sequence[Decision]) -> list[str]:
    """The log's name of the photo of each entry."""
    names = names_in_log(bench.queue.collection.manifest, manifests, bench.log.parent)
    return [names[entry.row] for entry in bench.queue.entries]


def _holds(bench: Bench, index: int, standing: Standing, name: str) -> bool:
    verdict = standing.verdicts.get(name)
    content = str(bench.queue.collection.sha256[bench.queue.entries[index].row])
    if verdict is None or verdict.sha256 not in ("", content):  # said of another file
        return False
    return verdict.kind != "accept" or verdict.value == bench.label(index)
