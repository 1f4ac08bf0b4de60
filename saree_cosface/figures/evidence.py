"""Figures of evidence: a photo with what carries its cosine, and two photos with the regions that match."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from saree_cosface.answers.attribution import Attribution
from saree_cosface.answers.heat_map import MATCHED_SIDE, HeatMap, Match, heat_map, match_regions
from saree_cosface.data.images import BadImage, decode
from saree_cosface.figures.confusion import INK, PALETTE, save_figure
from saree_cosface.runs.run import Run

_SIDE = 4.2  # inches of a photo's longer side


def write_evidence(run: Run, attribution: Attribution, folder: Path) -> list[dict[str, Any]]:
    """Draw the evidence for an answer, two figures a photo, and say where they are.

    Args:
        run: that answered.
        attribution: its answer.
        folder: for ``NAME.heat.png``, what carries the cosine to the first tradition, and ``NAME.matches.png``, which
            regions match which of the nearest reference of that tradition.

    Returns:
        A JSON-able entry a photo. Where no reference's file is left there are no matches, and a remark says so.

    Raises:
        BadImage: a photo has become unreadable.
        BackboneError: the backbone's features are no average over a map.
    """
    first = attribution.traditions[0]
    target = run.gallery.prototypes[run.gallery.crafts.index(first.craft)]
    reference = next((near for near in attribution.references if near.craft == first.craft), None)
    entries: list[dict[str, Any]] = []
    for number, photo in enumerate(map(Path, attribution.photos)):
        name = f"{number}-{photo.stem}" if len(attribution.photos) > 1 else photo.stem
        found = heat_map(run.embedder, photo, target)
        heat = folder / f"{name}.heat.png"
        heat_figure(found, f"{photo.name}: what carries the cosine to {first.name}, {found.cosine:.3f}", heat)
        entry: dict[str, Any] = {"photo": str(photo), "craft": first.craft, "cosine": found.cosine}
        entry |= {"heat_map": str(heat), "matches": None, "reference": None, "regions": [], "remark": ""}
        entries.append(entry)
        if reference is None:
            entry["remark"] = "none of the references shown is of the first tradition"
            continue
        entry["reference"] = reference.path
        try:
            matches = match_regions(run.embedder, photo, Path(reference.path))
        except BadImage as error:
            entry["remark"] = f"the reference cannot be read: {error}"
            continue
        target_file = folder / f"{name}.matches.png"
        seen = (found.pixels, decode(Path(reference.path), shrink_to=2 * MATCHED_SIDE))
        titles = (photo.name, f"{reference.craft}, {reference.source or 'source unknown'}")
        matches_figure(seen, titles, matches, target_file)
        entry["matches"] = str(target_file)
        entry["regions"] = [asdict(match) for match in matches]
    return entries


def heat_figure(found: HeatMap, title: str, path: Path) -> None:
    """The photo, and beside it what each part adds to the cosine: warm for it, cold against it."""
    height, width = found.pixels.shape[:2]
    inches = _SIDE * width / max(height, width), _SIDE * height / max(height, width)
    figure = Figure(figsize=(2 * inches[0] + 1.4, inches[1] + 0.6), layout="constrained")
    figure.suptitle(title, color=INK, fontsize=9)
    left, right = figure.subplots(1, 2)
    grey = np.asarray(found.pixels, np.float64).mean(axis=2)
    left.imshow(found.pixels)
    right.imshow(grey, cmap="gray", vmin=-80, vmax=335)
    # Adding alike everywhere, the cells would each add the mean.
    relative = found.shares * found.shares.size
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


def matches_figure(
    pixels: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    titles: tuple[str, str],
    matches: Sequence[Match],
    path: Path,
) -> None:
    """Two photos side by side; regions that are each other's nearest bear one number and one colour."""
    widths = [each.shape[1] / each.shape[0] for each in pixels]
    figure = Figure(figsize=(_SIDE * sum(widths) + 0.4, _SIDE + 0.5), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=widths)
    for side, (axes, image, title) in enumerate(zip(panels, pixels, titles, strict=True)):
        axes.imshow(image)
        axes.set_title(title, fontsize=8, color=INK)
        axes.set_axis_off()
        height, width = image.shape[:2]
        for number, match in enumerate(matches):
            top, left, bottom, right = match.second if side else match.first
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
            label = f"{number + 1}" if side else f"{number + 1}: {match.cosine:.2f}"
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
