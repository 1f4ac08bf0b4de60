"""The page: what it is, and a tab for each thing that can be done with it."""

import importlib
import importlib.util
from functools import cache
from pathlib import Path

import gradio as gr

from app.desk import Desk
from saree_cosface.console import console
from saree_cosface.pages import craft_name, escape, stylesheet
from saree_cosface.runs import Run

TITLE = "Which craft is this saree?"
LARGEST_UPLOAD = 100
"""Megabytes of one file, unless told otherwise."""

TABS = (
    ("Identify", "identify", "identify_tab"),
    ("Batch", "batch", "batch_tab"),
    ("Traditions", "traditions", "traditions_tab"),
    ("Map", "curators_map", "map_tab"),
    ("Review", "curators_review", "review_tab"),
    ("Enrol", "enrol", "enrol_tab"),
    ("About this model", "about", "about_tab"),
)


def build_app(desk: Desk) -> gr.Blocks:
    """The page for one desk.

    Raises:
        ValueError: its run cannot be read.
    """
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        gr.HTML(_opening(desk.run), padding=False)
        with gr.Tabs():
            for title, module, build in TABS:
                if importlib.util.find_spec(f"app.{module}") is not None:
                    with gr.Tab(title, id=module):
                        getattr(importlib.import_module(f"app.{module}"), build)(desk)
    return page


def serve(page: gr.Blocks, port: int | None, *, megabytes: int = LARGEST_UPLOAD) -> None:
    """Serve the page on this machine alone, until interrupted.

    Args:
        page: made by :func:`build_app`.
        port: on 127.0.0.1; the first free one from 7860 when None.
        megabytes: of one uploaded file at most.

    Raises:
        OSError: the port is taken.
    """
    _, url, _ = page.launch(
        prevent_thread_lock=True,
        quiet=True,
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        max_file_size=f"{megabytes}mb",
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        theme=theme(),
        css=style(),
    )
    console.print(f"Open {url} in a browser; Ctrl-C ends it.", highlight=False)
    page.block_thread()


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


def _opening(run: Run) -> str:
    names = ", ".join(escape(craft_name(craft)) for craft in run.gallery.crafts)
    return f"""<div class="saree opening"><div class="temple"></div>
<h1>{TITLE}</h1>
<p class="fine">Known here: {names}. Photos stay on this machine.</p></div>"""
