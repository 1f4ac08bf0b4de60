"""Known failures of an evaluation, in words."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saree_cosface.languages.said import said, said_craft
from saree_cosface.languages.values import Amount, Listed, Said

FEW = 10
"""Photos below which the score of a craft is not to be relied on."""

POOR = 0.5
"""Share of right answers below which a craft is a known failure."""


def failures(document: Mapping[str, Any]) -> list[Said]:
    """Known failures of an evaluation in words, the weightiest first.

    Args:
        document: as ``saree-cosface evaluate`` wrote it.
    """
    found: list[Said] = []
    per_craft: dict[str, dict[str, Any]] = document["per_craft"]
    poor = {craft: score for craft, score in per_craft.items() if score["top1"] < POOR}
    for craft, score in sorted(poor.items(), key=lambda item: (item[1]["photos"] < FEW, item[1]["top1"])):
        taken = Counter(
            photo["answer"] for photo in document["photos"] if photo["craft"] == craft and photo["answer"] != craft
        )
        to = [said("about.counted", craft=said_craft(other), n=count) for other, count in taken.most_common(2)]
        found.append(
            said(
                "about.failure_few" if score["photos"] < FEW else "about.failure",
                craft=said_craft(craft),
                right=round(score["photos"] * score["top1"]),
                photos=int(score["photos"]),
                others=Listed(tuple(to), ","),
            )
        )
    sources = {name: score for name, score in document["per_source"].items() if score["photos"] >= FEW}
    if len(sources) > 1:
        worst, best = (pick(sources, key=lambda name: sources[name]["top1"]) for pick in (min, max))
        if sources[best]["top1"] - sources[worst]["top1"] >= 0.2:
            shares = (Amount(sources[name]["top1"], share=True) for name in (best, worst))
            found.append(said("about.failure_sources", **dict(zip(("best", "worst"), shares, strict=True))))
    gap = document.get("shortcut_gap")
    if gap and gap["nearest"]["gap"] >= 0.02:
        found.append(said("about.failure_shops", points=Amount(100 * gap["nearest"]["gap"])))
    confidence = document.get("confidence")
    if confidence and confidence["sets"]["covered"]["value"] < confidence["sets"]["promised"]:
        sets = confidence["sets"]
        held, promised = Amount(sets["covered"]["value"], share=True), Amount(sets["promised"], share=True)
        found.append(said("about.failure_sets", held=held, promised=promised))
    if confidence and confidence["ece"]["value"] >= 0.1:
        found.append(said("about.failure_probabilities", points=Amount(100 * confidence["ece"]["value"])))
    return found
