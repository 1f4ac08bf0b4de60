"""``saree-cosface gallery ...``: a gallery on a PostgreSQL server, for several people."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import (
    Command,
    Subcommands,
    add_embeddings,
    add_gallery,
    add_json,
    add_run,
    finish,
    new_parser,
)
from saree_cosface.console import console

if TYPE_CHECKING:
    from saree_cosface.data.images import BadImage
    from saree_cosface.runs.shared_gallery import SharedGallery

_IT = "the shared gallery"


HELP = {"gallery": "share references on a server"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command with its sub-commands."""
    parser = ArgumentParser(
        description="Share the references of a run on a PostgreSQL server with pgvector, where several people search "
        "them and add to them: `predict`, `enrol`, `enrolments` and `app` take its address as --gallery.\n"
        "Example: saree-cosface gallery copy runs/museum --to postgresql://asha@db.museum.example/sarees"
    )
    subcommands.add_subcommand("gallery", parser, help=HELP["gallery"])
    inner = parser.add_subcommands(dest="subcommand", metavar="COMMAND")

    copy = new_parser(
        "Send a run's own references to a shared gallery, which is made if need be: all or none. Photos that are\n"
        "there already are replaced where they differ, so it may be done again. The log of enrolments stays here.\n"
        "With --photos it sends those of a manifest instead, such as a whole collection that `embed` has seen."
    )
    add_run(copy)
    copy.add_argument("--photos", type=Path | None, metavar="MANIFEST", help="send these photos, with their labels")
    add_embeddings(copy)
    copy.add_argument("--to", type=str, required=True, metavar="ADDRESS", help=f"of {_IT}, as for --gallery")
    add_json(copy)
    inner.add_subcommand("copy", copy, help="send a run's references to a server")

    check = new_parser(
        "Count what a shared gallery holds beside the run's own, and measure its search: how long an exact search\n"
        "takes and, where there is an index, how many of the exact answers that finds, and how long it takes."
    )
    add_run(check)
    add_gallery(check, _IT, required=True)
    check.add_argument("--k", type=PositiveInt, default=10, help="how many nearest photos are asked for")
    check.add_argument("--queries", type=PositiveInt, default=200, help="references that are asked about")
    add_json(check)
    inner.add_subcommand("check", check, help="count, and measure the search")

    index = new_parser(
        "Build the HNSW index, by which references are then found sooner, and not always all: `gallery check`\n"
        "measures how many. Without it every search is exact. Verdicts do not depend on it, only the reference pieces."
    )
    add_run(index)
    add_gallery(index, _IT, required=True)
    index.add_argument("--drop", action="store_true", help="remove the index: every search is exact again")
    inner.add_subcommand("index", index, help="build the index, or remove it")

    search = new_parser("The references that are nearest to photos of one piece, of all or of some only.")
    add_run(search)
    search.add_argument("photos", type=Path, nargs="+", help="photos of one piece, or folders of photos")
    add_gallery(search, "search a shared gallery instead of the run's own")
    search.add_argument("--craft", type=str, default="", help="references of this craft only, in any spelling")
    search.add_argument("--place", type=str, default="", help="of crafts made there only, such as Gujarat")
    search.add_argument("--source", type=str, default="", help="of this source only")
    search.add_argument("--k", type=PositiveInt, default=10, help="how many reference pieces")
    add_json(search)
    inner.add_subcommand("search", search, help="find references, by craft, place or source")

    remove = new_parser(
        "Remove references from a shared gallery by their photos, all or none: because their owner asks for it, or\n"
        "they are wrong. An enrolment as a whole is taken back with `enrolments --undo`."
    )
    add_run(remove)
    remove.add_argument("photos", type=Path, nargs="+", help="the photos, or folders of photos")
    add_gallery(remove, _IT, required=True)
    inner.add_subcommand("remove", remove, help="remove references")
    return {
        **{"gallery copy": _copy, "gallery check": _check, "gallery index": _index},
        **{"gallery search": _search, "gallery remove": _remove},
    }


def _shared(run: Path, address: str) -> "SharedGallery":
    from saree_cosface.runs.run import load_run

    gallery = load_run(run, gallery=address).gallery
    from saree_cosface.runs.shared_gallery import SharedGallery

    assert isinstance(gallery, SharedGallery)
    return gallery


def _copy(options: Namespace) -> int:
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.data.photos import list_bad
    from saree_cosface.networks.fingerprint import embedder_version
    from saree_cosface.runs.gallery import Gallery, require_postgres
    from saree_cosface.runs.references import build_gallery
    from saree_cosface.runs.run import load_run

    require_postgres()
    from saree_cosface.runs.shared_gallery import create_gallery

    if options.embeddings is not None and options.photos is None:
        raise ValueError("--embeddings are of photos that are sent: name their manifest with --photos.")

    run = load_run(options.run)
    own = run.gallery
    bad: Sequence[BadImage] = ()
    if options.photos is not None:
        own, bad = build_gallery(run.embedder, read_manifest(options.photos), shards=options.embeddings)
        list_bad(bad, options.photos)
        if not len(own):
            raise ValueError(f"{options.photos}: none of its photos could be read; nothing was sent.")
    assert isinstance(own, Gallery)
    last = ~own.references["sha256"].duplicated(keep="last").to_numpy()
    sent = Gallery(own.embeddings[last], own.references[last])
    shared = create_gallery(options.to, embedder_version(run.embedder), own.dimensions)
    new, replaced = shared.add(sent)
    twice = f"; {len(own) - len(sent)} are copies of others, and were left out" if len(sent) < len(own) else ""
    address = shared.database.address.shown
    said = f"{address}: of {len(own)} photos {new} are new there, {replaced} replaced others{twice}."
    console.print(said, highlight=False, markup=False, soft_wrap=True)
    document = {"gallery": address, "photos": len(own), "new": new, "replaced": replaced}
    skipped = [{"path": str(each.path), "reason": each.reason} for each in bad]
    return finish(options, {**document, "copies": len(own) - len(sent), "skipped": skipped}, ok=not bad)


def _check(options: Namespace) -> int:
    from saree_cosface.runs.gallery import Gallery
    from saree_cosface.runs.shared_check import check

    shared = _shared(options.run, options.gallery)
    found = check(shared, Gallery.load(options.run / "gallery"), k=options.k, queries=options.queries)
    found.print_table(console)
    return finish(options, found.to_json())


def _index(options: Namespace) -> int:
    from saree_cosface.console import announce

    shared = _shared(options.run, options.gallery)
    if options.drop:
        shared.drop_index()
        console.print("The index is gone: every search is exact.", highlight=False)
        return 0
    announce("Building the index")
    shared.index()
    said = f"The index stands: `saree-cosface gallery check {options.run} --gallery ADDRESS` measures what it finds."
    console.print(said, highlight=False, markup=False, soft_wrap=True)
    return 0


def _search(options: Namespace) -> int:
    from saree_cosface.data.names import craft_label, tidy
    from saree_cosface.data.photos import gather_photos
    from saree_cosface.features.embedding import embed_photos
    from saree_cosface.runs.any_gallery import Only
    from saree_cosface.runs.run import load_run
    from saree_cosface.taxonomy import UnknownCraft

    run = load_run(options.run, gallery=options.gallery or "")
    files, bad = gather_photos(options.photos)
    try:
        craft = craft_label(options.craft, known=run.gallery.crafts) if options.craft else ""
    except UnknownCraft as error:  # without its remedy, which is of those who enrol
        raise ValueError(f"--craft: {UnknownCraft(error.label, error.suggestions)}") from error
    seen = embed_photos(run.embedder, files)
    bad += seen.bad
    if not len(seen.rows):
        raise ValueError(f"no photo could be read{f'; the first: {bad[0]}' if bad else ''}")
    only = Only(craft, options.place, tidy(options.source))
    table = run.gallery.neighbours(seen.embeddings.mean(axis=0), options.k, only=only)
    for near in table.to_dict("records"):
        said = f"{near['cosine']:.3f}  {near['craft']}  {near['source'] or 'source unknown'}  {near['path']}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    for one in bad:
        console.print(f"Skipped {one}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    return finish(options, {"references": table.to_dict("records")}, ok=not bad)


def _remove(options: Namespace) -> int:
    from saree_cosface.data.content import photo_hash
    from saree_cosface.data.photos import gather_photos

    shared = _shared(options.run, options.gallery)
    files, bad = gather_photos(options.photos)
    if bad:
        raise ValueError(f"{bad[0]}; nothing was removed.")
    shown = {photo_hash(file) for file in files}
    shared.remove(sorted(shown))
    console.print(f"{len(shown)} photos removed from {shared.database.address.shown}.", highlight=False, markup=False)
    return 0
