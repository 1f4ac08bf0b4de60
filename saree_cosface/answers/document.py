"""An examination as one JSON document that can be cited."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface import __version__
from saree_cosface.answers.attribution import Attribution
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination, Unread
from saree_cosface.answers.verdict import in_words
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.runs.run import Run

FORMAT = 1


def document(
    run: Run,
    examination: Examination,
    evidence: Evidence | None = None,
    place: NDArray[np.float32] | None = None,
    unread: Sequence[Unread] = (),
) -> dict[str, Any]:
    """The examination as one JSON document that can be cited: model, thresholds, photos by checksum, answer.

    Paths on this machine are left out; references go by piece, source and file name.

    Args:
        run: that answered.
        examination: the answer.
        evidence: what it rests on.
        place: of the piece on the map of references, ``(2,)``.
        unread: photos that were left out.
    """
    answer = examination.attribution
    references = [
        {**_without(asdict(near), "path", "thumbnail"), "piece": Path(near.piece).name, "file": Path(near.path).name}
        for near in answer.references
    ]
    verdict = None if answer.verdict is None else {"words": in_words(answer.verdict)}
    return {
        "format": FORMAT,
        "what": "examination of one piece by cosine similarity",
        "date": examination.when,
        "software": {"name": "saree-cosface", "version": __version__},
        "model": model_card(run),
        "thresholds": thresholds(run),
        "photos": [{"name": photo.name, "sha256": photo.sha256} for photo in examination.seen],
        "left_out": [asdict(each) for each in unread],
        "verdict": None if answer.verdict is None else {**(verdict or {}), **asdict(answer.verdict)},
        "traditions": [asdict(tradition) for tradition in answer.traditions],
        "gap": answer.gap,
        "references": references,
        "photos_alone": [asdict(say) for say in answer.says],
        "evidence": None if evidence is None else _evidence_document(evidence, answer),
        "map": None if place is None else [round(float(value), 4) for value in place],
    }


def model_card(run: Run) -> dict[str, Any]:
    """What answered: the embedder by its fingerprint, and what it can name."""
    card = run.embedder.card
    return {
        "run": run.folder.resolve().name,
        "embedder": embedder_version(run.embedder),
        "backbone": card.backbone,
        "manifest_sha256": card.manifest_sha256,
        "taxonomy": card.taxonomy_version,
        "references": len(run.gallery),
        "traditions": run.gallery.crafts,
    }


def thresholds(run: Run) -> Mapping[str, Any] | None:
    """What a verdict needs; None where the run is not calibrated."""
    if run.calibration is None:
        return None
    names = ("false_accepts", "cosine", "known", "gap", "familiarity", "temperature")
    known = run.calibration.to_json()
    return {name: known[name] for name in names}


def _evidence_document(evidence: Evidence, answer: Attribution) -> dict[str, Any]:
    return {
        "photo": answer.photos[evidence.photo],
        "craft": answer.traditions[0].craft,
        "cosine": None if evidence.heat is None else evidence.heat.cosine,
        "reference": None if evidence.reference is None else Path(evidence.reference.path).name,
        "regions": [asdict(match) for match in evidence.matches],
        "remark": evidence.remark,
    }


def _without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}
