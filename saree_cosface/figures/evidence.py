"""Figures of evidence: a photo with what carries its cosine, and two photos with the regions that match."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from saree_cosface.figures.palette import INK, PALETTE
from saree_cosface.figures.style import any_names, save_figure

Box = tuple[float, float, float, float]
"""Top, left, bottom and right of a region, as shares of a photo's height and width."""

_SIDE = 4.2  # inches of a photo's longer side


@any_names()
def heat_figure(pixels: NDArray[np.uint8], shares: NDArray[np.floating[Any]], title: str, path: Path) -> None:
    """The photo ``(H, W, 3)``, and beside it what each part adds to the cosine: warm for it, cold against it.

    Args:
        pixels: of the photo.
        shares: of the cells of a grid over it, ``(h, w)``, summing to the cosine.
        title: of the figure.
        path: where to write.
    """
    height, width = pixels.shape[:2]
    inches = _SIDE * width / max(height, width), _SIDE * height / max(height, width)
    figure = Figure(figsize=(2 * inches[0] + 1.4, inches[1] + 0.6), layout="constrained")
    figure.suptitle(title, color=INK, fontsize=9)
    left, right = figure.subplots(1, 2)
    grey = np.asarray(pixels, np.float64).mean(axis=2)
    left.imshow(pixels)
    right.imshow(grey, cmap="gray", vmin=-80, vmax=335)
    # Adding alike everywhere, the cells would each add the mean.
    relative = shares * shares.size
    most = max(float(np.abs(relative).max()), 1e-9)
    shown = right.imshow(
        relative,
        cmap="RdBu_r",
        vmin=-most,
        vmax=most,
        alpha=0.65,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="bilinear",
    )
    bar = figure.colorbar(shown, ax=right, shrink=0.8)
    bar.set_label("adds to the cosine, as if all did as this part", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    for axes in (left, right):
        axes.set_axis_off()
    save_figure(figure, path)


@any_names()
def matches_figure(
    pixels: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    titles: tuple[str, str],
    matches: Sequence[tuple[Box, Box, float]],
    path: Path,
) -> None:
    """Two photos side by side; regions that are each other's nearest bear one number and one colour.

    Args:
        pixels: of the two photos, ``(H, W, 3)`` each.
        titles: of the two.
        matches: a region of the first, one of the second, and their cosine.
        path: where to write.
    """
    widths = [each.shape[1] / each.shape[0] for each in pixels]
    figure = Figure(figsize=(_SIDE * sum(widths) + 0.4, _SIDE + 0.5), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=widths)
    for side, (axes, image, title) in enumerate(zip(panels, pixels, titles, strict=True)):
        axes.imshow(image)
        axes.set_title(title, fontsize=8, color=INK)
        axes.set_axis_off()
        height, width = image.shape[:2]
        for number, match in enumerate(matches):
            top, left, bottom, right = match[1] if side else match[0]
            colour = PALETTE[number % len(PALETTE)]
            axes.add_patch(
                Rectangle(
                    (left * width, top * height),
                    (right - left) * width,
                    (bottom - top) * height,
                    fill=False,
                    edgecolor=colour,
                    linewidth=2,
                    path_effects=[withStroke(linewidth=4, foreground="white")],  # on cloth of the box's own colour
                )
            )
            label = f"{number + 1}" if side else f"{number + 1}: {match[2]:.2f}"
            axes.text(
                left * width,
                top * height,
                label,
                fontsize=7,
                color="white",
                va="top",  # within the box: above it a label could cover the title
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5},
            )
    save_figure(figure, path)
