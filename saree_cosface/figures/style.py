"""What the figures have in common: letters of any script, spines, and how they are written."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from saree_cosface.figures.palette import INK
from saree_cosface.files import atomic_path

_FONT = "DejaVu Sans"  # comes with matplotlib: the same widths everywhere

_SCRIPTS = ("Devanagari", "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Gurmukhi", "Oriya")

_FALLBACKS = (*(f"Noto Sans {script}" for script in _SCRIPTS), *(f"Lohit {script}" for script in _SCRIPTS))

_FALLBACKS += ("Nirmala UI", "Kohinoor Devanagari", "Noto Sans CJK SC")

# Would tell of each font that comes without bold letters.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


@contextmanager
def any_names() -> Iterator[None]:
    """Within this context a figure spells names as they are, in any script: a dollar sign begins no formula."""
    with mpl.rc_context({"font.family": fonts(), "text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Glyph.*missing from.*")  # boxes, where no font has the script
        warnings.filterwarnings("ignore", message=".*does not support .* natively")  # its letters side by side
        yield


def one_line(name: str, most: int = 80) -> str:
    """A file's name as a figure can show it.

    >>> one_line("new\\nline.jpg"), one_line("n" * 99, 4)
    ('new line.jpg', 'nnn…')
    """
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of its suffix."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", facecolor="white")


def plain(axes: mpl.axes.Axes) -> None:
    """Without the two spines that bear no numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.title.set_color(INK)


@cache
def fonts() -> list[str]:
    """The font of all sheets, and after it those of this computer for the letters that it lacks."""
    present = set(get_font_names())
    return [_FONT, *(name for name in _FALLBACKS if name in present)]
