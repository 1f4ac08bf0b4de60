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
from saree_cosface.languages.language import Language

from .desk import Desk
from .identify import PHOTO_TYPES, link
from .opening import empty, note, script, trouble
from .running import Running
from .speaking import fixed, spoken
from .uploads import UNPACKED, taken

_OFTEN, _SELDOM = 0.5, 4.0  # seconds between two reports of progress, and between two tables


def batch_tab(desk: Desk, running: Running) -> None:
    """Build the tab, within the current context."""
    more = f"<details><summary>{fixed('batch.of_folders')}</summary><p>{fixed('batch.folders')}</p></details>"
    opening = f'<div class="saree"><p>{fixed("batch.opening")}</p>{more}</div>'
    gr.HTML(opening, padding=False, js_on_load=script("folders.js"))
    with gr.Row():
        files = gr.File(
            label=fixed("batch.photos"),
            file_count="multiple",
            file_types=[*PHOTO_TYPES, ".zip"],
            height=132,
            min_width=300,
            elem_id="batch-photos",
        )
        folder = gr.File(
            label=fixed("batch.folder"), file_count="directory", height=132, min_width=300, elem_id="batch-folder"
        )
    nothing = empty(fixed("batch.empty"))
    progress = gr.HTML(nothing, padding=False, js_on_load=script("shown.js"), elem_id="batch-progress")
    cancel = gr.Button(fixed("batch.cancel"), visible=False, elem_id="batch-cancel", size="sm")
    table = gr.HTML(padding=False, apply_default_css=False, js_on_load=script("sorting.js"), elem_id="batch-table")

    def work(uploads: Any, request: gr.Request, whole: bool = False) -> Iterator[tuple[Any, ...]]:
        session, say = request.session_hash or "", spoken(desk.languages, request)
        end = running.begin(session)
        emptied: Any = None
        try:
            with taken(uploads, session, folders=whole) as photos:
                for said, rows, more in name_all(desk, of_folder(photos) if whole else photos, end, say):
                    yield emptied, said, gr.skip() if rows is None else rows, gr.update(visible=more)
                    emptied = gr.skip()  # what has been put in since is another batch's
        except ValueError as error:
            yield emptied, trouble(error, say), gr.skip(), gr.update(visible=False)
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
    desk: Desk, photos: list[tuple[Path, str]], end: threading.Event, say: Language
) -> Iterator[tuple[str, str | None, bool]]:
    """How far it is, the table now and then, and whether there is more to come.

    Args:
        desk: the run.
        photos: or archives, each with the name it is shown by.
        end: once set, what is done is shown and the rest is left.
        say: language.
    """
    if not photos:
        yield note(say("batch.choose")), None, False
        return
    total = count_photos(photos)
    rows: list[Row] = []
    begun = told = shown = time.monotonic()
    yield _progress(0, total, 0.0, say), "", True
    problem = ""
    try:
        for row in name_photos(desk.run, photos, photos[0][0].parent / UNPACKED):
            rows.append(row)
            now = time.monotonic()
            if end.is_set():
                break
            if now - told >= _OFTEN and len(rows) < total:
                fresh = now - shown >= _SELDOM
                yield _progress(len(rows), total, now - begun, say), results(rows, say) if fresh else None, True
                told, shown = now, now if fresh else shown
    except Exception as error:  # what was named until then is not lost to it
        console.print(f"app: a batch broke off: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        problem = str(getattr(error, "strerror", None) or say.error(error))  # without paths of this machine
    values: dict[str, Any] = {"done": len(rows), "n": total, "counts": _counts(rows, say)}
    key = "batch.done" if total == len(rows) else "batch.broke_off" if problem else "batch.cancelled"
    ended = say(key, **values, **({"problem": problem} if problem else {}))
    yield note(ended, problem=bool(problem)), results(rows, say), False


def results(rows: list[Row], say: Language) -> str:
    """The rows as a table that sorts by any column, those left out with their reasons, and all of it as CSV."""
    if not rows:
        return ""
    calibrated = any(row.verdict for row in rows)
    head = ["photo", "nearest", "cosine", "then", "lead"]
    head[1:1] = ["verdict"] if calibrated else []
    head[4:4] = ["chance"] if calibrated else []
    body = []
    for row in rows:
        cells = [_cell(row.photo, heading=True)]
        if row.problem:
            reason = say("batch.left_out", reason=escape(say.again(row.problem)))
            cells.append(f'<td colspan="{len(head) - 1}" class="wrong">{reason}</td>')
        else:
            label = {name: say(f"batch.label_{name}") for name in ("nearest", "cosine", "chance", "then", "lead")}
            verdict = f'<td class="verdict {row.kind}">{escape(say.again(row.verdict))}</td>'
            cells += [verdict] if calibrated else []
            cells += [_cell(say.again(row.tradition), label=label["nearest"])]
            cells += [_number(row.cosine, 3, label["cosine"], say)]
            cells += [_number(row.probability, 2, label["chance"], say)] if calibrated else []
            cells += [_cell(say.again(row.second), label=label["then"]), _number(row.gap, 3, label["lead"], say)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    heads = "".join(f'<th scope="col"><button type="button">{say(f"batch.head_{name}")}</button></th>' for name in head)
    saved = link(as_csv(rows), "sarees.csv", "text/csv", say("batch.save"))
    return (
        f'<div class="saree"><p class="keep">{saved}</p><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{say("batch.named_photos")}"><table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></div>"
    )


_ENDS = ("tradition", "between", "unsure", "outside", "", "left_out")
"""Kinds of verdict in the order in which they are counted, with "" for none and what was left out last."""


def _counts(rows: Sequence[Row], say: Language) -> str:
    """How many got which kind of verdict, and how many were left out.

    >>> from saree_cosface.languages.packaged import english
    >>> _counts([Row("a", kind="tradition"), Row("b", kind="outside"), Row("c", problem="empty")], english())
    '1 named, 1 outside the known traditions, 1 left out (the reasons stand in the table)'
    """
    counts = Counter("left_out" if row.problem else row.kind for row in rows)
    told = [say(f"batch.count_{kind or 'compared'}", n=counts[kind]) for kind in _ENDS if counts[kind]]
    return ", ".join(told) or say("batch.count_none")


def _hidden(name: str) -> bool:
    """Whether a file is hidden, or a folder that it lies in; but the outermost was chosen, hidden or not.

    >>> _hidden(".a.jpg"), _hidden("shop/.trash/a.jpg"), _hidden(".shop/a.jpg")
    (True, True, False)
    """
    chosen, *inner = name.split("/")
    return any(part.startswith(".") for part in inner or [chosen])


def _progress(done: int, total: int, seconds: float, say: Language) -> str:
    told = say("batch.progress", done=done, n=total)
    if done:
        left = seconds / done * (total - done)
        minutes = left >= 90
        unit = "batch.minutes_left" if minutes else "batch.seconds_left"
        told += f", {say(unit, time=round(left / 60) if minutes else max(1, round(left)))}"
    return (
        f'<div class="saree" data-shows="progress" role="status"><label class="far">{told}'
        f'<progress max="{total}" value="{done}"></progress></label></div>'
    )


def _cell(text: str, *, heading: bool = False, label: str = "") -> str:
    """The label stands before it where a row is a card of its own."""
    if heading:
        return f'<th scope="row">{escape(text)}</th>'
    return f'<td data-label="{label}">{escape(text)}</td>'


def _number(value: float | None, digits: int, label: str, say: Language) -> str:
    if value is None:
        return f'<td class="number" data-label="{label}"></td>'
    return f'<td class="number" data-label="{label}" data-value="{value:.{digits}f}">{say.number(value, digits)}</td>'
