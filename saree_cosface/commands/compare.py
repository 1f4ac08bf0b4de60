"""``saree-cosface compare``: losses and baselines on the same folds and seeds."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import (
    Command,
    Subcommands,
    add_cache,
    add_json,
    add_recipe,
    add_where,
    finish,
    new_parser,
    recipe_of,
)
from saree_cosface.console import console

HELP = {"compare": "compare losses and baselines"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    compare = new_parser(
        "Train and score every loss and every frozen baseline on the same folds and seeds. Resumable:\n"
        "a second call with the same --out computes only what is missing."
    )
    compare.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    compare.add_argument(
        "--out", type=Path, required=True, help="folder for results.json, table.md, table.csv, figure.png"
    )
    add_where(compare, "use")
    compare.add_argument("--seeds", type=int, default=3, help="how many seeds, each with folds of its own")
    compare.add_argument("--folds", type=int, default=5, help="folds by source")
    add_cache(compare)
    add_json(compare, "results")
    add_recipe(compare)
    subcommands.add_subcommand("compare", compare, help=HELP["compare"])
    return {"compare": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.scoring.comparison import compare

    result = compare(
        options.manifest,
        options.out,
        recipe_of(options),
        where=options.where,
        seeds=options.seeds,
        folds=options.folds,
        cache=options.cache,
    )
    result.print_table(console)
    return finish(options, result.to_json())
