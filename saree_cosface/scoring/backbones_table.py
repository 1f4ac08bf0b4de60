"""What a comparison of backbones found: a table for people, and what to do with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_CHANCE = 0.05
"""A difference that chance brings about more often than this tells nothing."""


@dataclass(frozen=True)
class BackboneComparison:
    """The scores of all backbones, the best first."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_table(self, console: Console) -> None:
        """For people."""
        said = self.document
        table = Table(
            title=f"{said['photos']} photos of {len(said['crafts'])} crafts from {said['sources']} sources, each held "
            f"out in turn: {said['folds']} folds, {said['seeds']} seeds",
            title_justify="left",
            caption="Frozen features read out by the whitened cosine and by the nearest neighbour, with 95 % intervals "
            "over sources. p: of no difference to the best. Seconds are the network's, for the views of a photo.",
            caption_justify="left",
            box=SIMPLE_HEAD,
            collapse_padding=True,
            pad_edge=False,
            show_edge=False,
        )
        table.add_column("backbone\npooling", overflow="fold", min_width=12)
        for column in ("balanced\naccuracy", "top-1\n", "neighbour,\nbalanced", "p\n", "seconds\nat pixels"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("features\nweights", justify="right", no_wrap=True)
        for row in said["backbones"]:
            behind = row.get("best_minus_this")
            table.add_row(
                f"{row['backbone']}\n{row['pooling']}",
                _with_interval(row["whitened_cosine"]["balanced_accuracy"]),
                _with_interval(row["whitened_cosine"]["top1"]),
                _with_interval(row["nearest_neighbour"]["balanced_accuracy"]),
                f"{behind['p']:.3f}" if behind else "best",
                f"{row['seconds']:.3f}\n{' + '.join(map(str, row['sizes']))}",
                f"{row['features']:,}\n{row['weights'] / 1e6:.1f} M",
            )
        console.print(table)
        console.print(self.advice(), highlight=False, markup=False, soft_wrap=True)

    def advice(self) -> str:
        """What does best, what is quicker and not surely worse, and how to train with it."""
        best, *others = self.document["backbones"]
        said = f"{_named(best)} does best."
        alike = [row for row in others if row["best_minus_this"]["p"] >= _CHANCE and row["seconds"] < best["seconds"]]
        if alike:
            quick = min(alike, key=lambda row: row["seconds"])
            share = quick["seconds"] / best["seconds"]
            p = quick["best_minus_this"]["p"]
            said += f" {_named(quick)} is not surely worse (p = {p:.3f}), and takes {share:.0%} of the time."
        return (
            f"{said} To train with it: saree-cosface train --config sarees --data.manifest {self.document['manifest']} "
            f"--out RUN --model.backbone {best['backbone']} --model.pooling {best['pooling']}\n"
            "The best of several flatters itself a little, since it was chosen by the same photos."
        )


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['backbone']} ({row['pooling']})"


def _with_interval(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f}\n{score['low']:.3f}–{score['high']:.3f}"
