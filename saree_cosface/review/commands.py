"""The command ``review``."""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.console import console
from saree_cosface.options import DataOptions


def review_parser() -> ArgumentParser:
    """Its options."""
    parser = ArgumentParser(
        description="Rank what is worth another look in a collection: doubtful labels (judged without the photo's own\n"
        "source), copies, pieces whose photos disagree, leaks across the split, odd photos, photos of something else.\n"
        "Writes a queue as JSON and CSV, and contact sheets. Changes nothing; `saree-cosface curate` records decisions."
    )
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--log", type=Path | None, help="log of `curate`: photos decided on are left out")
    parser.add_argument("--where", type=str | None, help="review only the rows of this pandas query")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--sheets", type=int, default=60, help="entries drawn on contact sheets, six a sheet")
    parser.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    parser.add_argument("--json", action="store_true", help="the queue as JSON on stdout")
    return parser


def run_review(options: Namespace) -> dict[str, Any]:
    """Review a collection and return the document to print as JSON."""
    from saree_cosface.collection import see
    from saree_cosface.curation.deciding import verdicts_on
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.data.manifest import read_manifest
    from saree_cosface.review.queue import review
    from saree_cosface.review.sheets import FOLDER, write_sheets
    from saree_cosface.runs import load_run

    log = None if options.log is None else CurationLog(options.log)
    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    options.out.mkdir(parents=True, exist_ok=True)  # before the long work, if it cannot be
    collection = see(load_run(options.run), manifest, cache=options.cache)
    decisions = [] if log is None else verdicts_on(log, collection.manifest, collection.sha256.tolist())
    queue = review(collection, decisions=decisions, seed=options.seed, cache=options.cache)
    queue.save(options.out)
    sheets = write_sheets(queue, options.out / FOLDER, options.sheets)
    queue.print_table(console)
    console.print(f"Queue: {options.out}, with {len(sheets)} contact sheets", highlight=False, markup=False)
    return queue.to_json()
