"""The card of a run, as hubs show it, and whom a shared one owes: README.md and CREDITS.md, in Markdown.

In both nobody is named who may not be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from saree_cosface.languages.packaged import english
from saree_cosface.pages.model_card import SCORES, limits, not_for
from saree_cosface.runs.run import Run
from saree_cosface.scoring.confidence import verdicts_in_words
from saree_cosface.scoring.found_accuracy import WHOSE
from saree_cosface.scoring.held_out import CHOSE_EPOCH
from saree_cosface.scoring.model_card import model_card
from saree_cosface.scoring.zones import HEAD, zone_rows
from saree_cosface.sharing.licences import HUB_LICENCES, NOT_CHOSEN, licence_of
from saree_cosface.sharing.markdown import bullets, plain, table
from saree_cosface.taxonomy import craft_name

README, CREDITS = "README.md", "CREDITS.md"

_TELLS = """A vector is made from a photo, and tells something of it: whoever holds a photo can find out whether it is
among the references or was held out, by its vector or its checksum, and something of how the cloth looked can be made
out from the numbers, the more so from `calibration/features.npy`, where there is one. No photo, thumbnail, path or file
name is here. Checksums are kept so that photos learned from can be left out of an evaluation.

Sources that nobody has marked as public have numbers for names: each is one photographer, shop or museum, and they are
told apart because each counts alike in what a tradition is compared with."""


_KEPT = """This folder is the run as it was trained. It names photos, sources and folders, and may hold thumbnails: it
is not to be given away. `saree-cosface share RUN --out FOLDER --licence LICENCE` makes one that can be, which answers
alike; whoever gives it away chooses the licence."""


def hub_card(run: Run, photos: pd.DataFrame, doubts: Sequence[str] = ()) -> str:
    """The card of a run, with the header that hubs read.

    Args:
        run: one that was shared, or one that was trained here.
        photos: as a shared run lists them.
        doubts: what speaks against its licence.
    """
    card = model_card(run)
    shared = run.share is not None
    sections = (
        ("Use", _use() if shared else _KEPT),
        ("What it is", _what(card)),
        ("The photos that it rests on", _rests_on(card, photos)),
        ("Licence", _licence(card, doubts) if shared else ""),
        ("How good it is, whole sources held out", _good(card)),
        ("When it gives a name, and when not", _named(card["calibration"])),
        ("Limits", bullets([*card["failures"], *limits(english())])),
        ("What it must not be used for", bullets(not_for(english()))),
        ("What these files tell of the photos", _TELLS if shared else ""),
        ("Versions", _versions(card)),
    )
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections if text)
    header = yaml.safe_dump(_header(card), sort_keys=False, allow_unicode=True)
    return f"---\n{header}---\n\n# {_title(card)}\n\n{body}\n"


def credits_text(photos: pd.DataFrame) -> str:
    """Whom a shared run owes: the public photos one by one, the others by their licences.

    Args:
        photos: as the run lists them.
    """
    named = photos[photos["public"] == "yes"]
    rows = [(row.path, row.source, row.credit, row.licence or "unknown") for row in named.itertuples()]
    text = "# Credits\n\nThe photos themselves are not here. Each is known by its tradition and a number.\n"
    if rows:
        text += f"\n## Photos whose makers may be named\n\n{table(('photo', 'source', 'credit', 'licence'), rows)}\n"
    others = photos[photos["public"] != "yes"]
    if len(others):
        sources = len(set(others["source"]) - {""})
        said = f"{len(others)} photos of {sources} sources, by what was noted of their licences:"
        text += f"\n## The others\n\n{said}\n\n{_by_licence(others)}\n"
    return text


def _title(card: Mapping[str, Any]) -> str:
    drawn = card["photos"] is not None and card["photos"]["drawn"]
    return f"Names {len(card['crafts'])} craft traditions of sarees{', as a program draws them' if drawn else ''}"


def _header(card: Mapping[str, Any]) -> dict[str, Any]:
    name = (card["licence"] or "").lower()
    known = name in HUB_LICENCES
    licence = {"license": name} if known else {"license": "other", "license_name": name, "license_link": README}
    found = _measured(card)
    scores = [(english()(f"about.score_{key}"), found[key]["value"]) for key in SCORES if key in found]
    result = {
        "task": {"type": "image-classification", "name": "Craft tradition of a saree"},
        "dataset": {"type": "photos-of-sarees", "name": "Photos of sarees, whole sources held out"},
        "metrics": [{"type": "accuracy", "name": name, "value": round(value, 4)} for name, value in scores],
    }
    return {
        **(licence if name else {}),
        "library_name": "saree-cosface",
        "pipeline_tag": "image-classification",
        "tags": ["saree", "textiles", "cosface", "metric-learning"],
        "metrics": ["accuracy"],
        **({"model-index": [{"name": _title(card), "results": [result]}]} if scores else {}),
    }


def _measured(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scores by their keys: of an evaluation of this model or, without one, of its calibration."""
    if card["evaluation"] is not None:
        return dict(card["evaluation"]["metrics"])
    return dict(card["calibration"]["found"]) if card["calibration"] is not None else {}


def _use() -> str:
    return """This is a run of saree-cosface, shared without its photos. Fetched with `saree-cosface pull`, or copied as
a folder, it answers as the run that it was made from does:

```
saree-cosface predict FOLDER photo.jpg
saree-cosface app FOLDER
```

The references have no pictures, and no regions of them can be shown."""


def _what(card: Mapping[str, Any]) -> str:
    names = ", ".join(craft_name(craft) for craft in card["crafts"])
    later = ", ".join(plain(craft_name(craft)) for craft in card["enrolled_crafts"])
    enrolled = f" Enrolled afterwards, without training: {later}." if later else ""
    loss = f", trained with {card['loss']}" if card["loss"] else ""
    return (
        f"A photo becomes a vector of {card['dimensions']} numbers; a tradition is the mean of its references, and the "
        f"answer is the nearest by cosine. It learned {len(card['crafts'])} traditions: {names}.{enrolled}\n\n"
        f"Backbone {card['backbone']}{loss}; the weights that it began with have a licence of their own. "
        f"{card['references']} reference photos."
    )


def _rests_on(card: Mapping[str, Any], photos: pd.DataFrame) -> str:
    drawn = card["photos"] is not None and card["photos"]["drawn"]
    opening = (
        "**Drawings, no photographs**: the loom of saree-cosface drew them from written rules.\n\n" if drawn else ""
    )
    learned, held = photos[photos["split"] == "train"], photos[photos["split"].isin(("validation", "test"))]
    rows = []
    for craft in sorted(set(learned["craft"]), key=craft_name):
        mine = learned[learned["craft"] == craft]
        others = int((held["craft"] == craft).sum())
        rows.append((craft_name(craft), len(mine), len(set(mine["source"]) - {""}), others))
    total = ("all", len(learned), len(set(learned["source"]) - {""}), sum(row[-1] for row in rows))
    listed = table(("tradition", "photos learned from", "their sources", "photos held out"), [*rows, total])
    public = int((photos["public"] == "yes").sum())
    credited = f" {CREDITS} names the makers of {public}." if public and card["licence"] else ""
    return (
        f"{opening}Labels are what their sources say. A source is whoever took the photos: a shop, a museum, a person."
        f"\n\n{listed}\n\nWhat was noted of the licences of all {len(photos)}:{credited}\n\n{_by_licence(photos)}"
    )


def _licence(card: Mapping[str, Any], doubts: Sequence[str]) -> str:
    shared = f" are shared under {card['licence']}" if card["licence"] != NOT_CHOSEN else " have no licence"
    text = (
        f"The weights, vectors and thresholds in this folder{shared}. The photos are not in it, and what their makers "
        "have allowed is not changed by it."
    )
    return f"{text}\n\n{bullets(doubts)}" if doubts else text


def _good(card: Mapping[str, Any]) -> str:
    """What an evaluation of this model has measured, and what calibration has found of others trained like it."""
    parts = []
    if card["evaluation"] is not None:
        parts.append(_evaluated(card["evaluation"]))
    if card["calibration"] is not None:
        parts.append(_found(card["calibration"]["found"]))
    return "\n\n".join(parts) or (
        "**Not measured.** Nobody has scored this model on sources that it never saw, so nothing is known of how often "
        "it is right."
    )


def _evaluated(document: Mapping[str, Any]) -> str:
    counts = document["counts"]
    opening = (
        f"Measured on {counts['photos']} photos of {counts['sources']} sources of which it had seen no photo. "
        "Intervals are over pieces; they do not cover the choice of sources."
    )
    crafts = [
        (craft_name(craft), score["photos"], f"{score['top1']:.0%}")
        for craft, score in sorted(document["per_craft"].items(), key=lambda item: item[1]["top1"])
    ]
    verdicts = [verdicts_in_words(document["verdicts"])] if document.get("verdicts") else []
    each = table(("tradition", "photos", "nearest is right"), crafts)
    chosen = [CHOSE_EPOCH] if CHOSE_EPOCH in document["remarks"] else []  # the others may name somebody
    return "\n\n".join((opening, _scores(document["metrics"]), *verdicts, *chosen, each))


def _found(found: Mapping[str, Any]) -> str:
    opening = (
        f"Found by calibration: {WHOSE}. They scored {found['photos']} training photos of {found['sources']} sources, "
        "each by one that had seen no photo of its source. Intervals are over sources."
    )
    crafts = [
        (craft_name(craft), score["photos"], score["sources"], f"{score['value']:.0%}", _range(score, "one source"))
        for craft, score in sorted(found["per_craft"].items(), key=lambda item: item[1]["value"])
    ]
    each = table(("tradition", "photos", "sources", "nearest is right", "95 % interval"), crafts)
    return "\n\n".join((opening, _scores(found), each))


def _scores(found: Mapping[str, Any]) -> str:
    rows = [
        (english()(f"about.score_{key}"), f"{found[key]['value']:.1%}", _range(found[key]))
        for key in SCORES
        if key in found
    ]
    return table(("score", "share", "95 % interval"), rows)


def _named(calibration: Mapping[str, Any] | None) -> str:
    if calibration is None:
        return (
            "**Not calibrated.** It has no thresholds and no probabilities: it names the nearest tradition even for a "
            "photo of something else."
        )
    rate = calibration["false_accepts"]
    return (
        f"A name is given only where at most {rate:.0%} of pieces of other traditions would be named, and at most "
        f"{rate:.0%} of names would be wrong, as far as the photos learned from can tell. What became of these, and of "
        f"those of crafts left out:\n\n{table(HEAD, zone_rows(calibration['found']['zones']))}"
    )


def _versions(card: Mapping[str, Any]) -> str:
    marks = (("model", card["model"]), ("photos", card["manifest_sha256"]), ("split", card["split_hash"]))
    rows = [(name, f"`{value}`") for name, value in marks if value]
    rows += [(name, value) for name, value in card["versions"].items() if value and name != "taxonomy here"]
    return table(("of", "version or fingerprint"), rows)


def _by_licence(photos: pd.DataFrame) -> str:
    counts = Counter(licence_of(text) for text in photos["licence"])
    return table(("licence", "photos"), [(name, str(count)) for name, count in counts.most_common()])


def _range(score: Mapping[str, float], otherwise: str = "–") -> str:
    return f"{score['low']:.1%} – {score['high']:.1%}" if "low" in score else otherwise
