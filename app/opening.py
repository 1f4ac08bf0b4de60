"""What the tabs share that are filled when they are opened: the first page stays quick, and what they show is fresh."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from saree_cosface.console import telling
from saree_cosface.html.page import escape
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Said


def when_opened(function: Callable[..., Any], inputs: Any, outputs: Any) -> Any:
    """Call a function whenever the tab that is being built is opened, or, outside of any tab, when the page is.

    A tab is opened also with the tab around it, unless that is the one which every visit begins with.

    Returns:
        gradio's event, to be followed by others.
    """
    block, tabs = Context.block, list[gr.Tab]()
    while block is not None:
        if isinstance(block, gr.Tab):
            tabs.append(block)
        block = block.parent
    events = [tab.select for tab in tabs if tab is tabs[0] or tab is not tab.parent.children[0]]
    return gr.on(
        events or [Context.root_block.load],
        function,
        inputs,
        outputs,
        api_visibility="private",
        show_progress="minimal",
    )


def tab_style() -> gr.HTML:
    """The style of the tabs for curators, of the atlas and of the page about the model."""
    return gr.HTML(f"<style>{_asset('curators.css')}</style>", padding=False, elem_classes="unseen")


@contextmanager
def heard(progress: gr.Progress) -> Iterator[None]:
    """Within this context the browser is told how far the package is, a few times a second."""
    last = 0.0

    def tell(description: str, done: int, total: int | None) -> None:
        nonlocal last
        if done in (0, total) or time.monotonic() - last > 0.25:
            last = time.monotonic()
            progress((done, total), desc=description, unit="")

    with telling(tell):
        yield


def where(path: Path) -> str:
    """A file as readers are told of it: without the folders above its own, which are nobody's business.

    >>> where(Path("/home/meera/museum/manifest.csv"))
    'museum/manifest.csv'
    """
    return "/".join(path.absolute().parts[-2:])


@cache
def script(name: str) -> str:
    """A script of the app."""
    return _asset(name)


def note(message: str, *, problem: bool = False, language: str = "") -> str:
    """A remark in a box, as HTML; with its language where that is not the page's."""
    role, kind = ("alert", " problem") if problem else ("status", "")
    of = f' lang="{language}"' if language else ""
    inner = f'<div class="note{kind}" role="{role}"><p{of}>{escape(message)}</p></div>'
    return f'<div class="saree" data-shows="note">{inner}</div>'


def trouble(error: Exception, say: Language, plainly: Callable[[str], str] = str) -> str:
    """What an error says, in a box; in English where nobody has put it into words for other languages.

    Args:
        error: that was met.
        say: language.
        plainly: leaves out of the words what is not for visitors.
    """
    known = any(isinstance(part, Said) for part in error.args)
    return note(plainly(say.error(error)), problem=True, language="" if known or say.instead is None else "en")


def empty(*paragraphs: str) -> str:
    """What will stand where nothing stands yet, and how it gets there, as HTML; the paragraphs are HTML already."""
    return f'<div class="saree empty">{"".join(f"<p>{each}</p>" for each in paragraphs)}</div>'


def waiting(said: str) -> str:
    """What is under way, and for how long, as HTML."""
    return f'<div class="saree waiting" data-shows="waiting" role="status"><p>{escape(said)}</p></div>'


def start_with(run: Path, key: str, say: Language) -> str:
    """How the app is started to work on a collection of one's own, as HTML.

    Args:
        run: its folder.
        key: of the text that says so.
        say: language.
    """
    command = f"<code>saree-cosface app {escape(where(run))} --manifest MANIFEST</code>"
    return say(key, command=command)


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
