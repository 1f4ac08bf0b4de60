"""The card of an answer, to be understood in five seconds: a name or none, how sure that is, and one picture why."""

from typing import Literal

from saree_cosface.answers.attribution import Attribution, RankedTradition
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination
from saree_cosface.answers.verdict import Verdict, in_words
from saree_cosface.html.page import escape
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.pages.why import why_html
from saree_cosface.runs.calibration import Calibration
from saree_cosface.runs.run import Run


def verdict_html(
    run: Run, examination: Examination, evidence: Evidence | None, say: Language, *, level: Literal[1, 3] = 3
) -> str:
    """The verdict in one line, how sure it is in words and on a gauge, what to do about it, and a picture of why.

    Args:
        run: that answered.
        examination: the answer.
        evidence: for the picture; None until it is there.
        say: language.
        level: of the heading: 1 where it is that of a page.
    """
    found = examination.attribution
    kind = "plain" if found.verdict is None else found.verdict.kind
    heading = f'<h{level} class="verdict">{_heading(found, say)}</h{level}>'
    return (
        f'<div class="verdict-card {kind}"><div class="told">{heading}'
        f"{_facts(found, say)}{_sureness(run, found, say)}{_remarks(found, say)}{_advice(found, say)}</div>"
        f"{why_html(run, examination, evidence, say)}</div>"
    )


def title_of(found: Attribution, say: Language) -> str:
    """The verdict in one line, as plain text."""
    if found.verdict is not None:
        return say.again(in_words(found.verdict))
    return say("card.nearest", craft=say.craft(found.traditions[0].craft))


def _heading(found: Attribution, say: Language) -> str:
    """What it is not sure of stands smaller, since it is no answer yet."""
    title = title_of(found, say)
    head, comma, rest = title.partition(", ")
    if found.verdict is None or found.verdict.kind != "unsure" or not comma:
        return escape(title)
    return f"{escape(head)}<small><span>, </span>{escape(rest)}</small>"


def _facts(found: Attribution, say: Language) -> str:
    """Technique and place, of the only tradition that is named."""
    if found.verdict is not None and found.verdict.kind != "tradition":
        return ""
    facts = facts_of(found.traditions[0].family, found.traditions[0].place, say)
    return f'<p class="facts">{facts}</p>' if facts else ""


def facts_of(family: str, place: str, say: Language) -> str:
    """Technique and place of a tradition, as HTML; a place is as the taxonomy writes it."""
    facts = [escape(say.family(family))] if family else []
    facts += [f'<span lang="en">{escape(place)}</span>'] if place else []
    return ", ".join(facts)


def _sureness(run: Run, found: Attribution, say: Language) -> str:
    """In words, on a gauge, and what exactly was measured."""
    first, calibration, verdict = found.traditions[0], run.calibration, found.verdict
    if verdict is None or calibration is None:
        said = ""
        if len(found.traditions) > 1:
            second = escape(say.craft(found.traditions[1].craft))
            command = "<code>saree-cosface calibrate</code>"
            said = say("card.ahead", second=second, gap=Amount(found.gap, 3), command=command)
        return f'<p class="sure"><b>{say("card.not_known")}</b></p><p class="fine">{said}</p>'
    more = {
        "tradition": say("card.sure_more", share=Amount(calibration.false_accepts, share=True)),
        "between": say("card.two_more"),
        "unsure": say("card.too_far_more"),
        "outside": "",
    }[verdict.kind]
    words = {"tradition": "sure", "between": "two", "unsure": "too_far", "outside": "like_none"}[verdict.kind]
    reason = say("card.reason", reason=escape(say.sentence(verdict.reason)))
    if verdict.kind == "outside":
        wrong = Amount(calibration.found["zones"]["outside"]["known"], 1, share=True)
        reason += f" {say('card.nearest_though', craft=escape(say.craft(first.craft)), share=wrong)}"
    shown = gauge(found.traditions, verdict, calibration, say)
    return f'<p class="sure"><b>{say(f"card.{words}")}</b> {more}</p>{shown}<p class="fine">{reason}</p>'


def gauge(traditions: tuple[RankedTradition, ...], verdict: Verdict, calibration: Calibration, say: Language) -> str:
    """How near the piece is, on a line of three zones: outside, not sure, a name; and, between two, the second.

    It shows the cosine with its allowance, on which the verdict rests. A verdict may rest on something else, such as a
    photo that is unlike any learned from, or photos that contradict each other: then the zone would tell another tale
    than the verdict, and there is no gauge.

    Args:
        traditions: nearest first.
        verdict: on the piece.
        calibration: whose thresholds part the zones.
        say: language.
    """
    nearest = {each.craft: each.cosine + each.allowance for each in traditions}
    at = traditions[0].cosine + traditions[0].allowance
    zone = "outside" if at < calibration.known else "unsure" if at < calibration.cosine else "tradition"
    if zone != {"between": "tradition"}.get(verdict.kind, verdict.kind):
        return ""
    edges = [min(max(edge, 0.0), 1.0) for edge in (0.0, calibration.known, calibration.cosine, 1.0)]
    zones = labels = ""
    names = (say("gauge.outside"), say("gauge.unsure"), say("gauge.name"))
    for kind, name, low, high in zip(("outside", "unsure", "tradition"), names, edges[:-1], edges[1:], strict=True):
        here, width = " here" if kind == zone else "", f"{100 * (high - low):.1f}"
        zones += f'<span class="zone {kind}{here}" style="width:{width}%"></span>'
        labels += f'<span class="label{here}" style="flex-grow:{width}">{name}</span>'
    marks = f'<i style="left:{_percent(at)}"></i>'
    marks += "".join(
        f'<i class="second" style="left:{_percent(nearest[craft])}"></i>'
        for craft in (verdict.crafts if verdict.kind == "between" else ())
        if craft in nearest and craft != traditions[0].craft
    )
    bounds = {"known": Amount(calibration.known, 2), "named": Amount(calibration.cosine, 2)}
    said = say("gauge.at", cosine=Amount(at, 2), **bounds)
    return (
        f'<div class="gauge"><div class="line" role="img" aria-label="{said}">{zones}{marks}</div>'
        f'<div class="labels" aria-hidden="true">{labels}</div></div>'
    )


def _percent(cosine: float) -> str:
    return f"{100 * min(max(cosine, 0.0), 1.0):.1f}%"


def _remarks(found: Attribution, say: Language) -> str:
    remarks = [say("card.seen_in", n=len(found.photos))] if len(found.photos) > 1 else []
    remarks += [
        say("card.disagrees", photo=escape(own.photo), craft=escape(say.craft(own.craft))) for own in found.disagreeing
    ]
    return f'<p class="fine">{" ".join(remarks)}</p>' if remarks else ""


def _advice(found: Attribution, say: Language) -> str:
    advice = "" if found.verdict is None else say.again(found.verdict.advice)
    return f'<p class="advice">{escape(advice)}</p>' if advice else ""
