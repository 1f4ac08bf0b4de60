"""What was measured of a collection, in words and tables: the part of a card that is written anew each time."""

from collections.abc import Mapping, Sequence
from typing import Any

from saree_cosface.cards.collection import SMALL, UNKNOWN
from saree_cosface.cards.gaps import ENOUGH
from saree_cosface.console import few
from saree_cosface.scoring.confounding import DOMINANT
from saree_cosface.sharing.markdown import bullets, plain, table
from saree_cosface.taxonomy import craft_name

FIGURES = "card_figures"
SOURCES, VIEWS, SIZES, LARGEST = (f"{FIGURES}/{name}.png" for name in ("sources", "views", "sizes", "largest"))
"""The figures of a card, below its folder."""

_MOST = 12  # of a list, before the rest is counted


def measured_text(found: Mapping[str, Any]) -> str:
    """The measured part of a card.

    Args:
        found: as :func:`saree_cosface.cards.collection.measure` finds it; and the name of the ``manifest``, which
            ``rows`` of it were chosen, in words (None for all), and whether ``crops_sought``.
    """
    sections = (
        ("What is in it", _contents(found)),
        ("Views", _views(found)),
        ("Sizes and formats", _sizes(found)),
        ("Copies", _copies(found)),
        ("Licences and credits", _licences(found)),
        ("How much one source weighs", _weights(found)),
        ("Gaps", _gaps(found)),
        ("What a test on held-out sources can find out", _held_out(found)),
    )
    of = plain(found["manifest"])
    rows = of if found["rows"] is None else f"rows of {of}: {found['rows']}"
    drawn = "**Drawings, no photographs**: a program drew them from written rules.\n\n" if found["drawn"] else ""
    opening = (
        f"{drawn}Counted by `saree-cosface data card` from {rows}. Labels are what the manifest says; "
        "nothing here tells whether they are right. A source is whoever took the photos: a shop, a museum, a person. "
        f"{_who(found['sources'])}"
    )
    body = "\n\n".join(f"### {title}\n\n{text}" for title, text in sections)
    return f"## What was measured\n\n{opening}\n\n{body}"


def _who(sources: Mapping[str, Any]) -> str:
    numbered = "Sources can be people, so they go by numbers here, the largest first"
    if not sources["named"]:
        return f"{numbered}."
    names = few([plain(name) for name in sources["named"]], _MOST)
    return f"{numbered}, except for those that the column `public` allows to name: {names}."


def _contents(found: Mapping[str, Any]) -> str:
    pieces = found["pieces"]
    counts: list[tuple[str, object]] = [
        ("photos", found["photos"]),
        ("of which can be read", found["readable"]),
        ("crafts", len(found["crafts"])),
        ("sources", found["sources"]["count"]),
        ("photos of unknown source", found["sources"]["photos_without"]),
        ("photos whose saree is known", pieces["photos"] and f"{pieces['photos']}, of {pieces['pieces']} sarees"),
        ("megabytes", f"{found['bytes'] / 1e6:.1f}"),
    ]
    together = found["held_out"]["of_each_craft"]
    rows = [
        (_name(each["craft"]), each["photos"], each["pieces"], len(each["sources"]), together[each["craft"]])
        for each in found["crafts"]
    ]
    head = ("craft", "photos", "pieces", "sources", "sources that share no picture")
    said = []
    if not pieces["photos"]:
        said.append("No row says which saree its photo shows, so each photo counts as a piece of its own.")
    if found["splits"]:
        said.append(f"Parts that the manifest gives: {_counted(found['splits'])}.")
    if found["labels_rest_on"]:
        said.append(f"What labels rest on, by the column `basis`: {_counted(found['labels_rest_on'])}.")
    if found["wrong"]:
        said.append(f"To be mended (`saree-cosface data check` lists them): {_counted(found['wrong'])}.")
    stairs = "Sources of one craft stand side by side: the cleaner the stairs, the more a source gives its craft away."
    figure = f"![Crafts by sources]({SOURCES})"
    return "\n\n".join((table(("what", "how many"), counts), table(head, rows), *said, stairs, figure))


def _views(found: Mapping[str, Any]) -> str:
    if set(found["views"]) == {UNKNOWN}:
        return "No row says which part of a saree its photo shows."
    return f"{_shares(('view', 'photos'), found['views'], found['photos'])}\n\n![Views of each craft]({VIEWS})"


def _sizes(found: Mapping[str, Any]) -> str:
    if not found["short_side"]:
        return "Not one photo could be opened."
    side = found["short_side"]
    return (
        f"The short side has {side['least']} to {side['most']} pixels; of the middle photo {side['median']}, of eight "
        f"in ten {side['tenth']} to {side['nine tenths']}. Photos below {SMALL}, at which the usual network looks: "
        f"{found['small']}. Formats: {_counted(found['formats'])}.\n\n![Short sides]({SIZES})"
    )


def _copies(found: Mapping[str, Any]) -> str:
    kinds = {
        "exact duplicate": "the same file",
        "near duplicate": "the same picture, saved again",
        "crop": "one photograph, cropped, framed or mirrored",
    }
    rows = [(kinds[kind], *counts.values()) for kind, counts in found["copies"].items() if kind in kinds]
    said = [table(("what", "cases", "photos", "cases of several sources"), rows)]
    if not found["crops_sought"]:
        said.append("Crops were not looked for.")
    said.append(
        "A copy of a held-out photo must not be learned from. The splits of saree-cosface keep copies together, and "
        "sources that share one as well."
    )
    return "\n\n".join(said)


def _licences(found: Mapping[str, Any]) -> str:
    without = found["licences"].get(UNKNOWN, 0)
    silence = (
        f" Nothing is noted of {without}: that a photo can be seen is no leave to copy it, or to learn from it."
        if without
        else ""
    )
    return (
        f"{_shares(('licence', 'photos'), found['licences'], found['photos'])}\n\n"
        f"As noted in the column `licence`; nobody has asked those who hold the rights.{silence} "
        f"Photos with a credit: {found['credited']}."
    )


def _weights(found: Mapping[str, Any]) -> str:
    heavy = [each for each in found["gaps"]["dominated_crafts"] if each["warning"]]
    said = (
        f"Of {_names([each['craft'] for each in heavy])} one source has {DOMINANT:.0%} of the photos or more: there a "
        "model can learn a backdrop in place of a craft."
        if heavy
        else f"No craft has {DOMINANT:.0%} or more of its photos from one source."
    )
    return f"{said}\n\n![Share of the largest source]({LARGEST})"


def _gaps(found: Mapping[str, Any]) -> str:
    missing = found["gaps"]
    said = [
        f"**Crafts of one source, or of none that is known**: {_names(missing['crafts_of_one_source'])}.",
        f"**Crafts of fewer than {ENOUGH} sources**, beside these: {_names(missing['crafts_of_few_sources'])}.",
        f"**Sources of several photos that show one craft alone**: {missing['of_these_of_one_craft']} of "
        f"{missing['sources_of_several_photos']}, with {missing['photos_of_these']} of {found['photos']} photos. Who "
        "knows the source knows the craft.",
    ]
    if missing["usual_views"]:
        lacking = [
            f"{_name(craft)} ({', '.join(map(plain, views))})" for craft, views in missing["views_lacking"].items()
        ]
        usual = ", ".join(map(plain, missing["usual_views"]))
        said.append(f"**Views that a craft lacks**, of the usual ones ({usual}): {few(lacking, _MOST) or 'none'}.")
    confounded = missing["confounded_sources"]
    text = bullets(said)
    if confounded:
        rows = [
            (each["source"], _name(each["craft"]), f"{each['of_it']} of {each['photos']}", f"{each['elsewhere']:.0%}")
            for each in sorted(confounded, key=lambda each: -each["photos"])[:_MOST]
        ]
        shown = f" The {_MOST} largest:" if len(confounded) > _MOST else ""
        text += (
            f"\n\n{len(confounded)} sources show mostly one craft, and more of it than chance would have it.{shown}\n\n"
            + table(("source", "craft", "photos of it", "its share elsewhere"), rows)
        )
    return text


def _held_out(found: Mapping[str, Any]) -> str:
    tested = found["held_out"]
    crafts = [each["craft"] for each in found["crafts"]]
    never = [craft for craft in crafts if craft not in tested["crafts"]]
    seldom = [craft for craft in tested["crafts"] if craft not in tested["crafts_in_five_folds"]]
    said = [
        f"Of {found['sources']['count']} sources, those that share a picture count as one: "
        f"{tested['independent_sources']} can be held out independently of each other.",
        f"{len(tested['crafts'])} of {len(crafts)} crafts, with {tested['photos']} of {found['photos']} photos, can be "
        "learned from one source and tested on another.",
    ]
    if never:
        said.append(f"**Nothing can be said of** {_names(never)}: no source is left to learn from or to test on.")
    if seldom:
        said.append(f"**In some of five folds there is no photo of** {_names(seldom)}.")
    said.append(
        "A random split would put photos of one shop, or of one saree, on both sides; scores from one say little about "
        "a photo from elsewhere."
    )
    return bullets(said)


def _shares(head: tuple[str, str], counts: Mapping[str, int], total: int) -> str:
    items = list(counts.items())
    rows = [(name, count, f"{count / total:.0%}") for name, count in items[:_MOST]]
    if len(items) > _MOST:
        rest = sum(count for _, count in items[_MOST:])
        rows.append((f"{len(items) - _MOST} others", rest, f"{rest / total:.0%}"))
    return table((*head, "share"), rows)


def _counted(counts: Mapping[str, int]) -> str:
    return few([f"{plain(name)} {count}" for name, count in counts.items()], _MOST)


def _names(crafts: Sequence[str]) -> str:
    return few([_name(craft) for craft in crafts], _MOST) or "none"


def _name(craft: str) -> str:
    return plain(craft_name(craft)) if craft else "(no label)"
