"""All scores of held-out photos, as one JSON-able document."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.names import lookalikes
from saree_cosface.data.splits import Protocol
from saree_cosface.metrics.classification import (
    balanced_accuracy,
    confusion_matrix,
    family_accuracy,
    macro_f1,
    top1,
)
from saree_cosface.metrics.identification import cmc
from saree_cosface.metrics.intervals import Interval, bootstrap_interval
from saree_cosface.metrics.retrieval import map_at_r, recall_at_k
from saree_cosface.runs.run import Run
from saree_cosface.runs.share import NO_PHOTOS
from saree_cosface.scoring.confidence import confidence_scores, known_verdicts
from saree_cosface.scoring.probes import EvaluationError, Probes
from saree_cosface.scoring.shortcut import Arrays, pooled_cosines, shortcut_gap
from saree_cosface.taxonomy import Taxonomy, load_taxonomy

CHOSE_EPOCH = "These photos chose the epoch of the weights, so the scores flatter a little: hold a test fold out."
UNKNOWN_SOURCES = (
    f"{NO_PHOTOS.capitalize()}, and with other names for its sources: the very photos that it learned from are left "
    "out, but copies and crops of them, and others of their sources, are scored as if they were new. README.md and "
    "CREDITS.md in its folder say what it rests on."
)


def score(run: Run, probes: Probes, protocol: Protocol) -> dict[str, Any]:
    """All scores of the probes as one JSON-able document."""
    taxonomy = load_taxonomy()
    table = run.gallery.references
    gallery = _columns(
        np.asarray(run.gallery.embeddings), table["craft"], run.gallery.piece_of, table["source"], table["path"]
    )
    manifest = probes.manifest
    probe = _columns(probes.embeddings, manifest.crafts, manifest.pieces, manifest.sources, manifest.files())
    classes = np.array(run.gallery.crafts)
    labels = np.searchsorted(classes, probe["craft"])
    if protocol == "source":
        cosines = run.cosines(probe["embedding"])
    else:
        cosines, nearest = pooled_cosines(probe, gallery, classes, protocol)
        if np.any(nearest < 0):
            raise EvaluationError(
                f"{probe['path'][nearest < 0][0]}: the protocol {protocol} leaves it no reference to be compared with;"
                " leave it out with --where, or score by another --protocol."
            )
    predictions = cosines.argmax(axis=1)
    remarks = []
    if probes.validation_only:
        remarks.append(CHOSE_EPOCH)
    seen = run.sources["train"] | run.sources["validation"] | set(run.gallery.references["source"].tolist()) - {""}
    for alike in lookalikes([*sorted(seen), *sorted(set(manifest.sources.tolist()) - seen)]):
        if not seen.issuperset(alike):
            remarks.append(
                f"The sources {' and '.join(map(repr, alike))} look alike, and not all of them were held out: if they"
                " are one, give it one spelling."
            )
    if run.share is not None:
        remarks.append(UNKNOWN_SOURCES)
    elif probes.unlooked:
        remarks.append(
            f"{len(probes.unlooked)} of {len(run.gallery)} references cannot be read or have changed (the first: "
            f"{probes.unlooked[0]}), so copies and crops of these are scored as if they were never seen: restore them."
        )
    if probes.lost:
        remarks.append(f"Not one photo of {', '.join(probes.lost)} could be read, so nothing of it is scored.")
    if protocol != "source":
        remarks.append("Photos of the same source were among the references: this is not the score on a new source.")
    if run.calibration is None:
        remarks.append(f"Not calibrated: for probabilities and verdicts run `saree-cosface calibrate {run.folder}`.")
    verdicts = None
    if run.calibration is not None and protocol == "source":
        familiarity = run.calibration.photos(probes.features)
        verdicts = known_verdicts(cosines, labels, run.cosines(probes.sides), familiarity, run.calibration)
    metrics = {
        **classification_scores(classes[labels], classes[predictions], probe["piece"], taxonomy),
        **{f"rank{k}": {"value": float(rate)} for k, rate in _few_ranks(cosines, labels)},
        **_retrieval_scores(probe, protocol),
    }
    return {
        "protocol": protocol,
        "run": str(run.folder),
        "split_hash": run.split_hash,
        "manifest_sha256": manifest.sha256,
        "counts": {
            "photos": len(manifest),
            "pieces": len(set(probe["piece"])),
            "sources": len(set(manifest.sources)),
            "crafts": len(set(manifest.crafts)),
            "references": len(run.gallery),
        },
        "skipped": dict(probes.skipped),
        "remarks": remarks,
        "metrics": metrics,
        "cmc": cmc(cosines, labels, min(10, len(classes))).tolist(),
        "shortcut_gap": shortcut_gap(probe, gallery, classes, labels),
        "confidence": confidence_scores(cosines, labels, probe["source"], run.calibration) if run.calibration else None,
        "verdicts": verdicts,
        "per_craft": _per_group(probe["craft"], labels, predictions),
        "per_source": _per_group(probe["source"], labels, predictions),
        "confusion": {
            "classes": classes.tolist(),
            "matrix": confusion_matrix(labels, predictions, range(len(classes))).tolist(),
        },
        "photos": [
            {
                "path": str(path),
                "craft": str(classes[label]),
                "answer": str(classes[answer]),
                "cosine": round(float(row[answer]), 5),
                "source": str(source),
            }
            for path, label, answer, row, source in zip(
                probe["path"], labels, predictions, cosines, probe["source"], strict=True
            )
        ],
    }


def classification_scores(
    labels: NDArray[np.str_], predictions: NDArray[np.str_], pieces: NDArray[np.str_], taxonomy: Taxonomy
) -> dict[str, dict[str, float]]:
    """Top-1, balanced accuracy, macro-F1 and family accuracy, each with a 95 % bootstrap interval over pieces."""
    # As numbers, which are compared much quicker than names when they are resampled.
    names, numbers = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    truth, guesses = np.split(numbers, 2)
    families = {number: taxonomy.families.get(name, name) for number, name in enumerate(names.tolist())}
    statistics: dict[str, Callable[..., float]] = {
        "top1": top1,
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "family_accuracy": partial(family_accuracy, family_of=families),
    }
    if len(set(pieces.tolist())) < 2:
        return {name: {"value": statistic(truth, guesses)} for name, statistic in statistics.items()}
    intervals = {
        name: bootstrap_interval(statistic, [truth, guesses], pieces, n_resamples=1000)
        for name, statistic in statistics.items()
    }
    return {name: _interval(interval) for name, interval in intervals.items()}


def _columns(
    embeddings: NDArray[np.float32], craft: Any, piece: Any, source: Any, path: Any
) -> dict[str, NDArray[Any]]:
    names = {"craft": craft, "piece": piece, "source": source, "path": path}
    return {
        "embedding": embeddings,
        **{name: np.array([str(value) for value in column]) for name, column in names.items()},
    }


def _retrieval_scores(probe: Arrays, protocol: Protocol) -> dict[str, dict[str, float]]:
    exclude = {"source": probe["source"], "piece": probe["piece"]}.get(protocol)
    if exclude is not None and np.any(exclude == ""):
        exclude = None
    try:
        scores = {
            "recall@1": recall_at_k(probe["embedding"], probe["craft"], 1, exclude=exclude),
            "recall@5": recall_at_k(probe["embedding"], probe["craft"], 5, exclude=exclude),
            "map@r": map_at_r(probe["embedding"], probe["craft"], exclude=exclude),
        }
    except ValueError:  # no photo has another of its craft that the protocol allows: nothing can be retrieved
        return {}
    return {name: {"value": score.value, "queries": score.queries} for name, score in scores.items()}


def _few_ranks(cosines: NDArray[np.float32], labels: NDArray[np.int_]) -> list[tuple[int, float]]:
    rates = cmc(cosines, labels, cosines.shape[1])
    return [(k, float(rates[k - 1])) for k in (3, 5) if k < len(rates)]


def _per_group(groups: NDArray[np.str_], labels: NDArray[np.int_], predictions: NDArray[np.int_]) -> dict[str, Any]:
    result = {}
    for name in sorted(set(groups.tolist())):
        mine = groups == name
        result[name] = {"photos": int(mine.sum()), "top1": float(np.mean(labels[mine] == predictions[mine]))}
    return result


def _interval(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def top1_by_source(labels: NDArray[np.int_], answers: NDArray[np.int_], sources: NDArray[np.str_]) -> dict[str, float]:
    """Top-1 with a 95 % bootstrap interval over sources, where there are two: ``(N,), (N,), (N,)``."""
    if len(set(sources.tolist())) < 2:
        return {"value": top1(labels, answers)}
    found = bootstrap_interval(top1, [labels, answers], sources, n_resamples=500)
    return {"value": found.value, "low": found.low, "high": found.high}
