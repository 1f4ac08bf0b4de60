"""``saree-cosface map``: a collection, every photo near those that are most like it."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import (
    Command,
    Subcommands,
    add_cache,
    add_embeddings,
    add_json,
    add_run,
    add_where,
    finish,
    new_parser,
)
from saree_cosface.console import console

HELP = {"map": "map a collection"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    parser = new_parser(
        "Map a collection: every photo near those that are most like it. Writes coordinates, figures to\n"
        "print, and map.html, a page to explore that opens without a server. With --before, photos keep the places\n"
        "of a map made earlier or, with another model, are turned onto it; a figure shows both side by side."
    )
    add_run(parser)
    parser.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--before", type=Path | None, help="folder of a map made before, to continue or compare with")
    add_where(parser, "map")
    parser.add_argument("--seed", type=int, default=0, help="of the map; one seed gives one map on one machine")
    add_embeddings(parser)
    add_cache(parser)
    add_json(parser)
    subcommands.add_subcommand("map", parser, help=HELP["map"])
    return {"map": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.maps.make import map_collection
    from saree_cosface.runs.alone import alone
    from saree_cosface.runs.run import load_run

    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    run = load_run(options.run)
    with alone(options.out, "map"):
        made = map_collection(
            run,
            manifest,
            options.out,
            seed=options.seed,
            before=options.before,
            shards=options.embeddings,
            cache=options.cache,
        )
    made.print_facts(console)
    return finish(options, made.to_json())
