"""The page of a shortcut audit: its verdict, two figures and the tables behind them. It opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saree_cosface import __version__
from saree_cosface.figures.audit import enough_figure, sources_figure
from saree_cosface.files import write_text
from saree_cosface.html.page import escape, file_uri, page, table
from saree_cosface.taxonomy import craft_name


def write_audit_page(document: Mapping[str, Any], out: Path) -> None:
    """Write ``audit.html``, ``what_is_enough.png`` and ``sources_of_crafts.png`` into a folder."""
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
