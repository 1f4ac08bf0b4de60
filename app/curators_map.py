"""Map: the interactive map of the collection, drawn when it is asked for and kept until the server ends."""

import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.html.page import escape
from saree_cosface.languages.language import Language
from saree_cosface.maps.make import PAGE, MappedCollection, map_collection
from saree_cosface.runs.folder import recorded_cache

from .desk import Desk
from .opening import empty, heard, note, script, start_with, tab_style, trouble, when_opened, where
from .speaking import fixed, spoken

# The page runs by itself: it cannot reach the app, its cookies or its address. Its tables may be saved.
_SANDBOX = 'sandbox="allow-scripts allow-downloads" tabindex="0"'


@dataclass
class _Shared:
    """The map, drawn by the first who asks; its folder goes when the server ends."""

    made: MappedCollection | None = None
    folder: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def map_tab(desk: Desk) -> None:
    """Build the tab. The page itself travels as a file that gradio hands to whoever may see the app, and to nobody
    else; the browser shows it in a frame without rights."""
    shared = _Shared()
    tab_style()
    opening = gr.HTML(padding=False, apply_default_css=False)
    with gr.Row(elem_classes="who"):
        draw = gr.Button(fixed("map.draw"), variant="primary", elem_id="map-draw", scale=0, min_width=220)
        page = gr.DownloadButton(fixed("map.save"), visible=False, elem_id="map-save", scale=0, min_width=220)
    view = gr.HTML(empty(fixed("map.empty")), padding=False, apply_default_css=False, elem_id="map-view", min_height=60)
    shown = gr.State(0)
    outputs = [view, page, draw, shown]

    def make(request: gr.Request, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  # gradio's way
        say = spoken(desk.languages, request)
        try:
            with shared.lock, heard(progress):
                folder = tempfile.TemporaryDirectory(prefix="saree-map-")
                run, manifest = desk.run, read_manifest(_manifest(desk), on_unknown="keep")
                shared.made = map_collection(run, manifest, Path(folder.name), cache=recorded_cache(desk.folder))
                shared.folder, before = folder, shared.folder
                if before is not None:
                    before.cleanup()
        except (OSError, ValueError) as error:
            return [trouble(error, say), gr.skip(), gr.skip(), gr.skip()]
        return _show(shared.made, say)

    def introduce(request: gr.Request) -> str:
        return _opening(desk, spoken(desk.languages, request))

    def opened(before: int, request: gr.Request) -> list[Any]:
        if shared.made is None or before == id(shared.made):
            return [gr.skip()] * len(outputs)
        return _show(shared.made, spoken(desk.languages, request))

    when_opened(introduce, None, opening)
    for event in (
        draw.click(make, None, outputs, api_visibility="private", show_progress_on=view),
        when_opened(opened, shown, outputs),
    ):
        event.then(None, page, None, js=script("map.js"), api_visibility="private")


def _show(made: MappedCollection, say: Language) -> list[Any]:
    bad = note(say("map.left_out", n=len(made.bad))) if made.bad else ""
    frame = f'<iframe class="map" id="map-frame" title="{say("map.frame")}" lang="en" {_SANDBOX}></iframe>'
    return [
        f'<div class="saree">{frame}</div>{bad}',
        gr.update(value=str(made.folder / PAGE), visible=True),
        gr.update(value=say("map.draw_anew"), variant="secondary"),
        id(made),
    ]


def _manifest(desk: Desk) -> Path:
    return desk.manifest if desk.manifest is not None else desk.folder / "manifest.csv"


def _opening(desk: Desk, say: Language) -> str:
    whose = "model" if desk.manifest is None else "collection"
    if desk.manifest is None and desk.run.share is not None:
        whose = "shared"
    place = f"<code>{escape(where(_manifest(desk)))}</code>"
    told = f"{say('map.opening')} {say(f'map.of_{whose}', manifest=place)}"
    own = "" if desk.manifest is not None else f'<p class="fine">{start_with(desk.folder, "map.start_with", say)}</p>'
    time = f'<p class="fine">{say("map.time")}</p>'
    return f'<div class="saree"><h2>{say("map.title")}</h2><p>{told}</p>{time}{own}</div>'
