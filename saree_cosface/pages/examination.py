"""An examination as HTML: the parts that stand a step behind the answer, and one page to keep and to cite, which opens
offline. The answer itself is in :mod:`saree_cosface.pages.verdict_card`."""

from collections.abc import Mapping, Sequence
from typing import Any

from saree_cosface import __version__
from saree_cosface.answers.attribution import Attribution
from saree_cosface.answers.document import model_card, thresholds
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination, Unread
from saree_cosface.html.answer import bars, photo_figures, reference_cards
from saree_cosface.html.page import Html, escape, page, pixels_uri, table
from saree_cosface.html.parts import Part, spread
from saree_cosface.pages.verdict_card import title_of, verdict_html
from saree_cosface.pages.why import heat_pixels
from saree_cosface.runs.run import Run
from saree_cosface.scoring.zones import HEAD, zone_rows
from saree_cosface.taxonomy import craft_name, load_taxonomy

_SHOWN = 6  # photos of a piece
_HEAT = 520  # pixels of the longer side


def numbers(run: Run, examination: Examination) -> list[Part]:
    """What was measured, and is there with the answer: cosines, nearest references, photos, what the chances mean."""
    found = examination.attribution
    title = "Cosine to each tradition"
    if any(tradition.probability is not None for tradition in found.traditions):
        title += ", and how probable it is if it is one of those known"
    first = ", ".join(f"{each.name} {each.cosine:.2f}" for each in found.traditions[:3])
    pieces = len(found.references)
    parts = [
        Part("All cosines and chances", first, f"<h4>{title}</h4>{bars(found.traditions, run.calibration)}"),
        Part(
            "Nearest reference pieces",
            f"{pieces} piece{'s' * (pieces != 1)}",
            reference_cards(found.references, run.gallery.folder),
        ),
    ]
    if len(examination.seen) > 1:
        pictures = [
            pixels_uri(photo.look.pixels, 480) if index < _SHOWN else "" for index, photo in enumerate(examination.seen)
        ]
        shown = f'<div class="seen">{photo_figures(found, pictures)}</div>'
        parts.append(Part("What each photo says by itself", f"{len(examination.seen)} photos", shown))
    meaning = _chances(run, found)
    if meaning:
        parts.append(Part("What do the chances mean?", "thresholds, and how often they err", meaning))
    return parts


def grounds(examination: Examination, evidence: Evidence | None, drawn_map: str = "", remark: str = "") -> list[Part]:
    """What the answer rests on, which takes a moment longer: regions, the place on the map, marks of a specialist.

    Args:
        examination: the answer.
        evidence: what it rests on; None where nobody asked for it.
        drawn_map: of :func:`saree_cosface.maps.references.small_map`; "" where there is none, and then
        remark: why, as plain text, or "" for no such part.
    """
    crafts = [tradition.craft for tradition in examination.attribution.traditions[:2]]
    parts = []
    if evidence is not None:
        regions = evidence_html(evidence, examination)
        parts.append(Part("What the answer rests on", "which regions speak for it, and which against", regions))
    if drawn_map or remark:
        missing = f'<p class="fine">{escape(remark)}</p>'
        parts.append(Part("Among the references", "its place on their map", drawn_map or missing))
    names = " and ".join(craft_name(craft) for craft in crafts)
    return [*parts, Part("What a specialist would look at", f"marks of {names}", marks_html(crafts))]


def evidence_html(evidence: Evidence, examination: Examination) -> str:
    """The heat map of the photo that carries most of the cosine, and how near its regions are to their matches."""
    name, several = escape(examination.attribution.traditions[0].name), len(examination.seen) > 1
    alone = f" of {escape(examination.seen[evidence.photo].name)} alone" if several else ""
    shown = ""
    if evidence.heat is not None:
        uri = pixels_uri(heat_pixels(evidence.heat), _HEAT)
        shown += (
            f'<figure class="heat"><img src="{uri}" alt="Where the photo resembles {name}">'
            f"<figcaption>What carries the cosine{alone} to {name} ({evidence.heat.cosine:.3f}): warm parts add to it, "
            "cold parts take from it.</figcaption></figure>"
        )
    if evidence.pixels is not None and evidence.reference is not None:
        source = f" of {escape(evidence.reference.source)}" if evidence.reference.source else ""
        said = ", ".join(f"{index}: {match.cosine:.2f}" for index, match in enumerate(evidence.matches, 1))
        said = (
            f"Numbered in the pictures above: regions of the photo and of the nearest {name} piece{source} that are "
            f"each other’s nearest, with their cosines ({said})."
            if said
            else f"No region has a match in the nearest {name} piece{source}."
        )
        shown += f"<p>{said}</p>"
    remark = f'<p class="fine">{escape(evidence.remark)}</p>' if evidence.remark else ""
    return f'<div class="pieces">{shown}</div>{remark}'


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
    model, needed = model_card(run), thresholds(run)
    body = [
        verdict_html(run, examination, evidence, level=1),
        f'<p class="fine">{escape(examination.when)}</p>',
        spread([*numbers(run, examination), *grounds(examination, evidence, drawn_map)]),
    ]
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
    title = title_of(examination.attribution)
    return page(f"{title}: examination of a saree", "\n".join(body), footer, kind="examination")


def _chances(run: Run, found: Attribution) -> str:
    if run.calibration is None or found.verdict is None:
        return ""
    likely = ", ".join(escape(craft_name(craft)) for craft in found.verdict.likely) or "none"
    allowed, kept = f"{run.calibration.false_accepts:.0%}", f"{1 - run.calibration.false_accepts:.0%}"
    zones = table(HEAD, zone_rows(run.calibration.found["zones"]), numbers=" nn")
    return (
        '<div class="chances"><p>Each says how probable the tradition is <em>if</em> the piece is of one of those '
        "known here. They were found from photos of sources that the model had not seen; of answers that give such a "
        "chance, about that share was right. For photos of another kind than those they may be wrong, and they say "
        "nothing about a piece of a tradition that is not known here.</p>"
        f"<p>A name is given from a cosine of {run.calibration.cosine:.2f} on, the dashed line, and only with a clear "
        f"lead: then at most {allowed} of pieces of other traditions get a name, and at most {allowed} of names "
        "are wrong, as far as those photos can tell. Below it the answer is what cannot be ruled out; and below "
        f"{run.calibration.known:.2f}, the dotted line, or where the photo is unlike any learned from, that it is "
        "outside.</p>"
        f"<p>Not ruled out, with {kept} of such sets holding the true one: {likely}.</p>"
        f"<p>What became of photos whose source had no part in model and thresholds:</p>{zones}</div>"
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
