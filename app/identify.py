"""Identify: photos of one piece in; the verdict, what it rests on, and a report to keep out."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.answers.document import document
from saree_cosface.answers.evidence import Evidence, gather_evidence
from saree_cosface.answers.examination import Examination, Unread, examine, see
from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.html.page import escape, photo_uri
from saree_cosface.html.parts import Part, folded
from saree_cosface.languages.language import Language
from saree_cosface.maps.references import small_map
from saree_cosface.pages.examination import file_stem, grounds, numbers, report_page
from saree_cosface.pages.verdict_card import verdict_html
from saree_cosface.runs.run import Run

from .background import ReferenceMaps
from .desk import Desk
from .opening import empty, note, script, trouble, waiting
from .running import Running
from .speaking import fixed, fixed_craft, spoken
from .uploads import taken

PHOTO_TYPES = ["image", *sorted(PHOTO_SUFFIXES)]


def identify_tab(desk: Desk, maps: ReferenceMaps, examples: Sequence[tuple[Path, str]], looking: Running) -> None:
    """Build the tab, within the current context.

    Args:
        desk: the run.
        maps: of its references.
        examples: photos to try, each with the id of its craft.
        looking: the answers under way: the last question of a session is the one that is answered.
    """
    gr.HTML(f'<div class="saree lead"><p>{fixed("identify.opening")}</p></div>', padding=False)
    photos = gr.File(
        label=fixed("identify.photos"),
        file_count="multiple",
        file_types=PHOTO_TYPES,
        height=132,
        elem_id="identify-photos",
    )
    tries = gr.HTML(_examples(examples), padding=False, js_on_load=script("examples.js"), elem_id="identify-examples")
    answer = gr.HTML(
        empty(fixed("identify.empty")),
        padding=False,
        apply_default_css=False,
        js_on_load=script("shown.js"),
        elem_id="identify-answer",
    )
    measured = gr.HTML(padding=False, apply_default_css=False, elem_id="identify-numbers")
    closer = gr.HTML(padding=False, apply_default_css=False, elem_id="identify-closer")

    def answers(files: Sequence[tuple[Path, str]], request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        superseded, say = looking.begin(request.session_hash or ""), spoken(desk.languages, request)
        yield waiting(say("identify.looking", n=len(files))), "", ""
        for found in identify(desk.run, files, say, maps):
            if superseded.is_set():
                yield gr.skip(), gr.skip(), gr.skip()
                return
            yield found

    def look(uploads: Any, request: gr.Request) -> Iterator[tuple[Any, Any, Any, Any]]:
        emptied: Any = None
        try:
            with taken(uploads, request.session_hash) as files:
                for found in answers(files, request):
                    yield emptied, *found
                    emptied = gr.skip()  # what has been put in since is another question's
        except ValueError as error:
            yield emptied, trouble(error, spoken(desk.languages, request)), "", ""

    def try_one(chosen: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        number = chosen._data.get("number") if isinstance(chosen._data, dict) else None
        if not isinstance(number, int) or not 0 <= number < len(examples):
            yield note(spoken(desk.languages, request)("identify.no_example"), problem=True), "", ""
            return
        path, _ = examples[number]
        yield from answers([(path, path.name)], request)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "looking"}
    quiet["concurrency_limit"] = 2
    quiet["trigger_mode"] = "multiple"  # else what is sent while an answer is under way would lie there unasked
    photos.upload(look, photos, [photos, answer, measured, closer], preprocess=False, **quiet)
    tries.click(try_one, None, [answer, measured, closer], **quiet)


def identify(
    run: Run, files: Sequence[tuple[Path, str]], say: Language, maps: ReferenceMaps | None = None
) -> Iterator[tuple[Any, Any, Any]]:
    """Three pieces of HTML, twice: the answer and what was measured for it at once; then its picture again, with the
    regions that match, and what it rests on, with the report.

    Photos that cannot be read are named, with the reason.

    Args:
        run: that answers.
        files: photos of one piece, each with the name it is shown by.
        say: language of the answer.
        maps: of the references.
    """
    if not files:
        yield note(say("identify.choose")), "", ""
        return
    try:
        seen, unread = see(run, files)
        problems = "".join(_unread(each, say) for each in unread)
        if not seen:
            yield problems, "", ""
            return
        examination = examine(run, seen)
    except ValueError as error:
        yield trouble(error, say), "", ""
        return
    measured = f'<div class="saree">{folded(numbers(run, examination, say))}</div>'
    yield f"{problems}{_card(run, examination, None, say)}", measured, waiting(say("identify.looking_closer"))
    evidence = gather_evidence(run, examination)
    closer = _closer(run, examination, evidence, unread, maps, say)
    yield f"{problems}{_card(run, examination, evidence, say)}", gr.skip(), closer


def _card(run: Run, examination: Examination, evidence: Evidence | None, say: Language) -> str:
    return f'<div class="saree found" data-shows="answer">{verdict_html(run, examination, evidence, say)}</div>'


def _closer(
    run: Run,
    examination: Examination,
    evidence: Evidence,
    unread: Sequence[Unread],
    maps: ReferenceMaps | None,
    say: Language,
) -> str:
    references = None if maps is None else maps.of(run)
    crafts = [tradition.craft for tradition in examination.attribution.traditions]
    drawn, place, remark = "", None, ""
    if references is None and maps is not None:
        remark = maps.remark(run)
    elif references is not None:
        place = references.place(examination.embedding[None])[0]
        drawn = small_map(references, crafts, place, say)
    page = report_page(run, examination, evidence, say, drawn, unread)
    plain = json.dumps(document(run, examination, evidence, place, unread), ensure_ascii=False, indent=2)
    stem = file_stem(examination)
    keep = (
        f"<p>{say('keep.what')}</p>"
        f'<p class="keep">{link(page, f"{stem}.html", "text/html", say("keep.report", kind="HTML"))} '
        f"{link(plain, f'{stem}.json', 'application/json', say('keep.report', kind='JSON'))}</p>"
    )
    kept = Part(say("keep.title"), say("keep.hint"), keep)
    parts = [*grounds(examination, evidence, say, drawn, remark), kept]
    return f'<div class="saree">{folded(parts)}</div>'


def link(content: str, name: str, kind: str, label: str) -> str:
    """A link that saves text as a file; the text is in the link, so that nothing of it stays on the server."""
    coded = base64.b64encode(content.encode("utf-8", "replace")).decode()
    return (
        f'<a class="save" download="{escape(name)}" href="data:{kind};charset=utf-8;base64,{coded}">{escape(label)}</a>'
    )


def _unread(bad: Unread, say: Language) -> str:
    key = "photo.copy_left_out" if bad.copy else "photo.left_out"
    return note(say(key, photo=bad.name, reason=bad.reason), problem=not bad.copy)


def _examples(examples: Sequence[tuple[Path, str]]) -> str:
    buttons = []
    for number, (path, craft) in enumerate(examples):
        uri, name = photo_uri(path, 150), escape(fixed_craft(craft))
        buttons.append(f'<button type="button" data-example="{number}"><img src="{uri}" alt="">{name}</button>')
    if not buttons:
        return ""
    told = fixed("identify.or_example")
    return f'<div class="saree tries"><p class="fine">{told}</p><div>{"".join(buttons)}</div></div>'
