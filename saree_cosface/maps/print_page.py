"""A figure as a sheet of print: measured in millimetres, its texts measured before they are set, the same every time.

Each figure is drawn once and written in several formats. Points are pixels at 300 dpi, words are words in SVG and PDF
too, and the same photos give the same bytes. Names from outside are never read as mathematics.
"""

import unicodedata
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from saree_cosface.figures.palette import INK
from saree_cosface.figures.style import fonts
from saree_cosface.files import atomic_path

SOFT = "#6B6B6B"
"""Ink of what is read second; still dark enough in small print."""

WIDTH = 170.0
"""Width of a sheet in millimetres: A4 with margins of 20."""

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 300

MM = 72 / 25.4
"""Points in a millimetre."""

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

KEY_ROW = 3.3
"""Millimetres from one line of a key to the next."""
