"""``saree-cosface backbones``: which backbone and pooling serve a collection."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_cache, add_json, add_where, finish, new_parser
from saree_cosface.console import console

HELP = {"backbones": "find the backbone to train with"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    backbones = new_parser(
        "Which backbone to train with: frozen features of each, with every pooling that it can do, read out by the\n"
        "whitened cosine and the nearest neighbour, with whole sources held out. Nothing is trained, so it takes\n"
        "minutes; features are kept, so that a second call takes less."
    )
    backbones.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    backbones.add_argument(
        "--backbones",
        type=str,
        nargs="+",
        default=[],
        metavar="NAME",
        help="as of --model.backbone: lite0, lite1, lite2 or any timm model; lite0@320 shows larger images to it, and "
        "lite0+lite2 puts the features of both side by side (default: those whose weights are installed)",
    )
    add_where(backbones, "use")
    backbones.add_argument("--seeds", type=int, default=3, help="how many seeds, each with folds of its own")
    backbones.add_argument("--folds", type=int, default=5, help="folds by source")
    add_cache(backbones)
    add_json(backbones, "scores")
    subcommands.add_subcommand("backbones", backbones, help=HELP["backbones"])
    return {"backbones": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.networks.packaged import installed
    from saree_cosface.scoring.backbones import compare_backbones

    result = compare_backbones(
        options.manifest,
        options.backbones or installed(),
        where=options.where,
        seeds=options.seeds,
        folds=options.folds,
        cache=options.cache,
    )
    result.print_table(console)
    return finish(options, result.to_json())
