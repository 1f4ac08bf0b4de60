"""Traditions: an atlas of cards from the taxonomy, with what this model knows of each and how well it names it."""

from typing import Any

import gradio as gr

from saree_cosface.pages.atlas import atlas_page
from saree_cosface.pages.atlas_cards import make_atlas

from .desk import Desk
from .opening import script, tab_style, trouble, waiting, when_opened
from .speaking import fixed, spoken


def traditions_tab(desk: Desk) -> None:
    """Build the tab: the cards are sent when it is opened, and again only when the run has changed."""
    tab_style()
    shown = gr.State("")
    # What is searched is on the page already, so it is sifted there, at each letter.
    cards = gr.HTML(
        waiting(fixed("atlas.waiting")),
        padding=False,
        js_on_load=script("traditions.js"),
        elem_id="atlas",
        min_height=200,
        apply_default_css=False,
    )

    def fill(before: str, request: gr.Request) -> tuple[Any, Any]:
        say = spoken(desk.languages, request)
        try:
            run = desk.run
            state = f"{id(run)} {_evaluated(run.folder)} {say.tag}"
            return (gr.skip(), gr.skip()) if state == before else (state, atlas_page(make_atlas(run), say))
        except (OSError, ValueError) as error:
            return "", trouble(error, say)

    when_opened(fill, shown, [shown, cards])


def _evaluated(folder: Any) -> int:
    path = folder / "evaluation" / "source" / "evaluation.json"
    return int(path.stat().st_mtime_ns) if path.is_file() else 0
