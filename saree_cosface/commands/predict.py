"""``saree-cosface predict``: the tradition of photos."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import Command, Subcommands, add_gallery, add_json, add_run, json_text, new_parser
from saree_cosface.console import console, telling

if TYPE_CHECKING:
    from saree_cosface.answers.prediction import Answers


HELP = {"predict": "name the tradition of photos"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    predict = new_parser(
        "Name the craft tradition of photos: ranked traditions with cosines, and the nearest reference pieces."
    )
    add_run(predict)
    predict.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    predict.add_argument("--piece", action="store_true", help="all photos show one piece: one answer")
    predict.add_argument(
        "--evidence",
        type=Path | None,
        help="folder for figures: what carries the cosine, and which regions match which of the nearest reference",
    )
    add_gallery(predict, "compare with a shared gallery instead of the run's own")
    predict.add_argument("--top", type=PositiveInt, default=5, help="how many traditions and references to name")
    add_json(predict, "answers")
    predict.add_argument("--csv", action="store_true", help="answers as CSV on stdout instead, a row a tradition")
    subcommands.add_subcommand("predict", predict, help=HELP["predict"])
    return {"predict": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.answers.prediction import predict_each, together
    from saree_cosface.runs.run import load_run

    if options.json and options.csv:
        raise ValueError("--json and --csv both go to stdout: ask for one of them.")
    run = load_run(options.run, gallery=options.gallery or "")
    found = predict_each(run, options.photos, one_piece=options.piece, top=options.top, evidence=options.evidence)
    say = _json if options.json else _csv if options.csv else _tables
    # A progress bar would write over the rows, where both are on one screen.
    with telling(_nobody) if say is not _tables and sys.stdout.isatty() else nullcontext():
        answers = together(run, say(found))
    if not options.json:
        answers.print_remarks(console)
    return 0 if not answers.bad else 1


def _nobody(description: str, done: int, total: int | None) -> None:
    """Hears how far it is."""


def _tables(found: Iterator["Answers"]) -> Iterator["Answers"]:
    for answers in found:
        answers.print_answers(console)
        yield answers


def _csv(found: Iterator["Answers"]) -> Iterator["Answers"]:
    from saree_cosface.data.csv_text import csv_text

    for number, answers in enumerate(found):
        sys.stdout.write(csv_text(answers.csv_columns(), answers.csv_rows(), header=number == 0))
        sys.stdout.flush()
        yield answers


def _json(found: Iterator["Answers"]) -> Iterator["Answers"]:
    """The document of :meth:`Answers.to_json`, which is whole whenever its making ends."""
    skipped: list[str] = []
    written = -1  # answers; the document begins with the first thing that is found
    try:
        for answers in found:
            document = answers.to_json()
            if written < 0:
                sys.stdout.write(f'{{\n  "run": {json_text(document["run"])},\n  "answers": [')
                written = 0
            for answer in document["answers"]:
                sys.stdout.write(("," if written else "") + _within(json_text(answer)))
                written += 1
            sys.stdout.flush()
            skipped += [_within(json_text(entry)) for entry in document["skipped"]]
            yield answers
    finally:
        if written >= 0:
            ends = "\n  " if written else "", "\n  " if skipped else ""
            sys.stdout.write(f'{ends[0]}],\n  "skipped": [{",".join(skipped)}{ends[1]}]\n}}\n')


def _within(text: str) -> str:
    """An entry of a list two levels deep, on lines of its own."""
    return "\n    " + text.replace("\n", "\n    ")
