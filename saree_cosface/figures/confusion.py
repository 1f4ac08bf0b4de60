"""Figures of training and evaluation, drawn with matplotlib and written all or nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from saree_cosface.files import atomic_path

# Wong's colour-blind-safe palette (Nature Methods 8, 441), black left out: it is the ink of the axes.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#6F4E9C")
MARKERS = "os^Dvph*X<>P"
INK, MUTED = "#333333", "#888888"

LEGEND = 40
"""Names that a legend lists at most."""


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of its suffix."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", facecolor="white")


def learning_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Loss, margin-free accuracy in training, and the score on held-out sources, by epoch."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] + 1 for row in history]
    left.plot(epochs, [row["train/loss"] for row in history], color=PALETTE[0])
    left.set(title="Training loss", xlabel="epoch")
    left.set_ylim(bottom=0)
    lines = {
        "train/accuracy": "training photos, margin-free accuracy",
        "validation/accuracy": "held-out sources, accuracy",
        "validation/balanced_accuracy": "held-out sources, balanced",
    }
    for colour, (name, label) in zip(PALETTE, lines.items(), strict=False):
        if all(name in row for row in history):
            right.plot(epochs, [row[name] for row in history], color=colour, label=label)
    right.set(title="Accuracy", xlabel="epoch", ylim=(0, 1.02))
    right.legend(frameon=False, fontsize=8, loc="lower right")
    for axes in (left, right):
        _plain(axes)
    save_figure(figure, path)


def confusion_figure(matrix: NDArray[np.int64], names: Sequence[str], path: Path, title: str) -> None:
    """A confusion matrix: rows are the labels, shade the share of the row, figures the counts.

    Readable from 2 to some 40 crafts: the page grows with them, and empty cells stay empty.
    """
    count = len(names)
    cell = 0.42 if count <= 20 else 0.34
    figure = Figure(figsize=(2.6 + cell * count, 2.2 + cell * count), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 8 if count <= 20 else 6.5
    for row, column in zip(*np.nonzero(matrix), strict=True):
        ink = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=size, color=ink)
    axes.set_xticks(range(count), names, rotation=90, fontsize=size + 0.5)
    totals = matrix.sum(axis=1)
    axes.set_yticks(
        range(count), [f"{name} ({total})" for name, total in zip(names, totals, strict=True)], fontsize=size + 0.5
    )
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#E6E6E6", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="answered", ylabel="labelled (photos)", title=title)
    for spine in axes.spines.values():
        spine.set_visible(False)
    save_figure(figure, path)


def confidence_figure(document: Mapping[str, Any], path: Path, title: str) -> None:
    """Left, whether probabilities hold what they say; right, the accuracy when only the surest photos are answered.

    Args:
        document: of :func:`saree_cosface.scoring.confidence.confidence_scores`.
        path: where to write.
        title: of the figure.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    figure.suptitle(title, color=INK, fontsize=11)
    left, right = figure.subplots(1, 2)
    bins = [each for each in document["reliability"] if each["photos"]]
    largest = max(each["photos"] for each in bins)
    left.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1, zorder=1)
    left.scatter(
        [each["confidence"] for each in bins],
        [each["accuracy"] for each in bins],
        s=[20 + 180 * each["photos"] / largest for each in bins],
        color=PALETTE[0],
        alpha=0.8,
        zorder=2,
    )
    ece = document["ece"]
    left.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="probability", ylabel="share that is right")
    left.set_title(f"Calibration error {ece['value']:.3f} [{ece['low']:.3f}, {ece['high']:.3f}]", fontsize=10)
    coverage, accuracy, _ = zip(*document["coverage"], strict=True)
    right.plot(coverage, accuracy, color=PALETTE[0])
    for share, found in document["accuracy_at_coverage"].items():
        right.errorbar(
            float(share),
            found["value"],
            yerr=[[found["value"] - found["low"]], [found["high"] - found["value"]]],
            fmt="o",
            color=PALETTE[1],
            capsize=3,
        )
    right.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="share of photos answered, the surest first", ylabel="accuracy")
    half = document["accuracy_at_coverage"]["0.5"]["value"]
    right.set_title(f"Half of the photos answered: {half:.3f} right", fontsize=10)
    for axes in (left, right):
        _plain(axes)
        axes.grid(color="#EEEEEE")
        axes.set_axisbelow(True)
    save_figure(figure, path)


def comparison_figure(
    rows: Sequence[tuple[str, tuple[float, float, float], float]], path: Path, title: str, label: str
) -> None:
    """Methods as points with intervals, best on top; the hollow point is the score on random folds.

    Args:
        rows: name, (value, low, high) with sources held out, value on random folds.
        path: where to write.
        title: of the figure.
        label: of the axis.
    """
    rows = sorted(rows, key=lambda row: row[1][0])
    figure = Figure(figsize=(7.5, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for height, (name, (value, low, high), random) in enumerate(rows):
        colour = PALETTE[1] if name.startswith("LMCL") else PALETTE[0]
        axes.plot([value, random], [height, height], color="#DDDDDD", linewidth=3, zorder=1)
        axes.plot([low, high], [height, height], color=colour, linewidth=2, zorder=2)
        axes.plot(value, height, "o", color=colour, markersize=8, zorder=3)
        axes.plot(random, height, "o", color="white", markeredgecolor=MUTED, markersize=7, zorder=3)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set(title=title, xlabel=f"{label}  (● sources held out, with interval;  ○ random folds)")
    _plain(axes)
    axes.grid(axis="x", color="#EEEEEE")
    save_figure(figure, path)


def embedding_figure(
    coordinates: NDArray[np.float32],
    crafts: Sequence[str],
    sources: Sequence[str],
    unseen: NDArray[np.bool_],
    path: Path,
) -> None:
    """The same map twice: coloured by craft and by source. Rings mark photos of sources never trained on.

    Args:
        coordinates: ``(N, 2)``.
        crafts: (N,) names shown in the first legend.
        sources: (N,) names shown in the second.
        unseen: (N,) whether the photo's source was held out.
        path: where to write.
    """
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    size = 14 if len(coordinates) > 300 else 30
    for axes, names, title in zip(figure.subplots(1, 2), (crafts, sources), ("by craft", "by source"), strict=True):
        shown = sorted(set(names))
        for index, name in enumerate(shown):
            mine = np.array([other == name for other in names])
            colour, marker = PALETTE[index % len(PALETTE)], MARKERS[(index // len(PALETTE)) % len(MARKERS)]
            axes.scatter(*coordinates[mine & ~unseen].T, s=size, color=colour, marker=marker, alpha=0.7, lw=0)
            axes.scatter(
                *coordinates[mine & unseen].T, s=1.6 * size, color=colour, marker=marker, edgecolor=INK, lw=0.8
            )
            axes.scatter([], [], s=36, color=colour, marker=marker, label=name)
        axes.set_title(f"Embeddings {title}", loc="left", color=INK, fontsize=11)
        axes.set(xticks=[], yticks=[])
        if len(shown) <= LEGEND:
            axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=4)
        else:
            axes.set_xlabel(f"{len(shown)} names, too many to list", fontsize=9, color=MUTED)
        for spine in axes.spines.values():
            spine.set_color("#DDDDDD")
    figure.supxlabel(
        "UMAP of cosine distances; ringed: sources never trained on. Distances between clusters mean little.",
        fontsize=9,
        color=MUTED,
    )
    save_figure(figure, path)


def _plain(axes: mpl.axes.Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.title.set_color(INK)
