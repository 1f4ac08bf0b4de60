"""Honest evaluation: photos and sources that training never saw, and the score that a shortcut would have got.

An answer is the tradition whose prototype in the gallery has the highest cosine, as in ``predict``.

*Protocol.* What the references may share with the photo: ``source`` nothing of the photo's source, ``piece`` nothing of
its piece, ``random`` everything but the photo itself. With ``source``, the references are the run's gallery alone, so
the score is that of ``predict``. With the others the held-out photos join the gallery, each absent from its own
references.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from saree_cosface.data.content import photo_hash
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.data.splits import Protocol
from saree_cosface.files import write_json
from saree_cosface.runs.alone import alone_at
from saree_cosface.runs.run import Run
from saree_cosface.scoring.before_after import EVALUATION, before_after, print_before_after, read_evaluation
from saree_cosface.scoring.confidence import sets_in_words, verdicts_in_words
from saree_cosface.scoring.curated import curated, curated_in_words
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.open_set import other_things, print_open_set, score_open_set
from saree_cosface.scoring.probes import unseen_probes
from saree_cosface.taxonomy import craft_name


@dataclass(frozen=True)
class Evaluation:
    """Scores of one run on one set of photos, as they are written to JSON."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_table(self, console: Console) -> None:
        """For people."""
        document = self.document
        counts = document["counts"]
        table = Table(
            title=f"{counts['photos']} photos of {counts['pieces']} pieces, {counts['crafts']} crafts and "
            f"{counts['sources']} sources; protocol: {document['protocol']}",
            title_justify="left",
        )
        table.add_column("score")
        table.add_column("value", justify="right")
        table.add_column("95 % interval over pieces", justify="right")
        for name, found in document["metrics"].items():
            if isinstance(found, dict):
                interval = f"{found['low']:.3f} – {found['high']:.3f}" if "low" in found else ""
                table.add_row(name, f"{found['value']:.3f}", interval)
        gap = document["shortcut_gap"]
        if gap is not None:
            table.add_row("shortcut gap (top-1) *", f"{gap['top1']['gap']:+.3f}", _from_to(gap["top1"]))
            table.add_row("shortcut gap (nearest photo) *", f"{gap['nearest']['gap']:+.3f}", _from_to(gap["nearest"]))
        _confidence_rows(table, document["confidence"])
        console.print(table)
        if gap is not None:
            console.print(
                "* With the held-out photos as references, too, of each other: of use for the difference alone.",
                highlight=False,
            )
        if document["confidence"] is not None:
            console.print(sets_in_words(document["confidence"]["sets"]), highlight=False)
        if document["verdicts"] is not None:
            console.print(verdicts_in_words(document["verdicts"]), highlight=False)
        if "open_set" in document:
            print_open_set(document["open_set"], console)
        if document.get("before"):
            print_before_after(document["before"], console)
        if document.get("curation"):
            console.print(curated_in_words(document["curation"]), highlight=False)
        for reason, number in document["skipped"].items():
            console.print(f"[yellow]{number} photos left out: {reason}.", highlight=False)
        for remark in document["remarks"]:
            console.print(f"[yellow]{remark}", highlight=False)


def evaluate(
    run: Run,
    manifest_path: Path,
    *,
    protocol: Protocol = "source",
    where: str | None = None,
    open_set: bool = False,
    others: Sequence[Path] = (),
    before: Path | None = None,
    shards: Path | None = None,
    cache: Path | None = None,
    out: Path | None = None,
) -> Evaluation:
    """Score a run on the photos of a manifest that it never saw, and write ``evaluation.json`` and figures.

    Args:
        run: to be scored.
        manifest_path: the manifest trained on, of which the held-out photos are scored, or another one.
        protocol: what references may share with the photo.
        where: pandas query.
        open_set: score photos of crafts that the run does not know, too, and photos of other things.
        others: photos of other things than sarees, or folders of them; those that come with installed libraries by
            default.
        before: an earlier evaluation, by its folder, to be compared with: of the manifest before it was curated, or of
            another run.
        shards: folder of embeddings made before, from which held-out photos are read instead of computed.
        cache: folder of features; nothing is remembered when None.
        out: folder; ``evaluation/PROTOCOL`` in the run by default.

    Raises:
        EvaluationError: no photo is left to score, the open set is to be scored with a run that is not calibrated, or
            there is no earlier evaluation of this protocol.
        RunError: somebody else is at work there, or it cannot be written.

    >>> from saree_cosface import load_run
    >>> found = evaluate(load_run(run_folder), manifest_file, cache=cache, out=out / "scores").document
    >>> found["protocol"], found["counts"]["sources"], sorted(found["metrics"])[:3]
    ('source', 1, ['balanced_accuracy', 'family_accuracy', 'macro_f1'])
    """
    earlier = None if before is None else read_evaluation(before)
    pictures = other_things(run, others) if open_set else []  # what is missing is told before the long work
    manifest = read_manifest(manifest_path, where=where, on_unknown="keep")
    out = run.folder / "evaluation" / protocol if out is None else Path(out)
    with alone_at(out, run.folder, "evaluate"):
        probes = unseen_probes(run, manifest, needs_source=protocol == "source", shards=shards, cache=cache)
        list_bad(probes.bad, manifest_path)
        document = score(run, probes, protocol)
        if open_set:
            document["open_set"] = score_open_set(run, probes, manifest, pictures, cache)
        for photo, path in zip(document["photos"], probes.manifest.files(), strict=True):
            photo["sha256"] = photo_hash(path)
        document["manifest"] = str(manifest_path)
        document["before"] = None if earlier is None else before_after(earlier, document)
        whole = manifest if where is None else read_manifest(manifest_path, on_unknown="keep")
        document["curation"] = curated(manifest_path, whole.sha256)
        write_json(out / EVALUATION, document)
        _draw(document, out)
    return Evaluation(document)


def _from_to(scores: Mapping[str, float]) -> str:
    return f"random {scores['random']:.3f}, source {scores['source']:.3f}"


def _confidence_rows(table: Table, confidence: Mapping[str, Any] | None) -> None:
    if confidence is None:
        return
    scores = {f"top1, surest {float(share):.0%}": found for share, found in confidence["accuracy_at_coverage"].items()}
    for name, found in {**scores, "calibration error (ECE)": confidence["ece"]}.items():
        interval = f"{found['low']:.3f} – {found['high']:.3f} (sources)"
        table.add_row(name, f"{found['value']:.3f}", interval)


def _draw(document: Mapping[str, Any], out: Path) -> None:
    from saree_cosface.figures.confidence import confidence_figure  # matplotlib is slow to import
    from saree_cosface.figures.confusion import confusion_figure

    classes = document["confusion"]["classes"]
    names = [craft_name(craft) for craft in classes]
    scores = document["metrics"]
    top, balanced = scores["top1"]["value"], scores["balanced_accuracy"]["value"]
    title = f"Protocol {document['protocol']}: top-1 {top:.2f}, balanced {balanced:.2f}"
    confusion_figure(np.array(document["confusion"]["matrix"]), names, out / "confusion.png", title)
    if document["confidence"] is not None:
        confidence_figure(document["confidence"], out / "confidence.png", f"Protocol {document['protocol']}")
