"""The log of enrolments beside a gallery: what was added, when, and what was taken back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saree_cosface.files import write_json
from saree_cosface.runs.gallery import require_postgres

LOG = "enrolments.json"


class EnrolmentError(ValueError):
    """Photos cannot be enrolled, or an enrolment not taken back; the message says why and what to do."""


@dataclass(frozen=True)
class Enrolment:
    """One entry of the log.

    Attributes:
        number: from 1, by which it is taken back.
        craft: id of the tradition.
        photos: absolute paths.
        sha256: of the photos.
        source: who took them.
        note: whatever is worth keeping: inventory number, owner, weaver.
        when: UTC, ISO 8601.
        undone: when it was taken back; "" while it stands.
        by: the account that enrolled, in a shared gallery; "" in a run's own.
    """

    number: int
    craft: str
    photos: tuple[str, ...]
    sha256: tuple[str, ...]
    source: str
    note: str
    when: str
    undone: str = ""
    by: str = ""


def enrolments(folder: Path, *, gallery: str = "") -> list[Enrolment]:
    """All enrolments of a run, those taken back too, in their order.

    Args:
        folder: of the run.
        gallery: address of a shared gallery, which has a log of its own; that of the run is another.

    Raises:
        EnrolmentError: the log is damaged.
        GalleryError: the shared gallery cannot be asked.
    """
    if gallery:
        require_postgres()
        from saree_cosface.runs.shared_log import entries

        return [Enrolment(**entry) for entry in entries(gallery)]
    path = folder / "gallery" / LOG
    if not path.is_file():
        return []
    try:
        return [
            Enrolment(**{**entry, "photos": tuple(entry["photos"]), "sha256": tuple(entry["sha256"])})
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnrolmentError(f"{path}: damaged ({error}); restore it from a backup.") from error


def print_log(log: Sequence[Enrolment], console: Console) -> None:
    """For people."""
    if not log:
        console.print("Nothing was enrolled yet.")
        return
    who = any(entry.by for entry in log)
    columns = ("no.", "tradition", "photos", "source", "when", *(["by"] if who else []), "taken back", "note")
    table = Table(*columns, box=None, pad_edge=False)
    for column in table.columns:
        column.overflow, column.no_wrap = "fold", column.header in ("when", "taken back")
    for entry in log:
        when, undone = (moment[:16].replace("T", " ") for moment in (entry.when, entry.undone))
        row = [str(entry.number), entry.craft, str(len(entry.photos)), entry.source, when]
        row += [*([entry.by] if who else []), undone, entry.note]
        table.add_row(*map(escape, row), style="dim" if entry.undone else None)
    console.print(table)


def write(folder: Path, log: Sequence[Enrolment]) -> None:
    """Write the log of a run, all or nothing."""
    write_json(folder / "gallery" / LOG, [asdict(entry) for entry in log])
