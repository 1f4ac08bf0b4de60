"""What an answer rests on: what carries its cosine, and what matches which region of the nearest reference."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.attribution import Attribution, NearReference, PhotoSay
from saree_cosface.answers.examination import Examination
from saree_cosface.answers.heat_map import HeatMap, heat_map, heat_map_of
from saree_cosface.answers.matches import MATCHED_SIDE, Match, match_regions, match_regions_of
from saree_cosface.data.images import BadImage, decode
from saree_cosface.files import shortened
from saree_cosface.languages.said import said
from saree_cosface.runs.originals import require_original
from saree_cosface.runs.run import Run


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


def leading_photo(answer: Attribution) -> int:
    """The position of the photo that carries most of the cosine to the first tradition.

    The piece's cosine is the sum of what they carry; one that names another tradition shows what speaks against this.
    """
    return max(range(len(answer.says)), key=lambda index: _carried(answer.says[index]))


def _carried(say: PhotoSay) -> float:
    return say.weight * say.cosine_to_answer


def gather_evidence(run: Run, examination: Examination) -> Evidence:
    """What carries the cosine to the first tradition, and what matches which region of its nearest reference."""
    answer = examination.attribution
    photo = leading_photo(answer)
    looked = examination.seen[photo].look
    if not looked.maps:
        return Evidence(photo, remark=said("evidence.no_regions"))
    first = answer.traditions[0].craft
    target = run.gallery.prototypes[run.gallery.crafts.index(first)]
    found = Evidence(photo, heat_map_of(run.embedder, looked.pixels, target, looked.maps))
    reference = next((near for near in answer.references if near.craft == first), None)
    if reference is None:
        return replace(found, remark=said("evidence.none_of_first"))
    try:
        pixels = _pixels_of(run, reference)
    except BadImage as error:
        remark = said("evidence.unusable", reason=error.reason)
        return replace(found, reference=reference, remark=remark)
    matches = match_regions_of(run.embedder, looked.pixels, pixels)
    return replace(found, reference=reference, pixels=pixels, matches=tuple(matches))


def _pixels_of(run: Run, reference: NearReference) -> NDArray[np.uint8]:
    """What is seen of a reference, if its file is still the one that was learned from."""
    if run.share is not None:
        raise BadImage(Path(reference.path), said("photo.shared"))
    require_original(Path(reference.path), reference.sha256)
    return decode(Path(reference.path), shrink_to=2 * MATCHED_SIDE)


def write_evidence(run: Run, attribution: Attribution, folder: Path) -> list[dict[str, Any]]:
    """Draw the evidence for an answer, two figures a photo, and say where they are.

    Args:
        run: that answered.
        attribution: its answer.
        folder: for ``NAME.heat.png``, what carries the cosine to the first tradition, and ``NAME.matches.png``, which
            regions match which of the nearest reference of that tradition; a long name of a photo is cut short.

    Returns:
        A JSON-able entry a photo. Where the reference has gone or changed there are no matches, and a remark says so.

    Raises:
        BadImage: a photo has become unreadable.
        OSError: the folder cannot be written.
        BackboneError: the backbone's features are no average over a map.
    """
    from saree_cosface.figures.evidence import heat_figure, matches_figure  # matplotlib is slow to import
    from saree_cosface.figures.style import one_line

    first = attribution.traditions[0]
    target = run.gallery.prototypes[run.gallery.crafts.index(first.craft)]
    reference = next((near for near in attribution.references if near.craft == first.craft), None)
    entries: list[dict[str, Any]] = []
    for number, photo in enumerate(map(Path, attribution.photos)):
        stem = shortened(photo.stem)
        name = f"{number}-{stem}" if len(attribution.photos) > 1 else stem
        found = heat_map(run.embedder, photo, target)
        heat = folder / f"{name}.heat.png"
        heat_figure(
            found.pixels,
            found.shares,
            f"{one_line(photo.name)}: what carries the cosine to {first.name}, {found.cosine:.3f}",
            heat,
        )
        entry: dict[str, Any] = {"photo": str(photo), "craft": first.craft, "cosine": found.cosine}
        entry |= {"heat_map": str(heat), "matches": None, "reference": None, "regions": [], "remark": ""}
        entries.append(entry)
        if reference is None:
            entry["remark"] = "none of the references shown is of the first tradition"
            continue
        entry["reference"] = reference.path
        try:
            pixels = _pixels_of(run, reference)
            matches = match_regions(run.embedder, photo, Path(reference.path))
        except BadImage as error:
            entry["remark"] = f"the reference cannot be used: {error}"
            continue
        target_file = folder / f"{name}.matches.png"
        seen = (found.pixels, pixels)
        titles = (one_line(photo.name), f"{reference.craft}, {reference.source or 'source unknown'}")
        matches_figure(seen, titles, [(match.first, match.second, match.cosine) for match in matches], target_file)
        entry["matches"] = str(target_file)
        entry["regions"] = [asdict(match) for match in matches]
    return entries
