"""``saree-cosface train``: an embedder and its gallery."""

from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_recipe, add_seed, new_parser, recipe_of
from saree_cosface.console import console
from saree_cosface.options import DataOptions

HELP = {"train": "train an embedder"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    train = new_parser(
        "Train an embedder with a margin loss, sources held out, and build its gallery.\n"
        "Interrupted runs go on with --resume and end with the same weights."
    )
    train.add_class_arguments(DataOptions, "data")
    add_recipe(train)
    add_seed(train)
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument(
        "--confirmed",
        action="store_true",
        help="the same as --data.confirmed true: no label that rests on a caption alone",
    )
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    subcommands.add_subcommand("train", train, help=HELP["train"])
    return {"train": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.runs.create import create_run
    from saree_cosface.sharing.own_card import write_own_card
    from saree_cosface.training.loop import first_process

    data = DataOptions(**options.data.as_dict())
    data = replace(data, confirmed=data.confirmed or options.confirmed)
    finished = (options.out / "run.json").is_file()  # before: it is only looked at
    run = create_run(data, recipe_of(options), options.out, resume=options.resume)
    if first_process():
        if not finished:
            write_own_card(run)
        said = f"Run: {run.folder}  ({len(run.gallery)} references of {len(run.classes)} crafts)"
        console.print(said, highlight=False)
    return 0
