"""Enrol: a reference piece, or a tradition of one's own, that can be searched at once; and all of that taken back."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.answers.enrolment import Enrolled, enrol, undo
from saree_cosface.answers.enrolment_log import Enrolment, enrolments
from saree_cosface.answers.provenance import Provenance
from saree_cosface.curation.text import tidy_text
from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.html.page import Html, escape, table
from saree_cosface.taxonomy import craft_name, load_taxonomy

from .desk import Desk
from .opening import empty, heard, note, script, tab_style, when_opened

_ONE, _EACH = "One saree, seen several times", "Each a saree of its own"
_OPENING = """<div class="saree"><h2>Enrol a reference piece</h2><p>Photos of a piece whose tradition you are sure of
become references of this model, or of a tradition that it does not know yet. Nothing is trained; the next search
compares with them. Everything can be taken back.</p><p class="fine">The photos are kept in the model's own folder,
without the place, time and camera that a phone writes into them.</p></div>"""


def enrol_tab(desk: Desk) -> None:
    """Build the tab."""
    tab_style()
    gr.HTML(_OPENING, padding=False, apply_default_css=False)
    photos = gr.File(
        label="Photos",
        file_count="multiple",
        file_types=["image", *sorted(PHOTO_SUFFIXES)],
        height=150,
        elem_id="enrol-photos",
    )
    shows = gr.Radio([_ONE, _EACH], value=_ONE, label="The photos show")
    with gr.Row(elem_classes="wrapping"):
        craft = gr.Dropdown(
            _choices(desk),
            value=None,
            label="Tradition",
            allow_custom_value=True,
            filterable=True,
            elem_id="enrol-craft",
            min_width=260,
        )
        new = gr.Checkbox(
            label="A tradition that is not in the list",
            info="Write its name in the field: it is then meant, and no slip.",
            elem_id="enrol-new",
            min_width=260,
        )
    source = gr.Textbox(
        label="Source",
        info="Who took the photos: museum, shop, person. An evaluation leaves them out together.",
        max_length=200,
        elem_id="enrol-source",
    )
    with gr.Accordion("What else is known of the piece", open=False):
        with gr.Row():
            inventory = gr.Textbox(label="Inventory number", max_length=200, min_width=240)
            owner = gr.Textbox(label="Owner or collection", max_length=200, min_width=240)
        with gr.Row():
            weaver = gr.Textbox(label="Weaver or workshop", max_length=200, min_width=240)
            made = gr.Textbox(label="Made where and when", max_length=200, min_width=240)
        remark = gr.Textbox(label="Remark", lines=2, max_length=1000)
    add = gr.Button("Enrol", variant="primary", elem_id="enrol-add", scale=0, min_width=220)
    result = gr.HTML(
        padding=False, apply_default_css=False, elem_id="enrol-result", min_height=40, js_on_load=script("enrol.js")
    )
    log = gr.HTML(padding=False, apply_default_css=False, elem_id="enrol-log")
    with gr.Row(visible=False, elem_classes="who") as back:
        which = gr.Dropdown([], label="Enrolment to take back", elem_id="enrol-which")
        take = gr.Button("Take it back", elem_id="enrol-undo")
    listed = [log, back, which]

    def enter(
        uploads: list[str] | None, shown: str, name: str | None, unknown: bool, who: str, *facts: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # gradio's way
    ) -> list[Any]:  # fmt: skip
        files = [Path(upload) for upload in uploads or ()]
        try:
            if not files:
                raise ValueError("Choose photos of the piece first.")
            said = tidy_text(name or "", "the tradition's name", 100)
            if not said:
                raise ValueError("Say of which tradition the piece is.")
            took = " ".join(tidy_text(who, "the source", 200).split())
            with heard(progress):
                done = enrol(
                    desk.folder, said, files, new=unknown, one_piece=shown == _ONE, source=took,
                    note=Provenance(*(fact or "" for fact in facts)).note(), keep=True, gallery=desk.gallery,
                )  # fmt: skip
        except (OSError, ValueError) as error:
            return [note(_plainly(error, [*files, desk.folder]), problem=True), gr.skip(), gr.skip(), *_list(desk)]
        _forget(files)
        return [_told(done), None, gr.update(choices=_choices(desk)), *_list(desk)]

    def reverse(number: Any) -> list[Any]:
        try:
            entry = undo(desk.folder, int(number or 0), gallery=desk.gallery)
        except (OSError, ValueError, TypeError) as error:
            return [note(_plainly(error, [desk.folder]), problem=True), *_list(desk)]
        return [note(f"Enrolment {entry.number} was taken back: its photos are no references any more."), *_list(desk)]

    fields = [photos, shows, craft, new, source, inventory, owner, weaver, made, remark]
    when_opened(lambda: _list(desk), None, listed)
    add.click(enter, fields, [result, photos, craft, *listed], api_visibility="private", show_progress_on=result)
    take.click(reverse, which, [result, *listed], api_visibility="private", show_progress_on=result)


def _choices(desk: Desk) -> list[tuple[str, str]]:
    """Every tradition by name, those of the taxonomy and those that were enrolled beside them."""
    known = {craft.id: craft.name for craft in load_taxonomy().crafts}
    with suppress(ValueError):  # the server that has the gallery is away; what is enrolled then is told of it
        known |= {craft: craft_name(craft) for craft in desk.run.gallery.crafts}
    return sorted(((name, craft) for craft, name in known.items()), key=lambda choice: choice[0].casefold())


def _told(done: Enrolled) -> str:
    entry = done.enrolment
    name, count = craft_name(entry.craft), len(entry.photos)
    what = f"{name} is new here" if done.new else f"{name} now has {done.references} reference photos"
    left_out = [f"{each.path.name} was left out: {each.reason}" for each in done.bad]
    remarks = "".join(f"<li>{escape(each)}</li>" for each in (*left_out, *map(str, done.doubts)))
    remarks = f"<ul>{remarks}</ul>" if remarks else ""
    return (
        f'<div class="saree"><div class="note" role="status"><p><b>Enrolled as number {entry.number}.</b> '
        f"{count} {'photo' if count == 1 else 'photos'}; {escape(what)}. The next search compares with "
        f"{'it' if count == 1 else 'them'}.</p>{remarks}</div></div>"
    )


def _list(desk: Desk) -> list[Any]:
    """The enrolments as a table, the last first, and those that can be taken back."""
    try:
        entries = list(reversed(enrolments(desk.folder, gallery=desk.gallery)))
    except ValueError as error:
        return [note(str(error), problem=True), gr.update(visible=False), gr.skip()]
    if not entries:
        return [
            empty("Nothing was enrolled yet. What is will be listed here, each to be taken back."),
            gr.update(visible=False),
            None,
        ]
    rows = [
        (
            *(each.number, craft_name(each.craft), len(each.photos), each.source),
            *(_noted(each), _dated(each.when), _dated(each.undone)),
        )
        for each in entries
    ]
    head = ("no.", "tradition", "photos", "source", "provenance", "enrolled", "taken back")
    html = f'<div class="saree"><h3>Enrolled so far</h3>{table(head, rows, numbers="n n")}</div>'
    standing = [(f"{each.number}: {craft_name(each.craft)}, {len(each.photos)} photos", each.number) for each in entries
                if not each.undone]  # fmt: skip
    which = gr.update(choices=standing, value=standing[0][1] if standing else None)
    return [html, gr.update(visible=bool(standing)), which]


def _noted(entry: Enrolment) -> Html:
    return Html("<br>".join(escape(line) for line in entry.note.splitlines()))


def _dated(when: str) -> str:
    return when.replace("T", " ")[:16]


def _plainly(error: Exception, files: list[Path]) -> str:
    """The message without what only a command line understands, and without folders of this server."""
    text = str(error).replace("For a tradition that the taxonomy does not know, add --new.", _NOT_LISTED)
    for file in filter(lambda file: file.name, files):  # the folder where the server was started has none
        text = text.replace(str(file), file.name)
    return text


_NOT_LISTED = "If it is none of those listed, tick the box beside its name."


def _forget(files: list[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
