"""Honest evaluation: photos and sources that training never saw, and the score that a shortcut would have got.

An answer is the tradition whose prototype in the gallery has the highest cosine, as in ``predict``.

*Protocol.* What the references may share with the photo: ``source`` nothing of the photo's source, ``piece`` nothing of
its piece, ``random`` everything but the photo itself. With ``source``, the references are the run's gallery alone, so
the score is that of ``predict``. With the others the held-out photos join the gallery, each absent from its own
references.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.data.images import gather_photos
from saree_cosface.data.manifest import Manifest, read_manifest
from saree_cosface.data.splits import Protocol
from saree_cosface.features.embedding import photo_hash
from saree_cosface.files import write_json
from saree_cosface.loom.distractors import draw_distractors
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
from saree_cosface.runs.gallery import piece_names
from saree_cosface.runs.run import Run, list_bad
from saree_cosface.scoring.before_after import (
    EVALUATION,
    before_after,
    curated,
    curated_in_words,
    print_before_after,
    read_evaluation,
)
from saree_cosface.scoring.confidence import confidence_scores, known_verdicts, sets_in_words, verdicts_in_words
from saree_cosface.scoring.open_set import bundled_pictures, evaluate_open_set, print_open_set
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes
from saree_cosface.scoring.shortcut import Arrays, pooled_cosines, shortcut_gap
from saree_cosface.taxonomy import Taxonomy, load_taxonomy


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
        for name, score in document["metrics"].items():
            if isinstance(score, dict):
                interval = f"{score['low']:.3f} – {score['high']:.3f}" if "low" in score else ""
                table.add_row(name, f"{score['value']:.3f}", interval)
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


def evaluate_run(
    run: Run,
    manifest_path: Path,
    *,
    protocol: Protocol = "source",
    where: str | None = None,
    open_set: bool = False,
    others: Sequence[Path] = (),
    before: Path | None = None,
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
        cache: folder of features; nothing is remembered when None.
        out: folder; ``evaluation/PROTOCOL`` in the run by default.

    Raises:
        EvaluationError: no photo is left to score, the open set is to be scored with a run that is not calibrated, or
            there is no earlier evaluation of this protocol.
    """
    earlier = None if before is None else read_evaluation(before)
    manifest = read_manifest(manifest_path, where=where, on_unknown="keep")
    probes = unseen_probes(run, manifest, needs_source=protocol == "source", cache=cache)
    list_bad(probes.bad)
    document = score(run, probes, protocol)
    if open_set:
        document["open_set"] = score_open_set(run, probes, manifest, others, cache)
    for photo, path in zip(document["photos"], probes.manifest.files(), strict=True):
        photo["sha256"] = photo_hash(path)
    document["manifest"] = str(manifest_path)
    document["before"] = None if earlier is None else before_after(earlier, document)
    whole = manifest if where is None else read_manifest(manifest_path, on_unknown="keep")
    document["curation"] = curated(manifest_path, whole.sha256)
    out = run.folder / "evaluation" / protocol if out is None else Path(out)
    write_json(out / EVALUATION, document)
    _draw(document, out)
    return Evaluation(document)


def score_open_set(
    run: Run, probes: Probes, manifest: Manifest, others: Sequence[Path] = (), cache: Path | None = None
) -> dict[str, Any]:
    """What becomes of photos that no tradition of the run is the answer to; see
    :func:`saree_cosface.scoring.open_set.evaluate_open_set`.

    Raises:
        EvaluationError: the run is not calibrated, or other things are not there.
    """
    if run.calibration is None:
        raise EvaluationError(
            f"{run.folder} is not calibrated, so it has no verdicts: run `saree-cosface calibrate {run.folder}` first."
        )
    pictures, bad = gather_photos(others) if others else (bundled_pictures(), [])
    absent = [path for path in pictures if not path.exists()]
    if absent:
        raise EvaluationError(f"{absent[0]}: no such file or folder, of other things to be scored.")
    if not pictures:
        raise EvaluationError(f"{', '.join(map(str, others))}: holds no photo of other things to be scored.")
    list_bad(tuple(bad))
    cosines = run.cosines(probes.embeddings)
    with tempfile.TemporaryDirectory() as folder:
        return evaluate_open_set(
            run,
            run.calibration,
            manifest,
            pictures,
            draw_distractors(Path(folder)),
            cosines=cosines,
            labels=np.searchsorted(np.array(run.gallery.crafts), probes.manifest.crafts),
            sources=probes.manifest.sources,
            sides=run.cosines(probes.sides),
            familiarity=run.calibration.photos(probes.features),
            cache=cache,
        )


def score(run: Run, probes: Probes, protocol: Protocol) -> dict[str, Any]:
    """All scores of the probes as one JSON-able document."""
    taxonomy = load_taxonomy()
    table = run.gallery.references
    gallery = _columns(
        np.asarray(run.gallery.embeddings), table["craft"], table["piece"], table["source"], table["path"]
    )
    manifest = probes.manifest
    probe = _columns(probes.embeddings, manifest.crafts, piece_names(manifest), manifest.sources, manifest.files())
    classes = np.array(run.gallery.crafts)
    labels = np.searchsorted(classes, probe["craft"])
    if protocol == "source":
        cosines = run.cosines(probe["embedding"])
    else:
        cosines, nearest = pooled_cosines(probe, gallery, classes, protocol)
        if np.any(nearest < 0):
            raise EvaluationError(
                f"{probe['path'][nearest < 0][0]}: the protocol {protocol} leaves it no reference to be compared with."
            )
    predictions = cosines.argmax(axis=1)
    remarks = []
    if probes.validation_only:
        remarks.append(
            "These photos chose the epoch of the weights, so the scores flatter a little: hold a test fold out."
        )
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
    families = {str(craft): str(craft) for craft in {*labels.tolist(), *predictions.tolist()}}
    families |= {craft: family for craft, family in taxonomy.families.items() if craft in families}
    statistics: dict[str, Callable[..., float]] = {
        "top1": top1,
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "family_accuracy": partial(family_accuracy, family_of=families),
    }
    if len(set(pieces.tolist())) < 2:
        return {name: {"value": statistic(labels, predictions)} for name, statistic in statistics.items()}
    intervals = {
        name: bootstrap_interval(statistic, [labels, predictions], pieces, n_resamples=1000)
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
    from saree_cosface.figures.confusion import confidence_figure, confusion_figure  # matplotlib is slow to import

    taxonomy = load_taxonomy()
    classes = document["confusion"]["classes"]
    names = [taxonomy[craft].name if craft in taxonomy else craft for craft in classes]
    scores = document["metrics"]
    top, balanced = scores["top1"]["value"], scores["balanced_accuracy"]["value"]
    title = f"Protocol {document['protocol']}: top-1 {top:.2f}, balanced {balanced:.2f}"
    confusion_figure(np.array(document["confusion"]["matrix"]), names, out / "confusion.png", title)
    if document["confidence"] is not None:
        confidence_figure(document["confidence"], out / "confidence.png", f"Protocol {document['protocol']}")
