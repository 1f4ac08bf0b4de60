"""Figures of the experiments on faces, drawn from what was measured, and written all or nothing."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from saree_cosface.faces.margins import Loss
from saree_cosface.figures import INK, MUTED, save_figure

_REGIONS = {"neither class: the margin": "#E4E1DC", "class 1": "#BFD9EC", "class 2": "#F6CDB4", "both": "#A9A2C6"}
"""Colours of the regions, in the order of their numbers in margins.py."""


def margins_figure(
    found: Sequence[tuple[Loss, NDArray[np.int_]]], measured: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """A panel a loss: which class is satisfied where, and how far the boundaries lie apart across the diagonal.

    Args:
        found: each loss and its regions on a grid.
        measured: what was measured of each.
        path: where to write.
    """
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    for axes, (loss, regions), values in zip(figure.subplots(1, len(found)), found, measured, strict=True):
        end = loss.largest
        colours = ListedColormap(list(_REGIONS.values()))
        axes.imshow(regions, cmap=colours, vmin=0, vmax=3, origin="lower", extent=(0, end, 0, end), aspect="equal")
        symbol = "cos θ" if loss.plane == "cosines" else "θ"
        axes.set_xlabel(f"{symbol}₁", color=INK)
        axes.set_ylabel(f"{symbol}₂", color=INK, rotation=0, labelpad=14)
        axes.set_title(loss.name, color=INK, fontsize=13)
        ticks = [0, end / 4, end / 2, 3 * end / 4, end]
        labels = ["0", "π/4", "π/2", "3π/4", "π"] if loss.plane == "angles" else [f"{tick:g}" for tick in ticks]
        axes.set_xticks(ticks, labels)
        axes.set_yticks(ticks, labels)
        axes.tick_params(length=3, color=MUTED, labelcolor=MUTED)
        axes.plot([0, end], [0, end], color="white", linewidth=0.8, zorder=2)
        _name_regions(axes, loss, end)
        for width in values["widths"]:
            _measure(axes, loss, width["middle"], width["width"])
        axes.text(0.5, -0.24, f"class 1:  {loss.condition}", transform=axes.transAxes, ha="center", color=INK)
        axes.text(0.5, -0.33, _width_text(loss, values), transform=axes.transAxes, ha="center", color=INK, fontsize=9)
        for spine in axes.spines.values():
            spine.set_color("#CCCCCC")
    handles = [Patch(color=colour, label=label) for label, colour in _REGIONS.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    save_figure(figure, path)


def _name_regions(axes: Axes, loss: Loss, end: float) -> None:
    far, near = (0.84, 0.08) if loss.plane == "cosines" else (0.08, 0.9)
    for name, (x, y) in {"1": (far, near), "2": (near, far)}.items():
        axes.text(x * end, y * end, name, ha="center", va="center", fontsize=15, color=INK, alpha=0.75)


def _measure(axes: Axes, loss: Loss, middle: float, width: float) -> None:
    """A segment as long as the measured width, across the diagonal."""
    half = width / 2 / math.sqrt(2)
    if abs(half) > 0.01 * loss.largest:
        ends = ([middle - half, middle + half], [middle + half, middle - half])
        axes.plot(*ends, color=INK, linewidth=1, marker="o", markersize=2.5, zorder=3)


def _width_text(loss: Loss, values: Mapping[str, Any]) -> str:
    widths = values["widths"]
    numbers = [each["width"] for each in widths]
    if loss.plane == "angles":
        pairs = [(math.degrees(each["middle"]), math.degrees(each["width"])) for each in widths]
        return "measured at θ = " + ", ".join(f"{middle:g}°: {width:.3g}°" for middle, width in pairs)
    if max(numbers) - min(numbers) < 1e-6:
        return f"measured width: {abs(numbers[0]):.4f} everywhere"
    return f"measured, the own prototype {loss.norm:g} × as long: " + ", ".join(f"{number:.2f}" for number in numbers)
