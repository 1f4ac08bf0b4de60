"""Identify: photos of one piece in; the verdict, what it rests on, and a report to keep out."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.answers.document import document
from saree_cosface.answers.evidence import gather_evidence
from saree_cosface.answers.examination import Examination, Unread, examine, see
from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.html.page import escape, photo_uri
from saree_cosface.maps.references import small_map
from saree_cosface.pages.examination import evidence_html, file_stem, marks_html, report_page, verdict_html
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name

from .background import ReferenceMaps
from .desk import Desk
from .opening import note, script
from .running import Running
from .uploads import taken

PHOTO_TYPES = ["image", *sorted(PHOTO_SUFFIXES)]

_WAIT = (
    '<div class="saree waiting" role="status"><p class="fine">Looking closer: which regions speak for it …</p></div>'
)


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
    answer = gr.HTML(padding=False, elem_id="identify-answer")
    closer = gr.HTML(padding=False, elem_id="identify-closer")

    def answers(files: Sequence[tuple[Path, str]], session: str | None) -> Iterator[tuple[Any, Any]]:
        superseded = looking.begin(session or "")
        for found in identify(desk.run, files, maps):
            if superseded.is_set():
                yield gr.skip(), gr.skip()
                return
            yield found

    def look(uploads: Any, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        emptied: Any = None
        try:
            with taken(uploads, request.session_hash) as files:
                for found in answers(files, request.session_hash):
                    yield emptied, *found
                    emptied = gr.skip()  # what has been put in since is another question's
        except ValueError as error:
            yield emptied, note(str(error), problem=True), ""

    def try_one(chosen: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        number = chosen._data.get("number") if isinstance(chosen._data, dict) else None
        if not isinstance(number, int) or not 0 <= number < len(examples):
            yield note("There is no such example.", problem=True), ""
            return
        path, _ = examples[number]
        yield from answers([(path, path.name)], request.session_hash)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": answer, "concurrency_id": "looking"}
    quiet |= {"concurrency_limit": 2, "scroll_to_output": True}
    quiet["trigger_mode"] = "multiple"  # else what is sent while an answer is under way would lie there unasked
    photos.upload(look, photos, [photos, answer, closer], preprocess=False, **quiet)
    tries.click(try_one, None, [answer, closer], **quiet)


def identify(
    run: Run, files: Sequence[tuple[Path, str]], maps: ReferenceMaps | None = None
) -> Iterator[tuple[Any, Any]]:
    """Two pieces of HTML, twice: the answer at once, then also what it rests on and the report.

    Photos that cannot be read are named, with the reason.

    Args:
        run: that answers.
        files: photos of one piece, each with the name it is shown by.
        maps: of the references.
    """
    if not files:
        yield note("Choose one or several photos of a saree."), ""
        return
    try:
        seen, unread = see(run, files)
        problems = "".join(_unread(each) for each in unread)
        if not seen:
            yield problems, ""
            return
        examination = examine(run, seen)
    except ValueError as error:
        yield note(str(error), problem=True), ""
        return
    yield f'{problems}<div class="saree found">{verdict_html(run, examination)}</div>', _WAIT
    yield gr.skip(), _closer(run, examination, unread, maps)


def _closer(run: Run, examination: Examination, unread: Sequence[Unread], maps: ReferenceMaps | None) -> str:
    evidence = gather_evidence(run, examination)
    references = None if maps is None else maps.of(run)
    crafts = [tradition.craft for tradition in examination.attribution.traditions]
    drawn, place, remark = "", None, ""
    if references is None and maps is not None:
        remark = f'<p class="fine">{escape(maps.remark(run))}</p>'
    elif references is not None:
        place = references.place(examination.embedding[None])[0]
        drawn = small_map(references, crafts, place)
    page = report_page(run, examination, evidence, drawn, unread)
    plain = json.dumps(document(run, examination, evidence, place, unread), ensure_ascii=False, indent=2)
    stem = file_stem(examination)
    return (
        '<div class="saree found"><h3>What the answer rests on</h3>'
        f"{evidence_html(evidence, examination)}"
        "<h3>Among the references</h3>"
        f"{drawn or remark}"
        f"<h3>What a specialist would look at</h3>{marks_html(crafts[:2])}"
        "<h3>Keep it</h3><p>With the model’s version, the date, the thresholds and the checksums of your photos, so "
        "that it can be cited. Where the photos were taken is not in it.</p>"
        f'<p class="keep">{link(page, f"{stem}.html", "text/html", "Report (HTML)")} '
        f"{link(plain, f'{stem}.json', 'application/json', 'Report (JSON)')}</p></div>"
    )


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


_INTRODUCTION = """<div class="saree"><p>Drop a photo, or several of the same piece: the whole, the border, the pallu,
the cloth at close range. The answer is the craft tradition whose photos it resembles most, measured by cosine, and what
that rests on. A resemblance is not a proof of where a piece was made.</p></div>"""
