"""Whether probabilities hold what they say, and what abstaining gains."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from saree_cosface.figures.palette import INK, PALETTE
from saree_cosface.figures.style import plain, save_figure


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
        plain(axes)
        axes.grid(color="#EEEEEE")
        axes.set_axisbelow(True)
    save_figure(figure, path)
