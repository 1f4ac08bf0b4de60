"""The commands of curators that look at a collection: ``map`` and ``review``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.console import console
from saree_cosface.options import DataOptions

Command = Callable[[Namespace], dict[str, Any]]


def add_commands(subcommands: Any) -> dict[str, Command]:
    """Add ``map`` and ``review``; each takes the parsed options and returns the document to print as JSON."""
    mapping = _new(
        "Map a collection: every photo near those that are most like it. Writes coordinates, figures to print, and\n"
        "map.html, a page to explore that opens without a server. With --before, photos keep the places that they had\n"
        "on a map made earlier or, with another model, are turned onto them; a figure shows both side by side."
    )
    mapping.add_argument("--seed", type=int, default=0, help="of the map; one seed gives one map on one machine")
    mapping.add_argument(
        "--before", type=Path | None, help="folder of a map made before, to continue or to compare with"
    )
    subcommands.add_subcommand("map", mapping, help="map a collection")
    reviewing = _new(
        "Rank what is worth another look in a collection: probable errors in labels (found without the photo's own\n"
        "source), copies, pieces whose photos disagree, leaks across the split, odd ones, photos of something else.\n"
        "Writes a queue as JSON and CSV, and contact sheets. Changes nothing; `saree-cosface curate` records decisions."
    )
    reviewing.add_argument("--log", type=Path | None, help="log of `curate`: photos decided on are left out")
    reviewing.add_argument("--seed", type=int, default=0, help="of the folds by source")
    reviewing.add_argument("--sheets", type=int, default=60, help="entries drawn on contact sheets, six a sheet")
    subcommands.add_subcommand("review", reviewing, help="find what to look at again")
    return {"map": _map, "review": _review}


def _new(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    parser.add_argument("--where", type=str | None, help="only the rows of this pandas query")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    return parser


def _map(options: Namespace) -> dict[str, Any]:
    from saree_cosface.curators.mapping import map_collection
    from saree_cosface.data.manifest import read_manifest
    from saree_cosface.runs import load_run

    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    made = map_collection(
        load_run(options.run), manifest, options.out, seed=options.seed, before=options.before, cache=options.cache
    )
    made.print_facts(console)
    return made.to_json()


def _review(options: Namespace) -> dict[str, Any]:
    from saree_cosface.curators.collection import see
    from saree_cosface.curators.curation import CurationLog
    from saree_cosface.curators.review import review
    from saree_cosface.curators.sheets import FOLDER, write_sheets
    from saree_cosface.data.manifest import read_manifest
    from saree_cosface.runs import load_run

    decisions = {}
    if options.log is not None:
        with CurationLog(options.log) as log:
            decisions = {entry.sha256: entry for entry in log.standing().verdicts.values() if entry.sha256}
    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    collection = see(load_run(options.run), manifest, cache=options.cache)
    queue = review(collection, decisions=decisions, seed=options.seed, cache=options.cache)
    queue.save(options.out)
    sheets = write_sheets(queue, options.out / FOLDER, options.sheets)
    queue.print_table(console)
    console.print(f"Queue: {options.out}, with {len(sheets)} contact sheets", highlight=False, markup=False)
    return queue.to_json()
