"""Batch: many photos or an archive in; a table that fills as they are looked at, and a CSV file out."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from saree_cosface.answers.batch import Row, as_csv, count_photos, name_photos
from saree_cosface.console import console
from saree_cosface.data.kinds import unread_picture
from saree_cosface.data.photos import is_photo
from saree_cosface.html.page import escape

from .desk import Desk
from .identify import PHOTO_TYPES, link
from .opening import empty, note, script
from .running import Running
from .uploads import UNPACKED, taken

_OFTEN, _SELDOM = 0.5, 4.0  # seconds between two reports of progress, and between two tables


def batch_tab(desk: Desk, running: Running) -> None:
    """Build the tab, within the current context."""
    gr.HTML(_INTRODUCTION, padding=False, js_on_load=script("folders.js"))
    with gr.Row():
        files = gr.File(
            label="Photos, or ZIP archives of photos",
            file_count="multiple",
            file_types=[*PHOTO_TYPES, ".zip"],
            height=132,
            min_width=300,
            elem_id="batch-photos",
        )
        folder = gr.File(
            label="Or a whole folder", file_count="directory", height=132, min_width=300, elem_id="batch-folder"
        )
    progress = gr.HTML(empty(_EMPTY), padding=False, js_on_load=script("shown.js"), elem_id="batch-progress")
    cancel = gr.Button("Cancel", visible=False, elem_id="batch-cancel", size="sm")
    table = gr.HTML(padding=False, apply_default_css=False, js_on_load=script("sorting.js"), elem_id="batch-table")

    def work(uploads: Any, request: gr.Request, whole: bool = False) -> Iterator[tuple[Any, ...]]:
        session = request.session_hash or ""
        end = running.begin(session)
        emptied: Any = None
        try:
            with taken(uploads, session, folders=whole) as photos:
                for said, rows, more in name_all(desk, of_folder(photos) if whole else photos, end):
                    yield emptied, said, gr.skip() if rows is None else rows, gr.update(visible=more)
                    emptied = gr.skip()  # what has been put in since is another batch's
        except ValueError as error:
            yield emptied, note(str(error), problem=True), gr.skip(), gr.update(visible=False)
        finally:
            end.set()

    def stop(request: gr.Request) -> None:
        running.end(request.session_hash or "")

    def work_on_folder(uploads: Any, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        yield from work(uploads, request, whole=True)

    for field, begun in ((files, work), (folder, work_on_folder)):
        field.upload(
            begun,
            field,
            [field, progress, table, cancel],
            preprocess=False,
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="multiple",
            concurrency_limit=4,
            concurrency_id="batch",
        )
    cancel.click(stop, None, None, api_visibility="private", queue=False)


def of_folder(files: Sequence[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """What of a folder's files is a photo, an archive, or a picture that will be listed since it cannot be read; others
    and hidden ones, or those in hidden folders, lie about in any folder.

    >>> of_folder([(Path("1"), "a.JPG"), (Path("2"), "Thumbs.db"), (Path("3"), "shop/.a.jpg"), (Path("4"), "b.zip")])
    [(PosixPath('1'), 'a.JPG'), (PosixPath('4'), 'b.zip')]
    """
    return [
        (path, name)
        for path, name in files
        if not _hidden(name) and (name.lower().endswith(".zip") or is_photo(path, name) or unread_picture(name, 1, b""))
    ]


def name_all(
    desk: Desk, photos: list[tuple[Path, str]], end: threading.Event
) -> Iterator[tuple[str, str | None, bool]]:
    """How far it is, the table now and then, and whether there is more to come.

    Args:
        desk: the run.
        photos: or archives, each with the name it is shown by.
        end: once set, what is done is shown and the rest is left.
    """
    if not photos:
        yield note("Choose photos, a folder, or a ZIP archive."), None, False
        return
    total = count_photos(photos)
    rows: list[Row] = []
    begun = told = shown = time.monotonic()
    yield _progress(0, total, 0.0), "", True
    ended = "Cancelled"
    try:
        for row in name_photos(desk.run, photos, photos[0][0].parent / UNPACKED):
            rows.append(row)
            now = time.monotonic()
            if end.is_set():
                break
            if now - told >= _OFTEN and len(rows) < total:
                fresh = now - shown >= _SELDOM
                yield _progress(len(rows), total, now - begun), results(rows) if fresh else None, True
                told, shown = now, now if fresh else shown
    except Exception as error:  # what was named until then is not lost to it
        console.print(f"app: a batch broke off: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        ended = f"Broke off ({getattr(error, 'strerror', None) or error})"  # without paths of this machine
    said = f"{total} photos" if total == len(rows) else f"{ended} after {len(rows)} of {total} photos"
    yield note(f"{said}: {_counts(rows)}.", problem=ended != "Cancelled"), results(rows), False


def results(rows: list[Row]) -> str:
    """The rows as a table that sorts by any column, those left out with their reasons, and all of it as CSV."""
    if not rows:
        return ""
    calibrated = any(row.verdict for row in rows)
    head = ["photo", "nearest tradition", "cosine", "then", "lead"]
    head[1:1] = ["verdict"] if calibrated else []
    head[4:4] = ["chance"] if calibrated else []
    body = []
    for row in rows:
        if row.problem:
            cells = [
                _cell(row.photo, heading=True),
                f'<td colspan="{len(head) - 1}" class="wrong">left out: {escape(row.problem)}</td>',
            ]
        else:
            cells = [
                _cell(row.photo, heading=True),
                *([f'<td class="verdict {row.kind}">{escape(row.verdict)}</td>'] if calibrated else []),
                _cell(row.tradition, label="nearest"),
            ]
            cells += [_number(row.cosine, 3, "cosine")]
            cells += [_number(row.probability, 2, "chance")] if calibrated else []
            cells += [_cell(row.second, label="then"), _number(row.gap, 3, "lead")]
        body.append(f"<tr>{''.join(cells)}</tr>")
    heads = "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in head)
    return (
        f'<div class="saree"><p class="keep">{link(as_csv(rows), "sarees.csv", "text/csv", "Save as CSV")}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Named photos"><table class="sortable"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div></div>"
    )


def _counts(rows: Sequence[Row]) -> str:
    """How many got which kind of verdict, and how many were left out.

    >>> _counts([Row("a", kind="tradition"), Row("b", kind="outside"), Row("c", problem="empty")])
    '1 named, 1 outside the known traditions, 1 left out (the reasons stand in the table)'
    """
    counts = Counter("left out" if row.problem else row.kind for row in rows)
    words = {
        "tradition": "named",
        "between": "between two traditions",
        "unsure": "not sure",
        "outside": "outside the known traditions",
        "": "compared",
        "left out": "left out (the reasons stand in the table)",
    }
    return ", ".join(f"{counts[kind]} {said}" for kind, said in words.items() if counts[kind]) or "none looked at"


def _hidden(name: str) -> bool:
    """Whether a file is hidden, or a folder that it lies in; but the outermost was chosen, hidden or not.

    >>> _hidden(".a.jpg"), _hidden("shop/.trash/a.jpg"), _hidden(".shop/a.jpg")
    (True, True, False)
    """
    chosen, *inner = name.split("/")
    return any(part.startswith(".") for part in inner or [chosen])


def _progress(done: int, total: int, seconds: float) -> str:
    left = "" if not done else f", {_duration(seconds / done * (total - done))} left"
    return (
        f'<div class="saree" data-shows="progress" role="status"><label class="far">{done} of {total} photos{left}'
        f'<progress max="{total}" value="{done}"></progress></label></div>'
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"


def _cell(text: str, *, heading: bool = False, label: str = "") -> str:
    """The label stands before it where a row is a card of its own."""
    if heading:
        return f'<th scope="row">{escape(text)}</th>'
    return f'<td data-label="{label}">{escape(text)}</td>'


def _number(value: float | None, digits: int, label: str) -> str:
    shown = "" if value is None else f"{value:.{digits}f}"
    return f'<td class="number" data-label="{label}">{shown}</td>'


_INTRODUCTION = """<div class="saree"><p>Every photo is looked at by itself, as a piece of its own. Those that cannot be
read are listed with the reason.</p><details><summary>Of folders and archives</summary><p>What is not a photo, by its
name or its first bytes, is passed over in a folder or an archive. Photos of a folder, or of an archive, are told by
where they lie in it.</p></details></div>"""
_EMPTY = (
    "The table will stand here: the verdict on each photo, to sort, and to save as CSV. It fills as they are named."
)
