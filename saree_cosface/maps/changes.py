"""Two maps of a collection side by side for print, with what changed between them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from saree_cosface.maps.colours import craft_colours
from saree_cosface.maps.drawing import (
    Plane,
    add_plane,
    add_points,
    add_rings,
    add_signs,
    counted,
    name_of,
    point_size,
    tidy,
    xy,
)
from saree_cosface.maps.key import Entry, in_columns, key_height, put_key, put_row
from saree_cosface.maps.labels import Label, add_labels
from saree_cosface.maps.print_page import (
    KEY_ROW,
    SUFFIXES,
    TITLE,
    WIDTH,
    print_style,
    put,
    put_title,
    save_sheet,
    sheet,
)
from saree_cosface.maps.shape import frame

_GAP = 2.0
"""Millimetres between the maps."""
_HEAD = 4.0
"""Millimetres above each."""

_REACH = 9.0
"""How far a name may stand from its place, in millimetres: on half a page, leaders would soon be a thicket."""

_NAMED = 24
"""Crafts named on each map, the largest; the key below has all."""

_MOST = 12
"""Kinds of changed labels that are listed."""


def before_after_figure(
    before: pd.DataFrame, after: pd.DataFrame, path: Path, *, suffixes: Sequence[str] = SUFFIXES
) -> list[Path]:
    """Two maps on the same axes; what changed between them is marked, counted and listed, what did not is pale.

    Photos are the same where their file is. A ring marks one whose label changed, on both maps in the colour of the
    label that it has there; a cross before, one that left; a plus after, one that came.
    The largest crafts are named on the maps, all in the key below.

    Args:
        before: a row a photo with sha256, craft, x and y.
        after: likewise.
        path: where to write; its suffix is replaced by each of the following.
        suffixes: the formats.

    Returns:
        The paths written.
    """
    before, after = (tidy(table).drop_duplicates("sha256", ignore_index=True) for table in (before, after))
    old, new = (dict(zip(table["sha256"], table["craft"], strict=True)) for table in (before, after))
    changed = {photo: (old[photo], new[photo]) for photo in old if photo in new and old[photo] != new[photo]}
    left, came = old.keys() - new.keys(), new.keys() - old.keys()
    crafts = sorted({*before["craft"], *after["craft"]}, key=lambda craft: (name_of(craft).casefold(), craft))
    shades = craft_colours(crafts)
    bounds = frame(np.concatenate([xy(before), xy(after)]), 0.7, 1.3)
    width = (WIDTH - _GAP) / 2
    signs = [
        Entry(f"{counted(len(changed), 'photo')} with another label", marker="o", hollow=True, size=5),
        Entry(f"{len(left):,} left", marker="x"),
        Entry(f"{len(came):,} came", marker="+", size=5.5),
    ]
    moves = _moves(list(changed.values()))
    with print_style():
        below = TITLE + _HEAD + width * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0]) + 1.5
        foot = below + put_row(sheet(100), 0, signs) + 1.5
        names = foot + (KEY_ROW + key_height(moves) + 2 if moves else 0)
        figure = sheet(names + key_height(_names(crafts, shades, set())) + 1)
        put_title(figure, f"{counted(len(before), 'photo')} before, {len(after):,} after")
        numbered: set[int] = set()
        for side, (name, table, gone) in enumerate((("Before", before, left), ("After", after, came))):
            start = side * (width + _GAP)
            put(figure, start + 0.3, TITLE + 2.6, name, 7.2)
            plane = add_plane(figure, start + 0.1, TITLE + _HEAD, width - 0.2, bounds)
            _add_photos(plane, table, shades, changed.keys(), gone, "+" if side else "x")
            places = {str(craft): xy(rows) for craft, rows in table.groupby("craft")}
            labels = [
                Label(name_of(each), number, places[each]) for number, each in enumerate(crafts, 1) if each in places
            ]
            labels = sorted(labels, key=lambda label: -len(label.points))[:_NAMED]
            seen = xy(table[table["sha256"].isin([*changed, *gone])])
            numbered |= add_labels(
                plane, labels, [(seen, min(1.0, 30 / max(len(seen), 1)))], sizes=(6.7,), reach=_REACH
            )
        put_row(figure, below, signs)
        if moves:
            put_row(figure, foot, [Entry("labels that changed, the most frequent first:")])
            put_key(figure, foot + KEY_ROW, moves, 3)
        put_key(figure, names, _names(crafts, shades, numbered), 5)
    return save_sheet(figure, path, suffixes)


def _add_photos(
    plane: Plane,
    table: pd.DataFrame,
    shades: Mapping[str, tuple[str, str]],
    changed: Collection[str],
    gone: Collection[str],
    sign: str,
) -> None:
    size = point_size(len(table), plane.size[0])
    marked, signed = table["sha256"].isin(list(changed)).to_numpy(), table["sha256"].isin(list(gone)).to_numpy()
    colours = np.array([shades[craft][0] for craft in table["craft"]], dtype=object)
    markers = np.array([shades[craft][1] for craft in table["craft"]], dtype=object)
    points, still = xy(table), ~(marked | signed)
    add_points(plane, points[still], colours[still].tolist(), markers[still].tolist(), size, faint=True)
    add_points(plane, points[~still], colours[~still].tolist(), markers[~still].tolist(), 1.3 * size)
    crowded = (~still).sum() > 150
    add_rings(plane, points[marked], 9 if crowded else 3 * size + 9)
    add_signs(plane, points[signed], sign, 7 if crowded else 20)


def _moves(changes: Sequence[tuple[str, str]]) -> list[list[Entry]]:
    """The most frequent changes of label, "Banarasi → Chanderi 12", in three columns."""
    if not changes:
        return []
    common = sorted(Counter(changes).items(), key=lambda each: (-each[1], each[0]))
    shown = [Entry(f"{name_of(old)} → {name_of(new)}", f"{count:,}", " ") for (old, new), count in common[:_MOST]]
    rest = sum(count for _, count in common[_MOST:])
    shown += [Entry(f"{counted(len(common) - _MOST, 'other change')}", f"{rest:,}", " ")] if rest else []
    return in_columns(shown, 3)


def _names(crafts: Sequence[str], shades: Mapping[str, tuple[str, str]], numbered: set[int]) -> list[list[Entry]]:
    entries = []
    for number, craft in enumerate(crafts, 1):
        name = f"{number}  {name_of(craft)}" if number in numbered else name_of(craft)
        entries.append(Entry(name, "", shades[craft][1], shades[craft][0]))
    return in_columns(entries, 5)
