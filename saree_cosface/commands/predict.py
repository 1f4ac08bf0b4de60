"""``saree-cosface predict``: the tradition of photos."""

import sys
from pathlib import Path

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import Command, Subcommands, add_json, add_run, finish, new_parser
from saree_cosface.console import console


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
    predict.add_argument("--top", type=PositiveInt, default=5, help="how many traditions and references to name")
    add_json(predict, "answers")
    predict.add_argument("--csv", action="store_true", help="answers as CSV on stdout instead, a row a tradition")
    subcommands.add_subcommand("predict", predict, help="name the tradition of photos")
    return {"predict": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.answers.prediction import predict
    from saree_cosface.data.csv_text import csv_text
    from saree_cosface.runs.run import load_run

    if options.json and options.csv:
        raise ValueError("--json and --csv both go to stdout: ask for one of them.")
    answers = predict(
        load_run(options.run), options.photos, one_piece=options.piece, top=options.top, evidence=options.evidence
    )
    if options.csv:
        sys.stdout.write(csv_text(answers.csv_columns(), answers.csv_rows()))
    elif not options.json:
        answers.print_tables(console)
    return finish(options, answers.to_json(), ok=not answers.bad)
