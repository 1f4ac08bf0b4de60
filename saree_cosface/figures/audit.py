"""Figures of a shortcut audit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from saree_cosface.figures.palette import INK, MUTED, PALETTE
from saree_cosface.figures.style import any_names, save_figure
from saree_cosface.taxonomy import craft_name

_SEEN = {
    "whole": "the run, whole photo",
    "border hidden": "the run, border hidden",
    "centre hidden": "the run, centre hidden",
    "thumbnail": "16-pixel thumbnail alone",
    "colours": "colours alone",
}


@any_names()
def enough_figure(document: Mapping[str, Any], path: Path) -> None:
    """Top-1 by what is seen of the photo, with intervals; hollow, the score of cheap features on random folds."""
    cheap = document["cheap_features"]
    rows = {**document["hidden"]["all"], **{name: cheap[name]["source"] for name in ("thumbnail", "colours")}}
    names = [name for name in reversed(_SEEN) if name in rows]
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    axes = figure.subplots()
    for height, name in enumerate(names):
        score = rows[name]
        colour = PALETTE[0] if name in document["hidden"]["all"] else PALETTE[1]
        axes.plot([score.get("low", score["value"]), score.get("high", score["value"])], [height] * 2, color=colour)
        axes.plot(score["value"], height, "o", color=colour, markersize=8)
        axes.annotate(
            f"{score['value']:.2f}", (score["value"], height), (0, 8), textcoords="offset points", ha="center"
        )
        if name in cheap:
            axes.plot(cheap[name]["random"], height, "o", color="white", markeredgecolor=MUTED, markersize=7)
    axes.axvline(cheap["commonest"], color=MUTED, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(names)), [_SEEN[name] for name in names])
    axes.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.3))
    axes.set_xlabel("top-1  (● unseen sources;  ○ random folds;  dotted: the commonest craft always)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#EEEEEE")
    axes.set_axisbelow(True)
    save_figure(figure, path)


@any_names()
def context_figure(document: Mapping[str, Any], path: Path) -> None:
    """Top-1 from the cloth alone and from the background alone: of all photos with intervals, and of each craft."""
    context = document["context"]
    crafts = sorted(context["by_craft"].items(), key=lambda item: item[1]["photos"])
    names = [*(f"{craft_name(craft)} ({found['photos']})" for craft, found in crafts), f"all ({context['photos']})"]
    figure = Figure(figsize=(7.5, 1.2 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(names))
    for name, colour, above in (("cloth", PALETTE[0], 0.13), ("background", PALETTE[1], -0.13)):
        score = context["all"][name]
        bounds = [score.get("low", score["value"]), score.get("high", score["value"])]
        axes.plot(bounds, [rows[-1] + above] * 2, color=colour)
        values = [*(found[name] for _, found in crafts), score["value"]]
        axes.plot(values, rows + above, "o", color=colour, markersize=7, label=f"{name} alone")
    chance = [*(found["chance"] for _, found in crafts), context["chance"]]
    axes.plot(chance, rows - 0.13, "|", color=INK, markersize=12, label="chance, of the background")
    axes.axhline(rows[-1] - 0.5, color=MUTED, linewidth=0.8)
    axes.set_yticks(rows, names)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(names) - 0.4), xlabel="top-1 on unseen sources")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#EEEEEE")
    axes.set_axisbelow(True)
    save_figure(figure, path)


@any_names()
def sources_figure(document: Mapping[str, Any], path: Path) -> None:
    """Share of each craft's photos that its largest source has, the most dominated craft on top."""
    crafts = document["dominated_crafts"][::-1]
    figure = Figure(figsize=(7.5, 1 + 0.3 * len(crafts)), layout="constrained")
    axes = figure.subplots()
    for height, each in enumerate(crafts):
        axes.barh(height, each["share"], color=PALETTE[1] if each["warning"] else PALETTE[5], height=0.7)
        label = f" {each['largest'] or 'unknown'}, one of {each['sources']}"
        axes.text(each["share"], height, label, va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(crafts)), [f"{craft_name(each['craft'])} ({each['photos']})" for each in crafts])
    axes.set(xlim=(0, 1.35), xlabel="share of the craft's photos from its largest source")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
