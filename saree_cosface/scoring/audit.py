"""A shortcut audit: what a run, or anything else, could name a craft by that is not the cloth.

A model that knows a shop's backdrop names the crafts of that shop, and no score on that shop's photos shows it. The
audit looks at the collection (copies on both sides, sources that sell one craft, crafts of one source), at what cheap
features of a photo give away, at what the run still knows of a photo whose middle or whose border, whose cloth or
whose background is hidden, and at how well the source can be read from the embedding.

References: Geirhos et al., Shortcut Learning in Deep Neural Networks, arXiv:2004.07780.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.data.reading import read_photos
from saree_cosface.files import write_json
from saree_cosface.runs.alone import alone_at
from saree_cosface.runs.originals import recorded
from saree_cosface.runs.run import Run
from saree_cosface.scoring.cheap_features import cheap_features
from saree_cosface.scoring.confounding import confounded_sources, copies_across_parts, dominated_crafts
from saree_cosface.scoring.context import PHOTOS, context_ratio
from saree_cosface.scoring.findings import findings
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.hidden_parts import hidden_parts
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes
from saree_cosface.scoring.source_readability import source_readability


@dataclass(frozen=True)
class Audit:
    """What was found, as it is written to ``audit.json``."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_findings(self, console: Console) -> None:
        """For people: the verdict, and a sentence a finding."""
        warned = sum(finding["warning"] for finding in self.document["findings"])
        verdict = f"{warned} warnings." if warned else "No warning."
        console.print(verdict, style="bold", highlight=False)
        for finding in self.document["findings"]:
            mark = "!" if finding["warning"] else "-"
            style = "yellow" if finding["warning"] else None
            console.print(f"{mark} {finding['says']}", style=style, highlight=False, markup=False)


def audit_run(run: Run, manifest_path: Path, out: Path, *, photos: int = PHOTOS, cache: Path | None = None) -> Audit:
    """Audit a run and its collection, and write ``audit.json``; ``saree_cosface.pages.audit`` makes a page of it.

    Args:
        run: to be audited.
        manifest_path: the manifest trained on.
        out: folder.
        photos: number whose cloth and background are looked at alone, at most.
        cache: of features; nothing is remembered when None.

    Raises:
        EvaluationError: no photo is held out, or the manifest is not the one trained on, or its photos are gone.
        RunError: somebody else is at work there.
    """
    manifest = read_manifest(manifest_path, on_unknown="keep")
    if not is_trained_on(run, manifest):
        raise EvaluationError(f"{manifest_path}: holds too few of the photos trained on; give the manifest trained on.")
    with alone_at(out, run.folder, "audit"):
        probes = unseen_probes(run, manifest, cache=cache)
        list_bad(probes.bad, manifest_path)
        found = audit_document(run, manifest, probes, photos=photos, cache=cache)
        document = {"run": str(run.folder), "manifest": str(manifest_path), **found}
        write_json(out / "audit.json", document)
    return Audit(document)


def is_trained_on(run: Run, manifest: Manifest) -> bool:
    """Whether a manifest holds photos of the run's training sources, of two crafts at least, and so can be audited."""
    mine = np.isin(manifest.sources, sorted(run.sources["train"])) & np.isin(manifest.crafts, run.classes)
    return len(set(manifest.crafts[mine].tolist())) > 1


def audit_document(
    run: Run, manifest: Manifest, probes: Probes, *, photos: int = PHOTOS, cache: Path | None = None
) -> dict[str, Any]:
    """All that the audit looks at, as one JSON-able document.

    Args:
        run: to be audited.
        manifest: the collection trained on (:func:`is_trained_on`).
        probes: its photos of sources that the run never saw.
        photos: number of these whose cloth and background are looked at alone, at most.
        cache: of features; nothing is remembered when None.

    Raises:
        EvaluationError: too few of the photos trained on can be read, as they were then.
    """
    manifest = manifest.select(np.isin(manifest.crafts, run.classes))
    reading = read_photos(manifest.files(), recorded(run, manifest).tolist())
    manifest = manifest.select(reading.rows)
    if not is_trained_on(run, manifest):
        raise EvaluationError(f"too few of the photos trained on can be read; the first that cannot: {reading.bad[0]}")
    document: dict[str, Any] = {
        "photos": len(manifest),
        "unread": [{"path": str(bad.path), "reason": bad.reason} for bad in reading.bad],
        "held_out": len(probes.manifest),
        "copies": copies_across_parts(run, manifest, reading, cache),
        "confounded_sources": confounded_sources(manifest.crafts, manifest.sources),
        "dominated_crafts": dominated_crafts(manifest.crafts, manifest.sources),
        "shortcut_gap": score(run, probes, "source")["shortcut_gap"],
        "source_in_embedding": source_readability(
            probes.embeddings, probes.manifest.crafts, probes.manifest.sources, probes.manifest.pieces
        ),
        "cheap_features": cheap_features(run, manifest, probes.manifest.sources),
        "hidden": hidden_parts(run, probes, cache),
        "context": context_ratio(run, probes, photos, cache),
    }
    return {**document, "findings": findings(document)}
