"""Identify: photos of one piece in, the nearest craft traditions and reference pieces out."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from app.desk import Desk
from saree_cosface.attribution import Attribution, in_words
from saree_cosface.data.images import PHOTO_SUFFIXES, BadImage
from saree_cosface.pages import answer, escape, photo_uri
from saree_cosface.prediction import predict
from saree_cosface.runs import Run
from saree_cosface.taxonomy import load_taxonomy


def identify_tab(desk: Desk) -> None:
    """The tab, within the current context."""
    photos = gr.File(
        label="Photos of one saree",
        file_count="multiple",
        file_types=["image", *sorted(PHOTO_SUFFIXES)],
        height=150,
    )
    result = gr.HTML(padding=False)

    def look(uploads: list[str] | None) -> tuple[None, str]:
        files = [Path(upload) for upload in uploads or ()]
        try:
            return None, identify(desk.run, files)
        finally:
            _forget(files)

    photos.upload(look, photos, [photos, result], api_visibility="private", show_progress_on=result)


def identify(run: Run, photos: Sequence[Path]) -> str:
    """The answer for photos of one piece, as HTML; photos that cannot be read are named, with the reason."""
    if not photos:
        return _note("Choose one or several photos of a saree.")
    try:
        answers = predict(run, photos, one_piece=True, top=5)
    except ValueError as error:
        return _note(str(error))
    problems = "".join(_unreadable(bad) for bad in answers.bad)
    return problems + "".join(_answer(run, found) for found in answers.attributions)


def _answer(run: Run, found: Attribution) -> str:
    first = found.traditions[0]
    facts = ", ".join(escape(fact) for fact in (first.family, first.place) if fact)
    remarks = [f"Seen in {len(found.photos)} photos."] if len(found.photos) > 1 else []
    remarks += [
        f"{escape(Path(say.photo).name)} disagrees: by itself it is nearest to {escape(say.name)}."
        for say in found.disagreeing
    ]
    heading = f"Nearest to {first.name}"
    if found.verdict is not None:
        heading = in_words(found.verdict, load_taxonomy())
        facts = facts if found.verdict.kind == "tradition" else ""
        remarks.append(f"{escape(found.verdict.reason.capitalize())}.")
    elif len(found.traditions) > 1:
        second = escape(found.traditions[1].name)
        remarks.append(f"Ahead of {second} by {found.gap:.3f}: the less, the less the first name means.")
    opening = f'<h3>{escape(heading)}</h3><p>{facts}</p><p class="fine">{" ".join(remarks)}</p>'
    pictures = [photo_uri(Path(photo), 480) for photo in found.photos]
    return f'<div class="saree">{answer(found, pictures, opening, run.gallery.folder)}</div>'


def _unreadable(bad: BadImage) -> str:
    return _note(f"{bad.path.name} was left out ({bad.reason}). Try another photo, or save it as JPEG.")


def _note(message: str) -> str:
    return f'<div class="saree"><div class="note problem" role="alert"><p>{escape(message)}</p></div></div>'


def _forget(files: Sequence[Path]) -> None:
    """Delete uploads; nothing but what lies in the folder of uploads, whatever a request may name."""
    uploads = Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())).resolve()
    for file in files:
        if file.resolve().is_relative_to(uploads):
            file.unlink(missing_ok=True)
