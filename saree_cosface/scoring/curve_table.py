"""What a curve of sources says: of each craft and of all, as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from saree_cosface.metrics.power_law import Floats, PowerLaw
from saree_cosface.taxonomy import craft_name

CONFIDENCE = 0.8
"""Of every interval."""

FURTHEST = 3.0
"""Times as many sources as there are: nothing is said of more."""

FACTORS = (1.5, 2.0)
"""Times as many sources as there are, of which something is said if nothing else is asked."""

_FIRST, _POINTS = 0.15, 40  # of a curve that is drawn: the factor that it begins with


class CurveError(ValueError):
    """A curve cannot be drawn, or not as far as was asked; the message says why and what to do."""


class Expected(NamedTuple):
    """A value, and the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class CraftCurve:
    """How often a craft is named rightly, by the number of its sources.

    Attributes:
        craft: its id.
        sources: how many it has.
        photos: how many it has.
        accuracy: share of its photos that were named rightly by trainings on all sources but those of a fold.
        interval: of the accuracy, low and high.
        gain: by how much the balanced accuracy, over all crafts with a curve, is expected to rise with one more source
            of this craft, and of no other.
        gain_interval: of the gain, low and high.
        to_median: with how many sources it would be named as often as the median craft is now, if only its own grew in
            number; infinite where that is beyond :data:`FURTHEST` times as many. None where it is so already.
        measured: how many of its sources were learned from on average, and the accuracy then, a pair a share.
        laws: of this craft alone, any of which may be the right one.
    """

    craft: str
    sources: int
    photos: int
    accuracy: float
    interval: tuple[float, float]
    gain: float
    gain_interval: tuple[float, float]
    to_median: Expected | None
    measured: tuple[tuple[float, float], ...]
    laws: PowerLaw

    def expected(self, factor: float) -> Expected:
        """Its accuracy on sources never seen, where every craft has so many times the sources that it has now.

        Raises:
            CurveError: that is 0 or less, or more than :data:`FURTHEST`.
        """
        return _accuracy([self], self.laws, factor)

    def to_json(self, factors: Sequence[float] = FACTORS) -> dict[str, Any]:
        """One JSON document; infinite is None."""
        needed = self.to_median
        return {
            "craft": self.craft,
            "sources": self.sources,
            "photos": self.photos,
            "accuracy": _document(self.accuracy, *self.interval),
            "expected": {f"{factor:g}": _document(*self.expected(factor)) for factor in factors},
            "gain": _document(self.gain, *self.gain_interval),
            "sources_to_median": None if needed is None else _document(*needed),
            "curve": _drawn(self, factors),
            "measured": [{"sources": own, "accuracy": accuracy} for own, accuracy in self.measured],
        }


@dataclass(frozen=True, eq=False)
class SourceCurve:
    """How often crafts are named rightly, by the number of sources.

    Attributes:
        settings: what it was measured on, and how.
        photos: how many were asked about.
        sources: of how many.
        crafts: those with a curve, in the order of their ids.
        few: how many sources crafts have that have too few for one.
        accuracy: balanced over the crafts with a curve, of trainings on all sources but those of a fold.
        interval: of the accuracy, low and high.
        measured: share of the sources there are that was learned from on average, and the accuracy then.
        laws: of the crafts with a curve, any of which may be the right one.
    """

    settings: Mapping[str, Any]
    photos: int
    sources: int
    crafts: tuple[CraftCurve, ...]
    few: Mapping[str, int]
    accuracy: float
    interval: tuple[float, float]
    measured: tuple[tuple[float, float], ...]
    laws: PowerLaw

    def expected(self, factor: float) -> Expected:
        """Balanced accuracy on sources never seen, where every craft has so many times the sources that it has now.

        Raises:
            CurveError: that is 0 or less, or more than :data:`FURTHEST`.
        """
        return _accuracy(self.crafts, self.laws, factor)

    def to_json(self, factors: Sequence[float] = FACTORS) -> dict[str, Any]:
        """One JSON document, with what is expected of so many times the sources."""
        return {
            **self.settings,
            "photos": self.photos,
            "sources": self.sources,
            "confidence": CONFIDENCE,
            "accuracy": _document(self.accuracy, *self.interval),
            "expected": {f"{factor:g}": _document(*self.expected(factor)) for factor in factors},
            "measured": [{"share": share, "accuracy": accuracy} for share, accuracy in self.measured],
            "curve": _drawn(self, factors),
            "exponent": _document(*expectation(self.laws.exponent)),
            "others": _document(*expectation(self.laws.others)),
            "crafts": [craft.to_json(factors) for craft in self.crafts],
            "too_few_sources": dict(self.few),
        }

    def print_table(self, console: Console, factors: Sequence[float] = FACTORS) -> None:
        """For people: a row a craft, that first of which one more source is worth most."""
        table = Table(
            title=f"{self.photos} photos from {self.sources} sources, each held out in turn: how often crafts are "
            "named rightly, and would be with more sources",
            title_justify="left",
            caption=f"With {CONFIDENCE:.0%} intervals. One more: what one more source of this craft adds to the "
            "balanced accuracy, in points. As the median: with how many sources, of its own alone, a craft would be "
            "named as often as the median craft is now.",
            caption_justify="left",
            box=SIMPLE_HEAD,
            collapse_padding=True,
            pad_edge=False,
            show_edge=False,
        )
        table.add_column("craft\nsources", overflow="fold", min_width=12)
        for column in ("now\n", *(f"{factor:g} ×\n" for factor in factors), "one more\n", "as the\nmedian"):
            table.add_column(column, justify="right", no_wrap=True)
        for craft in sorted(self.crafts, key=lambda each: -each.gain):
            expected = [craft.expected(factor) for factor in (1.0, *factors)]
            table.add_row(
                f"{craft_name(craft.craft)}\n{craft.sources}",
                *(f"{value:.2f}\n{low:.2f}–{high:.2f}" for value, low, high in expected),
                f"{100 * craft.gain:+.2f}\n{100 * craft.gain_interval[0]:.2f}–{100 * craft.gain_interval[1]:.2f}",
                _needed(craft),
            )
        expected = [self.expected(factor) for factor in (1.0, *factors)]
        table.add_row("all\n", *(f"{value:.2f}\n{low:.2f}–{high:.2f}" for value, low, high in expected), style="bold")
        console.print(table)
        if self.few:
            named = ", ".join(f"{craft_name(craft)} ({sources})" for craft, sources in self.few.items())
            console.print(
                f"Of too few sources for a curve, and not among all: {named}.",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def check_factor(factor: float) -> None:
    """Nothing is said of more than :data:`FURTHEST` times the sources.

    Raises:
        CurveError: it is that, or 0 or less.
    """
    if not 0 < factor <= FURTHEST:
        raise CurveError(
            f"nothing can be said of {factor:g} times the sources there are: a curve is good for at most {FURTHEST:g} "
            "times as many. Ask for less; collect, and measure again."
        )


def bounds(draws: Floats) -> tuple[float, float]:
    """Of the interval of a number, from draws of it, ``(B,)``."""
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def expectation(draws: Floats) -> Expected:
    """The mean of what a number may be, ``(B,)``, and its interval."""
    return Expected(float(draws.mean()), *bounds(draws))


def _accuracy(crafts: Sequence[CraftCurve], laws: PowerLaw, factor: float) -> Expected:
    check_factor(factor)
    own = factor * np.array([craft.sources for craft in crafts], np.float64)
    return expectation(laws.accuracy(own).mean(axis=-1))


def _drawn(curve: CraftCurve | SourceCurve, factors: Sequence[float]) -> dict[str, list[float]]:
    """A curve as it is drawn, from few sources to the most that were asked about."""
    places = np.linspace(_FIRST, max(1.0, *factors), _POINTS).tolist()
    values = [curve.expected(factor) for factor in places]
    return {"factors": places} | {name: [getattr(each, name) for each in values] for name in Expected._fields}


def _needed(craft: CraftCurve) -> str:
    """With how many sources a craft is named as often as the median one, in words."""
    if craft.to_median is None:
        return ""
    most = f"> {FURTHEST * craft.sources:.0f}"
    value, low, high = (most if math.isinf(each) else f"{math.ceil(each)}" for each in craft.to_median)
    return f"{value}\n{low}–{high}" if low != high else value


def _document(value: float, low: float, high: float) -> dict[str, float | None]:
    named = {"value": value, "low": low, "high": high}
    return {name: each if math.isfinite(each) else None for name, each in named.items()}
