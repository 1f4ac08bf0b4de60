"""Review: curators go through the queue together; each decision goes to the log at once."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr

from saree_cosface.curation.deciding import log_beside
from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.curation.log import Clash
from saree_cosface.html.page import escape
from saree_cosface.languages.language import Language
from saree_cosface.languages.said import said
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
from .opening import empty, heard, note, script, start_with, tab_style, trouble, when_opened, where
from .speaking import fixed, spoken

_KEYS = {"accept": "A", "relabel": "R", "exclude": "X", "duplicate": "M", "defer": "D", "comment": "C"}
_WALKS = {"undo": "U", "previous": "←", "next": "→", "open": "↓"}
_NEEDS_WHY = ("relabel", "exclude", "comment")


@dataclass
class _Shared:
    """What all curators work at; made by the first who asks, kept until the server ends."""

    bench: Bench | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def review_tab(desk: Desk, remembered: gr.BrowserState) -> None:
    """Build the tab.

    Args:
        desk: the run, and the manifest and log of curators.
        remembered: the name of who decides, which the browser keeps. It stands outside of all tabs: what stands in one
            is read from the browser only after the tab has been opened.
    """
    shared = _Shared()
    tab_style()
    opening = gr.HTML(padding=False, apply_default_css=False)
    with gr.Row(equal_height=True, elem_classes="who"):
        by = gr.Textbox(label=fixed("review.who"), placeholder=fixed("review.your_name"), max_length=100)
        begin = gr.Button(fixed("review.begin"), variant="primary", elem_id="review-begin", scale=0, min_width=300)
    place = gr.Textbox(visible="hidden", elem_id="review-place", label="place")
    clash = gr.State(None)
    view = gr.HTML(
        empty(fixed("review.empty")),
        padding=False,
        apply_default_css=False,
        elem_id="review-card",
        js_on_load=script("review.js"),
    )
    with gr.Column(visible=False, elem_id="review-desk") as tools:
        with gr.Row():
            why = gr.Textbox(label=fixed("review.reason"), max_length=4000, elem_id="review-why", min_width=260)
            craft = gr.Dropdown(
                label=fixed("review.relabel_as"), choices=[], elem_id="review-craft", filterable=True, min_width=260
            )
            kept = gr.Dropdown(label=fixed("review.duplicate_of"), choices=[], allow_custom_value=True, min_width=260)
        with gr.Row(elem_classes="keys"):
            buttons = {
                kind: gr.Button(
                    f"{fixed(f'review.{kind}')}  {key}",
                    elem_id=f"review-{kind}",
                    min_width=100,
                    size="md",
                    variant="primary" if kind == "accept" else "secondary",
                )
                for kind, key in _KEYS.items()
            }
        with gr.Row(elem_classes="keys"):
            back = gr.Button(f"←  {fixed('review.previous')}", elem_id="review-back", min_width=100, size="md")
            on = gr.Button(f"{fixed('review.next')}  →", elem_id="review-on", min_width=100, size="md")
            undecided = gr.Button(f"{fixed('review.open')}  ↓", elem_id="review-open", min_width=160, size="md")
            undo = gr.Button(f"{fixed('review.undo_last')}  U", elem_id="review-undo", min_width=160, size="md")
            overrule = gr.Button(
                f"{fixed('review.overrule')}  O",
                variant="stop",
                visible=False,
                elem_id="review-overrule",
                min_width=100,
                size="md",
            )
    next_panel(desk)
    outputs = [view, place, craft, kept, why, clash, overrule, tools, begin, opening]

    def bench() -> Bench:
        if shared.bench is None:
            raise ValueError(said("review.not_begun"))
        return shared.bench

    def start(at: str, name: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  # gradio's way
        say = spoken(desk.languages, request)
        try:
            with shared.lock, heard(progress):
                if shared.bench is None or at:  # whoever sees the queue already wants another one
                    cache = recorded_cache(desk.folder)
                    shared.bench = set_up(desk.run, _manifest(desk), desk.log, cache=cache)
        except (OSError, ValueError) as error:
            return _trouble(error, say, len(outputs))
        return _show(shared.bench, _next(shared.bench, -1), say)

    def opened(at: str, stored: str, name: str, request: gr.Request) -> list[Any]:
        user, say = _user(request), spoken(desk.languages, request)
        who = gr.update(value=user, interactive=False) if user else gr.update(value=name or stored or "")
        if shared.bench is None or at:
            opened_already = gr.skip() if at else _opening(desk, say)
            return [who, *[gr.skip()] * (len(outputs) - 1), opened_already]
        return [who, *_show(shared.bench, _next(shared.bench, -1), say)]

    def record(kind: str, *, over: bool = False) -> Callable[..., list[Any]]:
        def act(at: str, name: str, reason: str, label: str, other: str, before: Any, request: gr.Request) -> list[Any]:
            said_by = _user(request) or name
            return _guarded(
                at, request, lambda index, seen, say: told(index, seen, say, said_by, (reason, label, other), before)
            )

        def told(
            index: int, seen: int, say: Language, name: str, given: tuple[str, str, str], before: Any
        ) -> list[Any]:
            what, (reason, label, other) = kind, given
            numbers: tuple[int, ...] = ()
            if over:
                what, reason, label, other, numbers = before
            if not (name or "").strip():
                return _show(bench(), index, say, note(say("review.needs_name"), problem=True), keep=True)
            if what in _NEEDS_WHY and not (reason or "").strip():
                return _show(bench(), index, say, note(say("review.needs_reason"), problem=True), keep=True)
            try:
                entry = decide(
                    bench(), index, what, by=name, craft=label or "", kept=other or "" if what == "duplicate" else "",
                    why=reason or "", seen=seen, over=numbers,
                )  # fmt: skip
            except Clash as error:
                numbers = tuple(each.number for each in error.entries)
                about = _in_words(what, label, other, say)
                shown = f'<div class="saree">{clash_note(error.entries, about, say)}</div>'
                return _show(bench(), index, say, shown, (what, reason, label, other, numbers), keep=True)
            following = index if what == "comment" else _next(bench(), index)
            return _show(bench(), following, say, _told("review.recorded", entry, say))

        return act

    def walk(step: int, *, undecided: bool = False) -> Callable[..., list[Any]]:
        def to(index: int, seen: int, say: Language) -> list[Any]:
            if undecided:
                return _show(bench(), _next(bench(), index, step), say)
            return _show(bench(), (index + step) % len(bench()), say)

        def go(at: str, request: gr.Request) -> list[Any]:
            return _guarded(at, request, to)

        return go

    def reverse(at: str, name: str, request: gr.Request) -> list[Any]:
        def back(index: int, seen: int, say: Language) -> list[Any]:
            entry, where = take_back(bench(), " ".join((_user(request) or name or "").split()))
            return _show(bench(), where, say, _told("review.taken_back", entry, say))

        return _guarded(at, request, back)

    def _guarded(at: str, request: gr.Request, what: Callable[[int, int, Language], list[Any]]) -> list[Any]:
        say = spoken(desk.languages, request)
        try:
            index, seen, mark = _place(at)
            if not index < len(bench()) or bench().mark(index) != mark:
                return _show(bench(), _next(bench(), -1), say, note(say("review.ranked_anew"), problem=True))
            try:
                return what(index, seen, say)
            except (OSError, ValueError) as error:
                return _show(bench(), index, say, trouble(error, say, _plainly), keep=True)
        except (OSError, ValueError) as error:
            return _trouble(error, say, len(outputs))

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


def _show(
    bench: Bench, index: int, say: Language, message: str = "", clash: Any = None, *, keep: bool = False
) -> list[Any]:
    """The outputs for an entry: the card, where we are, what may be chosen, and what was said."""
    if not len(bench):
        empty = note(say("review.nothing"))
        return [empty, "", *[gr.skip()] * 3, None, *[gr.update(visible=False)] * 2, *[gr.skip()] * 2]
    index = min(max(index, 0), len(bench) - 1)
    of_it, (_, progress) = said_of(bench, index), decided(bench)
    entry = bench.queue.entries[index]
    others = list(candidates(bench, index))
    finished = "" if progress.decided < progress.total else note(say("review.all_decided"))
    shown = f"{progress_bar(progress, index, say)}{card(bench, index, of_it, say)}"
    html = f'{message}{finished}<div class="saree review">{shown}</div>'
    return [
        html,
        f"{index}:{of_it.seen}:{bench.mark(index)}",
        gr.skip() if keep else gr.update(choices=craft_choices(bench, say), value=entry.rival or None),
        gr.skip() if keep else gr.update(choices=others, value=others[0] if others and is_copy(entry) else None),
        gr.skip() if keep else "",
        clash,
        gr.update(visible=clash is not None),
        gr.update(visible=True),
        gr.update(value=say("review.rank_anew"), variant="secondary"),
        _keys(bench, say),
    ]


def _told(key: str, entry: Decision, say: Language) -> str:
    about = f"{sentence(entry, say)} ({escape(PurePosixPath(entry.photo).name)})"
    return f'<div class="saree"><p class="told" role="status">{say(key, decision=about)}</p></div>'


def _trouble(error: Exception, say: Language, outputs: int) -> list[Any]:
    return [trouble(error, say, _plainly), *[gr.skip()] * (outputs - 1)]


def _plainly(message: str) -> str:
    return message.split(": add --")[0].split("; add --")[0]


def _place(at: str) -> tuple[int, int, str]:
    """The index of the entry that a curator sees, the last decision on it that they have seen, and its mark."""
    found = re.fullmatch(r"(\d{1,9}):(\d{1,18}):([0-9a-f]{16})", at or "")
    if found is None:
        raise ValueError(said("review.which_photo"))
    return int(found[1]), int(found[2]), found[3]


def _next(bench: Bench, index: int, step: int = 1) -> int:
    done, progress = decided(bench)
    return next_open(bench, index, done, step, progress.put_off)


def _user(request: gr.Request | None) -> str:
    """Whoever has logged in, where the app asks for that."""
    return getattr(request, "username", None) or ""


def _in_words(kind: str, craft: str, other: str, say: Language) -> str:
    values = {"relabel": {"label": label_name(craft or "", say)}, "duplicate": {"photo": other}}
    return say(f"about_to.{kind}", **values.get(kind, {}))


def _manifest(desk: Desk) -> Any:
    return desk.manifest if desk.manifest is not None else desk.folder / "manifest.csv"


def _opening(desk: Desk, say: Language) -> str:
    manifest = _manifest(desk)
    log = desk.log if desk.log is not None else log_beside(manifest)
    if desk.manifest is None and desk.run.share is not None:
        return empty(say("review.shared"), start_with(desk.folder, "review.start_with", say))
    looking = say("review.of_model" if desk.manifest is None else "review.of_collection", manifest=_code(manifest))
    own = "" if desk.manifest is not None else f"<br>{start_with(desk.folder, 'review.start_with', say)}"
    return (
        f'<div class="saree"><h2>{say("review.title")}</h2><p>{say("review.opening")}</p>'
        f'<p class="fine">{looking}<br>{say("review.decisions", log=_code(log))}{own}</p></div>'
    )


def _keys(bench: Bench, say: Language) -> str:
    named = {f"review.{kind}": key for kind, key in (_KEYS | _WALKS).items()}
    keys = " ".join(f"<kbd>{key}</kbd> {say(name)}" for name, key in named.items())
    left_out = len(bench.queue.bad)
    missed = note(say("review.left_out", n=left_out), problem=True) if left_out else ""
    enter = say("review.field_opens", key="<kbd>Enter</kbd>")
    places = (
        f"{say('review.collection', manifest=_code(bench.place))}<br>{say('review.decisions', log=_code(bench.log))}"
    )
    return (
        f'{missed}<div class="saree"><h2>{say("review.title")}</h2><details class="help"><summary>{say("review.help")}'
        f'</summary><p class="fine keyed">{keys}</p><p class="fine">{enter}<br>{places}</p></details></div>'
    )


def _code(file: Path) -> str:
    return f"<code>{escape(where(file))}</code>"
