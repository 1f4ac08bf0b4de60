"""What to photograph next, within the tab of the review: what ``saree-cosface next`` found last, as a small table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.html.page import escape, table
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.review.next_steps import FOLDER, StepsError, kept_steps
from saree_cosface.scoring.curve import FEWEST

from .desk import Desk
from .opening import note, trouble, when_opened, where
from .speaking import spoken


def next_panel(desk: Desk) -> None:
    """Build the panel; it is read anew whenever the tab is opened."""
    panel = gr.HTML(padding=False, apply_default_css=False, elem_id="review-next")

    def fill(request: gr.Request) -> str:
        return next_html(desk, spoken(desk.languages, request))

    when_opened(fill, None, panel)


def next_html(desk: Desk, say: Language) -> str:
    """The panel as it is now."""
    try:
        found = kept_steps(desk.folder)
    except StepsError as error:
        return _panel(trouble(error, say), say)
    if found is None:
        return _panel(f"<p>{say('next.not_asked')}</p><p>{_command(desk)}</p>", say)
    inner = _ranking(found["crafts"], say) + _photos(desk, found["photos"], say) + _of(desk, found, say)
    return _panel(inner, say)


def _panel(inner: str, say: Language) -> str:
    return f'<div class="saree next"><h2>{say("next.title")}</h2>{inner}</div>'


def _ranking(crafts: Sequence[Mapping[str, Any]], say: Language) -> str:
    rows = [
        (
            *(say.craft(craft["craft"]), _gain(craft["gain"], say)),
            *(say.number(craft["sources"]), say.number(craft["photos"])),
        )
        for craft in crafts
    ]
    head = (say("table.craft"), say("next.points"), say("table.sources"), say("table.photos"))
    return f"<p>{_advice(crafts[0], say)}</p>{table(head, rows, numbers=' nnn')}"


def _advice(craft: Mapping[str, Any], say: Language) -> str:
    has = say("next.has", craft=escape(say.craft(craft["craft"])), sources=say("count.sources", n=craft["sources"]))
    if craft["gain"] is None:
        return say("next.untold", has=has, fewest=FEWEST)
    value, low, high = (Amount(round(100 * craft["gain"][name], 2) + 0.0, 2) for name in ("value", "low", "high"))
    return say("next.expected", has=has, value=value, low=low, high=high)


def _gain(gain: Mapping[str, float] | None, say: Language) -> str:
    if gain is None:
        return say("next.not_known")
    value, low, high = (_signed(100 * gain[name], say) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _signed(points: float, say: Language) -> str:
    sign = "\u2212" if round(points, 2) < 0 else "+"
    return sign + say.number(abs(points), 2)


def _photos(desk: Desk, photos: Mapping[str, Any] | None, say: Language) -> str:
    if photos is None:
        return f"<p>{say('next.photos', command=_command(desk, ' --photos FOLDER'))}</p>"
    folder = f"<code>{escape(where(desk.folder / FOLDER))}</code>"
    return f"<p>{say('next.chosen', n=len(photos['chosen']), folder=folder)}</p>"


def _of(desk: Desk, found: Mapping[str, Any], say: Language) -> str:
    asked = f", {escape(found['where'])}" if found["where"] else ""
    manifest = f"<code>{escape(where(Path(found['manifest'])))}</code>{asked}"
    said = f'<p class="fine">{say("next.of", manifest=manifest, day=say.day(found["made"]))}</p>'
    if desk.manifest is None:
        return said
    try:
        now = read_manifest(desk.manifest, where=found["query"]).sha256
    except (OSError, ManifestError) as error:
        return said + trouble(error, say)
    if now == found["manifest_sha256"]:
        return said
    return said + note(say("next.changed")) + f"<p>{_command(desk)}</p>"


def _command(desk: Desk, more: str = "") -> str:
    manifest = "MANIFEST" if desk.manifest is None else where(desk.manifest)
    return f"<code>saree-cosface next {escape(where(desk.folder))} {escape(manifest)}{more}</code>"
