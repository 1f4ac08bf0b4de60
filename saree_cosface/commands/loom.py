"""``saree-cosface loom``: a corpus of drawn sarees."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, new_parser
from saree_cosface.console import console
from saree_cosface.loom.options import LoomOptions

HELP = {"loom": "draw synthetic sarees"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    loom = new_parser("Draw a corpus of synthetic sarees, photographed by synthetic shops.")
    loom.add_argument("out", type=Path, help="folder for the photos and manifest.csv")
    loom.add_class_arguments(LoomOptions, "loom")
    subcommands.add_subcommand("loom", loom, help=HELP["loom"])
    return {"loom": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.loom.corpus import draw_corpus

    manifest = draw_corpus(options.out, LoomOptions(**options.loom.as_dict()))
    console.print(f"Manifest: {manifest}", highlight=False)
    return 0
