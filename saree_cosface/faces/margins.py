"""Where two classes are decided in training, and what is left between them: Figure 2 of the CosFace paper.

Nothing is drawn from a formula. Each loss is asked through its head, on a grid: would an embedding at these two cosines
(or angles) from the prototypes of class 1 and 2 satisfy the loss if it were of class 1, and if it were of class 2?
What satisfies neither is the margin; what satisfies both is an overlap.

Source: Wang et al., CosFace, arXiv:1801.09414, Section 3.3 and Figure 2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.files import write_json
from saree_cosface.heads import CosFace, Head, LambdaAnnealing, NormalizedSoftmax, Softmax, SphereFace

MARGIN = 0.35
"""m of LMCL, in cosine units: the paper's choice for faces."""

MULTIPLIER = 4
"""m of A-Softmax, which multiplies the angle: its authors' choice, and the paper's."""

NORM = 1.3
"""How much longer than the other prototype the one of an embedding's own class is taken to be under softmax."""

NEITHER, CLASS_1, CLASS_2, BOTH = range(4)
"""What :meth:`Loss.regions` says of a point."""


@dataclass(frozen=True)
class Loss:
    """A loss between two classes, and the plane in which its boundaries are looked at.

    Attributes:
        name: for people.
        head: makes the head for a number of classes, in two dimensions.
        plane: whether the coordinates of a point are the cosines to the two prototypes or the angles in radians.
        condition: what class 1 asks of an embedding, for people; class 2 asks the same with 1 and 2 exchanged.
        norm: length of the own class's prototype over that of the other; only softmax minds it.
    """

    name: str
    head: Callable[[int], Head]
    plane: Literal["cosines", "angles"]
    condition: str
    norm: float = 1.0

    @property
    def largest(self) -> float:
        """End of both axes, which begin at 0."""
        return 1.0 if self.plane == "cosines" else math.pi

    def excess(self, own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much an embedding's own logit exceeds the other: ``(N,), (M,) -> (N, M)``.

        It satisfies the loss where that is not negative. The embedding is the same for all points; the prototypes of a
        single head lie at all the cosines that are asked for, so one call of the head gives every pair of them.

        Args:
            own: coordinates towards the prototype of the embedding's class.
            other: coordinates towards the prototype of the other class.
        """
        angles = np.concatenate([own, other])
        if self.plane == "cosines":
            angles = np.arccos(angles)
        norms = np.repeat([self.norm, 1.0], [len(own), len(other)])
        head = self.head(len(angles)).double()
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(norms * [np.cos(angles), np.sin(angles)]).T)
            embeddings = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(len(own), 2)
            logits = head.logits(embeddings, torch.arange(len(own))).numpy()
        excess: NDArray[np.float64] = logits.diagonal()[:, None] - logits[:, len(own) :]
        return excess

    def regions(self, points: int = 401) -> NDArray[np.int_]:
        """Which classes are satisfied on a grid over both axes: ``(points, points)``, rows by coordinate 2.

        The values are NEITHER, CLASS_1, CLASS_2 and BOTH. A point that is exactly on a boundary belongs to its class.
        """
        axis = np.linspace(0, self.largest, points)
        satisfied = self.excess(axis, axis) >= -1e-9  # rows: own class; rounding must not open a gap
        regions: NDArray[np.int_] = CLASS_1 * satisfied.T + CLASS_2 * satisfied
        return regions

    def width(self, middle: float) -> float:
        """Distance between the two classes' boundaries across the diagonal, in the units of the plane.

        Measured on the line perpendicular to the diagonal through the point where both coordinates are ``middle``, by
        bisection. Negative where the classes overlap. The embedding of class 2 is the mirror image of that of class 1,
        so the boundary is sought once and its distance from the diagonal doubled.
        """
        reach = min(middle, self.largest - middle)
        towards = 1 if self.plane == "cosines" else -1  # the own class: larger cosine, smaller angle

        def satisfied(step: float) -> bool:
            own, other = np.array([middle + towards * step]), np.array([middle - towards * step])
            return bool(self.excess(own, other)[0, 0] >= 0)

        low, high = -reach, reach
        if satisfied(low) or not satisfied(high):
            raise ValueError(f"{self.name}: no boundary crosses the line through ({middle:g}, {middle:g})")
        for _ in range(60):
            centre = (low + high) / 2
            low, high = (low, centre) if satisfied(centre) else (centre, high)
        return 2 * math.sqrt(2) * high


def losses(margin: float = MARGIN, multiplier: int = MULTIPLIER) -> tuple[Loss, ...]:
    """The four losses of the figure.

    Args:
        margin: m of LMCL, in cosine units.
        multiplier: m of A-Softmax, which is taken without annealing.
    """
    pure = LambdaAnnealing(start=0, minimum=0)
    return (
        Loss("Softmax", lambda classes: Softmax(2, classes), "cosines", "‖W₁‖ cos θ₁ ≥ ‖W₂‖ cos θ₂", norm=NORM),
        Loss("NSL", lambda classes: NormalizedSoftmax(2, classes), "cosines", "cos θ₁ ≥ cos θ₂"),
        Loss(
            "A-Softmax",
            lambda classes: SphereFace(2, classes, margin=multiplier, annealing=pure),
            "angles",
            f"ψ(θ₁) ≥ cos θ₂, m = {multiplier}",
        ),
        Loss(
            "LMCL",
            lambda classes: CosFace(2, classes, margin=margin),
            "cosines",
            f"cos θ₁ − m ≥ cos θ₂, m = {margin:g}",
        ),
    )


def measure(loss: Loss, regions: NDArray[np.int_]) -> dict[str, Any]:
    """What ``margins.json`` says of a loss: the margin's width along the diagonal, and each region's share."""
    shares = np.bincount(regions.ravel(), minlength=4) / regions.size
    return {
        "name": loss.name,
        "condition": loss.condition,
        "plane": loss.plane,
        "norm": loss.norm,
        "widths": [{"middle": middle, "width": loss.width(middle)} for middle in _middles(loss)],
        "shares": dict(zip(("neither", "class 1", "class 2", "both"), shares.tolist(), strict=True)),
    }


def _middles(loss: Loss) -> list[float]:
    """Where widths are measured: where the line across the diagonal meets both boundaries within the plane."""
    if loss.plane == "cosines":
        return [0.25, 0.375, 0.5, 0.625, 0.75]
    return [math.radians(degrees) for degrees in (1, 10, 30, 60, 90)]


def draw_margins(out: Path) -> dict[str, Any]:
    """Write ``margins.png`` and ``margins.json``, and return what the latter says.

    Args:
        out: folder.

    Raises:
        OSError: it cannot be written.
    """
    from saree_cosface.faces.figures import margins_figure  # matplotlib is slow to import

    found = [(loss, loss.regions()) for loss in losses()]
    measured = [measure(loss, regions) for loss, regions in found]
    document = {"experiment": "margins", "source": "arXiv:1801.09414, Figure 2", "losses": measured}
    out = Path(out)
    margins_figure([regions for _, regions in found], measured, out / "margins.png")
    write_json(out / "margins.json", document)
    return document
