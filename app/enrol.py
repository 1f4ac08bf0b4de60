"""Enrol: a reference piece, or a tradition of one's own, that can be searched at once; and all of that taken back."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.answers.enrolment import Enrolled, enrol, undo
from saree_cosface.answers.enrolment_log import Enrolment, enrolments
from saree_cosface.answers.provenance import Provenance
from saree_cosface.curation.text import tidy_text
from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.html.page import Html, escape, table
from saree_cosface.languages.language import Language
from saree_cosface.languages.packaged import ENGLISH
from saree_cosface.languages.said import said
from saree_cosface.taxonomy import load_taxonomy

from .desk import Desk
from .opening import empty, heard, note, script, tab_style, trouble, when_opened
from .speaking import fixed, fixed_craft, spoken

_ONE, _EACH = "one", "each"


def enrol_tab(desk: Desk) -> None:
    """Build the tab."""
    tab_style()
    opening = f'<h2>{fixed("enrol.title")}</h2><p>{fixed("enrol.opening")}</p><p class="fine">{fixed("enrol.kept")}</p>'
    gr.HTML(f'<div class="saree">{opening}</div>', padding=False, apply_default_css=False)
    photos = gr.File(
        label=fixed("enrol.photos"),
        file_count="multiple",
        file_types=["image", *sorted(PHOTO_SUFFIXES)],
        height=150,
        elem_id="enrol-photos",
    )
    shows = gr.Radio(
        [(fixed("enrol.one"), _ONE), (fixed("enrol.each"), _EACH)], value=_ONE, label=fixed("enrol.photos_show")
    )
    with gr.Row(elem_classes="wrapping"):
        craft = gr.Dropdown(
            [(fixed_craft(craft), craft) for _, craft in _choices(desk, desk.languages[ENGLISH])],
            value=None,
            label=fixed("enrol.tradition"),
            allow_custom_value=True,
            filterable=True,
            elem_id="enrol-craft",
            min_width=260,
        )
        new = gr.Checkbox(
            label=fixed("enrol.not_listed"),
            info=fixed("enrol.write_name"),
            elem_id="enrol-new",
            min_width=260,
        )
    source = gr.Textbox(
        label=fixed("enrol.source"), info=fixed("enrol.who_took"), max_length=200, elem_id="enrol-source"
    )
    with gr.Accordion(fixed("enrol.what_else"), open=False):
        with gr.Row():
            inventory = gr.Textbox(label=fixed("enrol.inventory"), max_length=200, min_width=240)
            owner = gr.Textbox(label=fixed("enrol.owner"), max_length=200, min_width=240)
        with gr.Row():
            weaver = gr.Textbox(label=fixed("enrol.weaver"), max_length=200, min_width=240)
            made = gr.Textbox(label=fixed("enrol.made"), max_length=200, min_width=240)
        remark = gr.Textbox(label=fixed("enrol.remark"), lines=2, max_length=1000)
    add = gr.Button(fixed("enrol.add"), variant="primary", elem_id="enrol-add", scale=0, min_width=220)
    result = gr.HTML(
        padding=False, apply_default_css=False, elem_id="enrol-result", min_height=40, js_on_load=script("enrol.js")
    )
    log = gr.HTML(padding=False, apply_default_css=False, elem_id="enrol-log")
    with gr.Row(visible=False, elem_classes="who") as back:
        which = gr.Dropdown([], label=fixed("enrol.which"), elem_id="enrol-which")
        take = gr.Button(fixed("enrol.take_back"), elem_id="enrol-undo")
    listed = [log, back, which]

    def enter(
        uploads: list[str] | None, shown: str, name: str | None, unknown: bool, who: str, inventory: str, owner: str,
        weaver: str, made: str, remark: str, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # gradio's way
    ) -> list[Any]:  # fmt: skip
        say, files = spoken(desk.languages, request), [Path(upload) for upload in uploads or ()]
        try:
            if not files:
                raise ValueError(said("enrol.needs_photos"))
            called = tidy_text(name or "", "the tradition's name", 100)
            if not called:
                raise ValueError(said("enrol.needs_tradition"))
            took = " ".join(tidy_text(who, "the source", 200).split())
            known = Provenance(*(fact or "" for fact in (inventory, owner, weaver, made, remark)))
            with heard(progress):
                done = enrol(
                    desk.folder, called, files, new=unknown, one_piece=shown == _ONE, source=took,
                    note=known.note(), keep=True, gallery=desk.gallery,
                )  # fmt: skip
        except (OSError, ValueError) as error:
            plainly = partial(_plainly, files=[*files, desk.folder], say=say)
            return [trouble(error, say, plainly), gr.skip(), gr.skip(), *_list(desk, say)]
        _forget(files)
        return [_told(done, say), None, gr.update(choices=_choices(desk, say)), *_list(desk, say)]

    def reverse(number: Any, request: gr.Request) -> list[Any]:
        say = spoken(desk.languages, request)
        try:
            entry = undo(desk.folder, int(number or 0), gallery=desk.gallery)
        except (OSError, ValueError, TypeError) as error:
            return [trouble(error, say, partial(_plainly, files=[desk.folder], say=say)), *_list(desk, say)]
        return [note(say("enrol.taken_back", number=entry.number)), *_list(desk, say)]

    def show(request: gr.Request) -> list[Any]:
        return _list(desk, spoken(desk.languages, request))

    fields = [photos, shows, craft, new, source, inventory, owner, weaver, made, remark]
    when_opened(show, None, listed)
    add.click(enter, fields, [result, photos, craft, *listed], api_visibility="private", show_progress_on=result)
    take.click(reverse, which, [result, *listed], api_visibility="private", show_progress_on=result)


def _choices(desk: Desk, say: Language) -> list[tuple[str, str]]:
    """Every tradition by name, those of the taxonomy and those that were enrolled beside them."""
    known = {craft.id: say.craft(craft.id) for craft in load_taxonomy().crafts}
    with suppress(ValueError):  # the server that has the gallery is away; what is enrolled then is told of it
        known |= {craft: say.craft(craft) for craft in desk.run.gallery.crafts}
    return sorted(((name, craft) for craft, name in known.items()), key=lambda choice: choice[0].casefold())


def _told(done: Enrolled, say: Language) -> str:
    entry = done.enrolment
    name, count = escape(say.craft(entry.craft)), len(entry.photos)
    what = say("enrol.new_here", craft=name) if done.new else say("enrol.now_has", craft=name, n=done.references)
    left_out = [
        say("enrol.left_out", photo=escape(each.path.name), reason=escape(say.again(each.reason))) for each in done.bad
    ]
    doubts = [escape(say.again(each.said)) for each in done.doubts]
    remarks = "".join(f"<li>{each}</li>" for each in (*left_out, *doubts))
    remarks = f"<ul>{remarks}</ul>" if remarks else ""
    photos = say("count.photos", n=count)
    return (
        f'<div class="saree"><div class="note" role="status"><p><b>{say("enrol.done", number=entry.number)}</b> '
        f"{say('enrol.done_photos', n=count, photos=photos, what=what)}</p>{remarks}</div></div>"
    )


def _list(desk: Desk, say: Language) -> list[Any]:
    """The enrolments as a table, the last first, and those that can be taken back."""
    try:
        entries = list(reversed(enrolments(desk.folder, gallery=desk.gallery)))
    except ValueError as error:
        return [trouble(error, say), gr.update(visible=False), gr.skip()]
    if not entries:
        return [empty(say("enrol.nothing_yet")), gr.update(visible=False), None]
    rows = [
        (
            *(say.number(each.number), say.craft(each.craft), say.number(len(each.photos)), each.source),
            *(_noted(each), say.moment(each.when), say.moment(each.undone)),
        )
        for each in entries
    ]
    columns = ("number", "tradition", "photos", "source", "provenance", "enrolled", "taken_back")
    listed = table([say(f"table.{column}") for column in columns], rows, numbers="n n")
    html = f'<div class="saree"><h3>{say("enrol.so_far")}</h3>{listed}</div>'
    standing = [
        (say("enrol.choice", number=each.number, craft=say.craft(each.craft), n=len(each.photos)), each.number)
        for each in entries
        if not each.undone
    ]
    which = gr.update(choices=standing, value=standing[0][1] if standing else None)
    return [html, gr.update(visible=bool(standing)), which]


def _noted(entry: Enrolment) -> Html:
    return Html("<br>".join(escape(line) for line in entry.note.splitlines()))


def _plainly(message: str, *, files: list[Path], say: Language) -> str:
    """A message without what only a command line understands, and without folders of this server."""
    text = message.replace("For a tradition that the taxonomy does not know, add --new.", say("enrol.tick_the_box"))
    for file in filter(lambda file: file.name, files):  # the folder where the server was started has none
        text = text.replace(str(file), file.name)
    return text


def _forget(files: list[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
