"""The page: what it is, and a tab for each thing that can be done with it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import gradio as gr

from saree_cosface.html.page import escape, stylesheet
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.runs.run import Run

from .about import about_tab
from .api import add_api
from .background import ReferenceMaps
from .batch import batch_tab
from .curators_map import map_tab
from .curators_review import review_tab
from .desk import Desk
from .enrol import enrol_tab
from .identify import identify_tab
from .opening import trouble, when_opened
from .running import Running
from .speaking import fixed, picker, spoken
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
        gr.HTML(_opening(desk), padding=False)
        known = gr.HTML(padding=False, elem_id="known", min_height=30)

        def fill(request: gr.Request) -> str:  # what was enrolled since is known, too
            return _known_now(desk, spoken(desk.languages, request))

        when_opened(fill, None, known)
        curator = gr.BrowserState("", storage_key="saree-curator", secret="saree")  # a name, no secret
        # Whose they are, and below that in the order of use; on a telephone there is no room for all of them in a row.
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with (
                gr.Tab(fixed("tab.researcher"), id="researcher"),
                gr.Tabs(elem_id="researcher-tabs", overflow_behavior="wrap"),
            ):
                with gr.Tab(fixed("tab.identify"), id="identify"):
                    identify_tab(desk, maps, examples, looking)
                with gr.Tab(fixed("tab.batch"), id="batch"):
                    batch_tab(desk, batches)
                with gr.Tab(fixed("tab.traditions"), id="traditions"):
                    traditions_tab(desk)
            with gr.Tab(fixed("tab.curator"), id="curator"), gr.Tabs(elem_id="curator-tabs", overflow_behavior="wrap"):
                with gr.Tab(fixed("tab.map"), id="map"):
                    map_tab(desk)
                with gr.Tab(fixed("tab.review"), id="review"):
                    review_tab(desk, curator)
                with gr.Tab(fixed("tab.enrol"), id="enrol"):
                    enrol_tab(desk)
            with gr.Tab(fixed("about.title"), id="about"):
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
    mono = [gr.themes.Font(name) for name in ("ui-monospace", "monospace")]
    return gr.themes.Base(primary_hue="slate", neutral_hue="stone", font=fonts, font_mono=mono)


def _opening(desk: Desk) -> str:
    return (
        f'<div class="saree opening"><div class="temple"></div>{picker(desk.languages)}<h1>{TITLE}</h1>'
        f'<p class="fine">{fixed("opening.photos")}</p></div>'
    )


def _known_now(desk: Desk, say: Language) -> str:
    try:
        return _known(desk.run, say)
    except ValueError as error:
        return trouble(error, say)


def _known(run: Run, say: Language) -> str:
    names = ", ".join(escape(say.craft(craft)) for craft in run.gallery.crafts)
    verdicts = say("opening.nearest")
    if run.calibration is not None:
        verdicts = say("opening.only_where", share=Amount(run.calibration.false_accepts, share=True))
    shared = "" if run.share is None else f" {say('opening.shared')}"
    return (
        f'<div class="saree opening"><details class="known"><summary>{say("opening.knows", n=len(run.gallery.crafts))}'
        f"</summary><p>{names}. {verdicts}{shared}</p></details></div>"
    )
