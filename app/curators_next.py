"""What to photograph next, within the tab of the review: what ``saree-cosface next`` found last, as a small table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.html.page import escape, table
from saree_cosface.review.next_steps import FOLDER, StepsError, kept_steps

from .desk import Desk
from .opening import note, when_opened, where


def next_panel(desk: Desk) -> None:
    """Build the panel; it is read anew whenever the tab is opened."""
    panel = gr.HTML(padding=False, apply_default_css=False, elem_id="review-next")
    when_opened(lambda: next_html(desk), None, panel)


def next_html(desk: Desk) -> str:
    """The panel as it is now."""
    try:
        found = kept_steps(desk.folder)
    except StepsError as error:
        return _panel(note(str(error), problem=True))
    if found is None:
        return _panel(
            "<p>Which crafts one more source would help most has not been asked yet. Whoever runs this app finds it "
            f"out in a minute or so, by the command</p><p>{_command(desk)}</p>"
        )
    return _panel(_ranking(found["crafts"]) + _photos(desk, found["photos"]) + _of(desk, found))


def _panel(inner: str) -> str:
    return f'<div class="saree next"><h2>What to photograph next</h2>{inner}</div>'


def _ranking(crafts: Sequence[Mapping[str, Any]]) -> str:
    rows = [(craft["name"], _gain(craft["gain"]), craft["sources"], craft["photos"]) for craft in crafts]
    ranking = table(("craft", "points that one more source adds", "sources", "photos"), rows, numbers=" nnn")
    return f"<p>{escape(crafts[0]['says'])}</p>{ranking}"


def _gain(gain: Mapping[str, float] | None) -> str:
    if gain is None:
        return "not known"
    value, low, high = (100 * gain[name] for name in ("value", "low", "high"))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]".replace("-", "\u2212")


def _photos(desk: Desk, photos: Mapping[str, Any] | None) -> str:
    if photos is None:
        return (
            "<p>Of a folder of photos without labels, those whose labels would teach most are chosen by "
            f"{_command(desk, ' --photos FOLDER')}.</p>"
        )
    count = len(photos["chosen"])
    return (
        f"<p>On the contact sheet in <code>{escape(where(desk.folder / FOLDER))}</code>: "
        f"{count} photo{'s' * (count != 1)} whose labels would teach most.</p>"
    )


def _of(desk: Desk, found: Mapping[str, Any]) -> str:
    asked = f", {escape(found['where'])}" if found["where"] else ""
    manifest, day = where(Path(found["manifest"])), found["made"][:10]
    said = f'<p class="fine">Of <code>{escape(manifest)}</code>{asked}, on {escape(day)}.</p>'
    if desk.manifest is None:
        return said
    try:
        now = read_manifest(desk.manifest, where=found["query"]).sha256
    except (OSError, ManifestError) as error:
        return said + note(str(error), problem=True)
    if now == found["manifest_sha256"]:
        return said
    told = "This was asked of another collection, or yours has changed since: ask again."
    return said + note(told) + f"<p>{_command(desk)}</p>"


def _command(desk: Desk, more: str = "") -> str:
    manifest = "MANIFEST" if desk.manifest is None else where(desk.manifest)
    return f"<code>saree-cosface next {escape(where(desk.folder))} {escape(manifest)}{more}</code>"
