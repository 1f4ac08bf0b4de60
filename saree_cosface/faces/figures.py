"""Figures of the experiments on faces, drawn from what was measured, and written all or nothing."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import NDArray

from saree_cosface.figures.palette import INK, MUTED, PALETTE
from saree_cosface.figures.style import save_figure

_REGIONS = {
    "neither class: the margin": "#E4E1DC",
    "class 1": "#BFD9EC",
    "class 2": "#F6CDB4",
    "both classes: an overlap": "#A9A2C6",
}
"""Colours of the regions, in the order of their numbers in margins.py."""


def margins_figure(regions: Sequence[NDArray[np.int_]], measured: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A panel a loss: which class is satisfied where, and how far the boundaries lie apart across the diagonal.

    Args:
        regions: of each loss, which class is satisfied at each point of a grid, ``(N, N)``.
        measured: of each loss, what ``margins.json`` says of it.
        path: where to write.
    """
    figure = Figure(figsize=(15, 5))
    figure.subplots_adjust(wspace=0.3)
    for axes, satisfied, values in zip(figure.subplots(1, len(measured)), regions, measured, strict=True):
        end = 1.0 if values["plane"] == "cosines" else math.pi
        colours = ListedColormap(list(_REGIONS.values()))
        axes.imshow(satisfied, cmap=colours, vmin=0, vmax=3, origin="lower", extent=(0, end, 0, end), aspect="equal")
        symbol = "cos θ" if values["plane"] == "cosines" else "θ"
        axes.set_title(values["name"], color=INK, fontsize=14)
        axes.set_ylabel(f"{symbol}₂", color=INK, fontsize=12)
        axes.set_xlabel(f"{symbol}₁", color=INK, fontsize=12)
        caption = f"class 1: {values['condition']}\n{_width_text(values)}"
        axes.annotate(
            caption,
            (0.5, -0.19),
            xycoords="axes fraction",
            ha="center",
            va="top",
            color=INK,
            fontsize=9.5,
            linespacing=1.6,
        )
        if values["plane"] == "angles":
            ticks, labels = [0, end / 4, end / 2, 3 * end / 4, end], ["0", "π/4", "π/2", "3π/4", "π"]
        else:
            ticks, labels = [0, 0.5, 1], ["0", "0.5", "1"]
        axes.set_xticks(ticks, labels)
        axes.set_yticks(ticks, labels)
        axes.tick_params(length=3, color=MUTED, labelcolor=MUTED)
        axes.plot([0, end], [0, end], color="white", linewidth=0.8, zorder=2)
        _name_regions(axes, values["plane"], end)
        for each in values["widths"]:
            _measure(axes, end, each["middle"], each["width"])
        for spine in axes.spines.values():
            spine.set_color("#CCCCCC")
    handles = [Patch(color=colour, label=label) for label, colour in _REGIONS.items()]
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.95),
        ncols=4,
        frameon=False,
        labelcolor=INK,
        fontsize=11,
    )
    save_figure(figure, path)


def _name_regions(axes: Axes, plane: str, end: float) -> None:
    far, near = (0.9, 0.08) if plane == "cosines" else (0.06, 0.92)
    for name, (x, y) in {"1": (far, near), "2": (near, far)}.items():
        axes.text(x * end, y * end, name, ha="center", va="center", fontsize=16, color=INK, alpha=0.8)


def _measure(axes: Axes, end: float, middle: float, width: float) -> None:
    """A segment as long as the measured width, across the diagonal."""
    half = width / 2 / math.sqrt(2)
    if abs(half) > 0.01 * end:
        ends = ([middle - half, middle + half], [middle + half, middle - half])
        axes.plot(*ends, color=INK, linewidth=1, marker="o", markersize=2.5, zorder=3)


def _width_text(values: Mapping[str, Any]) -> str:
    """Measured widths, in two lines where they differ."""
    widths = values["widths"]
    numbers = [each["width"] for each in widths]
    if values["plane"] == "angles":
        pairs = [(math.degrees(each["middle"]), math.degrees(each["width"])) for each in widths]
        middles, widths = (", ".join(f"{value:.3g}" for value in values) for values in zip(*pairs, strict=True))
        return f"at {middles} degrees on the diagonal\nmeasured width {widths} degrees"
    if max(numbers) - min(numbers) < 1e-6:
        root = f" = {numbers[0] / math.sqrt(2):.4g} × √2" if numbers[0] > 1e-6 else ""
        return f"measured width {abs(numbers[0]):.4f}{root},\nthe same everywhere"
    return (
        f"own prototype {values['norm']:g} times as long as the other:\n"
        f"measured width {max(numbers):.2f} to {min(numbers):.2f}, an overlap".replace("-", "−")
    )


def report_figure(found: Mapping[str, Mapping[str, Any]], path: Path) -> bool:
    """The losses beside the paper's, and accuracy over the margin and over the scale; what was not run is left out.

    Args:
        found: documents by experiment: ``losses``, ``sweep_margins``, ``sweep_scales``.
        path: where to write.

    Returns:
        Whether there was anything to draw.
    """
    panels: dict[str, Callable[[Axes, Mapping[str, Any]], None]] = {
        "losses": _losses_panel,
        "sweep_margins": _margins_panel,
        "sweep_scales": _scales_panel,
    }
    present = [name for name in panels if name in found]
    if not present:
        return False
    figure = Figure(figsize=(5.6 * len(present), 4.8), layout=ConstrainedLayoutEngine(w_pad=0.15))
    for axes, name in zip(figure.subplots(1, len(present), squeeze=False)[0], present, strict=True):
        panels[name](axes, found[name])
        axes.tick_params(length=3, color=MUTED, labelcolor=INK)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color("#CCCCCC")
    save_figure(figure, path)
    return True


def _losses_panel(axes: Axes, document: Mapping[str, Any]) -> None:
    """A line a loss: seeds as rings, their mean with the folds' standard error; the paper's figure in words."""
    rows = sorted((row for row in document["rows"] if "accuracy" in row), key=lambda row: float(row["accuracy"]))
    for place, row in enumerate(rows):
        colour = PALETTE[1] if row["head"]["name"] == "cosface" else PALETTE[0]
        axes.scatter(_seeds(row), [place] * len(row["seeds"]), s=22, facecolors="none", edgecolors=colour, alpha=0.6)
        axes.errorbar(
            100 * row["accuracy"], place, xerr=100 * row["standard_error"], fmt="o", color=colour, capsize=3, zorder=3
        )
        paper = "" if row["published"] is None else f"{row['published'][0]:.2f}"
        axes.text(1.02, place, paper, transform=axes.get_yaxis_transform(), va="center", color=MUTED, fontsize=9)
    axes.text(1.02, 1.0, "paper", transform=axes.transAxes, va="bottom", color=MUTED, fontsize=9)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.grid(axis="x", color="#EEEEEE", zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("LFW accuracy, per cent (± standard error; rings: seeds)", color=INK)
    axes.set_title("Nine losses, one budget", color=INK, loc="left")


def _margins_panel(axes: Axes, document: Mapping[str, Any]) -> None:
    rows = [row for row in document["rows"] if "accuracy" in row]
    _curve(axes, [row["head"]["margin"] for row in rows], rows, PALETTE[1], "")
    axes.set_xlabel("m", color=INK)
    axes.set_title(f"The margin, at s = {document['head']['scale']:g}", color=INK, loc="left")


def _scales_panel(axes: Axes, document: Mapping[str, Any]) -> None:
    rows = [row for row in document["rows"] if "accuracy" in row]
    for colour, margin in zip(PALETTE, sorted({row["head"]["margin"] for row in rows}), strict=False):
        mine = [row for row in rows if row["head"]["margin"] == margin]
        _curve(axes, [row["head"]["scale"] for row in mine], mine, colour, f"m = {margin:g}")
    axes.set_xscale("log", base=2)
    scales = sorted({row["head"]["scale"] for row in rows})
    axes.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axes.minorticks_off()
    axes.set_xlabel("s", color=INK)
    axes.set_title("The scale", color=INK, loc="left")
    axes.legend(frameon=False, labelcolor=INK)


def _curve(axes: Axes, at: Sequence[float], rows: Sequence[Mapping[str, Any]], colour: str, label: str) -> None:
    means = [100 * row["accuracy"] for row in rows]
    errors = [100 * row["standard_error"] for row in rows]
    for place, row in zip(at, rows, strict=True):
        axes.scatter([place] * len(row["seeds"]), _seeds(row), s=22, facecolors="none", edgecolors=colour, alpha=0.6)
    axes.errorbar(at, means, yerr=errors, fmt="o-", color=colour, capsize=3, linewidth=1.2, label=label)
    axes.grid(axis="y", color="#EEEEEE")
    axes.set_axisbelow(True)
    axes.set_ylabel("LFW accuracy, per cent", color=INK)


def _seeds(row: Mapping[str, Any]) -> list[float]:
    return [100 * seed["accuracy"] for seed in row["seeds"]]


def toy_figure(
    found: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    labels: NDArray[np.int64],
    names: Sequence[str],
    document: Mapping[str, Any],
    path: Path,
) -> None:
    """Both rows of the paper's figure, a column a loss: embeddings in the plane, and their directions on the circle.

    Args:
        found: of each loss, the embeddings of the images ``(N, 2)`` and the prototypes of the classes ``(C, 2)``.
        labels: of the images, ``(N,)``.
        names: of the classes, ``(C,)``.
        document: what was measured, with a row a loss.
        path: where to write.
    """
    figure = Figure(figsize=(3.5 * len(found), 8.6), layout=ConstrainedLayoutEngine(h_pad=0.1))
    figure.suptitle(_toy_title(document), color=INK, fontsize=12)
    panels = figure.subplots(2, len(found)).T
    for (plane, circle), (embeddings, weights), row in zip(panels, found, document["rows"], strict=True):
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        reach = 1.08 * float(lengths.max())
        directions = embeddings / np.maximum(lengths, 1e-12)
        prototypes = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        for axes, points, size in ((plane, embeddings, reach), (circle, directions, 1.12)):
            for index, (colour, prototype) in enumerate(zip(PALETTE, prototypes, strict=True)):
                mine = points[labels == index]
                end = 0.93 * size if axes is plane else 0.94
                axes.plot([0, end * prototype[0]], [0, end * prototype[1]], color=colour, linewidth=1, zorder=1)
                axes.scatter(*mine.T, s=9, color=colour, alpha=0.5, linewidth=0, zorder=2, label=names[index])
            axes.set(xlim=(-size, size), ylim=(-size, size), aspect="equal", xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_color("#DDDDDD")
        turn = np.linspace(0, 2 * math.pi, 361)
        circle.plot(np.cos(turn), np.sin(turn), color="#CCCCCC", linewidth=0.8, zorder=0)
        plane.set_title(row["name"], color=INK, fontsize=13)
        circle.set_xlabel(_toy_text(row), color=INK, fontsize=9.5, linespacing=1.5)
    handles, said = plane.get_legend_handles_labels()
    legend = figure.legend(handles, said, loc="outside lower center", ncols=8, frameon=False, labelcolor=INK)
    for handle in filter(None, legend.legend_handles):
        handle.set(alpha=1, sizes=[36])
    save_figure(figure, path)


def _toy_title(document: Mapping[str, Any]) -> str:
    height, width = document["image"]
    return (
        f"{document['photos']} {document['images']} of {document['classes']} classes in two dimensions: "
        f"{document['network']}, {height} × {width} pixels, {document['epochs']} epochs, s = {document['scale']:g}\n"
        "Above: the embeddings as they are. Below: their directions. Lines: the directions of the class prototypes"
    )


def _toy_text(values: Mapping[str, Any]) -> str:
    lengths = values["accuracy_with_lengths"]
    with_lengths = f"\nand with lengths {lengths:.1%}" if lengths != values["accuracy"] else ""
    return (
        f"smallest angle between class means {values['min_angle']:.1f}°\n"
        f"mean angle to the class mean {values['within_angle']:.1f}°\n"
        f"mean gap between neighbours {values['gap']:.1f}°\n"
        f"training accuracy by cosine {values['accuracy']:.1%}{with_lengths}"
    )
