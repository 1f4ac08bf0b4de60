"""The card of an answer, to be understood in five seconds: a name or none, how sure that is, and one picture why."""

from typing import Literal

from saree_cosface.answers.attribution import Attribution, RankedTradition
from saree_cosface.answers.evidence import Evidence
from saree_cosface.answers.examination import Examination
from saree_cosface.answers.verdict import Verdict, in_words
from saree_cosface.html.page import escape
from saree_cosface.pages.why import why_html
from saree_cosface.runs.calibration import Calibration
from saree_cosface.runs.run import Run


def verdict_html(
    run: Run, examination: Examination, evidence: Evidence | None = None, *, level: Literal[1, 3] = 3
) -> str:
    """The verdict in one line, how sure it is in words and on a gauge, what to do about it, and a picture of why.

    Args:
        run: that answered.
        examination: the answer.
        evidence: for the picture, once it is there.
        level: of the heading: 1 where it is that of a page.
    """
    found = examination.attribution
    kind = "plain" if found.verdict is None else found.verdict.kind
    return (
        f'<div class="verdict-card {kind}"><div class="told"><h{level} class="verdict">{_heading(found)}</h{level}>'
        f"{_facts(found)}{_sureness(run, found)}{_remarks(found)}{_advice(found)}</div>"
        f"{why_html(run, examination, evidence)}</div>"
    )


def title_of(found: Attribution) -> str:
    """The verdict in one line, as plain text."""
    return in_words(found.verdict) if found.verdict is not None else f"Nearest to {found.traditions[0].name}"


def _heading(found: Attribution) -> str:
    """What it is not sure of stands smaller, since it is no answer yet."""
    title = title_of(found)
    head, comma, rest = title.partition(", ")
    if found.verdict is None or found.verdict.kind != "unsure" or not comma:
        return escape(title)
    return f"{escape(head)}<small><span>, </span>{escape(rest)}</small>"


def _facts(found: Attribution) -> str:
    """Technique and place, of the only tradition that is named."""
    if found.verdict is not None and found.verdict.kind != "tradition":
        return ""
    first = found.traditions[0]
    facts = ", ".join(escape(fact) for fact in (first.family, first.place) if fact)
    return f'<p class="facts">{facts}</p>' if facts else ""


def _sureness(run: Run, found: Attribution) -> str:
    """In words, on a gauge, and what exactly was measured."""
    first, calibration, verdict = found.traditions[0], run.calibration, found.verdict
    if verdict is None or calibration is None:
        said = ""
        if len(found.traditions) > 1:
            said = (
                f"Ahead of {escape(found.traditions[1].name)} by {found.gap:.3f}: the less, the less the first name "
                "means. Verdicts and chances need <code>saree-cosface calibrate</code>."
            )
        return f'<p class="sure"><b>How sure is not known.</b></p><p class="fine">{said}</p>'
    share = f"{calibration.false_accepts:.0%}"
    words, more = {
        "tradition": ("Sure enough for a name.", f"By test, at most {share} of the names given are wrong."),
        "between": ("Two names fit.", "Which of them it is cannot be said from this."),
        "unsure": ("Too far for a name,", "and near enough to be of a tradition known here."),
        "outside": ("Like none of the traditions known here.", ""),
    }[verdict.kind]
    reason = f"{escape(verdict.reason.capitalize())}."
    if verdict.kind == "outside":
        wrong = calibration.found["zones"]["outside"]["known"]
        reason += (
            f" It is nearest to {escape(first.name)}. Of photos of known traditions {wrong:.1%} were called so, too."
        )
    shown = gauge(found.traditions, verdict, calibration)
    return f'<p class="sure"><b>{words}</b> {more}</p>{shown}<p class="fine">{reason}</p>'


def gauge(traditions: tuple[RankedTradition, ...], verdict: Verdict, calibration: Calibration) -> str:
    """How near the piece is, on a line of three zones: outside, not sure, a name; and, between two, the second.

    It shows the cosine with its allowance, on which the verdict rests. A verdict may rest on something else, such as a
    photo that is unlike any learned from, or photos that contradict each other: then the zone would tell another tale
    than the verdict, and there is no gauge.

    Args:
        traditions: nearest first.
        verdict: on the piece.
        calibration: whose thresholds part the zones.
    """
    nearest = {each.craft: each.cosine + each.allowance for each in traditions}
    at = traditions[0].cosine + traditions[0].allowance
    zone = "outside" if at < calibration.known else "unsure" if at < calibration.cosine else "tradition"
    if zone != {"between": "tradition"}.get(verdict.kind, verdict.kind):
        return ""
    edges = [min(max(edge, 0.0), 1.0) for edge in (0.0, calibration.known, calibration.cosine, 1.0)]
    told = ("outside", f"not sure from {calibration.known:.2f}", f"a name from {calibration.cosine:.2f}")
    zones = labels = ""
    for kind, label, low, high in zip(("outside", "unsure", "tradition"), told, edges[:-1], edges[1:], strict=True):
        here = " here" if kind == zone else ""
        zones += f'<span class="zone {kind}{here}" style="width:{100 * (high - low):.1f}%"></span>'
        labels += f'<span class="{here.strip()}">{label}</span>'
    marks = f'<i style="left:{_percent(at)}"></i>'
    marks += "".join(
        f'<i class="second" style="left:{_percent(nearest[craft])}"></i>'
        for craft in (verdict.crafts if verdict.kind == "between" else ())
        if craft in nearest and craft != traditions[0].craft
    )
    return (
        f'<div class="gauge"><div class="line" role="img" aria-label="{at:.2f} on a line from 0 to 1">{zones}{marks}'
        f'</div><div class="labels">{labels}</div></div>'
    )


def _percent(cosine: float) -> str:
    return f"{100 * min(max(cosine, 0.0), 1.0):.1f}%"


def _remarks(found: Attribution) -> str:
    remarks = [f"Seen in {len(found.photos)} photos."] if len(found.photos) > 1 else []
    remarks += [
        f"{escape(say.photo)} disagrees: by itself it is nearest to {escape(say.name)}." for say in found.disagreeing
    ]
    return f'<p class="fine">{" ".join(remarks)}</p>' if remarks else ""


def _advice(found: Attribution) -> str:
    advice = "" if found.verdict is None else found.verdict.advice
    return f'<p class="advice">{escape(advice)}</p>' if advice else ""
