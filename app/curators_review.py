"""Review: curators go through the queue together; each decision goes to the log at once."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import gradio as gr

from saree_cosface.curation.deciding import log_beside
from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.curation.log import Clash
from saree_cosface.html.page import escape
from saree_cosface.review.bench import (
    Bench,
    candidates,
    decide,
    decided,
    is_copy,
    next_open,
    said_of,
    set_up,
    take_back,
)
from saree_cosface.review.card import card, clash_note, craft_choices, label_name, progress_bar, sentence
from saree_cosface.runs.folder import recorded_cache

from .curators_next import next_panel
from .desk import Desk
from .opening import empty, heard, note, script, start_with, tab_style, when_opened, where

_BUTTONS = (
    ("accept", "Accept", "A"),
    ("relabel", "Relabel", "R"),
    ("exclude", "Exclude", "X"),
    ("duplicate", "Duplicate", "M"),
    ("defer", "Put off", "D"),
    ("comment", "Comment", "C"),
)
_WALKS = (("←", "previous"), ("→", "next"), ("↓", "next undecided"))
_NEEDS_WHY = ("relabel", "exclude", "comment")


@dataclass
class _Shared:
    """What all curators work at; made by the first who asks, kept until the server ends."""

    bench: Bench | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def review_tab(desk: Desk) -> None:
    """Build the tab."""
    shared = _Shared()
    tab_style()
    opening = gr.HTML(_opening(desk), padding=False, apply_default_css=False)
    remembered = gr.BrowserState("", storage_key="saree-curator", secret="saree")  # a name, no secret
    with gr.Row(equal_height=True, elem_classes="who"):
        by = gr.Textbox(label="Who decides", placeholder="Your name, as it shall stand in the log", max_length=100)
        begin = gr.Button(
            "Look through the collection", variant="primary", elem_id="review-begin", scale=0, min_width=300
        )
    place = gr.Textbox(visible="hidden", elem_id="review-place", label="place")
    clash = gr.State(None)
    view = gr.HTML(
        empty(
            "The first photo will stand here, with why it is worth a look and the keys to decide with. Looking through "
            "a collection takes some seconds for hundreds of photos."
        ),
        padding=False,
        apply_default_css=False,
        elem_id="review-card",
        js_on_load=script("review.js"),
    )
    with gr.Column(visible=False, elem_id="review-desk") as tools:
        with gr.Row():
            why = gr.Textbox(
                label="Why, to relabel, exclude or comment", max_length=4000, elem_id="review-why", min_width=260
            )
            craft = gr.Dropdown(label="Relabel as", choices=[], elem_id="review-craft", filterable=True, min_width=260)
            kept = gr.Dropdown(label="Duplicate of, which is kept", choices=[], allow_custom_value=True, min_width=260)
        with gr.Row(elem_classes="keys"):
            buttons = {
                kind: gr.Button(
                    f"{name}  {key}",
                    elem_id=f"review-{kind}",
                    min_width=100,
                    size="md",
                    variant="primary" if kind == "accept" else "secondary",
                )
                for kind, name, key in _BUTTONS
            }
        with gr.Row(elem_classes="keys"):
            back = gr.Button("←  Previous", elem_id="review-back", min_width=100, size="md")
            on = gr.Button("Next  →", elem_id="review-on", min_width=100, size="md")
            undecided = gr.Button("Next undecided  ↓", elem_id="review-open", min_width=160, size="md")
            undo = gr.Button("Undo my last  U", elem_id="review-undo", min_width=160, size="md")
            overrule = gr.Button(
                "Overrule  O", variant="stop", visible=False, elem_id="review-overrule", min_width=100, size="md"
            )
    next_panel(desk)
    outputs = [view, place, craft, kept, why, clash, overrule, tools, begin, opening]

    def bench() -> Bench:
        if shared.bench is None:
            raise ValueError("The collection was not looked through yet: press the button above.")
        return shared.bench

    def start(at: str, name: str, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  # gradio's way
        try:
            with shared.lock, heard(progress):
                if shared.bench is None or at:  # whoever sees the queue already wants another one
                    cache = recorded_cache(desk.folder)
                    shared.bench = set_up(desk.run, _manifest(desk), desk.log, cache=cache)
        except (OSError, ValueError) as error:
            return _trouble(error, len(outputs))
        return _show(shared.bench, _next(shared.bench, -1))

    def opened(at: str, stored: str, name: str, request: gr.Request) -> list[Any]:
        user = _user(request)
        who = gr.update(value=user, interactive=False) if user else gr.update(value=name or stored or "")
        if shared.bench is None or at:
            return [who, *[gr.skip()] * len(outputs)]
        return [who, *_show(shared.bench, _next(shared.bench, -1))]

    def record(kind: str, *, over: bool = False) -> Callable[..., list[Any]]:
        def act(at: str, name: str, reason: str, label: str, other: str, before: Any, request: gr.Request) -> list[Any]:
            return _guarded(at, lambda index, seen: said(index, seen, name, reason, label, other, before, request))

        def said(
            index: int, seen: int, name: str, reason: str, label: str, other: str, before: Any, request: gr.Request
        ) -> list[Any]:
            name, what = _user(request) or name, kind
            numbers: tuple[int, ...] = ()
            if over:
                what, reason, label, other, numbers = before
            if not (name or "").strip():
                return _show(
                    bench(), index, note("Say who decides first: a decision needs a name.", problem=True), keep=True
                )
            if what in _NEEDS_WHY and not (reason or "").strip():
                return _show(bench(), index, note("Say why: it needs a reason.", problem=True), keep=True)
            try:
                entry = decide(
                    bench(), index, what, by=name, craft=label or "", kept=other or "" if what == "duplicate" else "",
                    why=reason or "", seen=seen, over=numbers,
                )  # fmt: skip
            except Clash as error:
                numbers = tuple(each.number for each in error.entries)
                shown = f'<div class="saree">{clash_note(error.entries, _in_words(what, label, other))}</div>'
                return _show(bench(), index, shown, (what, reason, label, other, numbers), keep=True)
            told = f'<div class="saree"><p class="told" role="status">Recorded: {_about(entry)}</p></div>'
            following = index if what == "comment" else _next(bench(), index)
            return _show(bench(), following, told)

        return act

    def walk(step: int, *, undecided: bool = False) -> Callable[[str], list[Any]]:
        def to(index: int, seen: int) -> list[Any]:
            if undecided:
                return _show(bench(), _next(bench(), index, step))
            return _show(bench(), (index + step) % len(bench()))

        return lambda at: _guarded(at, to)

    def reverse(at: str, name: str, request: gr.Request) -> list[Any]:
        def back(index: int, seen: int) -> list[Any]:
            entry, where = take_back(bench(), " ".join((_user(request) or name or "").split()))
            told = f'<div class="saree"><p class="told" role="status">Taken back: {_about(entry)}</p></div>'
            return _show(bench(), where, told)

        return _guarded(at, back)

    def _guarded(at: str, what: Callable[[int, int], list[Any]]) -> list[Any]:
        try:
            index, seen, mark = _place(at)
            if not index < len(bench()) or bench().mark(index) != mark:
                told = "The queue was ranked anew meanwhile, so nothing was recorded; here is where it goes on."
                return _show(bench(), _next(bench(), -1), note(told, problem=True))
            try:
                return what(index, seen)
            except (OSError, ValueError) as error:
                return _show(bench(), index, note(_plainly(error), problem=True), keep=True)
        except (OSError, ValueError) as error:
            return _trouble(error, len(outputs))

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    said_by = [place, by, why, craft, kept, clash]
    when_opened(opened, [place, remembered, by], [by, *outputs])
    by.change(lambda name: name, by, remembered, **quiet)
    begin.click(start, [place, by], outputs, api_visibility="private", show_progress_on=view)
    for kind, button in buttons.items():
        button.click(record(kind), said_by, outputs, **quiet)
    overrule.click(record("", over=True), said_by, outputs, **quiet)
    back.click(walk(-1), place, outputs, **quiet)
    on.click(walk(1), place, outputs, **quiet)
    undecided.click(walk(1, undecided=True), place, outputs, **quiet)
    undo.click(reverse, [place, by], outputs, **quiet)


def _show(bench: Bench, index: int, message: str = "", clash: Any = None, *, keep: bool = False) -> list[Any]:
    """The outputs for an entry: the card, where we are, what may be chosen, and what was said."""
    if not len(bench):
        empty = note("Nothing in this collection asks for another look.")
        return [empty, "", *[gr.skip()] * 3, None, *[gr.update(visible=False)] * 2, *[gr.skip()] * 2]
    index = min(max(index, 0), len(bench) - 1)
    said, (_, progress) = said_of(bench, index), decided(bench)
    entry = bench.queue.entries[index]
    others = list(candidates(bench, index))
    finished = "" if progress.decided < progress.total else note("Every photo of the queue is decided.")
    html = (
        f'{message}{finished}<div class="saree review">{progress_bar(progress, index)}{card(bench, index, said)}</div>'
    )
    return [
        html,
        f"{index}:{said.seen}:{bench.mark(index)}",
        gr.skip() if keep else gr.update(choices=craft_choices(bench), value=entry.rival or None),
        gr.skip() if keep else gr.update(choices=others, value=others[0] if others and is_copy(entry) else None),
        gr.skip() if keep else "",
        clash,
        gr.update(visible=clash is not None),
        gr.update(visible=True),
        gr.update(value="Rank it anew", variant="secondary"),
        _keys(bench),
    ]


def _about(entry: Decision) -> str:
    return f"{sentence(entry)} ({escape(PurePosixPath(entry.photo).name)})"


def _trouble(error: Exception, outputs: int) -> list[Any]:
    return [note(_plainly(error), problem=True), *[gr.skip()] * (outputs - 1)]


def _plainly(error: Exception) -> str:
    return str(error).split(": add --")[0].split("; add --")[0]


def _place(at: str) -> tuple[int, int, str]:
    """The index of the entry that a curator sees, the last decision on it that they have seen, and its mark."""
    found = re.fullmatch(r"(\d{1,9}):(\d{1,18}):([0-9a-f]{16})", at or "")
    if found is None:
        raise ValueError("It is not known which photo this was about; go to one first.")
    return int(found[1]), int(found[2]), found[3]


def _next(bench: Bench, index: int, step: int = 1) -> int:
    done, progress = decided(bench)
    return next_open(bench, index, done, step, progress.put_off)


def _user(request: gr.Request | None) -> str:
    """Whoever has logged in, where the app asks for that."""
    return getattr(request, "username", None) or ""


def _in_words(kind: str, craft: str, other: str) -> str:
    more = {"relabel": f" as {label_name(craft or '')}", "duplicate": f" of {other}"}
    return kind + more.get(kind, "")


def _manifest(desk: Desk) -> Any:
    return desk.manifest if desk.manifest is not None else desk.folder / "manifest.csv"


def _opening(desk: Desk) -> str:
    manifest = _manifest(desk)
    log = desk.log if desk.log is not None else log_beside(manifest)
    whose = "the photos that this model was made with" if desk.manifest is None else "your collection"
    if desk.manifest is None and desk.run.share is not None:
        return empty(
            "This model was shared without its photos, so there is nothing of its own to review.",
            start_with(desk.folder, "review"),
        )
    own = "" if desk.manifest is not None else f"<br>{start_with(desk.folder, 'review')}"
    return f"""<div class="saree"><h2>Review</h2><p>What is worth another look in a collection, the most urgent first:
doubtful labels, copies, pieces whose photos disagree. Nothing in the collection is changed; decisions go to a log that
is only ever added to, and several people may work at once.</p>
<p class="fine">Looking at {whose}: <code>{escape(where(manifest))}</code><br>
Decisions: <code>{escape(where(log))}</code>{own}</p></div>"""


def _keys(bench: Bench) -> str:
    keys = " ".join(
        f"<kbd>{key}</kbd> {what}"
        for key, what in (*((key, name.lower()) for _, name, key in _BUTTONS), ("U", "undo"), *_WALKS)
    )
    left_out = len(bench.queue.bad)
    told = f"{left_out} photos could not be read, or have changed, and are in no queue."
    missed = note(told, problem=True) if left_out else ""
    return f"""{missed}<div class="saree"><h2>Review</h2>
<details class="help"><summary>Keys, and where decisions go</summary>
<p class="fine keyed">{keys}</p><p class="fine">Where a reason is needed, its field opens: write it, then
<kbd>Enter</kbd>.<br>Collection: <code>{escape(where(bench.place))}</code><br>
Decisions: <code>{escape(where(bench.log))}</code></p>
</details></div>"""
