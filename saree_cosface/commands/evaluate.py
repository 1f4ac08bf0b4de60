"""``saree-cosface evaluate``: a run's scores on photos that it never saw."""

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

HELP = {"evaluate": "score a run honestly"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    evaluate = new_parser("Score a run on photos it never saw: those of its held-out fold, or another manifest's.")
    add_run(evaluate)
    evaluate.add_argument("manifest", type=Path, help="the manifest trained on, or one of other photos")
    evaluate.add_argument(
        "--protocol",
        choices=("source", "piece", "random"),
        default="source",
        help="what the references may share with the photo: nothing of its source, nothing of its piece, or anything",
    )
    evaluate.add_argument(
        "--open-set", action="store_true", help="also score photos of other crafts in the manifest, and of other things"
    )
    evaluate.add_argument(
        "--others", type=Path, nargs="+", default=[], help="photos or folders of other things (default: bundled ones)"
    )
    evaluate.add_argument(
        "--before", type=Path | None, help="folder of an earlier evaluation, to see both side by side"
    )
    add_embeddings(evaluate)
    add_cache(evaluate)
    add_where(evaluate, "score")
    evaluate.add_argument("--out", type=Path | None, help="folder for the figures and the JSON (default: in the run)")
    add_json(evaluate, "scores")
    subcommands.add_subcommand("evaluate", evaluate, help=HELP["evaluate"])
    return {"evaluate": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.evaluation import evaluate
    from saree_cosface.sharing.own_card import write_own_card

    run = load_run(options.run)
    result = evaluate(
        run,
        options.manifest,
        protocol=options.protocol,
        where=options.where,
        open_set=options.open_set,
        others=options.others,
        before=options.before,
        shards=options.embeddings,
        cache=options.cache,
        out=options.out,
    )
    result.print_table(console)
    if options.out is None:
        write_own_card(run)
    return finish(options, result.to_json())
