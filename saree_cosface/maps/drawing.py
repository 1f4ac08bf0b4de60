"""The parts that the printed maps share: their table in order, the plane, its points, contours, rings and labels."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Stroke

from saree_cosface.figures.confusion import INK
from saree_cosface.html.page import craft_name
from saree_cosface.maps.label_placement import leader_end, place_or_number
from saree_cosface.maps.print_page import MM, WIDTH, plain, shorten, text_width
from saree_cosface.maps.shape import GRID, Bounds, Floats, contour_levels, densest, density, without_strays
from saree_cosface.taxonomy import load_taxonomy

PALE = "#C9C9C9"
"""Points that only give the background."""

FEWEST = 15
"""Photos that a craft needs for contours."""

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
class Plane:
    """A map on the sheet.

    Attributes:
        axes: to draw on.
        bounds: of the coordinates.
        size: width and height in millimetres.
    """

    axes: Axes
    bounds: Bounds
    size: tuple[float, float]


def tidy(photos: pd.DataFrame) -> pd.DataFrame:
    """The photos that have a place on the map, with text where a craft, family, source or piece is missing."""
    table = photos.iloc[np.flatnonzero(np.isfinite(xy(photos)).all(axis=1))].reset_index(drop=True)
    for column in ("craft", "family", "source", "piece", "path"):
        values = table[column].tolist() if column in table.columns else [""] * len(table)
        table[column] = pd.Series(["" if pd.isna(value) else str(value) for value in values], dtype=object)
    known = table["outlier"].tolist() if "outlier" in table.columns else [False] * len(table)
    table["outlier"] = np.array([not pd.isna(value) and bool(value) for value in known], dtype=bool)
    return table


def xy(table: pd.DataFrame) -> Floats:
    """Coordinates ``(N, 2)``."""
    return table[["x", "y"]].to_numpy(np.float64).reshape(-1, 2)


def name_of(craft: str) -> str:
    """Name of a craft on paper."""
    return plain(craft_name(craft)) or "without a label"


def families_of(photos: pd.DataFrame) -> defaultdict[str, str]:
    """Family of each craft, as the photos or else the taxonomy have it; "" where it is not known."""
    given = photos[photos["family"] != ""]
    return defaultdict(str, {**load_taxonomy().families, **dict(zip(given["craft"], given["family"], strict=True))})


def crafts_in(photos: pd.DataFrame) -> str:
    """How many crafts photos have, in words; prototypes of others may be drawn beside them."""
    return counted(photos.loc[photos["craft"] != "", "craft"].nunique(), "craft")


def counted(number: int, one: str) -> str:
    """A number with its noun.

    >>> counted(1, "photo"), counted(20000, "photo")
    ('1 photo', '20,000 photos')
    """
    return f"{number:,} {one}{'s' * (number != 1)}"


def add_plane(figure: Figure, left: float, top: float, width: float, bounds: Bounds) -> Plane:
    """Make room for a map, ``left``, ``top`` and ``width`` in millimetres; its height follows from the bounds."""
    tall = figure.get_figheight() * 25.4
    height = width * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])
    axes = figure.add_axes((left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall))
    axes.set(xlim=(bounds[0], bounds[2]), ylim=(bounds[1], bounds[3]), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#D5D5D5", linewidth=0.5)
    return Plane(axes, bounds, (width, height))


def point_size(count: int, width: float = WIDTH) -> float:
    """Area of a point in square points: large while there is room, small where there are many.

    >>> point_size(50), point_size(20_000)
    (15.0, 1.6)
    """
    return float(np.clip(9000 / max(count, 1), 1.6, 15) * min(1.0, (width / WIDTH) ** 0.8))


def add_points(
    plane: Plane, points: Floats, colours: Sequence[str], markers: Sequence[str], size: float, *, faint: bool = False
) -> None:
    """Draw points in pixels, those of one marker in mixed order, so that no craft lies on top of all others."""
    order = np.random.default_rng(0).permutation(len(points))
    marks, shades = np.asarray(markers, dtype=object), np.asarray(colours, dtype=object)
    for marker in sorted(set(markers), key=lambda each: -int((marks == each).sum())):
        mine = order[marks[order] == marker]
        plane.axes.scatter(
            points[mine, 0],
            points[mine, 1],
            s=size,
            c=shades[mine].tolist(),
            marker=marker,
            alpha=0.5 if faint else 0.85,
            linewidths=0.2 if size > 4 else 0,
            edgecolors="white",
            rasterized=True,
            zorder=1,
        )


def add_rings(plane: Plane, points: Floats, area: float) -> None:
    """Ring points, in pixels like them, each ring of an area in square points."""
    if len(points):
        plane.axes.scatter(
            points[:, 0],
            points[:, 1],
            s=area,
            marker="o",
            facecolors="none",
            edgecolors=INK,
            linewidths=0.6 if area > 10 else 0.4,
            rasterized=True,
            zorder=1.5,
            gid="rings",
        )


def add_signs(plane: Plane, points: Floats, marker: str, area: float) -> None:
    """Dark crosses or pluses over points, in pixels like them."""
    if len(points):
        width = 0.8 if area > 10 else 0.5
        plane.axes.scatter(
            points[:, 0],
            points[:, 1],
            s=area,
            marker=marker,
            c=INK,
            linewidths=width,
            rasterized=True,
            zorder=1.6,
            gid="signs",
        )


def add_contours(
    plane: Plane, groups: Mapping[str, Floats], colours: Mapping[str, str], shares: Sequence[float] = (0.9, 0.5)
) -> None:
    """Lines that hold these shares of each group of enough points, on a white casing; none around strays."""
    left, bottom, right, top = plane.bounds
    across = left + (np.arange(GRID) + 0.5) * (right - left) / GRID
    up = bottom + (np.arange(GRID) + 0.5) * (top - bottom) / GRID
    for name, points in groups.items():
        if len(points) < FEWEST:
            continue
        found = density(points, plane.bounds)
        for level in contour_levels(found, points, plane.bounds, shares):
            shown = without_strays(found, level, points, plane.bounds, max(4, len(points) // 20))
            if shown.max() > level:
                for colour, width, alpha in (("white", 1.3, 0.6), (colours[name], 0.6, 1.0)):
                    plane.axes.contour(
                        across, up, shown, [level], colors=[colour], linewidths=width, alpha=alpha, zorder=2
                    )


def add_prototypes(plane: Plane, points: Floats, size: float = 36) -> None:
    """Hollow diamonds above the points, which they must not hide."""
    if len(points):
        for colour, width, gid in (("white", 2.2, None), (INK, 1.0, "prototypes")):
            plane.axes.scatter(
                points[:, 0],
                points[:, 1],
                s=size,
                facecolors="none",
                edgecolors=colour,
                marker="D",
                linewidths=width,
                zorder=3,
                gid=gid,
            )


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
