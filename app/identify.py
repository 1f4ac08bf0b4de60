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
from saree_cosface.maps.references import small_map
from saree_cosface.pages.examination import file_stem, grounds, numbers, report_page
from saree_cosface.pages.verdict_card import verdict_html
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name

from .background import ReferenceMaps
from .desk import Desk
from .opening import note, script
from .running import Running
from .uploads import taken

PHOTO_TYPES = ["image", *sorted(PHOTO_SUFFIXES)]

_EMPTY = """<div class="saree empty"><p>The answer will stand here: a name, or why there is none; how sure that is; and
one picture why.</p></div>"""
_WAIT = "Looking closer: which regions speak for it. That takes a second or two."


def identify_tab(desk: Desk, maps: ReferenceMaps, examples: Sequence[tuple[Path, str]], looking: Running) -> None:
    """Build the tab, within the current context.

    Args:
        desk: the run.
        maps: of its references.
        examples: photos to try, each with the id of its craft.
        looking: the answers under way: the last question of a session is the one that is answered.
    """
    gr.HTML(_INTRODUCTION, padding=False)
    photos = gr.File(
        label="Photos of one saree",
        file_count="multiple",
        file_types=PHOTO_TYPES,
        height=132,
        elem_id="identify-photos",
    )
    tries = gr.HTML(_examples(examples), padding=False, js_on_load=script("examples.js"), elem_id="identify-examples")
    answer = gr.HTML(_EMPTY, padding=False, js_on_load=script("answer.js"), elem_id="identify-answer")
    measured = gr.HTML(padding=False, elem_id="identify-numbers")
    closer = gr.HTML(padding=False, elem_id="identify-closer")

    def answers(files: Sequence[tuple[Path, str]], session: str | None) -> Iterator[tuple[Any, Any, Any]]:
        superseded = looking.begin(session or "")
        what = "your photo" if len(files) == 1 else f"{len(files)} photos"
        yield _waiting(f"Looking at {what}. That takes a few seconds."), "", ""
        for found in identify(desk.run, files, maps):
            if superseded.is_set():
                yield gr.skip(), gr.skip(), gr.skip()
                return
            yield found

    def look(uploads: Any, request: gr.Request) -> Iterator[tuple[Any, Any, Any, Any]]:
        emptied: Any = None
        try:
            with taken(uploads, request.session_hash) as files:
                for found in answers(files, request.session_hash):
                    yield emptied, *found
                    emptied = gr.skip()  # what has been put in since is another question's
        except ValueError as error:
            yield emptied, note(str(error), problem=True), "", ""

    def try_one(chosen: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        number = chosen._data.get("number") if isinstance(chosen._data, dict) else None
        if not isinstance(number, int) or not 0 <= number < len(examples):
            yield note("There is no such example.", problem=True), "", ""
            return
        path, _ = examples[number]
        yield from answers([(path, path.name)], request.session_hash)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "looking"}
    quiet["concurrency_limit"] = 2
    quiet["trigger_mode"] = "multiple"  # else what is sent while an answer is under way would lie there unasked
    photos.upload(look, photos, [photos, answer, measured, closer], preprocess=False, **quiet)
    tries.click(try_one, None, [answer, measured, closer], **quiet)


def identify(
    run: Run, files: Sequence[tuple[Path, str]], maps: ReferenceMaps | None = None
) -> Iterator[tuple[Any, Any, Any]]:
    """Three pieces of HTML, twice: the answer and what was measured for it at once; then its picture again, with the
    regions that match, and what it rests on, with the report.

    Photos that cannot be read are named, with the reason.

    Args:
        run: that answers.
        files: photos of one piece, each with the name it is shown by.
        maps: of the references.
    """
    if not files:
        yield note("Choose one or several photos of a saree."), "", ""
        return
    try:
        seen, unread = see(run, files)
        problems = "".join(_unread(each) for each in unread)
        if not seen:
            yield problems, "", ""
            return
        examination = examine(run, seen)
    except ValueError as error:
        yield note(str(error), problem=True), "", ""
        return
    measured = f'<div class="saree">{folded(numbers(run, examination))}</div>'
    yield f"{problems}{_card(run, examination)}", measured, _waiting(_WAIT)
    evidence = gather_evidence(run, examination)
    yield f"{problems}{_card(run, examination, evidence)}", gr.skip(), _closer(run, examination, evidence, unread, maps)


def _card(run: Run, examination: Examination, evidence: Evidence | None = None) -> str:
    return f'<div class="saree found">{verdict_html(run, examination, evidence)}</div>'


def _closer(
    run: Run, examination: Examination, evidence: Evidence, unread: Sequence[Unread], maps: ReferenceMaps | None
) -> str:
    references = None if maps is None else maps.of(run)
    crafts = [tradition.craft for tradition in examination.attribution.traditions]
    drawn, place, remark = "", None, ""
    if references is None and maps is not None:
        remark = maps.remark(run)
    elif references is not None:
        place = references.place(examination.embedding[None])[0]
        drawn = small_map(references, crafts, place)
    page = report_page(run, examination, evidence, drawn, unread)
    plain = json.dumps(document(run, examination, evidence, place, unread), ensure_ascii=False, indent=2)
    stem = file_stem(examination)
    keep = (
        "<p>With the model’s version, the date, the thresholds and the checksums of your photos, so that it can be "
        "cited. Where the photos were taken is not in it.</p>"
        f'<p class="keep">{link(page, f"{stem}.html", "text/html", "Report (HTML)")} '
        f"{link(plain, f'{stem}.json', 'application/json', 'Report (JSON)')}</p>"
    )
    parts = [*grounds(examination, evidence, drawn, remark), Part("Keep and cite it", "report as HTML or JSON", keep)]
    return f'<div class="saree">{folded(parts)}</div>'


def _waiting(said: str) -> str:
    return f'<div class="saree waiting" role="status"><p>{escape(said)}</p></div>'


def link(content: str, name: str, kind: str, label: str) -> str:
    """A link that saves text as a file; the text is in the link, so that nothing of it stays on the server."""
    coded = base64.b64encode(content.encode("utf-8", "replace")).decode()
    return (
        f'<a class="save" download="{escape(name)}" href="data:{kind};charset=utf-8;base64,{coded}">{escape(label)}</a>'
    )


def _unread(bad: Unread) -> str:
    advice = "" if bad.copy else " Try another photo, or save it as JPEG."
    return note(f"{bad.name} was left out ({bad.reason}).{advice}", problem=not bad.copy)


def _examples(examples: Sequence[tuple[Path, str]]) -> str:
    buttons = []
    for number, (path, craft) in enumerate(examples):
        uri, name = photo_uri(path, 150), escape(craft_name(craft))
        buttons.append(f'<button type="button" data-example="{number}"><img src="{uri}" alt="">{name}</button>')
    if not buttons:
        return ""
    return f'<div class="saree tries"><p class="fine">Or try an example:</p><div>{"".join(buttons)}</div></div>'


_INTRODUCTION = """<div class="saree lead"><p>Give a photo, or several of the same piece: the whole, the border, the
pallu, the cloth at close range. The answer is the tradition that it resembles most, if it resembles any enough. A
resemblance is no proof of where a piece was made.</p></div>"""
