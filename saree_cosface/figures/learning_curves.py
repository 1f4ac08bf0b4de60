"""Learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from saree_cosface.figures.palette import PALETTE
from saree_cosface.figures.style import plain, save_figure


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
        plain(axes)
    save_figure(figure, path)
