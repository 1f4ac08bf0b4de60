"""Known failures of an evaluation, in words."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saree_cosface.taxonomy import craft_name

FEW = 10
"""Photos below which the score of a craft is not to be relied on."""

POOR = 0.5
"""Share of right answers below which a craft is a known failure."""


def failures(document: Mapping[str, Any]) -> list[str]:
    """Known failures of an evaluation in words, the weightiest first.

    Args:
        document: as ``saree-cosface evaluate`` wrote it.
    """
    found = []
    per_craft: dict[str, dict[str, Any]] = document["per_craft"]
    poor = {craft: score for craft, score in per_craft.items() if score["top1"] < POOR}
    for craft, score in sorted(poor.items(), key=lambda item: (item[1]["photos"] < FEW, item[1]["top1"])):
        taken = Counter(
            photo["answer"] for photo in document["photos"] if photo["craft"] == craft and photo["answer"] != craft
        )
        to = ", ".join(f"{craft_name(other)} ({count})" for other, count in taken.most_common(2))
        right = round(score["photos"] * score["top1"])
        few = "; too few photos to say more" if score["photos"] < FEW else ""
        found.append(
            f"{craft_name(craft)}: {right} of {score['photos']} photos nearest to it; the others to {to}{few}."
        )
    sources = {name: score for name, score in document["per_source"].items() if score["photos"] >= FEW}
    if len(sources) > 1:
        worst, best = (pick(sources, key=lambda name: sources[name]["top1"]) for pick in (min, max))
        if sources[best]["top1"] - sources[worst]["top1"] >= 0.2:
            found.append(
                f"It depends on who took the photo: the nearest is right in {sources[best]['top1']:.0%} for one source "
                f"that it never saw, {sources[worst]['top1']:.0%} for another."
            )
    gap = document.get("shortcut_gap")
    if gap and gap["nearest"]["gap"] >= 0.02:
        found.append(
            "It recognises shops: by the nearest photo it scores "
            f"{100 * gap['nearest']['gap']:.0f} points higher where other photos of the same source are known."
        )
    confidence = document.get("confidence")
    if confidence and confidence["sets"]["covered"]["value"] < confidence["sets"]["promised"]:
        sets = confidence["sets"]
        found.append(
            f"The traditions it does not rule out held the true one in {sets['covered']['value']:.0%} of photos; "
            f"{sets['promised']:.0%} were promised."
        )
    if confidence and confidence["ece"]["value"] >= 0.1:
        found.append(
            f"Its probabilities are {100 * confidence['ece']['value']:.0f} points off on average on sources that it "
            "never saw."
        )
    return found
