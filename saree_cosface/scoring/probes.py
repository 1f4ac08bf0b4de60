"""Which photos can be scored honestly: of crafts the run was trained on, from sources it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.content import CHANGED, photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.reading import say_lost
from saree_cosface.features.crops import crops_among
from saree_cosface.features.embedding import embed_photos
from saree_cosface.runs.originals import recorded
from saree_cosface.runs.run import Run


class EvaluationError(ValueError):
    """There is nothing to score; the message says why and what to do."""


@dataclass(frozen=True)
class Probes:
    """Photos to score.

    Attributes:
        manifest: a row a photo.
        embeddings: (N, D).
        sides: of their left, right, upper and lower side alone, ``(N, 4, D)``.
        features: of the backbone, the mean over the views, (N, F).
        skipped: number of photos left out, by reason.
        bad: those that could not be read, or have changed since their checksum was recorded.
        validation_only: whether they helped to choose the epoch, for want of photos that did not.
        lost: crafts of which none of the photos to be scored could be read.
    """

    manifest: Manifest
    embeddings: NDArray[np.float32]
    sides: NDArray[np.float32]
    features: NDArray[np.float32]
    skipped: Mapping[str, int]
    bad: tuple[BadImage, ...]
    validation_only: bool
    lost: tuple[str, ...] = ()


def unseen_probes(run: Run, manifest: Manifest, *, needs_source: bool = True, cache: Path | None = None) -> Probes:
    """The photos that can be scored honestly: of trained crafts, and neither they nor their source seen in training.

    What was enrolled since counts as seen, with the source and the piece that the manifest knows it by. So does a crop
    of a reference, whatever source it comes from.

    If all of the run's held-out photos were used to choose the epoch, those are taken, and it is said.

    Raises:
        EvaluationError: none is left.
    """
    files = manifest.files()
    hashes = np.array([_hash(path) for path in files])
    parts = np.array([run.used.get(photo, "") for photo in hashes.tolist()])
    references = run.gallery.references  # what was trained on, and what was enrolled since
    reasons = np.full(len(manifest), "", dtype=object)
    reasons[~np.isin(manifest.crafts, run.gallery.crafts)] = "craft without a reference in the gallery"
    reasons[~np.isin(manifest.crafts, run.classes)] = "craft not among those trained on"
    chose = parts == "validation"
    pieces, known = manifest.pieces, np.isin(hashes, references["sha256"].to_numpy(str))
    enrolled = known & (parts != "train")
    enrolled_since = any(run.used.get(sha256) != "train" for sha256 in references["sha256"])
    reasons[np.isin(pieces, pieces[enrolled])] = "piece among the references"
    if needs_source:
        reasons[manifest.sources == ""] = "source unknown, so it cannot be held out"
        sources = {*references["source"], *manifest.sources[enrolled].tolist()} - run.sources["train"] - {""}
        reasons[np.isin(manifest.sources, sorted(sources))] = "source among the references"
        reasons[np.isin(manifest.sources, sorted(run.sources["train"] - {""}))] = "source seen in training"
        chose |= np.isin(manifest.sources, sorted(run.sources["validation"] - {""}))
    else:
        reasons[np.isin(pieces, run.gallery.piece_of)] = "piece seen in training"
    reasons[known] = "photo among the references"
    reasons[parts == "train"] = "photo seen in training"
    expected = np.char.lower(recorded(run, manifest))
    changed = (expected != "") & (hashes != "") & (hashes != expected)
    reasons[changed] = CHANGED
    dealt = run.crops_together and not enrolled_since  # then no crop of a reference is among the run's own photos
    new = np.flatnonzero((reasons == "") & ~(dealt & np.isin(hashes, list(run.used))))
    reasons[new[_cropped(run, [files[row] for row in new], cache)]] = "crop of a photo among the references"
    chosen = (reasons == "") & ~chose
    validation_only = not chosen.any() and bool((reasons == "").any())
    if validation_only:
        chosen = reasons == ""
    else:
        reasons[(reasons == "") & chose] = "photo or its source chose the epoch (validation)"
    skipped = {str(reason): int((reasons == reason).sum()) for reason in sorted(set(reasons)) if reason}
    if not chosen.any():
        why = "; ".join(f"{number}: {reason}" for reason, number in skipped.items())
        fill = ", and fill in the column source" if np.any(manifest.sources == "") else ""
        raise EvaluationError(f"no photo is left to score ({why}). Give a manifest with photos of other sources{fill}.")
    rows = np.flatnonzero(chosen)
    embedded = embed_photos(
        run.embedder, [files[row] for row in rows], cache=cache, description="Embedding held-out photos"
    )
    if not len(embedded.rows):
        raise EvaluationError(f"none of the {len(rows)} photos could be read; the first: {embedded.bad[0]}")
    if embedded.bad:
        skipped["could not be read"] = len(embedded.bad)
    kept = manifest.select(rows[embedded.rows])
    bad = (*(BadImage(files[row], CHANGED) for row in np.flatnonzero(changed)), *embedded.bad)
    lost = say_lost(manifest.select(rows), kept)
    return Probes(kept, embedded.embeddings, embedded.sides, embedded.features, skipped, bad, validation_only, lost)


def _cropped(run: Run, files: Sequence[Path], cache: Path | None) -> NDArray[np.bool_]:
    """Which files are one photograph with a reference, ``(N,)``, as far as the references' files are there."""
    references = [Path(path) for path in run.gallery.references["path"]] if files else []
    found = np.zeros(len(files) + len(references), dtype=bool)
    for crop in crops_among([*files, *references], cache=cache):
        found[crop.first] |= crop.second >= len(files)
    return found[: len(files)]


def _hash(path: Path) -> str:
    try:
        return photo_hash(path)
    except BadImage:
        return ""
