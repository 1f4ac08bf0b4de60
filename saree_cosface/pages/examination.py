"""An examination as HTML: the pieces that the app shows, and one page to keep and to cite, which opens offline."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface import __version__
from saree_cosface.answers.attribution import Attribution
from saree_cosface.answers.document import model_card, thresholds
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination, Unread
from saree_cosface.answers.heat_map import HeatMap
from saree_cosface.answers.matches import Match
from saree_cosface.answers.verdict import in_words
from saree_cosface.figures.style import PALETTE
from saree_cosface.html.answer import answer
from saree_cosface.html.page import Html, escape, page, pixels_uri, table
from saree_cosface.runs.run import Run
from saree_cosface.scoring.zones import HEAD, zone_rows
from saree_cosface.taxonomy import craft_name, load_taxonomy

_WARM, _COLD = np.array([190.0, 62, 30]), np.array([36.0, 84, 160])
_SIDE = 520
_SHOWN = 6  # photos of a piece


def verdict_html(run: Run, examination: Examination) -> str:
    """Photos, the verdict in words, cosines on their axis, chances explained on demand, the nearest references."""
    found = examination.attribution
    first = found.traditions[0]
    facts = ", ".join(escape(fact) for fact in (first.family, first.place) if fact)
    remarks = [f"Seen in {len(found.photos)} photos."] if len(found.photos) > 1 else []
    remarks += [
        f"{escape(say.photo)} disagrees: by itself it is nearest to {escape(say.name)}." for say in found.disagreeing
    ]
    heading, advice = f"Nearest to {first.name}", ""
    if found.verdict is not None and run.calibration is not None:
        heading, advice = in_words(found.verdict), found.verdict.advice
        facts = facts if found.verdict.kind == "tradition" else ""
        remarks.append(f"{escape(found.verdict.reason.capitalize())}.")
        if found.verdict.kind == "outside":
            share = run.calibration.found["zones"]["outside"]["known"]
            remarks.append(
                f"It is nearest to {escape(first.name)}. Of photos of known traditions {share:.1%} were called so, too."
            )
    elif len(found.traditions) > 1:
        remarks.append(
            f"Ahead of {escape(found.traditions[1].name)} by {found.gap:.3f}: the less, the less the first name means. "
            "Verdicts and chances need <code>saree-cosface calibrate</code>."
        )
    opening = f'<h3 class="verdict">{escape(heading)}</h3><p>{facts or escape(advice)}</p>'
    opening += f'<p class="fine">{" ".join(remarks)}</p>'
    pictures = [
        pixels_uri(photo.look.pixels, 480) if index < _SHOWN else "" for index, photo in enumerate(examination.seen)
    ]
    shown = answer(found, pictures, opening, run.gallery.folder, calibration=run.calibration)
    return shown + _chances(run, found)


def evidence_html(evidence: Evidence, examination: Examination) -> str:
    """The heat map of the photo that carries most of the cosine, and its matches with the nearest reference."""
    name, several = escape(examination.attribution.traditions[0].name), len(examination.seen) > 1
    alone = f" of {escape(examination.seen[evidence.photo].name)} alone" if several else ""
    parts = []
    if evidence.heat is not None:
        parts.append(
            f'<figure class="heat"><img src="{heat_uri(evidence.heat)}" alt="Where the photo resembles {name}">'
            f"<figcaption>What carries the cosine{alone} to {name} ({evidence.heat.cosine:.3f}): warm parts add to it, "
            "cold parts take from it.</figcaption></figure>"
        )
    if evidence.pixels is not None and evidence.reference is not None:
        photo = examination.seen[evidence.photo]
        pair = _boxed(photo.look.pixels, [match.first for match in evidence.matches], evidence.matches, photo.name)
        pair += _boxed(
            evidence.pixels, [match.second for match in evidence.matches], evidence.matches, "nearest reference"
        )
        source = f" of {escape(evidence.reference.source)}" if evidence.reference.source else ""
        said = ", ".join(f"{index}: {match.cosine:.2f}" for index, match in enumerate(evidence.matches, 1))
        said = (
            f"Regions that are each other’s nearest, with their cosines ({said})" if said else "No region has a match"
        )
        parts.append(
            f'<figure class="matches"><div class="pair">{pair}</div><figcaption>{said}: left the photo, right the '
            f"nearest {name} piece{source}.</figcaption></figure>"
        )
    remark = f'<p class="fine">{escape(evidence.remark)}</p>' if evidence.remark else ""
    return f'<div class="pieces">{"".join(parts)}</div>{remark}'


def marks_html(crafts: Sequence[str]) -> str:
    """What a specialist looks at, for each of some crafts, side by side."""
    taxonomy = load_taxonomy()
    cards = []
    for craft in crafts:
        if craft in taxonomy:
            known = taxonomy[craft]
            marks = "".join(f"<li>{escape(mark)}</li>" for mark in known.look_for)
            facts, body = f"{escape(known.family)}, {escape(known.place)}", f"<ul>{marks}</ul>"
        else:
            facts, body = "", "<p>The taxonomy does not know this tradition, so there are no marks to look for.</p>"
        cards.append(f'<div class="marks"><h4>{escape(craft_name(craft))}</h4><small>{facts}</small>{body}</div>')
    return f'<div class="pieces">{"".join(cards)}</div>'


def report_page(
    run: Run, examination: Examination, evidence: Evidence | None, drawn_map: str = "", unread: Sequence[Unread] = ()
) -> str:
    """The whole examination as one page that opens offline, with what is needed to cite it.

    Args:
        run: that answered.
        examination: the answer.
        evidence: what it rests on.
        drawn_map: of :func:`saree_cosface.maps.references.small_map`.
        unread: photos that were left out.
    """
    found = examination.attribution
    model, needed = model_card(run), thresholds(run)
    title = in_words(found.verdict) if found.verdict else f"Nearest to {found.traditions[0].name}"
    body = [f'<h1>{escape(title)}</h1><p class="fine">{escape(examination.when)}</p>', verdict_html(run, examination)]
    if evidence is not None:
        body.append("<h2>What the answer rests on</h2>" + evidence_html(evidence, examination))
    if drawn_map:
        body.append("<h2>Among the references</h2>" + drawn_map)
    body.append("<h2>What a specialist would look at</h2>" + marks_html([each.craft for each in found.traditions[:2]]))
    rows = [
        ("Date", examination.when),
        ("Software", f"saree-cosface {__version__}"),
        ("Embedder", f"{model['embedder']} ({model['backbone']}), run {model['run']}"),
        ("References", f"{model['references']} photos of {len(model['traditions'])} traditions"),
        ("Manifest trained on, SHA-256", model["manifest_sha256"]),
        ("Taxonomy", model["taxonomy"]),
        ("Thresholds", "not calibrated" if needed is None else _said(needed)),
        *(
            (f"Photo {name}, SHA-256", sha256)
            for name, sha256 in ((each.name, each.sha256) for each in examination.seen)
        ),
        *((f"Left out: {each.name}", each.reason) for each in unread),
    ]
    kept = [(name, Html(f"<code>{escape(value)}</code>")) for name, value in rows]
    body.append(
        "<h2>How to cite this</h2>" + _citation(examination, str(model["embedder"])) + table(("what", "value"), kept)
    )
    footer = (
        "A resemblance of photographs. It proves neither where a piece was made nor by whom, shows neither fibre nor "
        "hand nor loom, and is no ground for pricing, buying, selling or certifying."
    )
    return page(f"{title}: examination of a saree", "\n".join(body), footer, kind="examination")


def heat_uri(heat: HeatMap) -> str:
    """Data URI of a photo in grey, its parts warm or cold by what they add to the cosine."""
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
    return pixels_uri(blended, _SIDE)


def _boxed(
    pixels: NDArray[np.uint8],
    boxes: Sequence[tuple[float, float, float, float]],
    matches: Sequence[Match],
    name: str,
) -> str:
    drawn = ""
    for number, (top, left, bottom, right) in enumerate(boxes):
        colour = PALETTE[number % len(PALETTE)]
        place = f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}"
        drawn += f'<span style="{place};border-color:{colour}"><b>{number + 1}</b></span>'
    alt = f"{name}, with {len(matches)} regions marked"
    return f'<div class="boxed"><img src="{pixels_uri(pixels, _SIDE)}" alt="{escape(alt)}">{drawn}</div>'


def _chances(run: Run, found: Attribution) -> str:
    if run.calibration is None or found.verdict is None:
        return ""
    likely = ", ".join(escape(craft_name(craft)) for craft in found.verdict.likely) or "none"
    allowed, kept = f"{run.calibration.false_accepts:.0%}", f"{1 - run.calibration.false_accepts:.0%}"
    zones = table(HEAD, zone_rows(run.calibration.found["zones"]), numbers=" nn")
    return (
        '<details class="chances"><summary>What do the chances mean?</summary>'
        "<p>Each says how probable the tradition is <em>if</em> the piece is of one of those known here. They were "
        "found from photos of sources that the model had not seen; of answers that give such a chance, about that "
        "share was right. For photos of another kind than those they may be wrong, and they say nothing about a piece "
        "of a tradition that is not known here.</p>"
        f"<p>A name is given from a cosine of {run.calibration.cosine:.2f} on, the dashed line, and only with a clear "
        f"lead: then at most {allowed} of pieces of other traditions get a name, and at most {allowed} of names "
        "are wrong, as far as those photos can tell. Below it the answer is what cannot be ruled out; and below "
        f"{run.calibration.known:.2f}, the dotted line, or where the photo is unlike any learned from, that it is "
        "outside.</p>"
        f"<p>Not ruled out, with {kept} of such sets holding the true one: {likely}.</p>"
        f"<p>What became of photos whose source had no part in model and thresholds:</p>{zones}</details>"
    )


def _said(needed: Mapping[str, Any]) -> str:
    lead = "no lead is enough" if needed["gap"] is None else f"lead {needed['gap']:.4f}"
    return (
        f"cosine {needed['cosine']:.4f}, {lead}, outside below {needed['known']:.4f}, "
        f"familiarity {needed['familiarity']:.4f}, temperature {needed['temperature']:.4f}; "
        f"false accepts and false names {needed['false_accepts']:.0%}"
    )


def _citation(examination: Examination, embedder: str) -> str:
    photos = ", ".join(photo.sha256[:12] for photo in examination.seen[:4])
    more = " and others" if len(examination.seen) > 4 else ""
    text = (
        f"saree-cosface {__version__}, embedder {embedder}, answer of {examination.when[:10]} on photos {photos}{more}."
    )
    return f"<p>{escape(text)} The table and the JSON beside this page hold the whole checksums.</p>"


def file_stem(examination: Examination) -> str:
    """Name for the files of a report: by date and first photo, and by nothing that somebody else could choose."""
    return f"saree-{examination.when[:10]}-{examination.seen[0].sha256[:8]}"
