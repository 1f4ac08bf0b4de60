"""The card of a model as HTML, for people who decide whether to trust it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from saree_cosface.html.page import Html, escape, table
from saree_cosface.scoring.confidence import sets_in_words, verdicts_in_words
from saree_cosface.scoring.failures import FEW, POOR
from saree_cosface.scoring.found_accuracy import WHOSE
from saree_cosface.scoring.zones import HEAD, zone_rows
from saree_cosface.taxonomy import craft_name

SCORES = (
    ("top1", "Nearest tradition is the right one"),
    ("balanced_accuracy", "The same, each craft counting alike"),
    ("family_accuracy", "Right technique"),
    ("rank3", "Right one among the nearest three"),
    ("rank5", "Right one among the nearest five"),
)

NOT_FOR = (
    "To authenticate, price, buy, sell or certify. A photograph shows neither fibre nor hand nor loom; a print or a "
    "power-loom copy may have the cosine of the original.",
    "To settle where a piece was made, or whether it may carry a registered name. It says what a piece resembles.",
    "To police who made a cloth, or who has a right to a design.",
    "On photos of people. It looks for none, but sarees are worn: ask before you collect or publish.",
    "Without looking at the reference pieces. A cosine is a reason to look, not an answer.",
)

LIMITS = (
    "Labels that shops and museums give are claims. A model learns the claims, the wrong ones too.",
    "It ranks only traditions that it was taught. A piece of another one that resembles them may still be named.",
    "Scores hold for photos like those measured on; another shop, light or camera may do better or worse.",
)

_PARTS = {"train": "learned from", "validation": "chose when to stop", "test": "held out"}


def model_page(card: Mapping[str, Any]) -> str:
    """The card, as :func:`saree_cosface.scoring.model_card.model_card` finds it."""
    sections = (
        ("What it is", _made(card)),
        ("How good it is, whole sources held out", _good(card["evaluation"], card["calibration"])),
        ("When it gives a name, and when not", _calibrated(card["calibration"])),
        ("Known failures", _failures(card)),
        ("What it must not be used for", _list(NOT_FOR)),
        ("Versions", _versions(card)),
    )
    body = "".join(f"<section><h3>{escape(title)}</h3>{text}</section>" for title, text in sections)
    problems = "".join(f"<p>{escape(problem)}</p>" for problem in card["problems"])
    trouble = f'<div class="note problem" role="alert">{problems}</div>' if problems else ""
    return f'<div class="saree about"><h2>About this model</h2>{trouble}{_shared(card)}{_drawn(card)}{body}</div>'


def _shared(card: Mapping[str, Any]) -> str:
    if card["licence"] is None:
        return ""
    return (
        f'<div class="note"><p><b>This model was shared without its photos</b>, under the licence '
        f"{escape(card['licence'])}. Its references have no pictures, and sources that are not public have numbers for "
        "names. README.md in its folder says what it rests on, CREDITS.md whom it owes.</p></div>"
    )


def _drawn(card: Mapping[str, Any]) -> str:
    if card["photos"] is None or not card["photos"]["drawn"]:
        return ""
    return (
        '<div class="note"><p><b>This model learned from drawings.</b> The loom drew them from written rules. Its '
        "scores show that the software works; they say nothing about how well it names real sarees.</p></div>"
    )


def _made(card: Mapping[str, Any]) -> str:
    names = ", ".join(escape(craft_name(craft)) for craft in card["crafts"])
    later = ", ".join(escape(craft_name(craft)) for craft in card["enrolled_crafts"])
    enrolled = f" Enrolled afterwards, without training: {later}." if later else ""
    size = f", looks at {card['side']} pixels a side and at parts of the photo" if card["side"] else ""
    loss = f", trained with {escape(card['loss'])}" if card["loss"] else ""
    text = (
        f"<p>A photo becomes a vector of {card['dimensions']} numbers; a tradition is the mean of its references, and "
        f"the answer is the nearest by cosine. It learned {len(card['crafts'])} traditions: {names}.{enrolled}</p>"
        f'<p class="fine">Backbone {escape(card["backbone"])}{size}{loss}. {card["references"]} reference photos.</p>'
    )
    if card["photos"] is None:
        return text + '<p class="fine">Which photos it learned from is not known: their list is gone.</p>'
    rows = [
        (_PARTS[part], *(count[name] for name in ("photos", "pieces", "crafts", "sources")))
        for part, count in card["photos"]["parts"].items()
    ]
    return text + table(("part", "photos", "pieces", "crafts", "sources"), rows, numbers=" nnnn")


def _good(evaluation: Mapping[str, Any] | None, calibration: Mapping[str, Any] | None) -> str:
    """What an evaluation has measured, with what calibration has found folded away; the latter alone, if need be."""
    found = "" if calibration is None else _found(calibration)
    if evaluation is not None:
        folded = f"<details><summary>What calibration found</summary>{found}</details>" if found else ""
        return _evaluated(evaluation) + folded
    if found:
        return (
            f"{found}<p>This model itself was not scored: <code>saree-cosface evaluate RUN MANIFEST</code> does that, "
            "on sources that it never saw, and what it finds stands here then.</p>"
        )
    return (
        "<p><b>Not measured.</b> Nobody has scored this model on sources that it never saw, so nothing is known of how "
        "often it is right. <code>saree-cosface evaluate RUN MANIFEST</code> does that, and what it finds stands here "
        "then.</p>"
    )


def _found(calibration: Mapping[str, Any]) -> str:
    found = calibration["found"]
    rows = [(name, f"{score['value']:.0%}", _range(score)) for key, name in SCORES[:2] for score in [found[key]]]
    crafts: list[Sequence[object]] = [
        (craft_name(craft), score["photos"], score["sources"], f"{score['value']:.0%}", _range(score))
        for craft, score in sorted(found["per_craft"].items(), key=lambda item: item[1]["value"])
    ]
    alone = ", ".join(craft_name(craft) for craft in calibration["crafts"] if craft not in found["per_craft"])
    untold = f"<p>Not to be told of {escape(alone)}: their photos are of one source, or of sources in one fold.</p>"
    each = table(("craft", "photos", "sources", "nearest is right", "95 % interval"), crafts, numbers=" nnnn")
    return (
        f"<p><b>Found by calibration: {WHOSE}.</b> They scored {found['photos']} training photos of {found['sources']} "
        "sources, each by one that had seen no photo of its source. Intervals are over sources.</p>"
        f"{table(('score', 'share', '95 % interval'), rows, numbers=' nn')}"
        f"<details><summary>Each of the {len(crafts)} crafts that were scored</summary>{each}</details>"
        f"{untold if alone else ''}"
    )


def _range(score: Mapping[str, Any]) -> str:
    return f"{score['low']:.0%} – {score['high']:.0%}" if "low" in score else "one source"


def _evaluated(document: Mapping[str, Any]) -> str:
    counts = document["counts"]
    rows = [
        (name, f"{score['value']:.0%}", f"{score['low']:.0%} – {score['high']:.0%}" if "low" in score else "–")
        for key, name in SCORES
        if (score := document["metrics"].get(key)) is not None
    ]
    opening = (
        f"<p>Measured on {counts['photos']} photos of {counts['pieces']} pieces by {counts['sources']} sources (shops, "
        "museums, people) of which it had seen no photo. Intervals are over pieces; they do not cover the choice of "
        "sources.</p>"
    )
    skipped = "; ".join(f"{number}: {reason}" for reason, number in document["skipped"].items())
    remarks = "".join(f'<p class="fine">{escape(remark)}</p>' for remark in document["remarks"])
    left = f'<p class="fine">Left out: {escape(skipped)}.</p>' if skipped else ""
    head = ("score", "share", "95 % interval")
    scores = table(head, rows, numbers=" nn")
    verdicts = document.get("verdicts")
    named = f"<p>{escape(verdicts_in_words(verdicts))}</p>" if verdicts else ""
    return f"{opening}{scores}{named}{_crafts(document)}{remarks}{left}"


def _crafts(document: Mapping[str, Any]) -> str:
    rows: list[Sequence[object]] = []
    for craft, score in sorted(document["per_craft"].items(), key=lambda item: item[1]["top1"]):
        few = Html(" <small>few</small>") if score["photos"] < FEW else ""
        rows.append((craft_name(craft), score["photos"], Html(f"{score['top1']:.0%}{few}")))
    each = table(("craft", "photos", "nearest is right"), rows, numbers=" nn")
    return f"<details><summary>Each of the {len(rows)} crafts that were scored</summary>{each}</details>"


def _calibrated(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return (
            "<p><b>Not calibrated.</b> It has no thresholds and no probabilities: it names the nearest tradition even "
            "for a photo of something else. <code>saree-cosface calibrate RUN</code> finds them.</p>"
        )
    rate, gap = found["false_accepts"], found["gap"]
    lead = "one name is never given" if gap is None or not math.isfinite(gap) else f"{gap:.3f}"
    rows = [
        ("Least cosine for a name", f"{found['cosine']:.3f}"),
        ("Least cosine of what may be of a known tradition", f"{found['known']:.3f}"),
        ("Least lead over the second", lead),
        ("Least familiarity of the photo", f"{found['familiarity']:.3f}"),
        ("Temperature of the probabilities", f"{found['temperature']:.3f}"),
    ]
    how = found["found"]
    told = (
        f"<p>A name is given only where at most {rate:.0%} of pieces of other traditions would be named, and at most "
        f"{rate:.0%} of names would be wrong, as far as its {how['photos']} training photos of {how['sources']} "
        "sources can tell, each scored by a model that had not seen its source. Otherwise it says that it could be one "
        "of two, or which it cannot rule out; or that the piece is outside what it knows, where next to no photo of a "
        "known tradition is so far off. What became of these photos, and of those scored by a model that had not "
        "seen their craft either, by thresholds found without their source:</p>"
    )
    zones = table(HEAD, zone_rows(how["zones"]), numbers=" nn")
    auroc = how["open_set"]["auroc"]
    strangers = (
        f'<p class="fine">Pieces of crafts that it had not learned are told from those it had with an AUROC of '
        f"{auroc['value']:.2f} [{auroc['low']:.2f}, {auroc['high']:.2f}], where 0.5 is chance.</p>"
    )
    return told + zones + strangers + table(("threshold", "value"), rows, numbers=" n")


def _failures(card: Mapping[str, Any]) -> str:
    if card["evaluation"] is None and card["calibration"] is not None:
        poor = ", ".join(
            f"{craft_name(craft)} ({score['value']:.0%})"
            for craft, score in card["calibration"]["found"]["per_craft"].items()
            if score["value"] < POOR
        )
        told = f" By calibration the nearest is right for fewer than half of the photos of {poor}." if poor else ""
        opening = f"<p>Not measured on this model itself.{escape(told)} What holds of every such model:</p>"
        return opening + _list(LIMITS)
    if card["evaluation"] is None:
        return f"<p>Not measured, so none is known by number. What holds of every such model:</p>{_list(LIMITS)}"
    document = card["evaluation"]
    sets = ""
    if document.get("confidence"):
        sets = f'<p class="fine">{escape(sets_in_words(document["confidence"]["sets"]))}</p>'
    return _list([*card["failures"], *LIMITS]) + sets


def _versions(card: Mapping[str, Any]) -> str:
    marks = (
        ("model", card["model"]),
        ("photos trained on", card["manifest_sha256"]),
        ("split", card["split_hash"] or "as the manifest says"),
    )
    rows = [(name, Html(f"<code>{escape(value)}</code>")) for name, value in marks if value]
    rows += [(name, Html(escape(value))) for name, value in card["versions"].items() if value]
    return table(("of", "version or fingerprint"), rows)


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
