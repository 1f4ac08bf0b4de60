"""``saree-cosface data import``, ``check``, ``gather`` and ``card``: manifests made, checked, filled, described."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands import data_card, gather
from saree_cosface.commands.common import Command, Subcommands, add_cache, add_json, add_where, finish, new_parser
from saree_cosface.console import console

HELP = {"data": "make and check manifests"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the commands."""
    data = ArgumentParser(description="Make and check manifests: tables with a row a photo.")
    # jsonargparse takes the levels of sub-commands from the outside in.
    subcommands.add_subcommand("data", data, help=HELP["data"])
    data_commands = data.add_subcommands(dest="subcommand", metavar="COMMAND")
    importing = new_parser(
        "Make a manifest from a folder tree (craft/photo, craft/source/photo, craft/source/piece/photo)\n"
        "or from a table with a column for the photo and one for the craft."
    )
    importing.add_argument("folder", type=Path, help="folder of photos, or a table: .xlsx, .csv, .tsv or .txt")
    importing.add_argument(
        "--out", type=Path | None, help="manifest to write (default: manifest.csv beside the photos)"
    )
    importing.add_argument("--source", type=str | None, help="who took the photos, where the tree does not tell")
    add_json(importing, "the report")
    data_commands.add_subcommand("import", importing, help="make a manifest")
    checking = new_parser(
        "Find unreadable, tiny, duplicate and contradictory photos, crops of one photograph, unknown labels, crafts\n"
        "with too few sources, and duplicates that straddle a split. Exit status 1 when there are errors."
    )
    checking.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    add_where(checking, "check")
    checking.add_argument("--run", type=Path | None, help="also find near-duplicates by this run's embeddings")
    checking.add_argument(
        "--crops", type=bool, default=True, help="also find crops of one photograph, by features that training uses too"
    )
    add_cache(checking)
    add_json(checking, "the findings")
    data_commands.add_subcommand("check", checking, help="find what is wrong with a manifest")
    data_commands.add_subcommand("gather", gather.parser(), help="gather openly licensed photographs")
    data_commands.add_subcommand("card", data_card.parser(), help="describe a collection")
    return {
        "data import": _import,
        "data check": _check,
        "data gather": gather.gather_photos,
        "data card": data_card.run,
    }


def _import(options: Namespace) -> int:
    from saree_cosface.data.importing import import_folder
    from saree_cosface.data.spreadsheet_import import import_spreadsheet

    folder: Path = options.folder
    if folder.is_dir():
        out = options.out or folder / "manifest.csv"
        report = import_folder(folder, out, source=options.source)
    else:
        out = options.out or folder.with_name("manifest.csv")
        report = import_spreadsheet(folder, out, source=options.source)
    report.print_table(console)
    return finish(options, report.to_json())


def _check(options: Namespace) -> int:
    from saree_cosface.data.check import check_manifest
    from saree_cosface.data.manifest_file import read_manifest

    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    embeddings, crops = None, []
    if options.run is not None:
        from saree_cosface.features.embedding import embeddings_with_gaps
        from saree_cosface.runs.run import load_run

        embeddings = embeddings_with_gaps(load_run(options.run).embedder, manifest.files())
    if options.crops:
        from saree_cosface.features.crops import crops_among

        crops = crops_among(manifest.files(), cache=options.cache)
    report = check_manifest(manifest, crops=crops, embeddings=embeddings)
    report.print_table(console)
    return finish(options, report.to_json(), ok=report.ok)
