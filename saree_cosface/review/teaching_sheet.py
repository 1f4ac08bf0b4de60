"""Contact sheets of photos that were chosen to be labelled: each with its rank, its source, and why."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from saree_cosface.console import track
from saree_cosface.figures.palette import INK, PALETTE
from saree_cosface.figures.style import any_names, save_figure
from saree_cosface.review.sheets import draw_photo
from saree_cosface.review.unlabelled import Choice, Chosen

PHOTOS = 50
"""Photos a sheet."""

_COLUMNS = 5
_WIDTH, _CELL = 10.0, 2.7  # inches: of a sheet, and how high a photo is with its words
_LETTERS, _LINES = 38, 5  # of the words


def write_choice_sheets(choice: Choice, out: Path) -> list[Path]:
    """Draw the chosen photos, fifty a sheet, as PNGs in a folder; returns their paths.

    Sheets of an earlier choice in that folder go.
    """
    starts = range(0, len(choice.chosen), PHOTOS)
    paths = []
    for number, start in enumerate(track(starts, "Drawing the contact sheet", total=len(starts)), start=1):
        path = out / f"sheet-{number:03d}.png"
        with any_names():
            save_figure(_sheet(choice, choice.chosen[start : start + PHOTOS]), path)
        paths.append(path)
    for old in sorted(out.glob("sheet-*.png")):
        if old not in paths:
            old.unlink(missing_ok=True)
    return paths


def _sheet(choice: Choice, some: Sequence[Chosen]) -> Figure:
    lines = -(-len(some) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH, _CELL * lines))
    grid = figure.add_gridspec(lines, _COLUMNS, left=0.02, right=0.98, top=0.99, bottom=0.01, hspace=0.42, wspace=0.1)
    table = choice.collection.manifest.table
    for place, one in enumerate(some):
        axes = figure.add_subplot(grid[divmod(place, _COLUMNS)])
        draw_photo(axes, choice.collection.manifest, one.row, PALETTE[0])
        source = str(table["source"].iloc[one.row]) or Path(table["path"].iloc[one.row]).name
        axes.set_title(f"{one.rank}.  {_short(source)}", loc="left", fontsize=7.5, color=INK, weight="bold", pad=3)
        words = textwrap.wrap("; ".join(one.reasons), _LETTERS)
        words = words if len(words) <= _LINES else [*words[: _LINES - 1], f"{words[_LINES - 1][: _LETTERS - 1]}…"]
        axes.set_xlabel("\n".join(words), fontsize=6.2, color=INK, labelpad=3, loc="left")
    return figure


def _short(text: str) -> str:
    return textwrap.shorten(text, 28, placeholder="…") or text[:28]
