"""Maps of a collection for print, by craft and by source; beside them, those of several maps.

Each figure is drawn once and written in several formats. Points are pixels at 300 dpi, words are words, and the same
photos give the same bytes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.figures.confusion import MUTED
from saree_cosface.maps.changes import before_after_figure
from saree_cosface.maps.colours import MARKERS, colours, craft_colours
from saree_cosface.maps.craft_sheet import craft_sheet
from saree_cosface.maps.drawing import (
    FEWEST,
    PALE,
    Label,
    add_contours,
    add_labels,
    add_plane,
    add_points,
    add_prototypes,
    add_rings,
    counted,
    crafts_in,
    families_of,
    name_of,
    point_size,
    tidy,
    xy,
)
from saree_cosface.maps.print_page import (
    FACT_ROW,
    SUFFIXES,
    TITLE,
    WIDTH,
    Entry,
    fact_lines,
    in_columns,
    key_height,
    plain,
    print_style,
    put_key,
    put_lines,
    put_row,
    put_title,
    save_sheet,
    sheet,
    shorten,
)
from saree_cosface.maps.shape import Floats, SourceMixing, frame, source_mixing

__all__ = ["before_after_figure", "craft_sheet", "map_figure", "source_figure"]

_MARKED_SOURCES = 5
"""Sources that have a marker each on a map by craft."""
_MOST_MARKED = 3000
"""Photos beyond which points are too small for their markers to be told apart."""

_MANY = 20
"""Crafts beyond which each has one contour."""

_COLOURED_SOURCES = 12
_CLUMPED = 0.6
"""Share of a photo's neighbours of its own source from which the source makes the neighbourhood."""
_SMALLEST_CLUMP = 5
_FEWEST_NEIGHBOURS = 5
"""Fewer say nothing of mixing."""


def map_figure(
    photos: pd.DataFrame,
    prototypes: pd.DataFrame,
    facts: Sequence[str],
    path: Path,
    *,
    suffixes: Sequence[str] = SUFFIXES,
) -> list[Path]:
    """The map by craft: clusters labelled, contours, prototypes, outliers ringed, a key by family, facts at the foot.

    Markers tell the source where a handful of sources hold most photos; else they help colour to tell the craft, and
    the key says which.

    Args:
        photos: a row a photo with craft, family, source, outlier, x and y; one without a finite place is left out.
        prototypes: craft, x and y.
        facts: sentences for the foot.
        path: where to write; its suffix is replaced by each of the following.
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
    signs = _signs(photos, prototypes, places, marks, shares)
    lines = fact_lines(facts)
    columns = 4 if len(crafts) <= 40 else 5
    below = TITLE + _height(bounds) + 1.5
    with print_style():
        foot = below + put_row(sheet(100), 0, signs) + 1.2
        room = key_height(_craft_key(photos, key, set(), bool(marks), columns))
        figure = sheet(foot + room + 2 + len(lines) * FACT_ROW + 1)
        put_title(figure, f"{crafts_in(photos)} in {_stock(photos)}, coloured by craft")
        plane = add_plane(figure, 0.15, TITLE, WIDTH - 0.3, bounds)
        size = point_size(len(photos))
        outliers = xy(photos)[photos["outlier"].to_numpy()]
        colour = [shades[craft][0] for craft in photos["craft"]]
        add_points(plane, xy(photos), colour, markers or [shades[craft][1] for craft in photos["craft"]], size)
        add_contours(plane, places, {craft: shade for craft, (shade, _) in shades.items()}, shares)
        add_rings(plane, outliers, 3 * size + 9)
        add_prototypes(plane, xy(prototypes))
        for craft, x, y in zip(prototypes["craft"], prototypes["x"], prototypes["y"], strict=True):
            places.setdefault(craft, np.array([[x, y]], np.float64))
        labels = [Label(name_of(craft), number, places[craft]) for number, craft in enumerate(crafts, 1)]
        labels.sort(key=lambda label: -len(label.points))
        numbered = add_labels(plane, labels, [(xy(prototypes), 1.0), (outliers, min(0.6, 20 / max(len(outliers), 1)))])
        put_row(figure, below, signs)
        put_key(figure, foot, _craft_key(photos, key, numbered, bool(marks), columns), columns)
        put_lines(figure, foot + room + 2, lines)
    return save_sheet(figure, path, suffixes)


def source_figure(
    photos: pd.DataFrame, facts: Sequence[str], path: Path, *, suffixes: Sequence[str] = SUFFIXES
) -> list[Path]:
    """The same map by source, which shows at once where a source, and no craft, makes a neighbourhood.

    Coloured are the sources that make the most neighbourhoods, and then the largest, a dozen in all; the rest is grey.
    A source that forms a clump is named there. At the foot stands how often neighbours share a source, against what
    their crafts alone would bring (:func:`saree_cosface.maps.shape.source_mixing`).

    Args:
        photos: a row a photo with source, craft, piece, x and y.
        facts: sentences for the foot.
        path: where to write; its suffix is replaced.
        suffixes: the formats.
    """
    photos = tidy(photos)
    sources, points = photos["source"].to_numpy(dtype=object), xy(photos)
    mixing = source_mixing(points, photos["source"].tolist(), photos["craft"].tolist(), photos["piece"].tolist())
    counts = Counter(source for source in photos["source"] if source)
    clumped = _clumped(photos, mixing, counts)
    least = max(_SMALLEST_CLUMP, len(photos) // 500)
    clumps = {source: points[clumped & (sources == source)] for source in set(sources[clumped])}
    clumps = {source: clump for source, clump in clumps.items() if len(clump) >= least}
    makers = sorted(clumps, key=lambda source: (-len(clumps[source]), source))
    largest = [source for source, _ in counts.most_common()]
    chosen = list(dict.fromkeys([*makers[: _COLOURED_SOURCES - 4], *largest]))[:_COLOURED_SOURCES]
    chosen.sort(key=lambda source: (-counts[source], source))
    shades, marks = colours(chosen), dict(zip(chosen, MARKERS, strict=False))
    key = in_columns(_source_key(counts, int((sources == "").sum()), shades, marks), 4)
    lines = fact_lines([*_mixing_facts(mixing, int(clumped.sum()), len(photos)), *facts])
    bounds = frame(points)
    below = TITLE + _height(bounds) + 1.5
    with print_style():
        figure = sheet(below + key_height(key) + 2 + len(lines) * FACT_ROW + 1)
        put_title(figure, f"{_stock(photos)}, coloured by source")
        plane = add_plane(figure, 0.15, TITLE, WIDTH - 0.3, bounds)
        size, other = point_size(len(photos)), ~np.isin(sources, chosen)
        add_points(plane, points[other], [PALE] * int(other.sum()), ["o"] * int(other.sum()), size)
        shown = sources[~other]
        add_points(plane, points[~other], [shades[each] for each in shown], [marks[each] for each in shown], 1.2 * size)
        names = [Label(plain(source), 0, clumps[source]) for source in makers[:20]]
        add_labels(plane, names, [(points, 40 / max(len(points), 1))])
        put_key(figure, below, key, 4)
        put_lines(figure, below + key_height(key) + 2, lines)
    return save_sheet(figure, path, suffixes)


def _height(bounds: tuple[float, float, float, float]) -> float:
    return WIDTH * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])


def _stock(photos: pd.DataFrame) -> str:
    sources = photos.loc[photos["source"] != "", "source"].nunique()
    return f"{counted(len(photos), 'photo')} from {counted(sources, 'source')}"


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
) -> list[Entry]:
    outliers = int(photos["outlier"].sum())
    signs = [Entry("prototype of a craft", marker="D", hollow=True)] if len(prototypes) else []
    signs += [Entry(counted(outliers, "outlier"), marker="o", hollow=True, size=5)] if outliers else []
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


def _source_key(
    counts: Mapping[str, int], unknown: int, shades: Mapping[str, str], marks: Mapping[str, str]
) -> list[Entry]:
    key = [Entry(plain(source), f"{counts[source]:,}", marks[source], shade) for source, shade in shades.items()]
    others = [count for source, count in counts.items() if source not in shades]
    if others:
        key.append(Entry(counted(len(others), "other source"), f"{sum(others):,}", "o", PALE))
    if unknown:
        key.append(Entry("source not given", f"{unknown:,}", "o", PALE))
    return key


def _clumped(photos: pd.DataFrame, mixing: SourceMixing, counts: Mapping[str, int]) -> NDArray[np.bool_]:
    """Which photos lie where their own source makes the neighbourhood, and not only because it is large."""
    size = np.array([counts.get(source, 0) for source in photos["source"]], np.float64)
    own = np.nan_to_num(mixing.own)
    made = (own >= _CLUMPED) & (own >= 1.5 * size / max(len(photos), 1))
    return np.asarray(made & (size >= _SMALLEST_CLUMP), dtype=bool)


def _mixing_facts(mixing: SourceMixing, clumped: int, photos: int) -> list[str]:
    if not np.isfinite(mixing.observed) or mixing.neighbours < _FEWEST_NEIGHBOURS:
        return []
    return [
        f"Of a photo's {mixing.neighbours} nearest neighbours on this map, {mixing.observed:.0%} are of its own source;"
        f" {mixing.chance:.0%} would be if the sources were dealt out at random within each craft. The craft does not"
        " explain what goes beyond that.",
        f"{clumped:,} of {counted(photos, 'photo')} lie where at least {_CLUMPED:.0%} of the neighbours are of their"
        " own source; sources that have clumps of such photos are named on the map.",
    ]
