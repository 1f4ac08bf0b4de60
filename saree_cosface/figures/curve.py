"""What more sources are worth, drawn."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saree_cosface.figures.palette import INK, MUTED, PALETTE
from saree_cosface.figures.style import any_names, one_line, plain, save_figure
from saree_cosface.taxonomy import craft_name

_COLUMNS = 5


@any_names()
def curve_figure(document: Mapping[str, Any], path: Path) -> None:
    """Accuracy by the number of sources, of all crafts and below of each: what was measured, and what is expected.

    Args:
        document: of :class:`saree_cosface.scoring.curve_table.SourceCurve`.
        path: where to write.
    """
    crafts = document["crafts"]
    rows = math.ceil(len(crafts) / _COLUMNS)
    figure = Figure(figsize=(10, 3.8 + 1.75 * rows), layout="constrained")
    grid = figure.add_gridspec(1 + rows, _COLUMNS, height_ratios=[2.2, *[1] * rows])
    _whole(figure.add_subplot(grid[0, :]), document)
    first = None
    for place, craft in enumerate(crafts):
        row, column = divmod(place, _COLUMNS)
        axes = figure.add_subplot(grid[1 + row, column], sharey=first)
        first = first or axes
        _craft(axes, craft)
        axes.tick_params(labelleft=column == 0)
    figure.supxlabel("sources of the craft, all crafts growing alike", fontsize=9, color=INK)
    save_figure(figure, path)


def _whole(axes: Axes, document: Mapping[str, Any]) -> None:
    curve = document["curve"]
    _line(axes, curve, curve["factors"])
    measured = document["measured"]
    axes.plot(
        [each["share"] for each in measured], [each["accuracy"] for each in measured], "o", color=INK, label="measured"
    )
    for number, (factor, found) in enumerate(document["expected"].items()):
        label = "expected" if not number else None
        error = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
        axes.errorbar(float(factor), found["value"], yerr=error, fmt="o", color=PALETTE[1], capsize=3, label=label)
        axes.annotate(
            f"{factor} ×: {found['value']:.2f}\n{found['low']:.2f}–{found['high']:.2f}",
            (float(factor), found["low"]),
            (0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9,
            color=INK,
        )
    axes.axvline(1, color=MUTED, linewidth=1, linestyle=":")
    axes.set(xlim=(0, None), ylim=(0, 1), xlabel="times the sources there are (dotted)", ylabel="balanced accuracy")
    axes.set_title(
        f"{len(document['crafts'])} crafts, {document['photos']} photos from {document['sources']} sources: accuracy "
        f"on sources never seen, with {document['confidence']:.0%} intervals",
        fontsize=10,
    )
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    plain(axes)
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)


def _craft(axes: Axes, craft: Mapping[str, Any]) -> None:
    _line(axes, craft["curve"], [factor * craft["sources"] for factor in craft["curve"]["factors"]])
    measured = craft["measured"]
    axes.plot([each["sources"] for each in measured], [each["accuracy"] for each in measured], "o", color=INK, ms=3)
    axes.axvline(craft["sources"], color=MUTED, linewidth=1, linestyle=":")
    axes.set(xlim=(0, None), ylim=(0, 1))
    axes.set_title(f"{one_line(craft_name(craft['craft']), 18)} ({craft['sources']})", fontsize=9)
    axes.tick_params(labelsize=8)
    plain(axes)
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)


def _line(axes: Axes, curve: Mapping[str, Any], places: list[float]) -> None:
    """What the law says, with its interval."""
    axes.fill_between(places, curve["low"], curve["high"], color=PALETTE[0], alpha=0.15, linewidth=0)
    axes.plot(places, curve["value"], color=PALETTE[0])
