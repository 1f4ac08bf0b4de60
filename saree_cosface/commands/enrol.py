"""``saree-cosface enrol`` and ``enrolments``: references added to a run, and taken back."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_gallery, add_json, add_run, finish, new_parser
from saree_cosface.console import console

HELP = {"enrol": "add references to a run", "enrolments": "list enrolments, or take one back"}
"""What they do, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the commands."""
    enrol = new_parser(
        "Add photos to the references of a run, without training: of a tradition that it knows, or of a new one.\n"
        "The next prediction finds them. 'enrolments' lists what was added, and takes it back."
    )
    add_run(enrol)
    enrol.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    enrol.add_argument("--craft", type=str, required=True, help="the tradition, in any spelling")
    enrol.add_argument("--new", action="store_true", help="a tradition that the taxonomy does not know")
    enrol.add_argument("--piece", action="store_true", help="all photos show one piece")
    enrol.add_argument("--source", type=str, default="", help="who took them; evaluation leaves that source out")
    enrol.add_argument("--note", type=str, default="", help="kept with the enrolment, such as an inventory number")
    add_gallery(enrol, "add to a shared gallery, and to its log, instead of the run's own")
    add_json(enrol)
    subcommands.add_subcommand("enrol", enrol, help=HELP["enrol"])
    enrolments = new_parser(
        "What was enrolled into a run, by number. --undo takes an enrolment back: its photos leave."
    )
    add_run(enrolments)
    enrolments.add_argument("--undo", type=int | None, help="take this enrolment back; 0 for your last")
    add_gallery(enrolments, "those into a shared gallery")
    add_json(enrolments, "all enrolments")
    subcommands.add_subcommand("enrolments", enrolments, help=HELP["enrolments"])
    return {"enrol": _enrol, "enrolments": _enrolments}


def _enrol(options: Namespace) -> int:
    from saree_cosface.answers.enrolment import enrol

    found = enrol(
        options.run,
        options.craft,
        options.photos,
        new=options.new,
        one_piece=options.piece,
        source=options.source,
        note=options.note,
        gallery=options.gallery or "",
    )
    found.print_table(console)
    return finish(options, found.to_json(), ok=not found.bad)


def _enrolments(options: Namespace) -> int:
    from dataclasses import asdict

    from saree_cosface.answers.enrolment import undo
    from saree_cosface.answers.enrolment_log import enrolments, print_log

    if options.undo is not None:
        entry = undo(options.run, options.undo, gallery=options.gallery or "")
        said = f"Enrolment {entry.number} taken back: {len(entry.photos)} photos of {entry.craft}."
        console.print(said, highlight=False, markup=False)
    log = enrolments(options.run, gallery=options.gallery or "")
    print_log(log, console)
    return finish(options, [asdict(entry) for entry in log])
