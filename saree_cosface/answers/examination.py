"""A piece examined: the answer that ``predict`` gives, what it rests on, and where its photos come from.

Each photo is decoded once and seen by the network once, for the answer and for the evidence alike, so that somebody who
waits at a screen waits half as long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface import __version__
from saree_cosface.answers.attribution import Attribution, NearReference, PhotoSay, attribute, in_words
from saree_cosface.answers.heat_map import MATCHED_SIDE, HeatMap, Look, Match, heat_map_of, look, match_regions_of
from saree_cosface.data.images import BadImage, decode
from saree_cosface.features.embedding import PhotoFeatures, embeddings_of, fingerprint, photo_hash
from saree_cosface.networks.embedder import Embedder
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import load_taxonomy

MOST = 24
"""Photos of one piece that are examined at most."""

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo that could be read: the name it is shown by, its SHA-256, and what the network saw."""

    name: str
    sha256: str
    look: Look


@dataclass(frozen=True)
class Unread:
    """A photo that was left out, by the name it is shown by, and why: it could not be read, or is a copy of another."""

    name: str
    reason: str
    copy: bool = False


@dataclass(frozen=True, eq=False)
class Examination:
    """The answer for one piece.

    Attributes:
        attribution: as :func:`saree_cosface.answers.prediction.predict` gives it; photos go by their names.
        seen: the photos.
        embedding: what was compared, ``(D,)``: the weighted mean of the photos' embeddings.
        when: UTC, ISO 8601.
    """

    attribution: Attribution
    seen: tuple[Seen, ...]
    embedding: NDArray[np.float32]
    when: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an answer rests on, for the photo of the piece that carries most of its cosine.

    Attributes:
        photo: its position.
        heat: what carries its cosine to the first tradition; None where the network does not tell.
        reference: the nearest reference of that tradition; None if none was near.
        pixels: of that reference.
        matches: regions of photo and reference that are each other's nearest.
        remark: why something is missing; "" where nothing is.
    """

    photo: int
    heat: HeatMap | None = None
    reference: NearReference | None = None
    pixels: NDArray[np.uint8] | None = None
    matches: tuple[Match, ...] = ()
    remark: str = ""


def see(run: Run, photos: Sequence[tuple[Path, str]]) -> tuple[list[Seen], list[Unread]]:
    """Look at photos: files, each with the name that it is to be shown by. Of copies of one photo the first is seen.

    Raises:
        ValueError: they are more than :data:`MOST`.
    """
    if len(photos) > MOST:
        raise ValueError(f"{len(photos)} photos are too many for one piece: at most {MOST} are compared at once.")
    seen: dict[str, Seen] = {}
    unread: list[Unread] = []
    for path, name in photos:
        try:
            content = photo_hash(path)
            if content in seen:
                unread.append(Unread(name, f"the same picture as {seen[content].name}, which counts once", copy=True))
            else:
                seen[content] = Seen(name, content, look(run.embedder, path))
        except BadImage as error:
            unread.append(Unread(name, error.reason))
    return list(seen.values()), unread


def examine(run: Run, seen: Sequence[Seen], *, top: int = 5) -> Examination:
    """The answer for photos of one piece.

    Args:
        run: embedder, gallery and calibration.
        seen: photos, at least one.
        top: how many traditions and reference pieces.

    Raises:
        ValueError: there is no photo, or the gallery is empty.
    """
    if not seen:
        raise ValueError("no photo could be read, so there is nothing to compare")
    features = np.stack([photo.look.features for photo in seen])
    embedded = embeddings_of(run.embedder, PhotoFeatures(features, np.arange(len(seen)), ()))
    attribution = attribute(
        embedded.embeddings,
        [Path(photo.name) for photo in seen],
        run.gallery,
        load_taxonomy(),
        top=top,
        references=top,
        calibration=run.calibration,
        features=embedded.features,
        sides=embedded.sides,
    )
    weights = np.array([say.weight for say in attribution.says])
    fused = (weights @ embedded.embeddings).astype(np.float32)
    return Examination(attribution, tuple(seen), fused, datetime.now(UTC).isoformat(timespec="seconds"))


def _carried(say: PhotoSay) -> float:
    return say.weight * say.cosine_to_answer


def gather_evidence(run: Run, examination: Examination) -> Evidence:
    """What carries the cosine to the first tradition, and what matches which region of its nearest reference."""
    answer = examination.attribution
    # The piece's cosine is the sum of what they carry; one that names another tradition shows what speaks against this.
    photo = max(range(len(answer.says)), key=lambda index: _carried(answer.says[index]))
    looked = examination.seen[photo].look
    if looked.maps is None:
        return Evidence(photo, remark="This network does not tell which regions an answer rests on.")
    first = answer.traditions[0].craft
    target = run.gallery.prototypes[run.gallery.crafts.index(first)]
    found = Evidence(photo, heat_map_of(run.embedder, looked.pixels, target, looked.maps))
    reference = next((near for near in answer.references if near.craft == first), None)
    if reference is None:
        return replace(found, remark="None of the nearest reference pieces is of the first tradition.")
    try:
        pixels = decode(Path(reference.path), shrink_to=2 * MATCHED_SIDE)
    except BadImage:
        remark = "The photo of the nearest reference piece is no longer where it was, so no regions can be matched."
        return replace(found, reference=reference, remark=remark)
    matches = match_regions_of(run.embedder, looked.pixels, pixels)
    return replace(found, reference=reference, pixels=pixels, matches=tuple(matches))


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
    verdict = None if answer.verdict is None else {"words": in_words(answer.verdict, load_taxonomy())}
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


@lru_cache(maxsize=4)
def embedder_version(embedder: Embedder) -> str:
    """Twelve digits that name the weights."""
    return fingerprint(embedder)


def thresholds(run: Run) -> Mapping[str, Any] | None:
    """What a verdict needs; None where the run is not calibrated."""
    if run.calibration is None:
        return None
    names = ("false_accepts", "cosine", "gap", "familiarity", "temperature")
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
