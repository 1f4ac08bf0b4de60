"""Contact sheets of a review: each photo beside the most similar ones of its label, and of its rival."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from saree_cosface.console import track
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.figures.palette import INK, MUTED, PALETTE
from saree_cosface.figures.style import any_names, save_figure
from saree_cosface.review.queue import COMPARED, Entry, Queue
from saree_cosface.review.reasons import KINDS
from saree_cosface.taxonomy import craft_name

FOLDER = "sheets"
ENTRIES = 6
"""Entries a sheet, which fits a page of A4."""

_SIDE = 400  # pixels at which photos are decoded
_WIDTH, _HEIGHT = 8.27, 11.69  # inches


def write_sheets(queue: Queue, out: Path, most: int) -> list[Path]:
    """Draw the first entries of a queue, six a sheet, as PNGs in a folder; returns their paths.

    Sheets of an earlier review in that folder go.

    Args:
        queue: of a collection.
        out: folder.
        most: entries drawn.
    """
    entries = queue.entries[: max(most, 0)]
    starts = range(0, len(entries), ENTRIES)
    paths = []
    for number, start in enumerate(track(starts, "Drawing contact sheets", total=len(starts)), start=1):
        path = out / f"sheet-{number:03d}.png"
        with any_names():
            save_figure(_sheet(queue, entries[start : start + ENTRIES]), path)
        paths.append(path)
    for old in sorted(out.glob("sheet-*.png")):
        if old not in paths:
            old.unlink(missing_ok=True)
    return paths


def _sheet(queue: Queue, entries: Sequence[Entry]) -> Figure:
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    # A column more stands empty between the photo and each group.
    grid = figure.add_gridspec(
        ENTRIES,
        3 + 2 * COMPARED,
        width_ratios=[1.5, 0.12, *[1] * COMPARED, 0.12, *[1] * COMPARED],
        left=0.03, right=0.97, top=0.955, bottom=0.025, hspace=0.78, wspace=0.06,
    )  # fmt: skip
    for line, entry in enumerate(entries):
        # A row of the table, since the manifest would make its columns anew for each photo.
        label = craft_name(str(queue.collection.manifest.table["craft"].iloc[entry.row])) or "no label"
        first = figure.add_subplot(grid[line, 0])
        _photo(first, queue, entry.row, PALETTE[1])
        _heading(figure, first, f"{entry.rank}.  {label}", _why(queue, entry))
        groups = (
            (entry.own, 2, f"most similar of {label}"),
            (entry.others, 3 + COMPARED, _caption(entry)),
        )
        for rows, column, caption in groups:
            for index in range(COMPARED):
                axes = figure.add_subplot(grid[line, column + index])
                if index == 0:
                    axes.set_title(_short(caption, 52), loc="left", fontsize=6.5, color=MUTED, pad=2)
                if index < len(rows):
                    _photo(axes, queue, rows[index], "#DDDDDD")
                else:
                    axes.axis("off")
    return figure


def _caption(entry: Entry) -> str:
    if not entry.others:
        return ""
    return "what it is compared with" if entry.reasons[0].others else f"most similar of {craft_name(entry.rival)}"


def _why(queue: Queue, entry: Entry) -> str:
    path, part = queue.collection.manifest.table["path"].iloc[entry.row], queue.collection.parts[entry.row]
    said = [f"{KINDS[reason.kind]}: {reason.says}" for reason in entry.reasons]
    more = f"  (and {len(said) - 2} more)" if len(said) > 2 else ""
    return (
        "\n".join(
            [_short(f"{path}  ·  {part}  ·  score {entry.score:.2f}", 130), *(_short(each, 130) for each in said[:2])]
        )
        + more
    )


def _heading(figure: Figure, axes: mpl.axes.Axes, title: str, text: str) -> None:
    above = axes.transAxes + ScaledTranslation(0, 34 / 72, figure.dpi_scale_trans)
    axes.text(0, 1, title, transform=above, fontsize=9, color=INK, weight="bold", va="bottom")
    below = axes.transAxes + ScaledTranslation(0, 32 / 72, figure.dpi_scale_trans)
    axes.text(0, 1, text, transform=below, fontsize=6.5, color=INK, va="top", linespacing=1.25)


def draw_photo(axes: mpl.axes.Axes, manifest: Manifest, row: int, colour: str) -> None:
    """Draw the photo of a row in a frame of a colour, small; one that has gone as an empty one."""
    axes.set(xticks=[], yticks=[])
    try:
        axes.imshow(decode(manifest.file(row), shrink_to=_SIDE), interpolation="antialiased")
    except BadImage:
        axes.imshow(np.full((3, 4, 3), 240, np.uint8))
        axes.text(0.5, 0.5, "gone", transform=axes.transAxes, ha="center", va="center", fontsize=7, color=MUTED)
    axes.set_anchor("NW")
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=1.5)


def _photo(axes: mpl.axes.Axes, queue: Queue, row: int, colour: str) -> None:
    manifest = queue.collection.manifest
    draw_photo(axes, manifest, row, colour)
    axes.set_xlabel(_short(str(manifest.table["source"].iloc[row]), 18), fontsize=5.5, color=MUTED, labelpad=1.5)


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
