"""Contact sheets of what was gathered: the photos of a craft side by side, to be looked through at a glance."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saree_cosface.console import track
from saree_cosface.data.images import BadImage, decode
from saree_cosface.figures.palette import INK, MUTED
from saree_cosface.figures.style import any_names, one_line, save_figure
from saree_cosface.gathering.ledger import Fetched, Ledger
from saree_cosface.taxonomy import craft_name

FOLDER = "sheets"
_COLUMNS, _ROWS = 5, 6  # which fit a page of A4
_SIDE = 300  # pixels at which photos are decoded
_WIDTH, _HEIGHT = 8.27, 11.69  # inches


def write_sheets(ledger: Ledger, crafts: Sequence[str], licences: Sequence[str]) -> list[Path]:
    """Draw the photos of crafts, thirty a sheet, each with its file and its title; returns the paths.

    Sheets of these crafts that were drawn before go.
    """
    folder = ledger.folder / FOLDER
    jobs = []
    for craft in crafts:
        photos = ledger.photos(craft, licences)
        starts = range(0, len(photos), _COLUMNS * _ROWS)
        jobs += [(craft, number, photos[start : start + _COLUMNS * _ROWS]) for number, start in enumerate(starts, 1)]
    paths = []
    for craft, number, photos in track(jobs, "Drawing contact sheets"):
        path = folder / f"{craft}-{number:03d}.png"
        with any_names():
            save_figure(_sheet(ledger.folder, craft, number, photos), path)
        paths.append(path)
    for craft in crafts:
        for old in folder.glob(f"{craft}-[0-9][0-9][0-9].png"):
            if old not in paths:
                old.unlink(missing_ok=True)
    return paths


def _sheet(folder: Path, craft: str, number: int, photos: Sequence[Fetched]) -> Figure:
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    grid = figure.add_gridspec(
        _ROWS, _COLUMNS, left=0.03, right=0.97, top=0.94, bottom=0.03, hspace=0.32, wspace=0.08
    )  # fmt: skip
    figure.text(0.03, 0.965, f"{craft_name(craft)}, sheet {number}", fontsize=12, color=INK, weight="bold")
    for place, entry in enumerate(photos):
        axes = figure.add_subplot(grid[divmod(place, _COLUMNS)])
        _photo(axes, folder / entry.path)
        axes.set_title(one_line(Path(entry.path).stem, 34), fontsize=4.5, color=MUTED, loc="left", pad=2)
        said = f"{one_line(entry.record.title or 'untitled', 36)}\n{one_line(entry.record.source, 36)}"
        axes.set_xlabel(said, fontsize=5, color=INK, loc="left", labelpad=2)
    return figure


def _photo(axes: Axes, path: Path) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    try:
        axes.imshow(decode(path, shrink_to=_SIDE), interpolation="antialiased")
    except BadImage:
        axes.imshow(np.full((3, 4, 3), 240, np.uint8))
    axes.set_anchor("NW")
