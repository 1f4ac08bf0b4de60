"""``saree-cosface next``: what to photograph next, and which photos to label."""

from pathlib import Path

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import (
    Command,
    Subcommands,
    add_cache,
    add_json,
    add_run,
    add_where,
    finish,
    new_parser,
)
from saree_cosface.console import console

HELP = {"next": "find what to photograph, and which photos to label"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    steps = new_parser(
        "Rank crafts by what one more source of each is expected to add to balanced accuracy and, of a folder of\n"
        "photos without labels, choose those whose labels would teach most: in doubt, unlike what is there, one of\n"
        "each picture, from as many sources as there are. Without --where, of the crafts that the run has learned.\n"
        "Changes nothing."
    )
    add_run(steps)
    steps.add_argument("manifest", type=Path, help="CSV or Parquet manifest of the photos that have labels")
    steps.add_argument(
        "--photos", type=Path | None, metavar="FOLDER", help="photos without labels, in a folder for each source"
    )
    steps.add_argument("--count", type=PositiveInt, default=50, help="how many of them to choose")
    add_where(steps, "look at")
    steps.add_argument("--out", type=Path | None, help="folder to write to (default: in the run, where the app looks)")
    add_cache(steps)
    add_json(steps, "what was found")
    subcommands.add_subcommand("next", steps, help=HELP["next"])
    return {"next": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.review.next_steps import next_steps
    from saree_cosface.runs.run import load_run

    found = next_steps(
        load_run(options.run),
        options.manifest,
        where=options.where,
        photos=options.photos,
        count=options.count,
        cache=options.cache,
        out=options.out,
    )
    found.print_table(console)
    return finish(options, found.to_json())
