"""What a comparison found: its table for people, as Markdown and as CSV, and its figure."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from saree_cosface.files import write_json, write_text

LMCL = "LMCL (CosFace)"
"""The method that the others are compared with."""


@dataclass(frozen=True)
class Comparison:
    """The scores of all methods, as they are written to ``results.json``."""

    document: dict[str, Any]

    def save(self, out: Path) -> None:
        """Write ``results.json``, ``table.md``, ``table.csv`` and ``figure.png``."""
        write_json(out / "results.json", self.document)
        write_text(out / "table.md", markdown_table(self.document))
        write_text(out / "table.csv", _csv_table(self.document))
        _draw(self.document, out / "figure.png")

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_table(self, console: Console) -> None:
        """For people."""
        table = Table(title=_title(self.document), title_justify="left")
        for column in _HEADER:
            table.add_column(column, justify="left" if column == _HEADER[0] else "right")
        for row in _rows(self.document):
            table.add_row(*row, style="bold" if row[0] == LMCL else None)
        console.print(table)


def markdown_table(document: Mapping[str, Any]) -> str:
    """The table as Markdown, with what it was made of."""
    lines = [f"{_title(document)}.", "", "| " + " | ".join(_HEADER) + " |", "|---" + "|---:" * (len(_HEADER) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(document)]
    lines += ["", _FOOTNOTE]
    return "\n".join(lines) + "\n"


_HEADER = (
    "method",
    "top-1",
    "balanced accuracy",
    "macro-F1",
    "family",
    "random folds, top-1",
    "shortcut gap",
    "LMCL − method, balanced",
    "p",
)
_FOOTNOTE = (
    "With sources held out unless said otherwise: mean over seeds, and a 95 % bootstrap interval over sources. "
    "p: two-sided paired bootstrap over sources of the difference in balanced accuracy, averaged over seeds."
)


def _title(document: Mapping[str, Any]) -> str:
    return (
        f"{document['photos']} photos of {len(document['crafts'])} crafts from {document['sources']} sources, "
        f"{document['folds']} folds, {document['seeds']} seeds"
    )


def _rows(document: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name, scores in document["methods"].items():
        paired = scores.get("lmcl_minus_this", {}).get("balanced_accuracy")
        rows.append(
            [
                name,
                _with_interval(scores["top1"]),
                _with_interval(scores["balanced_accuracy"]),
                f"{scores['macro_f1']:.3f}",
                f"{scores['family_accuracy']:.3f}",
                f"{scores['random']['top1']:.3f}",
                f"{scores['shortcut_gap']['top1']:+.3f}",
                f"{paired['value']:+.3f} [{paired['low']:+.3f}, {paired['high']:+.3f}]" if paired else "",
                f"{paired['p']:.3f}" if paired else "",
            ]
        )
    return rows


def _with_interval(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _csv_table(document: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(_rows(document))
    return text.getvalue()


def _draw(document: Mapping[str, Any], path: Path) -> None:
    from saree_cosface.figures.comparison import comparison_figure  # matplotlib is slow to import

    rows = []
    for name, scores in document["methods"].items():
        score = scores["balanced_accuracy"]
        rows.append((name, (score["value"], score["low"], score["high"]), scores["random"]["balanced_accuracy"]))
    comparison_figure(rows, path, _title(document), "balanced accuracy")
