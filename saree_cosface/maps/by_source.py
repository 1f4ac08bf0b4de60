"""The map of a collection by source, for print: where a source, and no craft, makes a neighbourhood."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.maps.colours import MARKERS, colours
from saree_cosface.maps.drawing import (
    PALE,
    add_plane,
    add_points,
    counted,
    plane_height,
    point_size,
    stock,
    tidy,
    xy,
)
from saree_cosface.maps.key import Entry, in_columns, key_height, put_key
from saree_cosface.maps.labels import Label, add_labels
from saree_cosface.maps.mixing import SourceMixing, source_mixing
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
)
from saree_cosface.maps.shape import frame

_COLOURED_SOURCES = 12

_CLUMPED = 0.6
"""Share of a photo's neighbours of its own source from which the source makes the neighbourhood."""

_SMALLEST_CLUMP = 5

_FEWEST_NEIGHBOURS = 5
"""Fewer say nothing of mixing."""


def source_figure(
    photos: pd.DataFrame, facts: Sequence[str], path: Path, *, suffixes: Sequence[str] = SUFFIXES
) -> list[Path]:
    """The map of :func:`saree_cosface.maps.by_craft.map_figure`, by source, which shows at once where a source, and no
    craft, makes a neighbourhood.

    Coloured are the sources that make the most neighbourhoods, and then the largest, a dozen in all; the rest is grey.
    A source that forms a clump is named there. At the foot stands how often neighbours share a source, against what
    their crafts alone would bring (:func:`saree_cosface.maps.mixing.source_mixing`).

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
    below = TITLE + plane_height(bounds) + 1.5
    with print_style():
        figure = sheet(below + key_height(key) + 2 + len(lines) * FACT_ROW + 1)
        put_title(figure, f"{stock(photos)}, coloured by source")
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
