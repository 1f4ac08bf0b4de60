"""What a call has gathered, for people and for programs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from saree_cosface.data.csv_text import csv_text
from saree_cosface.files import write_text
from saree_cosface.gathering.ledger import MANIFEST
from saree_cosface.gathering.listing import CREDITS
from saree_cosface.gathering.records import Left
from saree_cosface.taxonomy import craft_name

LEFT_OUT = "left_out.csv"
_COLUMNS = ("craft", "kind", "reason", "service", "title", "id", "url")


@dataclass(frozen=True)
class Gathered:
    """What has come of a call.

    Attributes:
        folder: where.
        photos: of each craft that was asked for, with those that were there.
        sources: how many made them.
        left: records of which no photo was made, by craft.
        troubles: services that were given up, with the reason.
        requests: made in this call, by host.
    """

    folder: Path
    photos: Mapping[str, int]
    sources: Mapping[str, int]
    left: Mapping[str, tuple[Left, ...]]
    troubles: tuple[str, ...]
    requests: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether there is something, and every service has answered."""
        return any(self.photos.values()) and not self.troubles

    @property
    def kinds(self) -> Counter[str]:
        """Records left out, by kind."""
        return Counter(each.kind for several in self.left.values() for each in several)

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        crafts = {
            craft: {"photos": count, "sources": self.sources[craft], "left_out": len(self.left[craft])}
            for craft, count in self.photos.items()
        }
        some = any(self.photos.values())
        return {
            "ok": self.ok,
            "folder": str(self.folder),
            "manifest": str(self.folder / MANIFEST) if some else None,
            "credits": str(self.folder / CREDITS) if some else None,
            "photos": sum(self.photos.values()),
            "crafts": crafts,
            "left_out": dict(self.kinds.most_common()),
            "skipped": [{"craft": craft, **asdict(each)} for craft, several in self.left.items() for each in several],
            "troubles": list(self.troubles),
            "requests": dict(self.requests),
        }

    def save(self) -> None:
        """Write which records were left out, and why, beside the manifest."""
        rows = [{"craft": craft, **asdict(each)} for craft, several in self.left.items() for each in several]
        write_text(self.folder / LEFT_OUT, csv_text(_COLUMNS, rows))

    def print_table(self, out: Console) -> None:
        """For people: photos of each craft, what was left out, and what went wrong."""
        table = Table(title=f"{sum(self.photos.values())} photos in {self.folder}", title_justify="left")
        table.add_column("craft")
        for header in ("photos", "sources", "left out"):
            table.add_column(header, justify="right")
        for craft, count in self.photos.items():
            name = Text(craft_name(craft), "" if count else "yellow")
            table.add_row(name, str(count), str(self.sources[craft]), str(len(self.left[craft])))
        out.print(table)
        if self.kinds:
            reasons = Table("left out", "records", "for example", title=f"All of them: {self.folder / LEFT_OUT}")
            first = {each.kind: each for several in list(self.left.values())[::-1] for each in several[::-1]}
            for kind, count in self.kinds.most_common():
                example = f"{first[kind].title or first[kind].url}: {first[kind].reason}"
                reasons.add_row(Text(kind), str(count), Text(example))
            out.print(reasons)
        without = [craft_name(craft) for craft, count in self.photos.items() if not count]
        if without and not self.troubles:  # else nobody knows
            said = f"Nothing was found of {', '.join(without)}: give the crafts more search words in the taxonomy."
            out.print(Text(said, "yellow"))
        for trouble in self.troubles:
            out.print(
                Text(f"Left for this time: {trouble}. Run the same command again to go on.", "red"), soft_wrap=True
            )
        asked = ", ".join(f"{count} to {host}" for host, count in sorted(self.requests.items()))
        out.print(Text(f"Requests: {asked or 'none; all was known'}.", "dim"))
