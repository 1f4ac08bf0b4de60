"""``saree-cosface embed``: embeddings of a large collection, made once and read by what looks at it."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import (
    Command,
    Subcommands,
    add_json,
    add_run,
    add_where,
    finish,
    new_parser,
)
from saree_cosface.console import console

HELP = {"embed": "embed a large collection, here or on a cluster"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    embed = new_parser(
        "Embed a large collection into a folder of Parquet files, here or on a Ray cluster. What was finished is\n"
        "kept: the same call goes on where it was broken off. `map`, `review` and `evaluate` read such a folder with\n"
        "--embeddings instead of computing again; pandas, Polars and DuckDB read its files."
    )
    add_run(embed)
    embed.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    embed.add_argument("--out", type=Path, required=True, help="folder of the Parquet files")
    add_where(embed, "embed")
    embed.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="compute in this process, or on a Ray cluster whose machines see the photos under the same paths",
    )
    embed.add_argument(
        "--address",
        type=str | None,
        help="of the Ray cluster, host:port or auto (default: that of $RAY_ADDRESS, else this machine)",
    )
    embed.add_argument("--shard", type=int, default=1000, help="photos a file")
    embed.add_argument(
        "--cache", type=Path | None, help="folder of features, shared by runs (default: none, the embeddings are kept)"
    )
    add_json(embed)
    subcommands.add_subcommand("embed", embed, help=HELP["embed"])
    return {"embed": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.data.photos import list_bad
    from saree_cosface.runs.alone import alone
    from saree_cosface.runs.run import load_run
    from saree_cosface.shards.making import UNREADABLE, embed_collection

    if options.address and options.engine != "ray":
        raise ValueError("--address is of a Ray cluster: add --engine ray.")
    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    run = load_run(options.run)
    with alone(options.out, "embed"):
        made = embed_collection(
            run.embedder,
            manifest,
            options.out,
            engine=options.engine,
            address=options.address,
            shard=options.shard,
            cache=options.cache,
        )
    list_bad(made.bad)
    listed = f"; {len(made.bad)} without, in {UNREADABLE}" if made.bad else ""
    console.print(
        f"{made.folder}: {made.photos - len(made.bad)} embeddings in {made.shards} files{listed}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return finish(options, made.to_json())
