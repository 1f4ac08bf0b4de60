"""Names of clusters on a printed map, where they cover nothing that matters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patheffects import Stroke

from saree_cosface.figures.palette import INK
from saree_cosface.maps.drawing import Plane
from saree_cosface.maps.label_placement import leader_end, place_or_number
from saree_cosface.maps.print_page import MM, shorten, text_width
from saree_cosface.maps.shape import Floats, densest

HALO = "halo"
"""The ``gid`` of the white outlines under labels."""

LABEL_SIZES = (8.0, 7.4)


_SMALLEST = 6.2
_FEW = 5  # points; the names of fewer are set smaller
_NUMBER_SIZE = 7.0
_GAP = 0.7  # mm between labels
_LINE = 1.25 / MM  # height of a line in mm for each point of its size
_LONGEST = 42.0  # mm of a name
_LEADER = 2.2  # mm from its place from which a label has a leader
_HIDDEN = 6.0  # heights that a label moves rather than hide all that a label names


@dataclass(frozen=True)
class Label:
    """A name for a place on a map.

    Attributes:
        text: the name.
        number: what stands for it where there is no room.
        points: of what it names, ``(N, 2)``, N > 0; it stands over the densest of them, if it hides few.
    """

    text: str
    number: int
    points: Floats


def add_labels(
    plane: Plane,
    labels: Sequence[Label],
    avoid: Sequence[tuple[Floats, float]] = (),
    *,
    sizes: Sequence[float] = LABEL_SIZES,
    reach: float = 30.0,
) -> set[int]:
    """Set names at their places in the largest size in which all find room, else numbers for those that find none.

    Args:
        plane: the map.
        labels: the most important first; those of few points are set smaller.
        avoid: points ``(M, 2)`` that are better not hidden, with how many of its heights a label moves rather than hide
            one of them.
        sizes: in points, to be tried in turn.
        reach: how far from its place a name may stand, in millimetres; a longer leader leads nowhere.

    Returns:
        The numbers that a key must explain: of names without room.
    """
    if not labels:
        return set()
    low = np.array(plane.bounds[:2])
    scale = np.array(plane.size) / (np.array(plane.bounds[2:]) - low)
    anchors = np.array([densest(each.points, plane.bounds) for each in labels])
    places = (anchors - low) * scale
    kept = [*avoid, *((each.points, _HIDDEN / len(each.points)) for each in labels)]
    marks = np.concatenate([points for points, _ in kept])
    weights = np.concatenate([np.full(len(points), weight) for points, weight in kept])
    numbers = _boxes([str(each.number) for each in labels], [_NUMBER_SIZE] * len(labels), bold=True)
    names = [shorten(each.text, _LONGEST, max(sizes)) for each in labels]
    for size in sizes:
        points = [size if len(each.points) >= _FEW else max(0.82 * size, _SMALLEST) for each in labels]
        found = place_or_number(
            places,
            _boxes(names, points),
            numbers,
            (0.6, 0.6, plane.size[0] - 0.6, plane.size[1] - 0.6),
            gap=_GAP,
            reach=reach,
            marks=(marks - low) * scale,
            weights=weights,
        )
        if all(each == "name" for each in found.shown):
            break
    for index, shown in enumerate(found.shown):
        if shown == "nothing":
            continue
        end = leader_end(places[index], found.centres[index], found.sizes[index] * [1, 0.8])
        if np.linalg.norm(end - places[index]) > _LEADER:
            _add_leader(plane, anchors[index], end / scale + low)
        x, y = found.centres[index] / scale + low
        if shown == "name":
            _add_text(plane, x, y, names[index], points[index], "normal")
        else:
            _add_text(plane, x, y, str(labels[index].number), _NUMBER_SIZE, "bold")
    return {label.number for label, shown in zip(labels, found.shown, strict=True) if shown != "name"}


def _boxes(texts: Sequence[str], sizes: Sequence[float], *, bold: bool = False) -> Floats:
    found = [[text_width(text, size, bold), size * _LINE] for text, size in zip(texts, sizes, strict=True)]
    return np.array(found, np.float64).reshape(-1, 2)


def _add_leader(plane: Plane, start: Floats, end: Floats) -> None:
    x, y = zip(start, end, strict=True)
    plane.axes.plot(x, y, color="white", linewidth=1.8, alpha=0.8, solid_capstyle="round", zorder=4)
    plane.axes.plot(x, y, color=INK, linewidth=0.5, zorder=4.1)
    plane.axes.plot(*start, marker="o", markersize=2, color=INK, markeredgewidth=0, zorder=4.1)


def _add_text(plane: Plane, x: float, y: float, text: str, size: float, weight: str) -> None:
    # The outline is a text of its own: matplotlib turns texts with effects into curves, and words must stay words.
    for halo in (True, False):
        plane.axes.text(
            x,
            y,
            text,
            size=size,
            weight=weight,
            color=INK if not halo else "white",
            ha="center",
            va="center",
            zorder=5 if halo else 6,
            path_effects=[Stroke(linewidth=2.4, foreground="white", alpha=0.9)] if halo else None,
            gid=HALO if halo else "label",
        )
