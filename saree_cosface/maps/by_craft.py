"""The map of a collection by craft, for print."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from saree_cosface.figures.palette import MUTED
from saree_cosface.maps.colours import MARKERS, craft_colours
from saree_cosface.maps.drawing import (
    FEWEST,
    add_contours,
    add_plane,
    add_points,
    add_prototypes,
    add_rings,
    counted,
    crafts_in,
    families_of,
    name_of,
    plane_height,
    point_size,
    stock,
    tidy,
    xy,
)
from saree_cosface.maps.key import Entry, in_columns, key_height, put_key, put_row
from saree_cosface.maps.labels import Label, add_labels
from saree_cosface.maps.print_page import (
    FACT_ROW,
    SUFFIXES,
    TITLE,
    WIDTH,
    fact_lines,
    plain,
    print_style,
    put_lines,
    put_title,
    save_sheet,
    sheet,
    shorten,
)
from saree_cosface.maps.shape import Floats, frame

_MARKED_SOURCES = 5
"""Sources that have a marker each on a map by craft."""

_MOST_MARKED = 3000
"""Photos beyond which points are too small for their markers to be told apart."""

_MANY = 20
"""Crafts beyond which each has one contour."""


def map_figure(
    photos: pd.DataFrame,
    prototypes: pd.DataFrame,
    facts: Sequence[str],
    path: Path,
    *,
    ringed: str = "outlier",
    suffixes: Sequence[str] = SUFFIXES,
) -> list[Path]:
    """The map by craft: clusters labelled, contours, prototypes, rings, a key by family, facts at the foot.

    Markers tell the source where a handful of sources hold most photos; else they help colour to tell the craft, and
    the key says which.

    Args:
        photos: a row a photo with craft, family, source, x and y; one without a finite place is left out.
        prototypes: craft, x and y.
        facts: sentences for the foot.
        path: where to write; its suffix is replaced by each of the following.
        ringed: the column that tells which photos get a ring, by the name that the key gives one of them.
        suffixes: the formats.

    Returns:
        The paths written.
    """
    photos, prototypes = tidy(photos), tidy(prototypes)
    key = _craft_order(photos, prototypes)
    crafts = [craft for members in key.values() for craft in members]
    shades = craft_colours(crafts)
    places = {str(craft): xy(rows) for craft, rows in photos.groupby("craft")}
    bounds = frame(np.concatenate([xy(photos), xy(prototypes)]))
    markers, marks = _source_markers(photos)
    shares = (0.9, 0.5) if len(crafts) <= _MANY else (0.5,)
    signs = _signs(photos, prototypes, places, marks, shares, ringed)
    lines = fact_lines(facts)
    columns = 4 if len(crafts) <= 40 else 5
    below = TITLE + plane_height(bounds) + 1.5
    with print_style():
        foot = below + put_row(sheet(100), 0, signs) + 1.2
        room = key_height(_craft_key(photos, key, set(), bool(marks), columns))
        figure = sheet(foot + room + 2 + len(lines) * FACT_ROW + 1)
        put_title(figure, f"{crafts_in(photos)} in {stock(photos)}, coloured by craft")
        plane = add_plane(figure, 0.15, TITLE, WIDTH - 0.3, bounds)
        size = point_size(len(photos))
        rings = xy(photos)[photos[ringed].to_numpy()]
        colour = [shades[craft][0] for craft in photos["craft"]]
        add_points(plane, xy(photos), colour, markers or [shades[craft][1] for craft in photos["craft"]], size)
        add_contours(plane, places, {craft: shade for craft, (shade, _) in shades.items()}, shares)
        add_rings(plane, rings, 3 * size + 9)
        add_prototypes(plane, xy(prototypes))
        for craft, x, y in zip(prototypes["craft"], prototypes["x"], prototypes["y"], strict=True):
            places.setdefault(craft, np.array([[x, y]], np.float64))
        labels = [Label(name_of(craft), number, places[craft]) for number, craft in enumerate(crafts, 1)]
        labels.sort(key=lambda label: -len(label.points))
        numbered = add_labels(plane, labels, [(xy(prototypes), 1.0), (rings, min(0.6, 20 / max(len(rings), 1)))])
        put_row(figure, below, signs)
        put_key(figure, foot, _craft_key(photos, key, numbered, bool(marks), columns), columns)
        put_lines(figure, foot + room + 2, lines)
    return save_sheet(figure, path, suffixes)


def _craft_order(photos: pd.DataFrame, prototypes: pd.DataFrame) -> dict[str, list[str]]:
    """Crafts by name under their families by name; those of no known family last."""
    families = families_of(photos)
    crafts = sorted({*photos["craft"], *prototypes["craft"]}, key=lambda craft: (name_of(craft).casefold(), craft))
    order: dict[str, list[str]] = {}
    for family in sorted({families[craft] for craft in crafts}, key=lambda each: (not each, each)):
        order[family] = [craft for craft in crafts if families[craft] == family]
    return order


def _source_markers(photos: pd.DataFrame) -> tuple[list[str], list[Entry]]:
    """Marker of each photo by its source, and their key; nothing where that would tell little."""
    largest = Counter(source for source in photos["source"] if source).most_common(_MARKED_SOURCES)
    covered = sum(count for _, count in largest)
    if len(largest) < 2 or covered < len(photos) / 2 or len(photos) > _MOST_MARKED:
        return [], []
    others = covered < len(photos)  # these have the circle
    marks = {source: MARKERS[index + others] for index, (source, _) in enumerate(largest)}
    key = [Entry(shorten(plain(source), 40, 7), marker=marker, colour=MUTED) for source, marker in marks.items()]
    key += [Entry("any other", marker="o", colour=MUTED)] * others
    return [marks.get(source, "o") for source in photos["source"]], key


def _signs(
    photos: pd.DataFrame,
    prototypes: pd.DataFrame,
    places: Mapping[str, Floats],
    marks: Sequence[Entry],
    shares: Sequence[float],
    ringed: str,
) -> list[Entry]:
    rings = int(photos[ringed].sum())
    signs = [Entry("prototype of a craft", marker="D", hollow=True)] if len(prototypes) else []
    signs += [Entry(counted(rings, ringed), marker="o", hollow=True, size=5)] if rings else []
    if any(len(points) >= FEWEST for points in places.values()):
        held = "half" if len(shares) == 1 else "half, and nine tenths,"
        signs.append(Entry(f"where {held} of a craft's photos lie, strays apart", marker="-"))
    if marks:
        return [*signs, Entry("colour: the craft; marker: the source:"), *marks]
    return [*signs, Entry("colour and marker: the craft; sources have a map of their own")]


def _craft_key(
    photos: pd.DataFrame, order: Mapping[str, Sequence[str]], numbered: set[int], by_source: bool, columns: int
) -> list[list[Entry]]:
    """Crafts under their families, in columns, with their numbers where these stand on the map."""
    counts = Counter(photos["craft"])
    shades = craft_colours([craft for members in order.values() for craft in members])
    entries, number = [], 0
    for family, members in order.items():
        entries.append(Entry(plain(family) or "family not known"))
        for craft in members:
            number += 1
            colour, marker = shades[craft]
            name = f"{number}  {name_of(craft)}" if number in numbered else name_of(craft)
            entries.append(Entry(name, f"{counts[craft]:,}", "o" if by_source else marker, colour))
    return in_columns(entries, columns)
