"""The command ``map``."""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.console import console
from saree_cosface.options import DataOptions


def map_parser() -> ArgumentParser:
    """Its options."""
    parser = ArgumentParser(
        description="Map a collection: every photo near those that are most like it. Writes coordinates, figures to\n"
        "print, and map.html, a page to explore that opens without a server. With --before, photos keep the places\n"
        "of a map made earlier or, with another model, are turned onto it; a figure shows both side by side."
    )
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--before", type=Path | None, help="folder of a map made before, to continue or compare with")
    parser.add_argument("--where", type=str | None, help="map only the rows of this pandas query")
    parser.add_argument("--seed", type=int, default=0, help="of the map; one seed gives one map on one machine")
    parser.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    return parser


def run_map(options: Namespace) -> dict[str, Any]:
    """Map a collection, say how far the map is to be trusted, and return the document to print as JSON."""
    from saree_cosface.data.manifest import read_manifest
    from saree_cosface.maps.mapping import map_collection
    from saree_cosface.runs import load_run

    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    made = map_collection(
        load_run(options.run), manifest, options.out, seed=options.seed, before=options.before, cache=options.cache
    )
    made.print_facts(console)
    return made.to_json()
