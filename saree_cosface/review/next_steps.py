"""The next steps for a collection: of which craft to find one more source, and which photos to label."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import write_json
from saree_cosface.review.unlabelled import LEFT_OUT, Choice, choose, require_photos
from saree_cosface.runs.alone import alone_at
from saree_cosface.runs.folder import recorded_recipe
from saree_cosface.runs.run import Run
from saree_cosface.scoring.curve import FEWEST, source_curve
from saree_cosface.scoring.curve_table import Expected, SourceCurve
from saree_cosface.taxonomy import craft_name

FOLDER, DOCUMENT = "next", "next.json"
FORMAT = 1

_SHOWN = 15


class StepsError(ValueError):
    """What was found before cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class CraftStep:
    """What one more source of a craft is worth.

    Attributes:
        craft: its id.
        sources: that it has.
        photos: that it has.
        accuracy: share of its photos of unseen sources that are named rightly; None where too few sources are known to
            tell.
        gain: what one more source is expected to add to balanced accuracy over all crafts; None likewise.
        after: what that is expected to be then; None likewise.
    """

    craft: str
    sources: int
    photos: int
    accuracy: float | None = None
    gain: Expected | None = None
    after: float | None = None

    @property
    def says(self) -> str:
        """The advice, a sentence.

        >>> CraftStep("gadwal", 6, 14, 0.4, Expected(0.006, 0.002, 0.011), 0.5).says
        'Gadwal: 6 sources; one more is expected to raise balanced accuracy by 0.60 points [0.20, 1.10].'
        >>> CraftStep("kasavu", 1, 4).says
        'Kasavu: 1 source; what one more is worth can be told from 3 sources on.'
        """
        has = f"{craft_name(self.craft)}: {self.sources} source{'s' * (self.sources != 1)}"
        if self.gain is None:
            return f"{has}; what one more is worth can be told from {FEWEST} sources on."
        return f"{has}; one more is expected to raise balanced accuracy by {_points(self.gain, ' points')}."

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        gain = None if self.gain is None else self.gain._asdict()
        return {**asdict(self), "gain": gain, "name": craft_name(self.craft), "says": self.says}


@dataclass(frozen=True, eq=False)
class NextSteps:
    """What was found.

    Attributes:
        run: its folder.
        manifest: of the photos that have a label.
        where: the pandas query that was asked for; None for none.
        query: the one that chose them.
        manifest_sha256: their fingerprint.
        made: when, UTC, ISO 8601.
        accuracy: balanced, on sources never seen, as the collection is.
        crafts: the most worthwhile first; those of which it cannot be told last.
        choice: of photos to label; None where none was asked for.
    """

    run: Path
    manifest: Path
    where: str | None
    query: str
    manifest_sha256: str
    made: str
    accuracy: Expected
    crafts: tuple[CraftStep, ...]
    choice: Choice | None

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "format": FORMAT,
            "run": str(self.run),
            "manifest": str(self.manifest),
            "where": self.where,
            "query": self.query,
            "manifest_sha256": self.manifest_sha256,
            "made": self.made,
            "balanced_accuracy": self.accuracy._asdict(),
            "crafts": [craft.to_json() for craft in self.crafts],
            "photos": None if self.choice is None else self.choice.to_json(),
        }

    def print_table(self, out: Console) -> None:
        """For people: the crafts, a sentence for the first of them, and the photos with the reasons."""
        table = Table("craft", box=None, pad_edge=False)
        for name in ("sources", "photos", "accuracy", "one more source adds"):
            table.add_column(name, justify="right")
        for craft in self.crafts:
            accuracy = "" if craft.accuracy is None else f"{craft.accuracy:.1%}"
            gain = "not known" if craft.gain is None else _points(craft.gain)
            table.add_row(Text(craft_name(craft.craft)), str(craft.sources), str(craft.photos), accuracy, gain)
        out.print(table)
        out.print(
            f"Balanced accuracy on sources never seen is {self.accuracy.value:.1%} now; what one more source adds is in"
            " points of it, with an 80 % interval.",
            highlight=False,
        )
        out.print(self.crafts[0].says, highlight=False, markup=False, soft_wrap=True, style="bold")
        if self.choice is not None:
            _print_choice(self.choice, out)


def next_steps(
    run: Run,
    manifest_path: Path,
    *,
    where: str | None = None,
    photos: Path | None = None,
    count: int = 50,
    cache: Path,
    out: Path | None = None,
) -> NextSteps:
    """Find the next steps, and write ``next.json`` and, where photos are chosen, their contact sheet.

    Args:
        run: its recipe says which features are read, and it looks at the photos to choose from.
        manifest_path: of the photos that have a label.
        where: pandas query; by default the crafts that the run has learned.
        photos: folder of photos without a label, of which some are chosen.
        count: how many.
        cache: of features, and of what was found about copies.
        out: folder; ``next`` in the run by default, where the app looks for it.

    Raises:
        ComparisonError, CurveError: sources are unknown, or too few to tell.
        ManifestError: the manifest cannot be read, or there is no photo to choose.
        CalibrationError: photos are to be chosen by a run that is not calibrated.
        RunError: somebody else is at work there, or it cannot be written.
    """
    out = run.folder / FOLDER if out is None else Path(out)
    query = f"craft in {list(run.classes)}" if where is None else where
    manifest = read_manifest(manifest_path, where=query)
    every = read_manifest(manifest_path, on_unknown="keep")
    if photos is not None:
        require_photos(run, photos)  # before the long work
    with alone_at(out, run.folder, "next"):
        # The precision is that of a training, and would keep what `curve` has found from being known again.
        model = replace(recorded_recipe(run.folder).model, precision="auto")
        curve = source_curve(manifest_path, model, where=query, cache=cache)
        choice = None
        if photos is not None:
            choice = choose(run, manifest, photos, count, listed=every.files(), cache=cache)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        now = Expected(curve.accuracy, *curve.interval)
        crafts = _ranked(curve, manifest)
        found = NextSteps(run.folder, manifest_path, where, query, manifest.sha256, made, now, crafts, choice)
        if choice is not None:
            from saree_cosface.review.teaching_sheet import write_choice_sheets  # matplotlib is slow to import

            write_choice_sheets(choice, out)
        write_json(out / DOCUMENT, found.to_json())
    return found


def kept_steps(folder: Path) -> dict[str, Any] | None:
    """The document that was written into a run last; None where none was.

    Raises:
        StepsError: it is damaged, or of another version.
    """
    path = folder / FOLDER / DOCUMENT
    if not path.is_file():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = document["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepsError(f"{path}: damaged ({error}); run `saree-cosface next` again.") from error
    if not known:
        raise StepsError(f"{path}: of another version of saree-cosface; run `saree-cosface next` again.")
    return document


def _ranked(curve: SourceCurve, manifest: Manifest) -> tuple[CraftStep, ...]:
    """Crafts with a curve by their gain, and after them all others of the manifest by name."""
    ranked = [
        CraftStep(
            each.craft,
            each.sources,
            each.photos,
            each.accuracy,
            Expected(each.gain, *each.gain_interval),
            curve.accuracy + each.gain,
        )
        for each in sorted(curve.crafts, key=lambda each: (-each.gain, each.craft))
    ]
    others = sorted(set(manifest.crafts.tolist()) - {each.craft for each in ranked})
    for craft in others:
        sources = manifest.sources[manifest.crafts == craft]
        ranked.append(CraftStep(craft, len(set(sources.tolist()) - {""}), len(sources)))
    return tuple(ranked)


def _print_choice(choice: Choice, out: Console) -> None:
    # A path is folded, not cut: somebody will look for the file.
    table = Table("rank", *(Column(name, overflow="fold") for name in ("photo", "why")), box=None, pad_edge=False)
    for one, path in zip(choice.chosen[:_SHOWN], choice.paths, strict=False):
        table.add_row(str(one.rank), Text(path), Text("; ".join(one.reasons)))
    out.print(table)
    count, sources = len(choice.chosen), len(set(choice.sources))
    out.print(f"{count} photos to label, of {sources} sources, from {choice.folder}", highlight=False, markup=False)
    if count < choice.asked:
        out.print(f"There are no more pictures than these; {choice.asked} were asked for.", highlight=False)
    for key, number in choice.left_out.items():
        out.print(f"{number} photos {LEFT_OUT[key]}.", style="yellow", highlight=False)
    for remark in choice.remarks:
        out.print(remark, style="yellow", highlight=False, markup=False, soft_wrap=True)
    for bad in choice.bad[:10]:
        out.print(f"Skipped {bad}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    if len(choice.bad) > 10:
        out.print(f"… and {len(choice.bad) - 10} more; --json lists all.", style="yellow", highlight=False)


def _points(share: Expected, unit: str = "") -> str:
    value, low, high = (round(100 * each, 2) + 0.0 for each in share)  # which has no minus before 0
    return f"{value:.2f}{unit} [{low:.2f}, {high:.2f}]"
