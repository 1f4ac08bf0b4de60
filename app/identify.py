"""Identify: photos of one piece in, the nearest craft traditions and reference pieces out."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from saree_cosface.attribution import Attribution, in_words
from saree_cosface.console import console
from saree_cosface.data.images import PHOTO_SUFFIXES, BadImage
from saree_cosface.pages import answer, craft_name, escape, photo_uri, stylesheet
from saree_cosface.prediction import predict
from saree_cosface.runs import Run
from saree_cosface.taxonomy import load_taxonomy

TITLE = "Which craft is this saree?"
LARGEST_UPLOAD = "60mb"

_STYLE = """
.gradio-container { background: light-dark(#fbf9f6, #1b1917) !important; }
:root { color-scheme: light; } :root:has(.dark) { color-scheme: dark; }
.gradio-container > main, .gradio-container .main { max-width: 900px !important; margin: 0 auto !important; }
.gradio-container .saree { color-scheme: light; } .dark .saree { color-scheme: dark; }
.gradio-container .saree h1 { font-size: clamp(1.5rem, 5vw, 2.1rem); margin: .7em 0 .3em; }
.gradio-container .saree h3 { margin: 0 0 .2em; }
.gradio-container .saree + .saree { padding-top: 1.4em; }
"""


def build_app(run: Run) -> gr.Blocks:
    """The page for one run."""
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        gr.HTML(_opening(run), padding=False)
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
                return None, identify(run, files)
            finally:
                _forget(files)

        photos.upload(look, photos, [photos, result], api_visibility="private", show_progress_on=result)
    return page


def serve(page: gr.Blocks, port: int | None) -> None:
    """Serve the page on this machine alone, until interrupted.

    Args:
        page: made by :func:`build_app`.
        port: on 127.0.0.1; the first free one from 7860 when None.

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
        max_file_size=LARGEST_UPLOAD,
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        theme=_theme(),
        css=stylesheet() + _STYLE,
    )
    console.print(f"Open {url} in a browser; Ctrl-C ends it.", highlight=False)
    page.block_thread()


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


def _opening(run: Run) -> str:
    names = ", ".join(escape(craft_name(craft)) for craft in run.gallery.crafts)
    verdicts = "A saree of another tradition is given the nearest of these."
    if run.calibration is not None:
        share = run.calibration.false_accepts
        verdicts = f"A name is given only where, by test, at most {share:.0%} of sarees of other traditions get one."
    return f"""<div class="saree"><div class="temple"></div>
<h1>{TITLE}</h1>
<p>Upload a photo, or several of the same piece: the whole, the border, the pallu, the cloth at close range. The answer
is the craft tradition whose photos it resembles most, measured by cosine, and the reference pieces nearest to it.</p>
<p class="fine">Known here: {names}. {verdicts} A resemblance is
not a proof of where a piece was made. Photos stay on this machine and are deleted once they have been looked at.</p>
</div>"""


def _theme() -> gr.themes.Base:
    # Fonts of the reader's system: nothing is fetched from elsewhere.
    fonts = [gr.themes.Font(name) for name in ("system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")]
    return gr.themes.Base(
        primary_hue="slate", neutral_hue="stone", font=fonts, font_mono=[gr.themes.Font("ui-monospace")]
    )


def _forget(files: Sequence[Path]) -> None:
    """Delete uploads; nothing but what lies in the folder of uploads, whatever a request may name."""
    uploads = Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())).resolve()
    for file in files:
        if file.resolve().is_relative_to(uploads):
            file.unlink(missing_ok=True)
