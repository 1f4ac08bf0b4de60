"""The card of a model as HTML, for people who decide whether to trust it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from saree_cosface.html.page import Html, escape, table
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.pages.zones import zones_html
from saree_cosface.scoring.confidence import sets_in_words, verdicts_in_words
from saree_cosface.scoring.failures import FEW, POOR

SCORES = ("top1", "balanced_accuracy", "family_accuracy", "rank3", "rank5")
"""Scores of an evaluation that the card tells; the interface has a text of each, ``about.score_NAME``."""

_FIRST_SCORES = 2  # which calibration finds, too
_NOT_FOR, _LIMITS = 5, 3  # texts there are, from ``about.not_for_1`` and ``about.limit_1`` on

_EVALUATE = "<code>saree-cosface evaluate RUN MANIFEST</code>"


def model_page(card: Mapping[str, Any], say: Language) -> str:
    """The card, as :func:`saree_cosface.scoring.model_card.model_card` finds it, in a language."""
    sections = (
        ("what", _made(card, say)),
        ("how_good", _good(card["evaluation"], card["calibration"], say)),
        ("when_named", _calibrated(card["calibration"], say)),
        ("failures", _failures(card, say)),
        ("not_for", _list(not_for(say))),
        ("versions", _versions(card, say)),
    )
    body = "".join(f"<section><h3>{say(f'about.{name}')}</h3>{text}</section>" for name, text in sections)
    problems = "".join(f"<p>{escape(say.sentence(problem))}</p>" for problem in card["problems"])
    trouble = f'<div class="note problem" role="alert">{problems}</div>' if problems else ""
    opening = f"<h2>{say('about.title')}</h2>{trouble}{_shared(card, say)}{_drawn(card, say)}"
    return f'<div class="saree about">{opening}{body}</div>'


def not_for(say: Language) -> list[str]:
    """What a model must not be used for."""
    return [say(f"about.not_for_{number}") for number in range(1, _NOT_FOR + 1)]


def limits(say: Language) -> list[str]:
    """What holds of every model."""
    return [say(f"about.limit_{number}") for number in range(1, _LIMITS + 1)]


def _shared(card: Mapping[str, Any], say: Language) -> str:
    if card["licence"] is None:
        return ""
    told = say("about.shared", licence=escape(card["licence"]))
    return f'<div class="note"><p><b>{say("about.shared_first")}</b> {told}</p></div>'


def _drawn(card: Mapping[str, Any], say: Language) -> str:
    if card["photos"] is None or not card["photos"]["drawn"]:
        return ""
    return f'<div class="note"><p><b>{say("about.drawn_first")}</b> {say("about.drawn")}</p></div>'


def _made(card: Mapping[str, Any], say: Language) -> str:
    names = ", ".join(escape(say.craft(craft)) for craft in card["crafts"])
    later = ", ".join(escape(say.craft(craft)) for craft in card["enrolled_crafts"])
    enrolled = f" {say('about.enrolled', crafts=later)}" if later else ""
    learned = say("about.learned", crafts=names, n=len(card["crafts"]))
    details = [say("about.backbone", backbone=escape(card["backbone"]))]
    details += [say("about.size", side=say.number(int(card["side"])))] if card["side"] else []
    details += [say("about.loss", loss=escape(card["loss"]))] if card["loss"] else []
    details += [say("about.references", references=card["references"])]
    text = (
        f"<p>{say('about.vector', dimensions=card['dimensions'])} {learned}{enrolled}</p>"
        f'<p class="fine">{" ".join(details)}</p>'
    )
    if card["photos"] is None:
        return text + f'<p class="fine">{say("about.photos_unknown")}</p>'
    rows = [
        (say(f"about.part_{part}"), *(say.number(count[name]) for name in ("photos", "pieces", "crafts", "sources")))
        for part, count in card["photos"]["parts"].items()
    ]
    return text + table(_heads(say, "part", "photos", "pieces", "crafts", "sources"), rows, numbers=" nnnn")


def _good(evaluation: Mapping[str, Any] | None, calibration: Mapping[str, Any] | None, say: Language) -> str:
    """What an evaluation has measured, with what calibration has found folded away; the latter alone, if need be."""
    found = "" if calibration is None else _found(calibration, say)
    if evaluation is not None:
        folded = f"<details><summary>{say('about.calibration_found')}</summary>{found}</details>" if found else ""
        return _evaluated(evaluation, say) + folded
    if found:
        return f"{found}<p>{say('about.not_scored', command=_EVALUATE)}</p>"
    return f"<p><b>{say('about.not_measured_first')}</b> {say('about.not_measured', command=_EVALUATE)}</p>"


def _found(calibration: Mapping[str, Any], say: Language) -> str:
    found = calibration["found"]
    rows = [
        (say(f"about.score_{key}"), say.percent(score["value"]), _range(score, say) or say("about.one_source"))
        for key in SCORES[:_FIRST_SCORES]
        for score in [found[key]]
    ]
    crafts: list[Sequence[object]] = [
        (
            *(say.craft(craft), say.number(score["photos"]), say.number(score["sources"]), say.percent(score["value"])),
            _range(score, say) or say("about.one_source"),
        )
        for craft, score in sorted(found["per_craft"].items(), key=lambda item: item[1]["value"])
    ]
    alone = ", ".join(escape(say.craft(craft)) for craft in calibration["crafts"] if craft not in found["per_craft"])
    untold = f"<p>{say('about.not_told', crafts=alone)}</p>"
    each = table(_heads(say, "craft", "photos", "sources", "right", "interval"), crafts, numbers=" nnnn")
    scored = say("about.found", photos=found["photos"], sources=found["sources"])
    return (
        f"<p><b>{say('about.found_first', whose=say('about.whose'))}</b> {scored}</p>"
        f"{table(_heads(say, 'score', 'share', 'interval'), rows, numbers=' nn')}"
        f"<details><summary>{say('about.each_craft', n=len(crafts))}</summary>{each}</details>"
        f"{untold if alone else ''}"
    )


def _heads(say: Language, *names: str) -> list[str]:
    return [say(f"table.{name}") for name in names]


def _range(score: Mapping[str, Any], say: Language) -> str:
    return f"{say.percent(score['low'])} – {say.percent(score['high'])}" if "low" in score else ""


def _evaluated(document: Mapping[str, Any], say: Language) -> str:
    counts = document["counts"]
    rows = [
        (say(f"about.score_{key}"), say.percent(score["value"]), _range(score, say) or "–")
        for key in SCORES
        if (score := document["metrics"].get(key)) is not None
    ]
    opening = say("about.measured", **{name: counts[name] for name in ("photos", "pieces", "sources")})
    skipped = "; ".join(f"{say.number(number)}: {escape(reason)}" for reason, number in document["skipped"].items())
    remarks = "".join(f'<p class="fine" lang="en">{escape(remark)}</p>' for remark in document["remarks"])
    left = f'<p class="fine">{say("about.left_out", reasons=skipped)}</p>' if skipped else ""
    scores = table(_heads(say, "score", "share", "interval"), rows, numbers=" nn")
    verdicts = document.get("verdicts")
    named = f"<p>{say.again(verdicts_in_words(verdicts))}</p>" if verdicts else ""
    return f"<p>{opening}</p>{scores}{named}{_crafts(document, say)}{remarks}{left}"


def _crafts(document: Mapping[str, Any], say: Language) -> str:
    rows: list[Sequence[object]] = []
    for craft, score in sorted(document["per_craft"].items(), key=lambda item: item[1]["top1"]):
        few = f" <small>{say('about.few')}</small>" if score["photos"] < FEW else ""
        share = Html(f"{say.percent(score['top1'])}{few}")
        rows.append((say.craft(craft), say.number(score["photos"]), share))
    each = table(_heads(say, "craft", "photos", "right"), rows, numbers=" nn")
    return f"<details><summary>{say('about.each_craft', n=len(rows))}</summary>{each}</details>"


def _calibrated(found: Mapping[str, Any] | None, say: Language) -> str:
    if found is None:
        told = say("about.not_calibrated", command="<code>saree-cosface calibrate RUN</code>")
        return f"<p><b>{say('about.not_calibrated_first')}</b> {told}</p>"
    gap, how = found["gap"], found["found"]
    never = gap is None or not math.isfinite(gap)
    rows = [
        (say("about.least_cosine"), say.number(found["cosine"], 3)),
        (say("about.least_known"), say.number(found["known"], 3)),
        (say("about.least_lead"), say("about.never_named") if never else say.number(gap, 3)),
        (say("about.least_familiarity"), say.number(found["familiarity"], 3)),
        (say("about.temperature"), say.number(found["temperature"], 3)),
    ]
    told = say(
        "about.named_only",
        share=Amount(found["false_accepts"], share=True),
        photos=how["photos"],
        sources=how["sources"],
    )
    auroc = {name: Amount(how["open_set"]["auroc"][name], 2) for name in ("value", "low", "high")}
    strangers = f'<p class="fine">{say("about.strangers", **auroc, chance=Amount(0.5, 1))}</p>'
    thresholds = table(_heads(say, "threshold", "value"), rows, numbers=" n")
    return f"<p>{told}</p>{zones_html(how['zones'], say)}{strangers}{thresholds}"


def _failures(card: Mapping[str, Any], say: Language) -> str:
    if card["evaluation"] is None and card["calibration"] is not None:
        poor = [
            say("about.craft_and_share", craft=escape(say.craft(craft)), share=Amount(score["value"], share=True))
            for craft, score in card["calibration"]["found"]["per_craft"].items()
            if score["value"] < POOR
        ]
        told = f" {say('about.poor', crafts=', '.join(poor))}" if poor else ""
        return f"<p>{say('about.not_on_this')}{told} {say('about.of_every')}</p>{_list(limits(say))}"
    if card["evaluation"] is None:
        return f"<p>{say('about.none_by_number')} {say('about.of_every')}</p>{_list(limits(say))}"
    document = card["evaluation"]
    sets = ""
    if document.get("confidence"):
        sets = f'<p class="fine">{say.again(sets_in_words(document["confidence"]["sets"]))}</p>'
    return _list([*(escape(say.again(failure)) for failure in card["failures"]), *limits(say)]) + sets


def _versions(card: Mapping[str, Any], say: Language) -> str:
    marks = (
        (say("about.model"), escape(card["model"])),
        (say("about.photos_trained_on"), escape(card["manifest_sha256"])),
        (say("about.split"), escape(card["split_hash"]) if card["split_hash"] else say("about.split_of_manifest")),
    )
    rows = [(name, Html(f"<code>{value}</code>")) for name, value in marks if value]
    own = {"taxonomy": say("about.taxonomy"), "taxonomy here": say("about.taxonomy_here")}
    rows += [(own.get(name, name), Html(escape(value))) for name, value in card["versions"].items() if value]
    return table(_heads(say, "of", "version"), rows)


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
