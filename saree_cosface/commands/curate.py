"""``saree-cosface curate LOG ...``: the curators' decisions on the command line. Nothing heavy loads until one runs."""

from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands.common import Command, Subcommands, add_json, finish
from saree_cosface.console import console

LOG = "journal"
"""The option that holds the path of the log; ``log`` is a sub-command."""

_DECISIONS = {
    "accept": ("The label is right.", "say that a label is right"),
    "relabel": ("The photo shows another tradition: the label becomes --craft. Needs --why.", "give another label"),
    "exclude": (
        "The photo leaves the manifest: no saree, unreadable, not ours to use. Needs --why.",
        "leave a photo out",
    ),
    "merge": ("Photos (or pieces, by their id) that show one and the same saree become one piece.", "join pieces"),
    "duplicate": ("The photo is a copy of --of, which stays; this one leaves.", "mark a copy"),
    "defer": ("Not decided yet: the photo stays as it is, and whoever knows may decide.", "leave a question open"),
    "comment": ("Only a remark, which changes nothing. Its text is --why.", "add a remark"),
}


HELP = {"curate": "record decisions, and apply them"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command with its sub-commands."""
    parser = ArgumentParser(
        description="Record the decisions of curators on photos, and make the next version of a manifest of them.\n"
        "Example: saree-cosface curate decisions.db relabel shop/bafta_17.jpg --craft jamdani --by 'Asha Rao'\n"
        "--why 'supplementary weft, no cut floats on the back' --manifest manifest.csv"
    )
    subcommands.add_subcommand("curate", parser, help=HELP["curate"])
    parser.add_argument(LOG, type=Path, metavar="LOG", help="file of decisions, such as decisions.db")
    commands: dict[str, Command] = {}
    inner = parser.add_subcommands(dest="subcommand", metavar="COMMAND")

    def add_one(name: str, command: Command, parser: ArgumentParser, help: str) -> None:
        add_json(parser)
        inner.add_subcommand(name, parser, help=help)
        commands[f"curate {name}"] = command

    for kind, (description, help) in _DECISIONS.items():
        craft = " --craft jamdani" if kind == "relabel" else ""
        other = {"merge": " bafta_18.jpg", "duplicate": " --of shop/bafta_18.jpg"}.get(kind, "")
        made = _new(
            f"{description} Recorded in the log with who, when, why and the manifest it is about. Example:"
            f" saree-cosface curate decisions.db {kind} shop/bafta_17.jpg{other}{craft} --by 'Asha Rao'"
            " --why 'seen on the loom'"
        )
        made.add_argument(
            "photo", type=str, metavar="PHOTO", help="path in the manifest, the file, or an end that one photo has"
        )
        if kind == "merge":
            made.add_argument(
                "others", type=str, nargs="+", metavar="PHOTO", help="the others; ids of pieces serve too"
            )
        if kind == "relabel":
            made.add_argument("--craft", type=str, required=True, help="the tradition, in any spelling")
            made.add_argument("--new", action="store_true", help="a tradition that the taxonomy does not know")
        if kind == "duplicate":
            made.add_argument("--of", type=str, required=True, metavar="PHOTO", help="the photo that is kept")
        _add_person(made)
        made.add_argument(
            "--manifest",
            type=Path | None,
            help="the manifest that this is about; the log remembers it, so that the first decision alone needs it",
        )
        made.add_argument(
            "--over",
            type=int,
            nargs="+",
            default=[],
            metavar="NUMBER",
            help="entries by others that this decision overrules; without, a contradiction is refused and shown",
        )
        add_one(kind, partial(_decide, kind), made, help)

    undo = _new(
        "Take an entry back, as a new entry: nothing is ever removed. An undo can be undone. Example: saree-cosface"
        " curate decisions.db undo 12 --by 'Asha Rao' --why 'wrong photo'"
    )
    undo.add_argument("number", type=int, metavar="NUMBER", help="of the entry, as 'log' lists it")
    _add_person(undo)
    undo.add_argument(
        "--over",
        type=int | None,
        metavar="NUMBER",
        help="its number again, to take back what somebody else said; without, that is refused and shown",
    )
    add_one("undo", _undo, undo, "take an entry back")

    status = _new(
        "How many decisions of which kind, by whom; what stands, what was undone, which conflicts are open; and whether"
        " every entry is as it was written. Exit status 1 when one is not. Example: saree-cosface curate decisions.db"
        " status --applied manifest-2.curation.json"
    )
    status.add_argument(
        "--applied",
        type=Path | None,
        help="account of a manifest that this log made: make sure that no entry was cut off or written anew since",
    )
    add_one("status", _status, status, "count decisions, list conflicts, check the log")

    log = _new("All entries in their order. Example: saree-cosface curate decisions.db log --photo bafta_17.jpg")
    log.add_argument("--photo", type=str, default="", help="only entries on the photos whose path ends so")
    add_one("log", _log, log, "list the entries")

    diff = _new(
        "What 'apply' would change in a manifest, without writing anything; photos with open conflicts are listed."
        " Example: saree-cosface curate decisions.db diff manifest.csv"
    )
    _add_apply(diff)
    add_one("diff", _diff, diff, "show what apply would change")

    apply = _new(
        "Write the next version of a manifest, and beside it an account (NEW with the suffix .curation.json) of every"
        " change: which photo, by whom and why, and how many photos of the test part people changed. The old manifest"
        " is never edited, and nothing is overwritten. Example: saree-cosface curate decisions.db apply manifest.csv"
        " --out manifest-2.csv --run runs/first"
    )
    _add_apply(apply)
    apply.add_argument("--out", type=Path, required=True, metavar="NEW", help="the new manifest, .csv or .parquet")
    apply.add_argument("--leave-conflicts", action="store_true", help="leave their photos as they are")
    apply.add_argument(
        "--leave-changed",
        action="store_true",
        help="leave photos as they are whose file is not the one that was decided on",
    )
    add_one("apply", _apply, apply, "write a new version of a manifest")

    export = _new(
        "Write all entries to a table or a document. Example: saree-cosface curate decisions.db export --out log.csv"
    )
    export.add_argument("--out", type=Path, required=True, help="a .csv or a .json file")
    add_one("export", _export, export, "write all entries to a file")
    return commands


def _new(description: str) -> ArgumentParser:
    return ArgumentParser(description=description)


def _add_person(parser: ArgumentParser) -> None:
    parser.add_argument("--by", type=str, default="", metavar="NAME", help="who decides (default: the login name)")
    parser.add_argument("--why", type=str, default="", metavar="TEXT", help="the reason, in words that last")


def _add_apply(parser: ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="CSV or Parquet manifest")
    parser.add_argument(
        "--run", type=Path | None, help="run that tells which photos are of the test part (default: split)"
    )
    parser.add_argument("--upto", type=int | None, metavar="NUMBER", help="apply the log as it was after this entry")
    parser.add_argument(
        "--by-content",
        action="store_true",
        help="find photos that have other names now by their content",
    )


def _say(text: str, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _person(options: Namespace) -> str:
    import getpass

    from saree_cosface.curation.decisions import CurationError

    if options.by.strip():
        return str(options.by)
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise CurationError("this account has no login name: say who decides with --by NAME.") from error


def _decide(kind: str, options: Namespace) -> int:
    from dataclasses import asdict

    from saree_cosface.curation.deciding import decide_about, open_log

    by = _person(options)
    log, manifest = open_log(options[LOG], options.manifest, by=by)
    with log:
        entry = decide_about(
            log,
            manifest,
            kind,
            options.photo,
            by=by,
            craft=options.get("craft") or "",
            new=options.get("new") or False,
            others=options.get("others") or [each for each in (options.get("of"),) if each],
            why=options.why,
            over=options.over,
        )
    _say(f"Recorded as entry {entry}")
    return finish(options, asdict(entry))


def _undo(options: Namespace) -> int:
    from dataclasses import asdict

    from saree_cosface.curation.log import CurationLog

    with CurationLog(options[LOG]) as log:
        over = options.over == options.number
        entry = log.undo(options.number, by=_person(options), why=options.why, over=over)
    _say(f"Recorded as entry {entry}")
    return finish(options, asdict(entry))


def _status(options: Namespace) -> int:
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.curation.tables import print_status, require_continuation, status_of

    with CurationLog(options[LOG]) as log:
        entries = log.trusted()
    if options.applied is not None:
        require_continuation(entries, options.applied, log.path)
    document = status_of(entries)
    print_status(document, log.path, console)
    return finish(options, document)


def _log(options: Namespace) -> int:
    from dataclasses import asdict

    from saree_cosface.curation.chain import broken_at
    from saree_cosface.curation.decisions import CurationError
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.curation.tables import of_photo, print_entries

    with CurationLog(options[LOG]) as log:
        entries = log.entries()
    broken = broken_at(entries)
    chosen = of_photo(entries, options.photo) if options.photo else entries
    if options.photo and not chosen:
        raise CurationError(f"{options[LOG]}: no entry is on a photo whose path ends in {options.photo}.")
    print_entries(chosen, entries, console)
    if broken is not None:
        _say(f"Entry {broken} is not as it was written: the entries from there on cannot be relied on.", "red")
    return finish(options, [asdict(entry) for entry in chosen])


def _diff(options: Namespace) -> int:
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.curation.tables import print_account
    from saree_cosface.curation.versions import account, apply_log

    with CurationLog(options[LOG]) as log:
        applied, entries = apply_log(log, options.manifest, **_how(options), leave_conflicts=True, leave_changed=True)
    places = {"log": options[LOG], "path": options.manifest, "run": options.run}
    document = account(applied, entries, Path(), **places)
    print_account(document, console)
    for conflict in applied.conflicts:
        _say(f"Open conflict: {conflict}", "yellow")
    return finish(options, document)


def _apply(options: Namespace) -> int:
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.curation.tables import print_account
    from saree_cosface.curation.versions import account, apply_log, require_new, write_version
    from saree_cosface.taxonomy import load_taxonomy

    beside = require_new(options.out, options.manifest)
    with CurationLog(options[LOG]) as log:
        applied, entries = apply_log(
            log,
            options.manifest,
            **_how(options),
            leave_conflicts=options.leave_conflicts,
            leave_changed=options.leave_changed,
        )
    places = {"log": options[LOG], "path": options.manifest, "run": options.run}
    document = account(applied, entries, options.out.parent, **places)
    document = write_version(applied, document, options.out, options.manifest)
    print_account(document, console)
    _say(f"Manifest: {options.out} ({document['to']['photos']} photos); its account: {beside}")
    made = sorted(set(applied.after.crafts.tolist()) - {craft.id for craft in load_taxonomy().crafts} - {""})
    if made:
        _say(
            f"{', '.join(made)}: not in the taxonomy, so these photos cannot be trained on; enrol them in a run, with"
            " `saree-cosface enrol RUN PHOTO --craft NAME --new`."
        )
    return finish(options, document)


def _how(options: Namespace) -> dict[str, Any]:
    return {"run": options.run, "upto": options.upto, "by_content": options.by_content}


def _export(options: Namespace) -> int:
    from saree_cosface.curation.log import CurationLog
    from saree_cosface.curation.tables import export

    with CurationLog(options[LOG]) as log:
        entries = log.entries()
    document = export(entries, options.out, log.path)
    _say(f"{len(entries)} entries: {options.out}")
    return finish(options, document)
