"""What is wrong with a collection of photos, before a model learns it by heart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import few
from saree_cosface.data.crops import Crop
from saree_cosface.data.duplicates import (
    HASH_SIDE,
    MAX_DISTANCE,
    embedding_pairs,
    groups,
    near_duplicate_pairs,
    perceptual_hash,
)
from saree_cosface.data.findings import SEVERITY, CheckReport, Finding
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.names import lookalikes
from saree_cosface.data.photos import map_files
from saree_cosface.files import sha256_of
from saree_cosface.taxonomy import NotACraft, Taxonomy, UnknownCraft, load_taxonomy

TINY = 64
"""Pixels of the short side below which a photo shows no weave."""


@dataclass(frozen=True)
class _Photo:
    sha256: str = ""
    short_side: int = 0
    hash: NDArray[np.bool_] | None = None
    reason: str = ""


def check_manifest(
    manifest: Manifest,
    *,
    taxonomy: Taxonomy | Literal["packaged"] | None = "packaged",
    crops: Sequence[Crop] = (),
    embeddings: NDArray[np.floating] | None = None,
    min_cosine: float = 0.98,
    max_distance: int = MAX_DISTANCE,
    min_sources: int = 2,
    min_photos: int = 2,
    min_side: int = TINY,
) -> CheckReport:
    """Decode every photo of a manifest and look for what would spoil training or its evaluation.

    Args:
        manifest: read with ``on_unknown="keep"``, so that wrong labels are reported here.
        taxonomy: what a label must be in; ``None`` takes any label.
        crops: pairs of its rows that are one photograph, as ``saree_cosface.features.crops`` finds them.
        embeddings: of each photo, ``(N, D)``; finds photos that are nearly alike.
        min_cosine: of embeddings, from which two photos count as copies.
        max_distance: of perceptual hashes, up to which two photos count as copies.
        min_sources: a craft with fewer sources cannot be told from the habits of its photographers.
        min_photos: a craft with fewer photos cannot be both learnt and tested.
        min_side: a photo with a shorter side, in pixels, is tiny.

    Raises:
        ValueError: ``embeddings`` has another number of rows than the manifest.
    """
    if embeddings is not None and len(embeddings) != len(manifest):
        raise ValueError(f"embeddings of {len(embeddings)} photos cannot belong to a manifest of {len(manifest)}")
    paths: list[str] = manifest.table["path"].tolist()
    photos = map_files(lambda path: _examine(path, max(HASH_SIDE, min_side)), manifest.files(), "Checking photos")
    readable = np.array([not photo.reason for photo in photos])
    exact = _exact_pairs(photos)
    near = near_duplicate_pairs(_hashes(photos), max_distance)
    alike = embedding_pairs(np.where(readable[:, None], embeddings, 0), min_cosine) if embeddings is not None else None
    findings = [
        *_photo_findings(paths, photos, manifest.table["sha256"].tolist(), min_side),
        *_label_findings(manifest, load_taxonomy() if isinstance(taxonomy, str) else taxonomy),
        *_name_findings(manifest),
        *_copy_findings(manifest, exact, near, crops, alike),
        *_balance_findings(manifest, readable, min_sources, min_photos),
    ]
    order = {kind: number for number, kind in enumerate(SEVERITY)}
    return CheckReport(
        photos=len(manifest),
        readable=int(readable.sum()),
        findings=tuple(sorted(findings, key=lambda finding: order[finding.kind])),
    )


def _examine(path: Path, side: int) -> _Photo:
    try:
        pixels = decode(path, shrink_to=side)
        return _Photo(sha256=sha256_of(path), short_side=min(pixels.shape[:2]), hash=perceptual_hash(pixels))
    except BadImage as error:
        return _Photo(reason=error.reason)
    except OSError as error:  # the file went away between decoding and hashing its bytes
        return _Photo(reason=f"cannot be read ({error.strerror or error})")


def _hashes(photos: Sequence[_Photo]) -> NDArray[np.bool_]:
    known = [photo.hash for photo in photos if photo.hash is not None]
    blank = np.zeros_like(known[0]) if known else np.zeros(1, dtype=np.bool_)
    return np.stack([blank if photo.hash is None else photo.hash for photo in photos])


def _exact_pairs(photos: Sequence[_Photo]) -> NDArray[np.int_]:
    first: dict[str, int] = {}
    found = [
        (first[photo.sha256], row)
        for row, photo in enumerate(photos)
        if photo.sha256 and first.setdefault(photo.sha256, row) != row
    ]
    return np.array(found, dtype=np.int_).reshape(-1, 2)


def _finding(kind: str, paths: Iterable[str], message: str, remedy: str) -> Finding:
    return Finding(kind, SEVERITY[kind], tuple(paths), message, remedy)


def _photo_findings(
    paths: Sequence[str], photos: Sequence[_Photo], recorded: Sequence[str], min_side: int
) -> Iterable[Finding]:
    for path, photo, sha256 in zip(paths, photos, recorded, strict=True):
        if photo.reason:
            yield _finding("unreadable", [path], f"{path}: {photo.reason}", "replace the file or remove its row")
            continue
        if photo.short_side < min_side:
            message = f"{path}: short side of {photo.short_side} pixels, less than {min_side}"
            yield _finding("tiny", [path], message, "look for a larger copy, or remove its row")
        if sha256 and sha256.lower() != photo.sha256:
            message = f"{path}: not the file whose sha256 the manifest records"
            yield _finding("sha256 mismatch", [path], message, "restore the file, or import the folder anew")


def _label_findings(manifest: Manifest, taxonomy: Taxonomy | None) -> Iterable[Finding]:
    crafts = manifest.crafts
    for craft in dict.fromkeys(crafts.tolist()):
        paths = manifest.table["path"][crafts == craft].tolist()
        photos = f"{len(paths)} photo{'s' * (len(paths) > 1)}"
        if not craft:
            yield _finding("unknown label", paths, f"{photos} without a label", "fill in the column craft")
        elif taxonomy is not None:
            try:
                taxonomy.resolve(craft)
            except UnknownCraft as error:
                yield _finding("unknown label", paths, f"{photos}: {error}", "correct the label")
            except NotACraft as error:
                remedy = "label the photos with their craft, or leave them out"
                yield _finding("refused label", paths, f"{photos}: {error}", remedy)


def _name_findings(manifest: Manifest) -> Iterable[Finding]:
    """Sources, pieces and labels of which two are probably one: a source of two names is not held out."""
    sources = manifest.table["source"].to_numpy(dtype=object)
    everybody = np.ones(len(manifest), dtype=bool)
    # A piece is its source's: what another calls alike is another saree.
    groups_of = {"piece": [sources == source for source in dict.fromkeys(sources.tolist())]}
    for column in ("source", "piece", "shared_piece", "craft"):
        values = manifest.table[column].to_numpy(dtype=object)
        for mine in groups_of.get(column, [everybody]):
            for alike in lookalikes(values[mine].tolist()):
                said = few([f"{name!r} ({int((values[mine] == name).sum())} photos)" for name in alike])
                paths = manifest.table["path"][np.isin(values, alike) & mine].tolist()
                remedy = "if they are one, give them one spelling: else one may be held out and the other trained on"
                yield _finding("names that look alike", paths, f"{column} {said}", remedy)


def _copy_findings(
    manifest: Manifest,
    exact: NDArray[np.int_],
    near: NDArray[np.int_],
    crops: Sequence[Crop],
    alike: NDArray[np.int_] | None,
) -> Iterable[Finding]:
    paths = manifest.table["path"].tolist()
    cropped = np.array([(crop.first, crop.second) for crop in crops], dtype=np.int_).reshape(-1, 2)
    kinds = [
        ("exact duplicate", exact, "the same file", "keep one of them"),
        ("near duplicate", near, "the same picture", "keep the better one, or let splits keep them together"),
    ]
    if alike is not None:
        remedy = "look at them; keep one if they show one picture"
        kinds.append(("near duplicate (embedding)", alike, "nearly the same embedding", remedy))
    seen = np.zeros((0, 2), dtype=np.int_)
    for kind, pairs, what, remedy in kinds:
        already = groups(len(paths), seen)
        for members in _joined(len(paths), pairs):
            if len(set(already[members])) > 1:  # copies found by a stricter test are not news
                names = [paths[row] for row in members]
                yield _finding(kind, names, f"{what}: {few(names)}", remedy)
        seen = np.concatenate([seen, pairs])
        if kind == "near duplicate":
            yield from _crop_findings(manifest, crops, groups(len(paths), seen))
            seen = np.concatenate([seen, cropped])
    # What cosines call alike may be two sarees of one design; only copies of one picture contradict each other.
    for members in _joined(len(paths), np.concatenate([exact, near, cropped])):
        yield from _contradiction([paths[row] for row in members], manifest.crafts[members].tolist())
    splits = manifest.table["split"].to_numpy(dtype=object)
    for members in _joined(len(paths), seen):
        yield from _straddling([paths[row] for row in members], splits[members].tolist(), "copies of one picture")
    pieces, called = manifest.pieces, manifest.piece_names
    for key, several in Counter(pieces.tolist()).items():
        if several == 1:
            continue
        members = np.flatnonzero(pieces == key)
        piece = called[members[0]]
        yield from _mixed(piece, [paths[row] for row in members], manifest.crafts[members].tolist())
        yield from _straddling([paths[row] for row in members], splits[members].tolist(), f"photos of piece {piece}")


def _crop_findings(manifest: Manifest, crops: Sequence[Crop], already: NDArray[np.int_]) -> Iterable[Finding]:
    said = manifest.table[["path", "source", "piece", "craft"]].to_numpy(dtype=object)
    for crop in crops:
        if already[crop.first] != already[crop.second]:
            names = [f"{path} ({', '.join(filter(None, known))})" for path, *known in said[[crop.first, crop.second]]]
            what = "the same photograph, mirrored" if crop.mirrored else "the same photograph, cropped"
            message = f"{what}: {' and '.join(names)}; {crop.points} points agree"
            remedy = "keep the whole one, or let splits keep them together"
            yield _finding("crop", said[[crop.first, crop.second], 0], message, remedy)


def _joined(n: int, pairs: NDArray[np.int_]) -> Iterable[NDArray[np.int_]]:
    member_of = groups(n, pairs)
    for group in np.flatnonzero(np.bincount(member_of, minlength=n) > 1):
        yield np.flatnonzero(member_of == group)


def _differing(names: Sequence[str], values: Sequence[str], missing: str) -> str:
    """Some photos with what is said of each: as many of different values as can be shown."""
    first = {value: row for row, value in reversed(list(enumerate(values)))}
    order = sorted(range(len(names)), key=lambda row: (first[values[row]] != row, row))
    return few([f"{names[row]} ({values[row] or missing})" for row in order])


def _contradiction(names: Sequence[str], crafts: Sequence[str]) -> Iterable[Finding]:
    if len(set(crafts)) > 1:
        said = _differing(names, crafts, "no label")
        remedy = "find out which label is right; remove the other, or both"
        yield _finding("contradictory", names, f"one picture, several labels: {said}", remedy)


def _mixed(piece: str, names: Sequence[str], crafts: Sequence[str]) -> Iterable[Finding]:
    if len(set(crafts)) > 1:
        said = _differing(names, crafts, "no label")
        remedy = "give its photos one label, or say which of them show another saree"
        yield _finding("piece of several crafts", names, f"piece {piece}: {said}", remedy)


def _straddling(names: Sequence[str], splits: Sequence[str], what: str) -> Iterable[Finding]:
    if len({split for split in splits if split}) > 1:
        said = _differing(names, splits, "no split")
        remedy = "put them on one side, or empty the column split, so that sources are dealt anew"
        yield _finding("straddles split", names, f"{what} on both sides of the split: {said}", remedy)


def _balance_findings(
    manifest: Manifest, readable: NDArray[np.bool_], min_sources: int, min_photos: int
) -> Iterable[Finding]:
    paths = manifest.table["path"].to_numpy(dtype=object)
    sources, crafts = manifest.sources, manifest.crafts
    for craft in sorted(set(crafts.tolist()) - {""}):
        mine = (crafts == craft) & readable
        if mine.sum() < min_photos:
            message = f"{craft}: {mine.sum()} readable, fewer than {min_photos}"
            yield _finding("too few photos", paths[crafts == craft], message, "add photos, or leave the craft out")
        known = set(sources[mine].tolist()) - {""}
        if known and len(known) < min_sources:
            message = f"{craft}: {len(known)} source, fewer than {min_sources} ({few(sorted(known))})"
            remedy = "add photos by others: with a source held out nothing of this craft is left to learn"
            yield _finding("too few sources", paths[mine], message, remedy)
    for column, kind, remedy in (
        ("source", "unknown source", "say who took each photo: without it no honest score can be given"),
        ("piece", "unknown piece", "say which photos show one saree, if several do"),
    ):
        unknown = manifest.table[column].to_numpy(dtype=object) == ""
        if unknown.any():
            message = f"{unknown.sum()} of {len(paths)} photos have no {column}"
            yield _finding(kind, paths[unknown], message, remedy)
