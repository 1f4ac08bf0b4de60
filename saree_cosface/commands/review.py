"""``saree-cosface review``: what in a collection is worth another look."""

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

HELP = {"review": "find what to look at again"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    review = new_parser(
        "Rank what is worth another look in a collection: doubtful labels (judged without the photo's own\n"
        "source), copies, pieces whose photos disagree, leaks across the split, odd photos, photos of something else.\n"
        "Writes a queue as JSON and CSV, and contact sheets. Changes nothing; `saree-cosface curate` records decisions."
    )
    add_run(review)
    review.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    review.add_argument("--out", type=Path, required=True, help="folder to write to")
    review.add_argument("--log", type=Path | None, help="log of `curate`: photos decided on are left out")
    add_where(review, "review")
    review.add_argument("--seed", type=int, default=0, help="of the folds")
    review.add_argument("--sheets", type=int, default=60, help="entries drawn on contact sheets, six a sheet")
    add_embeddings(review)
    add_cache(review)
    add_json(review, "the queue")
    subcommands.add_subcommand("review", review, help=HELP["review"])
    return {"review": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.answers.collection import see
    from saree_cosface.curation.deciding import verdicts_on
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.review.queue import review
    from saree_cosface.review.sheets import FOLDER, write_sheets
    from saree_cosface.runs.alone import alone
    from saree_cosface.runs.run import load_run

    log = None if options.log is None else CurationLog(options.log)
    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    run = load_run(options.run)
    with alone(options.out, "review"):  # before the long work, if it cannot be written
        collection = see(run, manifest, shards=options.embeddings, cache=options.cache)
        decisions = [] if log is None else verdicts_on(log, collection.manifest, collection.sha256.tolist())
        queue = review(collection, decisions=decisions, seed=options.seed, cache=options.cache)
        queue.save(options.out)
        sheets = write_sheets(queue, options.out / FOLDER, options.sheets)
    queue.print_table(console)
    console.print(f"Queue: {options.out}, with {len(sheets)} contact sheets", highlight=False, markup=False)
    return finish(options, queue.to_json())
