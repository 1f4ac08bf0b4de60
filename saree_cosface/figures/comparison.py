"""Methods side by side."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from saree_cosface.figures.palette import MUTED, PALETTE
from saree_cosface.figures.style import plain, save_figure


def comparison_figure(
    rows: Sequence[tuple[str, tuple[float, float, float], float]], path: Path, title: str, label: str
) -> None:
    """Methods as points with intervals, best on top; the hollow point is the score on random folds.

    Args:
        rows: name, (value, low, high) with sources held out, value on random folds.
        path: where to write.
        title: of the figure.
        label: of the axis.
    """
    rows = sorted(rows, key=lambda row: row[1][0])
    figure = Figure(figsize=(7.5, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for height, (name, (value, low, high), random) in enumerate(rows):
        colour = PALETTE[1] if name.startswith("LMCL") else PALETTE[0]
        axes.plot([value, random], [height, height], color="#DDDDDD", linewidth=3, zorder=1)
        axes.plot([low, high], [height, height], color=colour, linewidth=2, zorder=2)
        axes.plot(value, height, "o", color=colour, markersize=8, zorder=3)
        axes.plot(random, height, "o", color="white", markeredgecolor=MUTED, markersize=7, zorder=3)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set(title=title, xlabel=f"{label}  (● sources held out, with interval;  ○ random folds)")
    plain(axes)
    axes.grid(axis="x", color="#EEEEEE")
    save_figure(figure, path)
