"""The card of a model: what it was made of, how good it was measured to be, where it fails, and what is not known.

All of it is read from the folder of the run. What was not measured is said to be so.
"""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from saree_cosface import __version__
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.languages.said import said
from saree_cosface.networks.fingerprint import fingerprint
from saree_cosface.runs.folder import RunError, recorded_recipe
from saree_cosface.runs.parts import PARTS
from saree_cosface.runs.run import Run
from saree_cosface.scoring.before_after import EVALUATION
from saree_cosface.scoring.failures import failures
from saree_cosface.taxonomy import load_taxonomy

_NEEDED = {"counts", "metrics", "per_craft", "per_source", "confusion", "photos", "remarks", "skipped"}
_PACKAGES = ("torch", "timm", "numpy", "gradio")


def model_card(run: Run) -> dict[str, Any]:
    """All that the folder of a run says of its model, as one JSON document.

    ``licence`` is that of a run that was shared, and None for others.
    ``evaluation`` and ``calibration`` are None where there is none; ``problems`` says what is there and cannot be read.
    """
    problems: list[str] = []
    evaluation, problem = evaluation_of(run)
    if problem:
        problems.append(problem)
    card = run.embedder.card
    return {
        "model": fingerprint(run.embedder),
        "backbone": card.backbone,
        "dimensions": card.embedding_dim,
        "side": card.preprocessing.get("size"),
        "precision": card.precision,
        "loss": _loss(run, problems),
        "crafts": list(run.classes),
        "enrolled_crafts": [craft for craft in run.gallery.crafts if craft not in run.classes],
        "references": len(run.gallery),
        "photos": _photos(run, problems),
        "manifest_sha256": card.manifest_sha256,
        "split_hash": run.split_hash,
        "licence": None if run.share is None else run.share.licence,
        "calibration": run.calibration.to_json() if run.calibration is not None else None,
        "evaluation": evaluation,
        "failures": failures(evaluation) if evaluation is not None else [],
        "problems": problems,
        "versions": {"taxonomy": card.taxonomy_version, "taxonomy here": load_taxonomy().version, **_versions()},
    }


def evaluation_of(run: Run) -> tuple[dict[str, Any] | None, str]:
    """The evaluation of a run with sources held out, and why one that is there cannot be used.

    One that an earlier version wrote will do as long as it has the scores.
    """
    path = run.folder / "evaluation" / "source" / EVALUATION
    if not path.is_file():
        return None, ""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        missing = _NEEDED - set(document)
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError) as error:
        return None, said("about.evaluation_unreadable", detail=str(error))
    return dict(document), ""


def _loss(run: Run, problems: list[str]) -> str:
    try:
        head = recorded_recipe(run.folder).head
    except RunError as error:
        problems.append(str(error))
        return ""
    name = "Large Margin Cosine Loss (CosFace)" if head.name == "cosface" else head.name
    return f"{name}, s = {head.scale:g}, m = {head.margin:g}"


def _photos(run: Run, problems: list[str]) -> dict[str, Any] | None:
    """Photos, pieces, crafts and sources by part, and whether they were drawn; None where the manifest is gone."""
    try:
        manifest = read_manifest(run.folder / "manifest.csv", taxonomy=None)
    except (OSError, ValueError) as error:
        problems.append(str(error))
        return None
    parts = manifest.table["split"].to_numpy(str)
    counts = {}
    for part in PARTS:
        mine = manifest.select(parts == part)
        if len(mine):
            counts[part] = {
                "photos": len(mine),
                "pieces": len(set(mine.pieces.tolist())),
                "crafts": len(set(mine.crafts.tolist())),
                "sources": len(set(mine.sources.tolist()) - {""}),
            }
    return {"drawn": manifest.drawn, "parts": counts}


def _versions() -> dict[str, str]:
    found = {"saree-cosface": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, "python": platform.python_version()}
