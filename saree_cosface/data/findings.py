"""What is found wrong with a collection: the kinds of findings, a finding, and the report of all."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

Severity = Literal["error", "warning"]

SEVERITY: Mapping[str, Severity] = {
    "unreadable": "error",
    "unknown label": "error",
    "refused label": "error",
    "contradictory": "error",
    "piece of several crafts": "warning",
    "straddles split": "error",
    "sha256 mismatch": "error",
    "exact duplicate": "warning",
    "near duplicate": "warning",
    "crop": "warning",
    "near duplicate (embedding)": "warning",
    "tiny": "warning",
    "too few sources": "warning",
    "too few photos": "warning",
    "names that look alike": "warning",
    "unknown source": "warning",
    "unknown piece": "warning",
}
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: what sort of thing, such as "unreadable" or "near duplicate".
        severity: an error must be mended before training; a warning weakens what can be learnt or claimed.
        paths: the photos concerned, as the manifest spells them.
        message: what was found.
        remedy: what to do.
    """

    kind: str
    severity: Severity
    paths: tuple[str, ...]
    message: str
    remedy: str


@dataclass(frozen=True)
class CheckReport:
    """Everything found in a manifest and its photos."""

    photos: int
    readable: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may remain."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """One JSON document: counts, and every finding with its photos."""
        counts = Counter(finding.severity for finding in self.findings)
        return {
            "ok": self.ok,
            "photos": self.photos,
            "readable": self.readable,
            "errors": counts["error"],
            "warnings": counts["warning"],
            "findings": [asdict(finding) for finding in self.findings],
        }

    def print_table(self, console: Console) -> None:
        """A table for people: a row a kind, with the first few cases."""
        verdict = "nothing wrong found" if not self.findings else "can be used" if self.ok else "needs mending"
        table = Table(title=f"{self.readable} of {self.photos} photos readable: {verdict}", show_lines=True)
        for header in ("what", "cases", "for example", "what to do"):
            table.add_column(header, overflow="fold")
        for kind, severity in SEVERITY.items():
            cases = [finding for finding in self.findings if finding.kind == kind]
            if cases:
                examples = "\n".join(finding.message for finding in cases[:_SHOWN])
                examples += f"\n… and {len(cases) - _SHOWN} more; --json lists all" if len(cases) > _SHOWN else ""
                colour = "red" if severity == "error" else "yellow"
                table.add_row(Text(kind, colour), str(len(cases)), Text(examples), Text(cases[0].remedy))
        console.print(table)
