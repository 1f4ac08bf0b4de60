"""Small multiples for print: a map a craft."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from saree_cosface.maps.colours import craft_colours
from saree_cosface.maps.drawing import (
    PALE,
    add_plane,
    add_points,
    add_prototypes,
    add_rings,
    counted,
    crafts_in,
    families_of,
    name_of,
    tidy,
    xy,
)
from saree_cosface.maps.key import Entry, put_row
from saree_cosface.maps.print_page import (
    SOFT,
    SUFFIXES,
    TITLE,
    WIDTH,
    print_style,
    put,
    put_title,
    save_sheet,
    sheet,
    shorten,
    text_width,
)
from saree_cosface.maps.shape import frame

_GAP = 2.0
"""Millimetres between panels."""
_HEAD = 6.6
"""Millimetres above a panel of a craft."""
_PAGE = 235.0
"""Height of a sheet of panels that still fits on A4, in millimetres."""


def craft_sheet(
    photos: pd.DataFrame, prototypes: pd.DataFrame, path: Path, *, suffixes: Sequence[str] = SUFFIXES
) -> list[Path]:
    """Small multiples: a panel a craft, its photos before all others in grey; crafts of a family stand together.

    The sheet keeps to a page of A4 up to some sixty crafts, and is longer with more.

    Args:
        photos: a row a photo with craft, family, source, outlier, x and y.
        prototypes: craft, x and y.
        path: where to write; its suffix is replaced by each of the following.
        suffixes: the formats.

    Returns:
        The paths written.
    """
    photos, prototypes = tidy(photos), tidy(prototypes)
    families = families_of(photos)
    crafts = sorted(
        {*photos["craft"], *prototypes["craft"]},
        key=lambda craft: (not families[craft], families[craft], name_of(craft).casefold(), craft),
    )
    shades = craft_colours(crafts)
    bounds = frame(np.concatenate([xy(photos), xy(prototypes)]), 0.75, 0.9)
    ratio = (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])
    columns = _columns(len(crafts), ratio)
    width = (WIDTH - _GAP * (columns - 1)) / columns
    step = width * ratio + _HEAD + 1.2
    end = TITLE + max(-(-len(crafts) // columns), 1) * step
    groups = {craft: photos[photos["craft"] == craft] for craft in crafts}
    notes = _notes(list(groups.values()), width)
    signs = [
        Entry("photo of the craft", marker="o", size=3.5),
        Entry("photo of another", marker="o", colour=PALE, size=3.5),
        Entry("prototype", marker="D", hollow=True),
        Entry(counted(int(photos["outlier"].sum()), "outlier"), marker="o", hollow=True, size=5),
    ]
    if any("/" in note for note in notes):
        signs.append(Entry("under a name: photos / sources"))
    with print_style():
        figure = sheet(end + put_row(sheet(100), 0, signs) + 1)
        put_title(figure, f"{crafts_in(photos)} in {counted(len(photos), 'photo')}, a panel each")
        for index, (craft, group) in enumerate(groups.items()):
            row, column = divmod(index, columns)
            left, top = column * (width + _GAP), TITLE + row * step
            size = next((size for size in (7.2, 6.6, 6.0) if text_width(name_of(craft), size) <= width), 6.0)
            put(figure, left + 0.3, top + 2.9, shorten(name_of(craft), width - 0.3, size), size)
            put(figure, left + 0.3, top + 5.6, notes[index], 6, SOFT)
            plane = add_plane(figure, left + 0.1, top + _HEAD, width - 0.2, bounds)
            dot = 1.5 if len(photos) <= 2000 else 0.8
            plane.axes.plot(*xy(photos).T, "o", ms=dot, mew=0, color="#D8D8D8", rasterized=True, zorder=0.5)
            add_points(plane, xy(group), [shades[craft][0]] * len(group), ["o"] * len(group), _dot(len(group)))
            add_rings(plane, xy(group)[group["outlier"].to_numpy()], 12 if group["outlier"].sum() < 30 else 7)
            add_prototypes(plane, xy(prototypes[prototypes["craft"] == craft]), 16)
        put_row(figure, end, signs)
    return save_sheet(figure, path, suffixes)


def _columns(panels: int, ratio: float) -> int:
    """Panels in a row: as few as fit on a page, or, of few, one more where that leaves fewer places empty."""

    def fits(columns: int) -> bool:
        return -(-panels // columns) * ((WIDTH / columns - _GAP) * ratio + _HEAD + 1.2) <= _PAGE

    least = next((columns for columns in range(3, 8) if fits(columns)), 8)
    if panels > 24:
        return least
    return min((least, least + 1), key=lambda columns: (-panels % columns if panels > columns else 0, columns))


def _notes(groups: Sequence[pd.DataFrame], width: float) -> list[str]:
    counts = [(len(group), group.loc[group["source"] != "", "source"].nunique()) for group in groups]
    notes = [f"{counted(photos, 'photo')}, {counted(sources, 'source')}" for photos, sources in counts]
    if all(text_width(note, 6) <= width for note in notes):
        return notes
    return [f"{photos:,} / {sources:,}" for photos, sources in counts]


def _dot(count: int) -> float:
    return float(np.clip(900 / max(count, 1), 1.2, 6))
