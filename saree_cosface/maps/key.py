"""The key of a printed map: rows of markers with words, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from saree_cosface.figures.palette import INK
from saree_cosface.maps.print_page import KEY_ROW, SOFT, WIDTH, put, shorten, text_width


@dataclass(frozen=True)
class Entry:
    """A line of a key: a mark with its meaning, or, without a mark, the heading of those that follow.

    Attributes:
        text: the meaning.
        note: after it, such as a count, in grey.
        marker: of matplotlib, or "-" for a line; "" makes a heading.
        colour: of the mark.
        hollow: whether the mark is a ring.
        size: of the mark in points.
    """

    text: str
    note: str = ""
    marker: str = ""
    colour: str = INK
    hollow: bool = False
    size: float = 4.5


_KEY_SIZE, _SMALL_KEY_SIZE = 6.8, 6.2
_INDENT = 3.2


def in_columns(entries: Sequence[Entry], columns: int) -> list[list[Entry]]:
    """The entries in columns as short as can be; what stands under one heading stays together where it can.

    >>> head, item = Entry("ikat"), Entry("Patola", marker="o")
    >>> [len(column) for column in in_columns([head, item, item, head, item], 2)]
    [3, 2]
    """
    blocks: list[list[Entry]] = []
    for entry in entries:
        if not entry.marker or not blocks or blocks[-1][0].marker:
            blocks.append([])
        blocks[-1].append(entry)
    height = max(key_height([entries]) / columns, 2 * KEY_ROW)
    while True:
        found: list[list[Entry]] = [[]]
        for block in blocks:
            if found[-1] and key_height([found[-1] + block]) > height:
                found.append([])
            for entry in block:
                if found[-1] and key_height([[*found[-1], entry]]) > height:
                    found.append([Entry(f"{block[0].text}, continued")] if not block[0].marker else [])
                found[-1].append(entry)
        if len(found) <= columns:
            return found
        height += KEY_ROW / 4


def key_height(columns: Sequence[Sequence[Entry]]) -> float:
    """Millimetres that a key in columns takes up."""
    return max((_rows(column)[-1] for column in columns), default=0.0)


def put_key(figure: Figure, top: float, columns: Sequence[Sequence[Entry]], room: int) -> None:
    """Set a key in columns, ``top`` millimetres from the top, where ``room`` columns would fill the width."""
    width = WIDTH / room
    for index, column in enumerate(columns):
        for entry, below in zip(column, _rows(column)[1:], strict=True):
            x, y = index * width + 0.3, top + below - 0.25 * KEY_ROW
            if not entry.marker:
                put(figure, x, y, shorten(entry.text, width - 1.5, _KEY_SIZE), _KEY_SIZE, SOFT)
                continue
            _mark(figure, x + 1.2, y - 0.85, entry)
            note = text_width("  " + entry.note, _KEY_SIZE) if entry.note else 0.0
            space = width - _INDENT - note - 1.0
            size = _KEY_SIZE if text_width(entry.text, _KEY_SIZE) <= space else _SMALL_KEY_SIZE
            text = shorten(entry.text, space, size)
            put(figure, x + _INDENT, y, text, size)
            if entry.note:
                put(figure, x + _INDENT + text_width(text, size) + 0.8, y, entry.note, _KEY_SIZE, SOFT)


def _rows(column: Sequence[Entry]) -> list[float]:
    """Lower edges of the rows in millimetres, after a 0; a heading stands off from what is above it."""
    edges = [0.0]
    for entry in column:
        edges.append(edges[-1] + KEY_ROW * (1.0 if entry.marker or len(edges) == 1 else 1.3))
    return edges


def put_row(figure: Figure, top: float, entries: Sequence[Entry]) -> float:
    """Set entries one after another, wrapped at the width; returns the millimetres that they take up.

    The height is the same on any sheet, so that it can be asked for before the sheet is made.
    """
    x, row = 0.3, 0
    for entry in entries:
        text = shorten(entry.text, WIDTH - _INDENT - 1, _KEY_SIZE)
        wide = (_INDENT if entry.marker else 0) + text_width(text, _KEY_SIZE)
        if x > 0.3 and x + wide > WIDTH:
            x, row = 0.3, row + 1
        y = top + (row + 0.75) * KEY_ROW
        if entry.marker:
            _mark(figure, x + 1.2, y - 0.85, entry)
        put(figure, x + (_INDENT if entry.marker else 0), y, text, _KEY_SIZE, INK if entry.marker else SOFT)
        x += wide + 4
    return (row + 1) * KEY_ROW


def _mark(figure: Figure, x: float, y: float, entry: Entry) -> None:
    height = figure.get_figheight() * 25.4
    line = entry.marker == "-"
    spots = [x - 1.1, x + 1.1] if line else [x]
    figure.add_artist(
        Line2D(
            [spot / WIDTH for spot in spots],
            [1 - y / height] * len(spots),
            linestyle="-" if line else "none",
            linewidth=0.8,
            color=entry.colour,
            marker="none" if line else entry.marker,
            markersize=entry.size,
            markerfacecolor="none" if entry.hollow else entry.colour,
            markeredgecolor=entry.colour,
            markeredgewidth=0.8 if entry.hollow or entry.marker in "+x" else 0,
            transform=figure.transFigure,
        )
    )
