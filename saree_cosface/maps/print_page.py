"""A figure as a sheet of print: measured in millimetres, its texts measured before they are set, the same every time.

Text stays text in SVG and PDF. Names from outside are never read as mathematics.
"""

import unicodedata
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font_names
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from saree_cosface.figures.confusion import INK
from saree_cosface.files import atomic_path

SOFT = "#6B6B6B"
"""Ink of what is read second; still dark enough in small print."""

WIDTH = 170.0
"""Width of a sheet in millimetres: A4 with margins of 20."""

SUFFIXES = (".png", ".svg", ".pdf")

DPI = 300
MM = 72 / 25.4
"""Points in a millimetre."""

_FONT = "DejaVu Sans"  # comes with matplotlib: the same widths everywhere
_SCRIPTS = ("Devanagari", "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Gurmukhi", "Oriya")
_FALLBACKS = (*(f"Noto Sans {script}" for script in _SCRIPTS), *(f"Lohit {script}" for script in _SCRIPTS))
_FALLBACKS += ("Nirmala UI", "Kohinoor Devanagari", "Noto Sans CJK SC")


@cache
def fonts() -> list[str]:
    """The font of all sheets, and after it those of this computer for the letters that it lacks."""
    present = set(get_font_names())
    return [_FONT, *(name for name in _FALLBACKS if name in present)]


_STYLE = {
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "saree-cosface",
    "pdf.fonttype": 42,
}
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def print_style() -> AbstractContextManager[None]:
    """Settings under which a sheet must be drawn, whatever the reader's own are."""
    return mpl.rc_context({**_STYLE, "font.family": fonts()})  # type: ignore[dict-item]


def sheet(height: float) -> Figure:
    """An empty sheet, ``height`` in millimetres."""
    return Figure(figsize=(WIDTH / 25.4, height / 25.4), dpi=DPI, facecolor="white")


TITLE = 7.0
"""Millimetres that a title takes up."""


def put_title(figure: Figure, text: str) -> None:
    """Set the title of a sheet."""
    put(figure, 0.3, 4.6, text, 9, bold=True)


def save_sheet(figure: Figure, path: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Write a sheet in each format, at its own size, each file all or nothing; returns their paths.

    Args:
        figure: of :func:`sheet`.
        path: of the files; its suffix is replaced by each of the following.
        suffixes: ".png", ".svg" or ".pdf".
    """
    written = []
    with print_style(), warnings.catch_warnings():
        # A name in a script that the font lacks is boxes on paper, yet right in the text of SVG.
        warnings.filterwarnings("ignore", message=".*Glyph.*missing from.*")
        for suffix in suffixes:
            target = path.with_suffix(suffix)
            with atomic_path(target) as temporary:
                figure.savefig(temporary, dpi=DPI, metadata=_METADATA[suffix])
            written.append(target)
    return written


def plain(text: object) -> str:
    """A name fit for a line of print: no line breaks, no characters that cannot be set.

    >>> plain("silk\\nhouse\\x00")
    'silk house'
    """
    encoded = str(text).encode("utf-8", "replace").decode("utf-8")
    spaced = " ".join(encoded.split())
    return "".join(letter for letter in spaced if unicodedata.category(letter) not in ("Cc", "Cs"))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line in millimetres when set at ``size`` points, a little generous."""
    font = FontProperties(family=fonts(), size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Glyph.*missing from.*")
        width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) * 1.03 / MM


def shorten(text: str, width: float, size: float) -> str:
    """The text, or as much of it as ``width`` millimetres hold, with an ellipsis.

    >>> shorten("kanjivaram", 100, 8), shorten("kanjivaram", 10, 8)
    ('kanjivaram', 'kanji…')
    """
    if text_width(text, size) <= width:
        return text
    kept = len(text)
    while kept and text_width(text[:kept].rstrip() + "…", size) > width:
        kept -= 1
    return text[:kept].rstrip() + "…"


def wrap(text: str, width: float, size: float) -> list[str]:
    """The text in lines of at most ``width`` millimetres; a longer word stands alone, shortened."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(shorten(word, width, size))
    return lines


def put(figure: Figure, x: float, y: float, text: str, size: float, colour: str = INK, *, bold: bool = False) -> None:
    """Set a line at ``x`` millimetres from the left, its base line ``y`` from the top."""
    height = figure.get_figheight() * 25.4
    weight = "bold" if bold else "normal"
    figure.text(x / WIDTH, 1 - y / height, text, size=size, color=colour, weight=weight, va="baseline", ha="left")


def put_lines(figure: Figure, top: float, lines: Sequence[str]) -> None:
    """Set the lines of :func:`fact_lines` below one another."""
    for index, line in enumerate(lines):
        put(figure, 0.3, top + (index + 0.75) * FACT_ROW, line, _FACT_SIZE)


def fact_lines(facts: Sequence[str]) -> list[str]:
    """Sentences as lines for the foot of a sheet, each beginning a new one."""
    return [line for fact in facts for line in wrap(plain(fact), WIDTH - 1, _FACT_SIZE)]


FACT_ROW = 3.5
"""Millimetres from one line at the foot to the next."""
_FACT_SIZE = 7.2


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


KEY_ROW = 3.3
"""Millimetres from one line of a key to the next."""
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
