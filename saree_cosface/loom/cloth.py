"""A saree lying flat, as the weaver sees it: a draft that says which yarn shows at each millimetre.

Rows run across the cloth from one selvedge to the other, columns along its length; the pallu is at the right end.
One cell of a draft is one millimetre. Drawing is stamping small drafts (motifs) onto a large one (the cloth).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Draft = NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDTH = 1000
LENGTH = 1600

# What a cell of a draft may hold: the number of a yarn in the cloth's palette, or CLEAR where a motif leaves the
# cloth below as it is.
GROUND, BORDER, PALLU, ZARI, SILVER, FIRST, SECOND, THIRD, LIGHT, DARK, CHECK = range(11)
YARNS = 11
CLEAR = 255


@dataclass(frozen=True)
class Yarn:
    """A yarn: its sRGB colour, how metallic it is (0 to 1) and how much of what lies behind it hides (0 to 1)."""

    colour: Colour
    zari: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Cloth:
    """One saree laid flat.

    Attributes:
        yarns: (WIDTH, LENGTH) numbers into ``palette``.
        palette: one yarn for each number.
        pallu: column at which the pallu begins.
        border: width in millimetres of the border along each selvedge.
        sheen: how silky the ground is, 0 (cotton) to 1 (mulberry silk).
        pitch: distance between threads in millimetres, coarser than life so that a camera can see it.
        slub: unevenness of the yarn, as the standard deviation of a thread's brightness.
    """

    yarns: Draft
    palette: tuple[Yarn, ...]
    pallu: int
    border: int
    sheen: float
    pitch: float
    slub: float


def plain(pallu: int, border: int) -> Draft:
    """A cloth with nothing but its three fields: body, two borders and, right of column ``pallu``, the pallu."""
    cloth = np.full((WIDTH, LENGTH), GROUND, np.uint8)
    cloth[:, pallu:] = PALLU
    cloth[:border] = BORDER
    cloth[WIDTH - border :] = BORDER
    return cloth


def stamp(cloth: Draft, motif: Draft, row: int, column: int) -> None:
    """Put ``motif`` with its top left corner at (``row``, ``column``), in place; what falls outside is cut off."""
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + motif.shape[0], cloth.shape[0]), min(column + motif.shape[1], cloth.shape[1])
    if top >= bottom or left >= right:
        return
    part = motif[top - row : bottom - row, left - column : right - column]
    target = cloth[top:bottom, left:right]
    np.copyto(target, part, where=part != CLEAR)


def scatter(field: Draft, motifs: list[Draft], pitch: tuple[int, int], drop: float = 0.5, start: int = 0) -> None:
    """Stamp ``motifs`` in turn on a lattice of ``pitch`` (rows, columns) over ``field``, in place.

    Every second column is shifted down by ``drop`` of a row's pitch: the weaver's half-drop.
    """
    rows, columns = pitch
    for j, column in enumerate(range(columns // 2, field.shape[1] + columns, columns)):
        shift = round((j % 2) * drop * rows)
        for i, row in enumerate(range(rows // 2 - rows, field.shape[0] + rows, rows)):
            motif = motifs[(i + j + start) % len(motifs)]
            stamp(field, motif, row + shift - motif.shape[0] // 2, column - motif.shape[1] // 2)


def repeat(field: Draft, motif: Draft, pitch: int | None = None) -> None:
    """Stamp ``motif`` again and again along the length of ``field``, in the middle of its width, in place."""
    for column in range(0, field.shape[1], pitch or motif.shape[1]):
        stamp(field, motif, (field.shape[0] - motif.shape[0]) // 2, column)


def stripe(field: Draft, bands: list[tuple[int, int]], start: int = 0) -> int:
    """Fill rows of ``field`` with ``bands`` of (millimetres, yarn) from row ``start`` on; return the row after them.

    A yarn of CLEAR leaves its band as it was. Transpose the field to draw bands across the length.

    >>> import numpy as np
    >>> field = np.zeros((5, 2), np.uint8)
    >>> stripe(field, [(2, 3), (1, 7)])
    3
    >>> field[:, 0].tolist()
    [3, 3, 7, 0, 0]
    """
    for width, yarn in bands:
        if yarn != CLEAR:
            field[start : start + width] = yarn
        start += width
    return start


def stepped(motif: Draft, cell: int) -> Draft:
    """Enlarge a motif drawn on a coarse grid so that each of its cells is ``cell`` millimetres square.

    >>> import numpy as np
    >>> stepped(np.array([[1, 2]], np.uint8), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return np.repeat(np.repeat(motif, cell, axis=0), cell, axis=1)


def mirrored(cloth: Draft, border: int) -> None:
    """Copy the border at the top of the cloth to its lower selvedge, turned over, in place."""
    cloth[WIDTH - border :] = cloth[:border][::-1]


def feather(field: Draft, rng: np.random.Generator, along_length: float, along_width: float) -> None:
    """Shift every thread a little, as tied and dyed yarn slips on the loom, in place.

    Args:
        field: the part of the cloth that is ikat.
        rng: where the slips come from.
        along_length: standard deviation in millimetres of the warp threads' slip; it frays edges across the length.
        along_width: the same for the weft threads, which run across the cloth.
    """
    height, width = field.shape
    across = np.arange(width, dtype=np.float32)[None, :] + _slips(rng, height, along_length)[:, None]
    down = np.arange(height, dtype=np.float32)[:, None] + _slips(rng, width, along_width)[None, :]
    field[:] = cv2.remap(field, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)


def _slips(rng: np.random.Generator, threads: int, spread: float) -> NDArray[np.float32]:
    """Neighbouring threads are tied in one bundle, so they slip partly together."""
    own = rng.normal(0.0, 0.75 * spread, threads)
    bundle = np.repeat(rng.normal(0.0, 0.65 * spread, threads // 4 + 1), 4)[:threads]
    return (own + bundle).astype(np.float32)
