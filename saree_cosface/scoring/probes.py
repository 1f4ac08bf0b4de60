"""Which photos can be scored honestly: of crafts the run was trained on, from sources it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.content import CHANGED, hash_if_readable
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.reading import read_photos, say_lost
from saree_cosface.features.copies import copy_pairs
from saree_cosface.runs.originals import recorded, require_original
from saree_cosface.runs.run import Run
from saree_cosface.shards.reading import read_or_embed


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
        unlooked: references that cannot be read, or have changed, so that nobody knows which photos are copies of them.
    """

    manifest: Manifest
    embeddings: NDArray[np.float32]
    sides: NDArray[np.float32]
    features: NDArray[np.float32]
    skipped: Mapping[str, int]
    bad: tuple[BadImage, ...]
    validation_only: bool
    lost: tuple[str, ...] = ()
    unlooked: tuple[BadImage, ...] = ()


def unseen_probes(
    run: Run,
    manifest: Manifest,
    *,
    needs_source: bool = True,
    shards: Path | None = None,
    cache: Path | None = None,
) -> Probes:
    """The photos that can be scored honestly: of trained crafts, and neither they nor their source seen in training.

    What was enrolled since counts as seen, with the source and the piece that the manifest knows it by. So does a copy
    or a crop of a reference, whatever source it comes from.

    If all of the run's held-out photos were used to choose the epoch, those are taken, and it is said.

    Raises:
        EvaluationError: none is left.
    """
    files = manifest.files()
    hashes = np.array([hash_if_readable(path) for path in files])
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
    dealt = run.crops_together and not enrolled_since  # then no copy of a reference is among the run's own photos
    new = np.flatnonzero((reasons == "") & ~(dealt & np.isin(hashes, list(run.used))))
    copied, unlooked = _copied(run, [files[row] for row in new], cache)
    reasons[new[copied]] = "copy or crop of a photo among the references"
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
    held_out = [files[row] for row in rows]
    embedded = read_or_embed(
        run.embedder, held_out, shards=shards, cache=cache, description="Embedding held-out photos"
    )
    if not len(embedded.rows):
        raise EvaluationError(f"none of the {len(rows)} photos could be read; the first: {embedded.bad[0]}")
    if embedded.bad:
        skipped["could not be read"] = len(embedded.bad)
    kept = manifest.select(rows[embedded.rows])
    bad = (*(BadImage(files[row], CHANGED) for row in np.flatnonzero(changed)), *embedded.bad)
    lost = say_lost(manifest.select(rows), kept)
    seen = (embedded.embeddings, embedded.sides, embedded.features)
    return Probes(kept, *seen, skipped, bad, validation_only, lost, unlooked)


def _copied(run: Run, files: Sequence[Path], cache: Path | None) -> tuple[NDArray[np.bool_], tuple[BadImage, ...]]:
    """Which files show the picture of a reference, or a part of it, ``(N,)``; and references that cannot be seen."""
    found = np.zeros(len(files), dtype=bool)
    if not len(files):
        return found, ()
    references, unlooked = [], []
    for path, sha256 in zip(run.gallery.references["path"], run.gallery.references["sha256"], strict=True):
        try:
            require_original(Path(path), sha256)
            references.append(Path(path))
        except BadImage as error:
            unlooked.append(error)
    everything = [*files, *references]
    reading = read_photos(everything, [""] * len(everything))
    pairs = reading.rows[copy_pairs([everything[row] for row in reading.rows], reading.hashes, cache=cache)]
    found[pairs[(pairs[:, 0] < len(files)) & (pairs[:, 1] >= len(files)), 0]] = True
    return found, tuple(unlooked)
