"""The page: what it is, and a tab for each thing that can be done with it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import gradio as gr

from saree_cosface.html.page import escape, stylesheet
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name

from .about import about_tab
from .api import add_api
from .background import ReferenceMaps
from .batch import batch_tab
from .curators_map import map_tab
from .curators_review import review_tab
from .desk import Desk
from .enrol import enrol_tab
from .identify import identify_tab
from .opening import note, when_opened
from .running import Running
from .speaking import fixed
from .traditions import traditions_tab
from .uploads import forget

TITLE = fixed("title")


def build_app(desk: Desk, maps: ReferenceMaps | None = None, examples: Sequence[tuple[Path, str]] = ()) -> gr.Blocks:
    """The page for one desk.

    Args:
        desk: the run, and for curators a manifest and a log.
        maps: of the run's references.
        examples: photos to try, each with the id of its craft.

    Raises:
        ValueError: its run cannot be read.
    """
    maps = maps or ReferenceMaps(desk)
    looking, batches = Running(), Running()
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        opening = gr.HTML(_opening(desk.run), padding=False)
        when_opened(lambda: _opening_now(desk), None, opening)  # what was enrolled since is known, too
        # Whose they are, and below that in the order of use; on a telephone there is no room for all of them in a row.
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Researcher", id="researcher"), gr.Tabs(elem_id="researcher-tabs", overflow_behavior="wrap"):
                with gr.Tab("Identify", id="identify"):
                    identify_tab(desk, maps, examples, looking)
                with gr.Tab("Batch", id="batch"):
                    batch_tab(desk, batches)
                with gr.Tab("Traditions", id="traditions"):
                    traditions_tab(desk)
            with gr.Tab("Curator", id="curator"), gr.Tabs(elem_id="curator-tabs", overflow_behavior="wrap"):
                with gr.Tab("Map", id="map"):
                    map_tab(desk)
                with gr.Tab("Review", id="review"):
                    review_tab(desk)
                with gr.Tab("Enrol", id="enrol"):
                    enrol_tab(desk)
            with gr.Tab("About this model", id="about"):
                about_tab(desk)
        add_api(desk, maps)

        def leave(request: gr.Request) -> None:
            for running in (looking, batches):
                running.end(request.session_hash or "")
            forget(request.session_hash)

        page.unload(leave)
    return page


@cache
def style() -> str:
    """The CSS of the app: that of the package's pages, and what gradio's page needs beside it."""
    return stylesheet() + Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Gradio's plainest theme, in the fonts of the reader's system: nothing is fetched from elsewhere."""
    fonts = [gr.themes.Font(name) for name in ("system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")]
    return gr.themes.Base(
        primary_hue="slate", neutral_hue="stone", font=fonts, font_mono=[gr.themes.Font("ui-monospace")]
    )


def _opening_now(desk: Desk) -> str:
    try:
        return _opening(desk.run)
    except ValueError as error:
        return note(str(error), problem=True)


def _opening(run: Run) -> str:
    names = ", ".join(escape(craft_name(craft)) for craft in run.gallery.crafts)
    count = len(run.gallery.crafts)
    verdicts = "A saree of another tradition is given the nearest of these."
    if run.calibration is not None:
        share = run.calibration.false_accepts
        verdicts = f"A name is given only where, by test, at most {share:.0%} of sarees of other traditions get one."
    shared = "" if run.share is None else " This model was shared without its photos: its references have no pictures."
    return f"""<div class="saree opening"><div class="temple"></div>
<h1>{TITLE}</h1>
<details class="known"><summary>It knows {count} tradition{"s" * (count != 1)}</summary>
<p>{names}. {verdicts}{shared}</p></details>
<p class="fine">Photos stay on this machine and are deleted once they have been looked at.</p></div>"""
