"""What an experiment found: its table for people, as Markdown and as CSV."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

FOOTNOTE = (
    "In per cent. LFW: mean over n seeds; ± folds its standard error over the ten folds, ± seeds the deviation between "
    "trainings. rank 1: photos whose mate is nearer than all people of LFW with one photo. train: accuracy on the "
    "photos trained on, free of the margin. paper: LFW as in arXiv:1801.09414, with 64 layers and 0.49 million photos."
)


@dataclass(frozen=True)
class Experiment:
    """What an experiment found, as it is written to ``NAME.json``."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_table(self, console: Console) -> None:
        """For people."""
        header, *rows = table_rows(self.document)
        # Without lines, so that all columns fit a terminal of the usual width.
        table = Table(
            title=title(self.document), title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for column in header:
            table.add_column(column, justify="left" if column == header[0] else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def title(document: dict[str, Any]) -> str:
    """What the experiment was made of, in one line."""
    optim, model = document["optim"], document["model"]
    budget = f"{optim['steps']} steps" if optim["steps"] else f"{optim['epochs']} epochs"
    return f"{document['experiment']}: {model['backbone']}, D = {model['embedding_dim']}, {budget}"


def table_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Header and rows of the table; ``FOOTNOTE`` says what the columns are."""
    rows: list[tuple[str, ...]] = [("loss", "LFW", "± folds", "± seeds", "n", "AUC", "rank 1", "train", "paper")]
    for row in document["rows"]:
        if "accuracy" not in row:
            continue
        deviation, published = row["seed_deviation"], row["published"]
        rows.append(
            (
                row["name"],
                f"{100 * row['accuracy']:.2f}",
                f"{100 * row['standard_error']:.2f}",
                "" if deviation is None else f"{100 * deviation:.2f}",
                str(len(row["seeds"])),
                f"{100 * row['auc']:.2f}",
                "" if row["rank1"] is None else f"{100 * row['rank1']:.2f}",
                f"{100 * row['train_accuracy']:.1f}",
                "" if published is None else f"{published[0]:.2f}",
            )
        )
    return rows


def markdown_table(document: dict[str, Any]) -> str:
    """The table as Markdown, with what it was made of."""
    header, *rows = table_rows(document)
    lines = [f"{title(document)}.", "", "| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", FOOTNOTE]
    return "\n".join(lines) + "\n"


def csv_table(document: dict[str, Any]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table_rows(document))
    return text.getvalue()
