"""An examination as HTML: the parts that stand a step behind the answer, and one page to keep and to cite, which opens
offline. The answer itself is in :mod:`saree_cosface.pages.verdict_card`."""

from collections.abc import Mapping, Sequence
from typing import Any

from saree_cosface import __version__
from saree_cosface.answers.attribution import Attribution
from saree_cosface.answers.document import model_card, thresholds
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination, Unread
from saree_cosface.html.answer import bars, bars_title, photo_figures, reference_cards
from saree_cosface.html.page import Html, escape, page, pixels_uri, table
from saree_cosface.html.parts import Part, spread
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.pages.verdict_card import facts_of, title_of, verdict_html
from saree_cosface.pages.why import heat_pixels
from saree_cosface.pages.zones import zones_html
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import load_taxonomy

_SHOWN = 6  # photos of a piece
_HEAT = 520  # pixels of the longer side


def numbers(run: Run, examination: Examination, say: Language) -> list[Part]:
    """What was measured, and is there with the answer: cosines, nearest references, photos, what the chances mean."""
    found = examination.attribution
    first = ", ".join(f"{say.craft(each.craft)} {say.number(each.cosine, 2)}" for each in found.traditions[:3])
    measured = f"<h4>{bars_title(found.traditions, say)}</h4>{bars(found.traditions, say, run.calibration)}"
    cards = reference_cards(found.references, run.gallery.folder, say)
    parts = [
        Part(say("part.cosines"), first, measured),
        Part(say("answer.references"), say("part.pieces", n=len(found.references)), cards),
    ]
    if len(examination.seen) > 1:
        pictures = [
            pixels_uri(photo.look.pixels, 480) if index < _SHOWN else "" for index, photo in enumerate(examination.seen)
        ]
        shown = f'<div class="seen">{photo_figures(found, pictures, say)}</div>'
        parts.append(Part(say("part.photos"), say("count.photos", n=len(examination.seen)), shown))
    meaning = _chances(run, found, say)
    if meaning:
        parts.append(Part(say("part.chances"), say("part.chances_hint"), meaning))
    return parts


def grounds(
    examination: Examination, evidence: Evidence | None, say: Language, drawn_map: str = "", remark: str = ""
) -> list[Part]:
    """What the answer rests on, which takes a moment longer: regions, the place on the map, marks of a specialist.

    Args:
        examination: the answer.
        evidence: what it rests on; None where nobody asked for it.
        say: language.
        drawn_map: of :func:`saree_cosface.maps.references.small_map`; "" where there is none, and then
        remark: why, as plain text, or "" for no such part.
    """
    crafts = [tradition.craft for tradition in examination.attribution.traditions[:2]]
    parts = []
    if evidence is not None:
        regions = evidence_html(evidence, examination, say)
        parts.append(Part(say("part.evidence"), say("part.evidence_hint"), regions))
    if drawn_map or remark:
        missing = f'<p class="fine">{escape(say.again(remark))}</p>'
        parts.append(Part(say("part.map"), say("part.map_hint"), drawn_map or missing))
    names = say.listed(say.craft(craft) for craft in crafts)
    return [*parts, Part(say("part.marks"), say("part.marks_hint", crafts=names), marks_html(crafts, say))]


def evidence_html(evidence: Evidence, examination: Examination, say: Language) -> str:
    """The heat map of the photo that carries most of the cosine, and how near its regions are to their matches."""
    name = escape(say.craft(examination.attribution.traditions[0].craft))
    shown = ""
    if evidence.heat is not None:
        uri = pixels_uri(heat_pixels(evidence.heat), _HEAT)
        values: dict[str, Any] = {"craft": name, "cosine": Amount(evidence.heat.cosine, 3)}
        told = say("evidence.heat", **values)
        if len(examination.seen) > 1:
            told = say("evidence.heat_of_one", photo=escape(examination.seen[evidence.photo].name), **values)
        shown += (
            f'<figure class="heat"><img src="{uri}" alt="{say("evidence.where", craft=name)}">'
            f"<figcaption>{told}</figcaption></figure>"
        )
    if evidence.pixels is not None and evidence.reference is not None:
        piece = say("evidence.piece", craft=name)
        if evidence.reference.source:
            piece = say("evidence.piece_of", craft=name, source=escape(evidence.reference.source))
        cosines = ", ".join(
            f"{say.number(index)}: {say.number(match.cosine, 2)}" for index, match in enumerate(evidence.matches, 1)
        )
        told = (
            say("evidence.matches", piece=piece, cosines=cosines) if cosines else say("evidence.no_match", piece=piece)
        )
        shown += f"<p>{told}</p>"
    remark = f'<p class="fine">{escape(say.again(evidence.remark))}</p>' if evidence.remark else ""
    return f'<div class="pieces">{shown}</div>{remark}'


def marks_html(crafts: Sequence[str], say: Language) -> str:
    """What a specialist looks at, for each of some crafts, side by side; the marks are in the taxonomy's words."""
    taxonomy = load_taxonomy()
    cards = []
    for craft in crafts:
        if craft in taxonomy:
            known = taxonomy[craft]
            marks = "".join(f"<li>{escape(mark)}</li>" for mark in known.look_for)
            facts, body = facts_of(known.family, known.place, say), f'<ul lang="en">{marks}</ul>'
        else:
            facts, body = "", f"<p>{say('part.no_marks')}</p>"
        cards.append(f'<div class="marks"><h4>{escape(say.craft(craft))}</h4><small>{facts}</small>{body}</div>')
    return f'<div class="pieces">{"".join(cards)}</div>'


def report_page(
    run: Run,
    examination: Examination,
    evidence: Evidence | None,
    say: Language,
    drawn_map: str = "",
    unread: Sequence[Unread] = (),
) -> str:
    """The whole examination as one page that opens offline, with what is needed to cite it.

    Args:
        run: that answered.
        examination: the answer.
        evidence: what it rests on.
        say: language.
        drawn_map: of :func:`saree_cosface.maps.references.small_map`.
        unread: photos that were left out.
    """
    model, needed = model_card(run), thresholds(run)
    when = say("time.utc", moment=say.moment(examination.when))
    body = [
        verdict_html(run, examination, evidence, say, level=1),
        f'<p class="fine">{when}</p>',
        spread([*numbers(run, examination, say), *grounds(examination, evidence, say, drawn_map)]),
    ]
    embedder = {name: str(model[name]) for name in ("embedder", "backbone", "run")}
    references = say("report.references_of", n=model["references"], traditions=len(model["traditions"]))
    rows = [
        (say("report.date"), examination.when),
        (say("report.software"), f"saree-cosface {__version__}"),
        (say("report.embedder"), say("report.embedder_of", **embedder)),
        (say("report.references"), references),
        (say("report.manifest"), model["manifest_sha256"]),
        (say("report.taxonomy"), model["taxonomy"]),
        (say("report.thresholds"), say("report.not_calibrated") if needed is None else _said(needed, say)),
        *((say("report.photo", photo=each.name), each.sha256) for each in examination.seen),
        *((say("report.left_out", photo=each.name), say.again(each.reason)) for each in unread),
    ]
    kept = [(name, Html(f"<code>{escape(value)}</code>")) for name, value in rows]
    citation = _citation(examination, str(model["embedder"]), say)
    listed = table((say("report.what"), say("table.value")), kept)
    body.append(f"<h2>{say('report.cite')}</h2>{citation}{listed}")
    title = say("report.title", verdict=title_of(examination.attribution, say))
    return page(title, "\n".join(body), say("report.footer"), kind="examination", language=say.tag)


def _chances(run: Run, found: Attribution, say: Language) -> str:
    calibration = run.calibration
    if calibration is None or found.verdict is None:
        return ""
    likely = ", ".join(escape(say.craft(craft)) for craft in found.verdict.likely) or say("chances.none")
    share, kept = (Amount(each, share=True) for each in (calibration.false_accepts, 1 - calibration.false_accepts))
    named, known = Amount(calibration.cosine, 2), Amount(calibration.known, 2)
    return (
        f'<div class="chances"><p>{say("chances.meaning")}</p>'
        f"<p>{say('chances.thresholds', named=named, share=share, known=known)}</p>"
        f"<p>{say('chances.not_ruled_out', kept=kept, crafts=likely)}</p>"
        f"<p>{say('chances.zones')}</p>{zones_html(calibration.found['zones'], say)}</div>"
    )


def _said(needed: Mapping[str, Any], say: Language) -> str:
    values = {name: Amount(needed[name], 4) for name in ("cosine", "known", "familiarity", "temperature")}
    lead = say("report.no_lead") if needed["gap"] is None else say("report.lead", gap=Amount(needed["gap"], 4))
    return say("report.thresholds_are", **values, lead=lead, share=Amount(needed["false_accepts"], share=True))


def _citation(examination: Examination, embedder: str, say: Language) -> str:
    photos = ", ".join(photo.sha256[:12] for photo in examination.seen[:4])
    if len(examination.seen) > 4:
        photos = say("report.and_others", photos=photos)
    values = {"version": __version__, "embedder": escape(embedder), "day": examination.when[:10], "photos": photos}
    return f"<p>{say('report.citation', **values)} {say('report.whole_checksums')}</p>"


def file_stem(examination: Examination) -> str:
    """Name for the files of a report: by date and first photo, and by nothing that somebody else could choose."""
    return f"saree-{examination.when[:10]}-{examination.seen[0].sha256[:8]}"
