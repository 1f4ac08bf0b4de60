"""Many photos, each a piece of its own: a row a photo, as they come, with reasons for those that could not be read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from saree_cosface.answers.examination import examine, see
from saree_cosface.answers.verdict import in_words
from saree_cosface.data.archives import BadArchive, expand, photos_in_archive
from saree_cosface.data.csv_text import csv_text
from saree_cosface.data.images import BadImage
from saree_cosface.languages.said import said_craft
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name


@dataclass(frozen=True)
class Row:
    """One photo of a batch.

    Attributes:
        photo: its name.
        sha256: of its bytes; "" where it could not be read.
        kind: of verdict: tradition, between, unsure or outside; "" where the run is not calibrated.
        verdict: in words.
        tradition: the nearest.
        cosine: to it.
        probability: of it, given that the piece is of a known tradition; None where the run is not calibrated.
        second: the tradition next to it; "" where there is none.
        gap: by which the first is ahead.
        likely: those that cannot be ruled out, most probable first, if it is of a known one; "" where the run is not
            calibrated.
        problem: why the photo was left out; "" otherwise.
    """

    photo: str
    sha256: str = ""
    kind: str = ""
    verdict: str = ""
    tradition: str = ""
    cosine: float | None = None
    probability: float | None = None
    second: str = ""
    gap: float | None = None
    likely: str = ""
    problem: str = ""


def count_photos(files: Iterable[tuple[Path, str]]) -> int:
    """How many rows :func:`name_photos` will give."""
    total = 0
    for path, name in files:
        if name.lower().endswith(".zip"):
            try:
                photos, bad = photos_in_archive(path)
            except BadArchive:
                photos, bad = [], []
            total += max(1, len(photos) + len(bad))
        else:
            total += 1
    return total


def name_photos(run: Run, files: Iterable[tuple[Path, str]], scratch: Path) -> Iterator[Row]:
    """A row for each photo, in order; ZIP archives are opened.

    Args:
        run: that names them.
        files: each with the name it is shown by.
        scratch: folder of one's own, made if need be, in which photos of archives lie for a moment.

    Raises:
        ValueError: the gallery is empty.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    for entry in expand(iter(files), scratch):
        if isinstance(entry, BadImage):
            yield Row(str(entry.path), problem=entry.reason)
            continue
        path, name = entry
        seen, unread = see(run, [(path, name)])
        if path.parent == scratch:
            path.unlink(missing_ok=True)
        if unread:
            yield Row(name, problem=unread[0].reason)
            continue
        answer = examine(run, seen, top=2).attribution
        first, *others = answer.traditions
        yield Row(
            name,
            seen[0].sha256,
            "" if answer.verdict is None else answer.verdict.kind,
            "" if answer.verdict is None else in_words(answer.verdict),
            said_craft(first.craft),
            round(first.cosine, 4),
            None if first.probability is None else round(first.probability, 4),
            said_craft(others[0].craft) if others else "",
            round(answer.gap, 4) if others else None,
            "" if answer.verdict is None else "; ".join(map(craft_name, answer.verdict.likely)),
        )


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header.

    >>> print(as_csv([Row("a.jpg", problem="empty")]).splitlines()[1])
    a.jpg,,,,,,,,,,empty
    """
    return csv_text([field.name for field in fields(Row)], map(asdict, rows))
