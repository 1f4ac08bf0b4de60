"""One picture of why an answer is what it is: the photo beside the nearest reference, with the regions that match."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.answers.attribution import NearReference
from saree_cosface.answers.evidence import Evidence, leading_photo
from saree_cosface.answers.examination import Examination
from saree_cosface.answers.heat_map import HeatMap
from saree_cosface.data.images import BadImage, decode
from saree_cosface.figures.palette import PALETTE
from saree_cosface.html.page import escape, pixels_uri
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.runs.run import Run

_WARM, _COLD = np.array([190.0, 62, 30]), np.array([36.0, 84, 160])
_SIDE = 520
_TALLEST = 22  # of a picture, in rem


@dataclass(frozen=True, eq=False)
class _Picture:
    """Pixels ``(H, W, 3)`` or None, what they show, what is said below, and frames as shares of height and width."""

    pixels: NDArray[np.uint8] | None
    alt: str
    title: str
    told: str
    boxes: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def shape(self) -> float:
        """Width by height."""
        return 4 / 3 if self.pixels is None else self.pixels.shape[1] / self.pixels.shape[0]


def why_html(run: Run, examination: Examination, evidence: Evidence | None, say: Language) -> str:
    """The photo that carries most of the answer beside the nearest reference of the first tradition, and between two
    traditions beside that of the second, too.

    Args:
        run: that answered.
        examination: the answer.
        evidence: once it is there, the regions that match are framed; where none does, what carries the cosine shows
            in the photo. The pictures keep their shapes, so that nothing moves when it comes.
        say: language.
    """
    found = examination.attribution
    photo, first = examination.seen[leading_photo(found)], found.traditions[0].craft
    matches = () if evidence is None else evidence.matches
    seen, alt = photo.look.pixels, photo.name
    if evidence is not None and evidence.heat is not None and not matches:
        seen, alt = heat_pixels(evidence.heat), say("why.warm", photo=photo.name)
    name = photo.name if len(examination.seen) > 1 else ""
    pictures = [_Picture(seen, alt, say("why.your_photo"), name, tuple(match.first for match in matches))]
    shown = [*_nearest(found.references, first), *found.references][:1]
    if found.verdict is not None and found.verdict.kind == "between":
        for craft in found.verdict.crafts:
            shown += _nearest(found.references, craft) if craft != first else []
    for reference in shown:
        of, pixels = say.craft(reference.craft), _thumbnail(run, reference)
        cosine = say("answer.cosine", cosine=Amount(reference.cosine, 3))
        told = f"{reference.source}, {cosine}" if reference.source else cosine
        picture = _Picture(pixels, say("why.a_reference", craft=of), say("why.nearest", craft=of), told)
        if evidence is not None and evidence.reference == reference and evidence.pixels is not None:
            boxes = tuple(match.second for match in matches)
            picture = replace(picture, pixels=evidence.pixels, boxes=boxes)
        pictures.append(picture)
    below = f'<p class="fine">{say("why.legend")}</p>' if matches else ""
    widest = _TALLEST * sum(picture.shape for picture in pictures)
    figures = "".join(_figure(picture, say) for picture in pictures)
    return f'<div class="why"><div class="row" style="max-width:{widest:.1f}rem">{figures}</div>{below}</div>'


def heat_pixels(heat: HeatMap) -> NDArray[np.uint8]:
    """A photo in grey, its parts warm or cold by what they add to the cosine: ``(H, W, 3)``."""
    height, width = heat.pixels.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    grey = cv2.resize(heat.pixels, size, interpolation=cv2.INTER_AREA).mean(axis=2)
    shares = cv2.resize(heat.shares.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    strength = shares / max(float(np.abs(heat.shares).max()), 1e-12)
    opacity = 0.75 * np.abs(strength).clip(0, 1)[..., None]
    colour = np.where(strength[..., None] > 0, _WARM, _COLD)
    light = (70 + grey * 0.7)[..., None]
    blended: NDArray[np.uint8] = (light * (1 - opacity) + colour * opacity).clip(0, 255).astype(np.uint8)
    return blended


def _nearest(references: Sequence[NearReference], craft: str) -> list[NearReference]:
    """The nearest reference of a tradition, or nothing where none of it is near."""
    return [reference for reference in references if reference.craft == craft][:1]


def _thumbnail(run: Run, reference: NearReference) -> NDArray[np.uint8] | None:
    if run.gallery.folder is None or not reference.thumbnail:
        return None
    try:
        return decode(run.gallery.folder / reference.thumbnail)
    except BadImage:
        return None


def _figure(picture: _Picture, say: Language) -> str:
    """It takes a share of the row that goes with its shape, so that all are of one height."""
    shown = f'<div class="absent">{say("answer.no_picture")}</div>'
    if picture.pixels is not None:
        frames = ""
        for number, (top, left, bottom, right) in enumerate(picture.boxes):
            place = f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}"
            colour = PALETTE[number % len(PALETTE)]
            frames += f'<span style="{place};border-color:{colour}"><b>{number + 1}</b></span>'
        marked = len(picture.boxes)
        alt = say("why.regions_marked", n=marked, picture=picture.alt) if marked else picture.alt
        shown = f'<div class="boxed"><img src="{pixels_uri(picture.pixels, _SIDE)}" alt="{escape(alt)}">{frames}</div>'
    told = f"<span>{escape(picture.told)}</span>" if picture.told else ""
    return (
        f'<figure style="flex-grow:{picture.shape:.3f}">{shown}<figcaption><b>{escape(picture.title)}</b>{told}'
        "</figcaption></figure>"
    )
