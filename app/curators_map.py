"""Map: the interactive map of the collection, drawn when it is asked for and kept until the server ends."""

import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.html.page import escape
from saree_cosface.maps.make import PAGE, MappedCollection, map_collection
from saree_cosface.runs.folder import recorded_cache

from .desk import Desk
from .opening import empty, heard, note, script, start_with, tab_style, when_opened, where

# The page runs by itself: it cannot reach the app, its cookies or its address. Its tables may be saved.
_FRAME = (
    '<div class="saree"><iframe class="map" id="map-frame" title="Interactive map of the collection" '
    'sandbox="allow-scripts allow-downloads" tabindex="0"></iframe></div>'
)


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
    gr.HTML(_opening(desk), padding=False, apply_default_css=False)
    with gr.Row(elem_classes="who"):
        draw = gr.Button("Draw the map", variant="primary", elem_id="map-draw", scale=0, min_width=220)
        page = gr.DownloadButton("Save it as one file", visible=False, elem_id="map-save", scale=0, min_width=220)
    view = gr.HTML(
        empty("The map will stand here, once it is drawn: to move about in, to search, and to save."),
        padding=False,
        apply_default_css=False,
        elem_id="map-view",
        min_height=60,
    )
    shown = gr.State(0)
    outputs = [view, page, draw, shown]

    def make(progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  # gradio's way
        try:
            with shared.lock, heard(progress):
                folder = tempfile.TemporaryDirectory(prefix="saree-map-")
                run, manifest = desk.run, read_manifest(_manifest(desk), on_unknown="keep")
                shared.made = map_collection(run, manifest, Path(folder.name), cache=recorded_cache(desk.folder))
                shared.folder, before = folder, shared.folder
                if before is not None:
                    before.cleanup()
        except (OSError, ValueError) as error:
            return [note(str(error), problem=True), gr.skip(), gr.skip(), gr.skip()]
        return _show(shared.made)

    def opened(before: int) -> list[Any]:
        if shared.made is None or before == id(shared.made):
            return [gr.skip()] * len(outputs)
        return _show(shared.made)

    for event in (
        draw.click(make, None, outputs, api_visibility="private", show_progress_on=view),
        when_opened(opened, shown, outputs),
    ):
        event.then(None, page, None, js=script("map.js"), api_visibility="private")


def _show(made: MappedCollection) -> list[Any]:
    bad = note(f"{len(made.bad)} photos could not be read, or have changed, and have no place.") if made.bad else ""
    return [
        f"{_FRAME}{bad}",
        gr.update(value=str(made.folder / PAGE), visible=True),
        gr.update(value="Draw it anew", variant="secondary"),
        id(made),
    ]


def _manifest(desk: Desk) -> Path:
    return desk.manifest if desk.manifest is not None else desk.folder / "manifest.csv"


def _opening(desk: Desk) -> str:
    whose = "the photos that this model was made with" if desk.manifest is None else "your collection"
    if desk.manifest is None and desk.run.share is not None:
        whose = "the references of this model, which was shared without its photos, so without pictures"
    own = "" if desk.manifest is not None else f'<p class="fine">{start_with(desk.folder, "map")}</p>'
    return f"""<div class="saree"><h2>Map of the collection</h2><p>Every photo near those that are most like it to this
model: look for photos that lie among another craft, and for clusters of one shop. Of {whose}:
<code>{escape(where(_manifest(desk)))}</code></p><p class="fine">Drawing takes some seconds for hundreds of photos and
some minutes for ten thousand. The map is kept until the server ends.</p>{own}</div>"""
