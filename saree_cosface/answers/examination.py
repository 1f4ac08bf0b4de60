"""A piece examined: the answer that ``predict`` gives, by the names that its photos are shown by.

Each photo is decoded once and seen by the network once, for the answer and for the evidence alike, so that somebody who
waits at a screen waits half as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.attribution import Attribution, attribute
from saree_cosface.answers.look import Look, look
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.features.embedding import embeddings_of
from saree_cosface.features.extraction import PhotoFeatures
from saree_cosface.languages.said import said
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import load_taxonomy

MOST = 24
"""Photos of one piece that are examined at most."""


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


def see(run: Run, photos: Sequence[tuple[Path, str]]) -> tuple[list[Seen], list[Unread]]:
    """Look at photos: files, each with the name that it is to be shown by. Of copies of one photo the first is seen.

    Raises:
        ValueError: they are more than :data:`MOST`.
    """
    if len(photos) > MOST:
        raise ValueError(said("photo.too_many", photos=len(photos), most=MOST))
    seen: dict[str, Seen] = {}
    unread: list[Unread] = []
    for path, name in photos:
        try:
            content = photo_hash(path)
            if content in seen:
                unread.append(Unread(name, said("photo.same", name=seen[content].name), copy=True))
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
        raise ValueError(said("photo.none_read"))
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
