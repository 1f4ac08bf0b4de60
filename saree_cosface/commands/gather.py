"""``saree-cosface data gather``: openly licensed photographs, with their credit."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import add_cache, add_json, finish, new_parser
from saree_cosface.console import console
from saree_cosface.gathering.licences import OFFERED, Code

if TYPE_CHECKING:
    from saree_cosface.runs.run import Run


def parser() -> ArgumentParser:
    """The options."""
    made = new_parser(
        "Gather openly licensed photographs of crafts, with their credit, from Openverse (a way to Flickr, Wikimedia\n"
        "Commons and many museums) and from Wikimedia Commons itself. One request at a time, no quicker than these\n"
        "services ask for; without a key, Openverse answers 200 questions a day, so that many crafts take several\n"
        "days: run the same command again, which goes on and fetches nothing twice. Captions are often wrong: look\n"
        "through the photos (contact sheets, `saree-cosface review`, the app), and train with --confirmed.\n"
        "Example: saree-cosface data gather --out gathered --craft banarasi patola --contact me@example.org"
    )
    made.add_argument("--out", type=Path, required=True, help="folder, new or gathered into before")
    made.add_argument(
        "--contact",
        type=str,
        required=True,
        metavar="ADDRESS",
        help="your e-mail address or web page, which the services ask for and see",
    )
    made.add_argument(
        "--craft", type=str, nargs="+", default=[], metavar="C", help="crafts, in any spelling (default: all)"
    )
    made.add_argument("--per-craft", type=PositiveInt, default=50, metavar="N", help="photos of each, at most")
    made.add_argument(
        "--from",
        dest="services",
        type=Literal["openverse", "commons"],
        nargs="+",
        default=["openverse", "commons"],
        help="services that are asked, by turns",
    )
    made.add_argument(
        "--licences",
        type=Code,
        nargs="+",
        default=list(OFFERED),
        help="licences that are taken; none that forbids derivatives is offered, since training and crops are such",
    )
    made.add_argument("--run", type=Path | None, help="run that then ranks what is worth a look, into OUT/review")
    made.add_argument(
        "--api", type=str, default="", metavar="BASE", help="ask both services at this one address instead, for tests"
    )
    add_cache(made)
    add_json(made, "what was gathered and left out")
    return made


def gather_photos(options: Namespace) -> int:
    """Run the command."""
    from saree_cosface.gathering.commons import COMMONS
    from saree_cosface.gathering.gather import gather
    from saree_cosface.gathering.guest import Guest
    from saree_cosface.gathering.ledger import MANIFEST, open_ledger
    from saree_cosface.gathering.openverse import OPENVERSE
    from saree_cosface.gathering.sheets import FOLDER, write_sheets
    from saree_cosface.runs.alone import alone
    from saree_cosface.taxonomy import load_taxonomy

    taxonomy = load_taxonomy()
    crafts = list(dict.fromkeys(taxonomy.resolve(name) for name in options.craft)) or list(taxonomy.crafts)
    licences = [code for code in OFFERED if code in options.licences]
    services = [each for each in (OPENVERSE, COMMONS) if each.name in options.services]
    folder: Path = options.out
    run = None if options.run is None else _loaded(options.run)
    with Guest(options.contact, api=options.api) as guest, alone(folder, "data gather"):
        for each in services:
            most = sum(len(each.asks(craft, licences)) for craft in crafts)
            _say(f"{each.quota}: up to {most} for what is looked for here, more where an answer has many pages.")
        ledger = open_ledger(folder)
        gathered = gather(
            ledger,
            crafts,
            per_craft=options.per_craft,
            services=services,
            licences=licences,
            guest=guest,
            api=options.api,
        )
        gathered.save()
        sheets = write_sheets(ledger, [craft.id for craft in crafts], licences)
    gathered.print_table(console)
    document = gathered.to_json()
    if document["photos"]:
        document["check"] = _check(folder / MANIFEST)
        document["review"] = None if run is None else _review(run, folder / MANIFEST, options.cache)
        _say(f"Manifest: {folder / MANIFEST}; contact sheets ({len(sheets)}): {folder / FOLDER}")
        _say(
            f"Every label is a caption's, and captions lie. Look through them: `saree-cosface review RUN "
            f"{folder / MANIFEST} --out {folder / 'review'}`, or the tab Review of the app; then train with "
            f"`saree-cosface train --data.manifest {folder / MANIFEST} --confirmed`."
        )
    return finish(options, document, ok=gathered.ok)


def _loaded(run: Path) -> "Run":
    from saree_cosface.runs.run import load_run

    return load_run(run)


def _check(manifest: Path) -> dict[str, object]:
    """What `data check` finds, crops aside."""
    from saree_cosface.data.check import check_manifest
    from saree_cosface.data.manifest_file import read_manifest

    report = check_manifest(read_manifest(manifest))
    report.print_table(console)
    return report.to_json()


def _review(run: "Run", manifest: Path, cache: Path) -> str:
    """Rank what is worth a look, what was decided left out; returns the folder of the queue."""
    from saree_cosface.answers.collection import see
    from saree_cosface.curation.deciding import log_beside, verdicts_on
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.review.queue import review
    from saree_cosface.review.sheets import FOLDER, write_sheets

    out, log = manifest.parent / "review", log_beside(manifest)
    collection = see(run, read_manifest(manifest), cache=cache)
    decisions = []
    if log.exists():
        with CurationLog(log) as opened:
            decisions = verdicts_on(opened, collection.manifest, collection.sha256.tolist())
    queue = review(collection, decisions=decisions, cache=cache)
    queue.save(out)
    write_sheets(queue, out / FOLDER, len(queue.entries))
    queue.print_table(console)
    return str(out)


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)
