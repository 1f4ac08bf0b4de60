"""The confusion matrix of an evaluation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from saree_cosface.figures.palette import INK
from saree_cosface.figures.style import any_names, save_figure


@any_names()
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
