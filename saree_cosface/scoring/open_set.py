"""The open set: photos of traditions that a run does not know, and photos of no saree at all."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import sklearn
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.answers.verdict import Kind, kinds
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.photos import gather_photos, list_bad
from saree_cosface.features.embedding import embed_photos
from saree_cosface.loom.distractors import draw_distractors
from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.metrics.open_set import best_match, detection_identification_rate
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.metrics.verification import auc
from saree_cosface.runs.calibration import Calibration
from saree_cosface.runs.originals import originals
from saree_cosface.runs.run import Run
from saree_cosface.scoring.confidence import known_verdicts
from saree_cosface.scoring.probes import EvaluationError, Probes
from saree_cosface.taxonomy import load_taxonomy

FARS = (0.01, 0.1)
"""False accept rates of which the open-set rate is told."""


def open_set_scores(
    cosines: NDArray[np.floating[Any]],
    labels: NDArray[np.int_],
    sources: NDArray[np.str_],
    unknown_best: NDArray[np.floating[Any]],
    unknown_sources: NDArray[np.str_],
    fars: Sequence[float] = FARS,
) -> dict[str, Any]:
    """How well the highest cosine tells photos of known traditions from others, as a JSON-able document.

    ``(N, C), (N,), (N,), (Q,), (Q,)``, the cosines being those of known traditions and ``unknown_best`` the highest of
    each other photo.

    Returns:
        ``auroc`` with a 95 % bootstrap interval over sources; ``dir``, for each false accept rate the share of photos
        of known traditions that are named, and rightly, or None where there are too few others for that rate; and how
        many of either there are.
    """
    best, correct = best_match(cosines, labels)
    rates: dict[str, Any] = {}
    for far in sorted(set(fars)):
        try:
            found = detection_identification_rate(best, correct, unknown_best, far)
        except TooFewImpostors:
            rates[f"{far:g}"] = None
            continue
        rates[f"{far:g}"] = {"value": found.rate, "low": found.low, "high": found.high, "threshold": found.threshold}
    return {
        "known": len(best),
        "unknown": len(unknown_best),
        "auroc": auroc(best, sources, unknown_best, unknown_sources),
        "dir": rates,
    }


def auroc(
    known: NDArray[np.floating[Any]],
    known_sources: NDArray[np.str_],
    unknown: NDArray[np.floating[Any]],
    unknown_sources: NDArray[np.str_],
) -> dict[str, float]:
    """Area under the ROC curve, the chance that a known photo scores above an unknown one, with its interval."""
    scores = np.concatenate([known, unknown])
    mated = np.arange(len(scores)) < len(known)
    # A source may have photos of both kinds; resampled, they come and go apart.
    groups = np.concatenate([known_sources, np.char.add("unknown ", unknown_sources.astype(str))])
    found = bootstrap_interval(auc, [scores, mated], groups, n_resamples=500, strata=mated)
    return {"value": found.value, "low": found.low, "high": found.high}


def evaluate_open_set(
    run: Run,
    calibration: Calibration,
    manifest: Manifest,
    others: Sequence[Path],
    drawn: Sequence[Path],
    *,
    cosines: NDArray[np.floating[Any]],
    labels: NDArray[np.int_],
    sources: NDArray[np.str_],
    sides: NDArray[np.floating[Any]],
    familiarity: NDArray[np.floating[Any]],
    cache: Path | None = None,
) -> dict[str, Any]:
    """What becomes of photos that no tradition of the run is the answer to, as a JSON-able document.

    Args:
        run: to be scored.
        calibration: of the run.
        manifest: of which the photos of crafts that the run does not know are taken, if their source is new to it.
        others: photos of other things than sarees.
        drawn: pictures of such, drawn by the loom.
        cosines: of held-out photos of known crafts, ``(N, C)``.
        labels: of these, ``(N,)``.
        sources: of these, ``(N,)``.
        sides: of the sides of these, ``(N, 4, C)``.
        familiarity: of these, ``(N,)``.
        cache: folder of features; nothing is remembered when None.

    Returns:
        ``left_out``, the rates found by the calibration, with crafts left out of training; ``crafts``, those on the
        photos of other crafts, None where there are none; ``pictures`` and ``drawn``, how well familiarity tells the
        held-out photos from ``others`` and from ``drawn``, likewise; and ``verdicts``, for each sort of photo the share
        that gets each kind of verdict.
    """
    verdicts = {"known": known_verdicts(cosines, labels, sides, familiarity, calibration)}
    document: dict[str, Any] = {"left_out": dict(calibration.found["open_set"]), "crafts": None}
    rows, skipped = _strangers(run, manifest)
    if len(rows):
        chosen, changed = originals(run, manifest.select(rows))
        embedded = embed_photos(
            run.embedder, chosen.files(), cache=cache, description="Embedding photos of other crafts"
        )
        list_bad((*changed, *embedded.bad))
        chosen = chosen.select(embedded.rows)
        if len(chosen):
            strange = run.cosines(embedded.embeddings)
            scores = open_set_scores(cosines, labels, sources, strange.max(axis=1), chosen.sources)
            crafts, counts = np.unique(chosen.crafts, return_counts=True)
            document["crafts"] = {**scores, "photos": dict(zip(crafts.tolist(), counts.tolist(), strict=True))}
            given = kinds(strange, run.cosines(embedded.sides), calibration.photos(embedded.features), calibration)
            verdicts["other crafts"] = _shares(given)
    document["skipped"] = skipped
    for key, name, pictures in (("pictures", "other things", others), ("drawn", "things drawn", drawn)):
        document[key] = None
        embedded = embed_photos(run.embedder, pictures, cache=cache, description=f"Embedding {name}")
        if len(embedded.rows):
            foreign = calibration.photos(embedded.features)
            alone = np.array([f"picture {row}" for row in embedded.rows])
            document[key] = {"photos": len(foreign), "auroc": auroc(familiarity, sources, foreign, alone)}
            given = kinds(run.cosines(embedded.embeddings), run.cosines(embedded.sides), foreign, calibration)
            verdicts[name] = _shares(given)
    return {**document, "verdicts": verdicts}


def print_open_set(document: Mapping[str, Any], console: Console) -> None:
    """For people: the verdicts on each sort of photo, and how well the sorts are told apart."""
    table = Table(title="Verdicts", title_justify="left")
    table.add_column("photos of")
    for kind in get_args(Kind):
        table.add_column(kind, justify="right")
    for name, shares in document["verdicts"].items():
        label = "known traditions" if name == "known" else name
        table.add_row(label, *(f"{shares[kind]:.1%}" for kind in get_args(Kind)))
    console.print(table)
    for line in open_set_in_words(document):
        console.print(line, highlight=False, markup=False)


def open_set_in_words(document: Mapping[str, Any]) -> list[str]:
    """How well photos of known traditions are told from others, a sentence a sort of photo."""
    known = document["verdicts"]["known"]
    lines = [f"Of photos of known traditions {known['named rightly']:.1%} are named, and rightly."]
    if document["crafts"] is not None:
        lines.append(f"Other crafts in the manifest, told by cosine: {_in_words(document['crafts'])}.")
    lines.append(f"Crafts left out of training, told by cosine: {_in_words(document['left_out'])}.")
    for key, name in (("pictures", "Other things"), ("drawn", "Things drawn by the loom")):
        if document[key] is not None:
            lines.append(f"{name}, told by familiarity: AUROC {_brief(document[key]['auroc'])}.")
    return lines


def _in_words(scores: Mapping[str, Any]) -> str:
    rates = [
        f"{_brief(scores['dir'][f'{far:g}'])} named rightly at a false accept rate of {far:.0%}"
        for far in FARS
        if scores["dir"][f"{far:g}"]
    ]
    few = "" if rates else f"; {scores['unknown']} photos are too few for a rate of named ones"
    return ", ".join([f"AUROC {_brief(scores['auroc'])}", *rates]) + few


def _brief(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _shares(kind: NDArray[np.str_]) -> dict[str, float]:
    return {name: float(np.mean(kind == name)) for name in get_args(Kind)}


def _strangers(run: Run, manifest: Manifest) -> tuple[NDArray[np.int_], dict[str, int]]:
    """Rows of photos of crafts that the run does not know, and how many such photos are left out, by reason."""
    taxonomy = load_taxonomy()
    crafts, references = manifest.crafts, run.gallery.references
    seen = run.sources["train"] | run.sources["validation"] | set(references["source"])
    strange = ~np.isin(crafts, [*run.gallery.crafts, *run.classes])
    reasons = np.full(len(manifest), "", dtype=object)
    reasons[np.isin(manifest.sources, sorted(seen))] = "source seen in training"
    reasons[manifest.sources == ""] = "source unknown"
    reasons[[craft not in taxonomy for craft in crafts.tolist()]] = "label is no craft"
    reasons[~strange] = "known"
    skipped = {str(reason): int((reasons == reason).sum()) for reason in sorted(set(reasons)) if reason}
    skipped.pop("known", None)
    return np.flatnonzero(reasons == ""), skipped


def bundled_pictures() -> list[Path]:
    """Photographs of other things that come with installed libraries: scikit-learn's two, and scikit-image's if it is
    there."""
    folders = [Path(sklearn.__file__).parent / "datasets" / "images"]
    try:
        import skimage

        folders.append(Path(skimage.__file__).parent / "data")
    except ImportError:
        pass
    return sorted(path for folder in folders for path in folder.glob("*") if path.suffix in (".png", ".jpg", ".jpeg"))


def other_things(run: Run, others: Sequence[Path] = ()) -> list[Path]:
    """The pictures of other things that an open set is scored with: files, those in folders, or bundled ones.

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
    return pictures


def score_open_set(
    run: Run, probes: Probes, manifest: Manifest, pictures: Sequence[Path], cache: Path | None = None
) -> dict[str, Any]:
    """What becomes of photos that no tradition of a calibrated run is the answer to; see
    :func:`saree_cosface.scoring.open_set.evaluate_open_set`, and :func:`other_things` for the pictures.
    """
    assert run.calibration is not None  # or other_things() would have said so
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
