"""The parts that the printed maps share: their table in order, the plane, its points, contours and rings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saree_cosface.figures.palette import INK
from saree_cosface.maps.print_page import (
    WIDTH,
    plain,
)
from saree_cosface.maps.shape import GRID, Bounds, Floats, contour_levels, density, without_strays
from saree_cosface.taxonomy import craft_name, load_taxonomy

PALE = "#C9C9C9"
"""Points that only give the background."""

FEWEST = 15
"""Photos that a craft needs for contours."""


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


def plane_height(bounds: tuple[float, float, float, float]) -> float:
    """Millimetres of height of a plane as wide as the sheet."""
    return WIDTH * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])


def stock(photos: pd.DataFrame) -> str:
    """How many photos from how many sources, in words."""
    sources = photos.loc[photos["source"] != "", "source"].nunique()
    return f"{counted(len(photos), 'photo')} from {counted(sources, 'source')}"
