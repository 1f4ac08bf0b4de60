"""Figures of what a collection holds: crafts by sources, their views, and how large its photos are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from saree_cosface.figures.palette import INK, MUTED, PALETTE
from saree_cosface.figures.style import any_names, one_line, plain, save_figure
from saree_cosface.taxonomy import craft_name

_MOST_CRAFTS, _MOST_SOURCES = 80, 150  # the largest of each, which a page can hold
_NAMED_SOURCES = 40  # up to which each has its name below its column, and its number in a cell
_VIEWS = 7  # that have a colour of their own


@any_names()
def sources_by_crafts_figure(crafts: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Photos of each craft, a row, from each source, a column: sources of one craft make a staircase.

    Args:
        crafts: each with its ``craft``, ``photos`` and ``sources``, a count by name; the largest first.
        path: of the picture.
    """
    rows = crafts[:_MOST_CRAFTS]
    sizes: Counter[str] = Counter()
    for each in rows:
        sizes.update(each["sources"])
    kept = {source for source, _ in sizes.most_common(_MOST_SOURCES)}
    # Beside each other stand the sources whose main craft is the same.
    main = {
        source: max(range(len(rows)), key=lambda row: (rows[row]["sources"].get(source, 0), -row)) for source in kept
    }
    columns = sorted(kept, key=lambda source: (main[source], -sizes[source], source))
    counts = np.array([[each["sources"].get(source, 0) for source in columns] for each in rows], float)
    few = len(columns) <= _NAMED_SOURCES
    figure = Figure(figsize=(2.6 + (0.36 if few else 0.075) * max(12, len(columns)), 1.6 + 0.3 * len(rows)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    most = max(2.0, float(counts.max(initial=0)))
    if counts.size:
        shown = axes.imshow(np.ma.masked_less(counts, 1), cmap="Blues", norm=LogNorm(0.5, most), aspect="auto")
        if few:
            for row, column in zip(*np.nonzero(counts), strict=True):
                ink = "white" if counts[row, column] > most**0.6 else INK
                axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=7, color=ink)
            axes.set_xticks(range(len(columns)), [one_line(source, 24) for source in columns], rotation=90, fontsize=7)
        else:
            axes.set_xticks([])
            tall = min(1.0, 12 / len(rows))
            scale = figure.colorbar(shown, ax=axes, ticks=_ticks(most), format="%d", pad=0.01, shrink=tall)
            scale.set_label("photos")
            scale.ax.minorticks_off()
    axes.set_yticks(
        range(len(rows)), [f"{one_line(craft_name(each['craft']), 30)} ({each['photos']})" for each in rows]
    )
    left = f"; the {len(columns)} largest of {len(sizes)}" if len(columns) < len(sizes) else ""
    more = f"; the {len(rows)} largest crafts of {len(crafts)}" if len(rows) < len(crafts) else ""
    axes.set_xlabel(f"{len(columns)} sources, a column each{left}{more}")
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#E6E6E6", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    save_figure(figure, path)


def _ticks(most: float) -> list[int]:
    return [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= most]


@any_names()
def views_figure(crafts: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Photos of each craft by view, the largest craft on top.

    Args:
        crafts: each with its ``craft``, ``photos`` and ``views``, a count by name; the largest first.
        path: of the picture.
    """
    rows = crafts[:_MOST_CRAFTS][::-1]
    sizes: Counter[str] = Counter()
    for each in crafts:
        sizes.update(each["views"])
    views = [view for view, _ in sizes.most_common(_VIEWS)]
    counts = {view: [each["views"].get(view, 0) for each in rows] for view in views}
    if len(sizes) > len(views):
        rest = [each["photos"] - sum(each["views"].get(view, 0) for view in views) for each in rows]
        counts[f"{len(sizes) - len(views)} other views"] = rest
    figure = Figure(figsize=(7.5, 1.4 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    begin = np.zeros(len(rows))
    for (view, numbers), colour in zip(counts.items(), (*PALETTE[:_VIEWS], MUTED), strict=False):
        axes.barh(range(len(rows)), numbers, left=begin, color=colour, height=0.7, label=one_line(view, 24))
        begin += numbers
    axes.set_yticks(range(len(rows)), [one_line(craft_name(each["craft"]), 30) for each in rows])
    axes.set(xlabel="photos", ylim=(-0.6, len(rows) - 0.4))
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    plain(axes)
    save_figure(figure, path)


@any_names()
def sizes_figure(sides: Mapping[str, Sequence[int]], small: int, path: Path) -> None:
    """How many photos have which short side, by format, with a line at the side below which photos are small.

    Args:
        sides: short sides in pixels, by format.
        small: in pixels.
        path: of the picture.
    """
    every = np.array([side for each in sides.values() for side in each], float)
    figure = Figure(figsize=(7.5, 3), layout="constrained")
    axes = figure.subplots()
    if len(every):
        low, high = max(1.0, min(every.min(), small)), max(every.max(), small) + 1
        axes.set_xscale("log")
        bins = np.geomspace(low * 0.97, high * 1.03, 40)
        shown = dict(sorted(sides.items(), key=lambda item: -len(item[1])))
        colours = [PALETTE[number % len(PALETTE)] for number in range(len(shown))]
        axes.hist(list(shown.values()), bins=list(bins), stacked=True, color=colours, label=list(shown))
        ticks = [tick for tick in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384) if low <= tick <= high]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.legend(frameon=False, fontsize=8)
    axes.axvline(small, color=INK, linewidth=1, linestyle=":")
    axes.annotate(f" {small}", (small, 1), xycoords=("data", "axes fraction"), va="top", fontsize=8, color=INK)
    axes.set(xlabel="short side, pixels", ylabel="photos")
    plain(axes)
    save_figure(figure, path)
