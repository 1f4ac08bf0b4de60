"""What an audit found, a sentence each, and whether it is a warning."""

from collections.abc import Mapping
from typing import Any

from saree_cosface.scoring.confounding import SIGNIFICANT


def findings(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an audit document says, a sentence each, and whether it is a warning."""
    said: list[tuple[bool, str]] = []
    unread = document["unread"]
    if unread:
        first = f"{unread[0]['path']}: {unread[0]['reason']}"
        of = f"{len(unread)} of {len(unread) + document['photos']} photos"
        said.append((True, f"{of} could not be read or have changed, so nothing here is of them; the first: {first}."))
    copies = document["copies"]
    if copies:
        first = copies[0]
        said.append(
            (
                True,
                f"{len(copies)} photos that were trained on have copies or crops that were not, such as "
                f"{first['trained_on']} and {first['copy']}.",
            )
        )
    else:
        said.append((False, "No photo has a copy or a crop on the other side of the split."))
    confounded = document["confounded_sources"]
    if confounded:
        names = "; ".join(
            f"{each['source']} ({each['craft']}, {each['of_it']} of {each['photos']})" for each in confounded
        )
        said.append(
            (True, f"{len(confounded)} sources sell mostly one craft, so that knowing them is knowing it: {names}.")
        )
    else:
        said.append((False, "No source sells mostly one craft beyond what chance would have."))
    for each in document["dominated_crafts"]:
        if each["warning"]:
            said.append(
                (
                    True,
                    f"{each['craft']}: {each['share']:.0%} of {each['photos']} photos are of one source, "
                    f"{each['largest'] or 'unknown'}.",
                )
            )
    gap = document["shortcut_gap"]
    if gap is not None:
        wide = gap["nearest"]["gap"] > 0.05
        said.append(
            (
                wide,
                f"With photos of the same source among the references, the nearest photo is right in "
                f"{gap['nearest']['random']:.1%} of cases, without them in {gap['nearest']['source']:.1%}.",
            )
        )
    readable = document["source_in_embedding"]
    if readable is not None:
        warned = readable["p"] < SIGNIFICANT
        said.append(
            (
                warned,
                f"Within a craft, the nearest other piece is of the same source in {readable['share']:.1%} of "
                f"photos; {readable['expected']:.1%} would be by chance (p = {readable['p']:.3f}).",
            )
        )
    cheap, hidden = document["cheap_features"], document["hidden"]["all"]
    whole = hidden["whole"]["value"]
    for name, label in (("colours", "colours alone"), ("thumbnail", "a thumbnail of 16 pixels alone")):
        value, random = cheap[name]["source"]["value"], cheap[name]["random"]
        said.append(
            (
                value > 0.8 * whole,
                f"From {label} {value:.1%} are named rightly on unseen sources ({random:.1%} on "
                f"random folds); the run names {whole:.1%}.",
            )
        )
    for name in ("centre hidden", "border hidden"):
        value = hidden[name]["value"]
        warned = name == "centre hidden" and value > 0.8 * whole
        said.append((warned, f"With its {name} a photo is still named rightly in {value:.1%} of cases."))
    said += context_findings(document["context"])
    return [{"warning": bool(warning), "says": says} for warning, says in said]


def context_findings(context: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Whether the background names the craft; a warning where it does half of what the cloth does beyond chance."""
    looked_at, photos = context["looked_at"], context["photos"]
    which = "such as close-ups and cloth that fills the photo, have no background that can be told from the cloth"
    if not photos:
        return [(False, f"All {looked_at} photos looked at, {which}: whether the room counts is not told.")]
    background, cloth = context["all"]["background"], context["all"]["cloth"]["value"]
    chance, ratio, usual = context["chance"], context["ratio"], context["usual"]
    sure = background.get("low", background["value"]) > chance
    says = (
        f"The background alone, the cloth hidden, names {background['value']:.1%} of {photos} photos rightly: chance "
        f"is {chance:.1%}. The cloth alone names {cloth:.1%}, the whole photo {context['all']['whole']['value']:.1%}"
    )
    if ratio is not None:
        bounds = f" [{ratio['low']:.2f}, {ratio['high']:.2f}]" if "low" in ratio else ""
        says += f"; the context ratio is {ratio['value']:.2f}{bounds}"
    said = [(sure and background["value"] - chance > 0.5 * (cloth - chance), f"{says}.")]
    if usual["share"] > 0.5:
        said.append((False, f"{usual['share']:.0%} of the backgrounds are taken for {usual['craft']}."))
    if photos < looked_at:
        said.append(
            (False, f"{looked_at - photos} of {looked_at} photos looked at, {which}, and are left out of that.")
        )
    return said
