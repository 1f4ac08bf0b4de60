"""The atlas: every craft of the taxonomy as a card, and what a run knows of it: references, and how well it is named.

Crafts that the run knows come first. What was measured comes from the run's evaluation with sources held out, and where
that has nothing from its calibration, which scores embedders trained like it; where there is neither, nothing is
claimed.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saree_cosface.runs.run import Run
from saree_cosface.scoring.model_card import evaluation_of
from saree_cosface.taxonomy import Craft, craft_name, load_taxonomy

EXAMPLES = 3
"""Pictures on a card."""

SISTERS = 3
"""Crafts that a card names as likely to be confused with it."""


@dataclass(frozen=True)
class Sister:
    """A craft that another one is confused with.

    Attributes:
        craft: id.
        name: for people.
        taken: photos of the card's craft that were answered with this one.
        gave: photos of this one that were answered with the card's craft.
    """

    craft: str
    name: str
    taken: int
    gave: int


@dataclass(frozen=True)
class Measured:
    """How well a craft is named, on sources that whoever named it never saw.

    Attributes:
        photos: scored.
        right: answered with it.
        by: an evaluation of the run, or its calibration, which scores embedders trained like it.
        interval: 95 % bootstrap over sources, of the share that is right; None where the photos are of one source, and
            in an evaluation.
    """

    photos: int
    right: int
    by: Literal["evaluation", "calibration"] = "evaluation"
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Card:
    """One craft.

    Attributes:
        craft: what the taxonomy says; one that was enrolled and is not in it has its id, a name and nothing else.
        known: whether the run has references of it.
        learned: whether the run was trained on it; otherwise those it knows were enrolled.
        photos: references of it.
        pieces: that these show.
        sources: that took them, as far as they are known.
        pictures: thumbnails of some, absolute paths.
        measured: None where it was not.
        sisters: those that it was confused with in the evaluation, the most frequent first.
        kin: ids of crafts of its family, which look alike by technique; those that the run knows first.
    """

    craft: Craft
    known: bool
    learned: bool
    photos: int
    pieces: int
    sources: int
    pictures: tuple[Path, ...]
    measured: Measured | None
    sisters: tuple[Sister, ...]
    kin: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document; pictures are left out, since their paths are of this machine."""
        document = asdict(self)
        del document["pictures"]
        return document


@dataclass(frozen=True)
class Atlas:
    """Cards, those of crafts that the run knows first.

    Attributes:
        cards: within each part in the order of the taxonomy.
        evaluated: whether the run has an evaluation with sources held out.
        calibrated: whether it has a calibration.
        photos: that the evaluation scored, or without one the calibration; 0 where there is neither.
        sources: likewise.
        problem: why an evaluation that is there cannot be used; "" otherwise.
    """

    cards: tuple[Card, ...]
    evaluated: bool
    calibrated: bool
    photos: int
    sources: int
    problem: str = ""

    @property
    def families(self) -> tuple[str, ...]:
        """Every family once, in the order of the cards."""
        return tuple(dict.fromkeys(card.craft.family for card in self.cards if card.craft.family))

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "taxonomy_version": load_taxonomy().version,
            "evaluated": self.evaluated,
            "calibrated": self.calibrated,
            "photos": self.photos,
            "sources": self.sources,
            "crafts": [card.to_json() for card in self.cards],
        }


def make_atlas(run: Run) -> Atlas:
    """The atlas as a run sees it.

    Args:
        run: whose gallery has the references, and whose folder may have an evaluation (``evaluation/source``) and a
            calibration.
    """
    taxonomy = load_taxonomy()
    document, problem = evaluation_of(run)
    if document is not None:
        matrix, classes = np.array(document["confusion"]["matrix"]), list(document["confusion"]["classes"])
        per_craft = document["per_craft"]
    found = {} if run.calibration is None else run.calibration.found
    known = set(run.gallery.crafts)
    crafts = [*taxonomy.crafts, *(_unlisted(craft) for craft in sorted(known) if craft not in taxonomy)]
    crafts.sort(key=lambda craft: craft.id not in known)
    cards = []
    for craft in crafts:
        own = run.gallery.references["craft"].to_numpy(str) == craft.id
        mine = run.gallery.references[own]
        family = [other for other in crafts if other.family == craft.family and craft.family and other.id != craft.id]
        measured: Measured | None = None
        sisters: tuple[Sister, ...] = ()
        if document is not None and craft.id in classes:
            sisters = _sisters(matrix, classes, classes.index(craft.id))
        if document is not None and craft.id in per_craft:
            scored = per_craft[craft.id]
            measured = Measured(int(scored["photos"]), round(scored["photos"] * scored["top1"]))
        elif craft.id in found.get("per_craft", {}):
            measured = _by_calibration(found["per_craft"][craft.id])
        cards.append(
            Card(
                craft,
                craft.id in known,
                craft.id in run.classes,
                len(mine),
                len(set(run.gallery.piece_of[own].tolist())),
                len(set(mine["source"]) - {""}),
                _pictures(run, craft.id),
                measured,
                sisters,
                tuple(other.id for other in family),
            )
        )
    counts = found if document is None else document["counts"]
    photos, sources = (int(counts.get(name, 0)) for name in ("photos", "sources"))
    return Atlas(tuple(cards), document is not None, bool(found), photos, sources, problem)


def search_text(craft: Craft) -> str:
    """What a search for a craft looks through: names, spellings, place, family and marks, folded by :func:`folded`.

    >>> "kancheepuram" in search_text(load_taxonomy()["kanjivaram"])
    True
    """
    names = (craft.id.replace("_", " "), craft.name, *craft.spellings, *craft.native)
    return folded(" | ".join((*names, craft.place, craft.family, craft.gi or "", *craft.look_for)))


def folded(text: str) -> str:
    """Text without case, accents, hyphens and double spaces, so that spellings meet.

    >>> folded("  Dhākāi-Jāmdānī ")
    'dhakai jamdani'
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return " ".join(kept.replace("-", " ").replace("_", " ").split())


@lru_cache(maxsize=64)
def drawn_example(craft: str) -> NDArray[np.uint8] | None:
    """A saree of a craft as the loom draws it, pixels ``(H, W, 3)``; None where the loom does not know the craft.

    It is a drawing from written rules, and whoever shows it must say so.
    """
    from saree_cosface.loom.crafts import GRAMMARS  # OpenCV, which an atlas with thumbnails does not need
    from saree_cosface.loom.light import swatch
    from saree_cosface.loom.shops import open_shop, photograph

    if craft not in GRAMMARS:
        return None
    rng = np.random.default_rng([11, sum(map(ord, craft))])
    shop = replace(open_shop(0, 4), badge=None, shape=(0.75, 1.0))
    photo: NDArray[np.uint8] = photograph(shop, swatch(GRAMMARS[craft](rng, shop.taste), rng), "flat", 360, rng)
    return photo


def _by_calibration(score: Mapping[str, Any]) -> Measured:
    interval = (float(score["low"]), float(score["high"])) if "low" in score else None
    return Measured(int(score["photos"]), round(score["photos"] * score["value"]), "calibration", interval)


def _unlisted(craft: str) -> Craft:
    return Craft(craft, craft_name(craft), (), "", "", None, ())


def _sisters(matrix: NDArray[np.int_], classes: Sequence[str], index: int) -> tuple[Sister, ...]:
    both: Counter[int] = Counter()
    for other in range(len(classes)):
        if other != index:
            both[other] = int(matrix[index, other] + matrix[other, index])
    return tuple(
        Sister(
            classes[other],
            craft_name(classes[other]),
            int(matrix[index, other]),
            int(matrix[other, index]),
        )
        for other, count in both.most_common(SISTERS)
        if count
    )


def _pictures(run: Run, craft: str) -> tuple[Path, ...]:
    """Thumbnails of some references of a craft, of different pieces and, as far as may be, of different sources."""
    if run.gallery.folder is None:
        return ()
    references = run.gallery.references.assign(saree=run.gallery.piece_of)
    mine = references[(references["craft"] == craft) & (references["thumbnail"] != "")].drop_duplicates("saree")
    # One of each source before a second of any; within that, as they stand in the gallery.
    mine = mine.assign(turn=mine.groupby("source").cumcount()).sort_values("turn", kind="stable")
    found = (run.gallery.folder / name for name in mine["thumbnail"])
    return tuple(path for path in found if path.is_file())[:EXAMPLES]
