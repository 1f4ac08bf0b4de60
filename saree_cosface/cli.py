"""The command ``saree-cosface``: finds the sub-command that is asked for, runs it, and turns errors into sentences.

Results go to stdout as one document where ``--json`` or ``--csv`` asks for it; everything for people goes to stderr.
"""

import errno
import os
import sys
from pathlib import Path

from jsonargparse import ArgumentParser

from saree_cosface import __version__
from saree_cosface.commands import (
    app,
    audit,
    backbones,
    calibrate,
    compare,
    curate,
    curve,
    data,
    demo,
    embed,
    enrol,
    evaluate,
    export,
    faces,
    gallery,
    loom,
    map,
    next,
    predict,
    report,
    review,
    share,
    train,
)
from saree_cosface.commands.common import Command
from saree_cosface.console import abandon_stdout, console, prepare_streams
from saree_cosface.files import require_utf8
from saree_cosface.machine import caches, photo_memory, threads

COMMANDS = {
    **{
        "demo": demo,
        "loom": loom,
        "data": data,
        "backbones": backbones,
        "train": train,
        "calibrate": calibrate,
        "evaluate": evaluate,
        "audit": audit,
    },
    **{"compare": compare, "predict": predict, "enrol": enrol, "enrolments": enrol, "gallery": gallery},
    **{"embed": embed, "export": export, "app": app, "accounts": app, "report": report, "faces": faces, "map": map},
    **{"review": review, "curate": curate, "curve": curve, "next": next},
    **{"share": share, "push": share, "pull": share},
}
"""The module of each command, in the order of the help."""

_REMEDIES = {
    errno.ENOSPC: "make room there, or write elsewhere",
    errno.EDQUOT: "make room there, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "allow this account to use it, or name another",
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the job could not be done, 2 the call was wrong."""
    code: int | str | None = 1
    try:
        try:
            code = _run(arguments)
        except SystemExit as stopped:  # after --help, or a wrong call
            code = stopped.code
        sys.stdout.flush()  # here, where a reader who has left can be dealt with
    except KeyboardInterrupt:
        console.print("Interrupted; what was finished is kept.")
        code = 130
    except BrokenPipeError:  # the reader of stdout has left
        code = 1
    except (OSError, ValueError) as error:  # the errors of this package are ValueErrors
        console.print(
            f"saree-cosface: {_said(error)}", style="red", highlight=False, markup=False, emoji=False, soft_wrap=True
        )
        code = 1
    abandon_stdout()
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    open_stdout = prepare_streams()
    _require_folder()
    given = sys.argv[1:] if arguments is None else arguments
    parser, commands = command_line(given[0]) if COMMANDS.keys() & set(given) else (outline(), {})
    options = parser.parse_args(arguments)
    name = options.subcommand
    chosen = options[name]
    while "subcommand" in chosen:
        name, outer, chosen = f"{name} {chosen.subcommand}", chosen, chosen[chosen.subcommand]
        if curate.LOG in outer:  # which stands before the sub-command
            chosen[curate.LOG] = outer[curate.LOG]
    for path in (value for value in chosen.values() if isinstance(value, Path)):  # photos, which are lists, may be
        require_utf8(path)
    if not open_stdout and (chosen.get("json") or chosen.get("csv")):
        raise ValueError("stdout is closed, so nothing can be put there: leave --json out, or name a file with >.")
    if caches.instead is not None:
        said = f"{caches.refused} cannot be written: caches lie in {caches.instead}"
        console.print(said, style="dim", highlight=False, markup=False, soft_wrap=True)
    threads.use(chosen.get("threads"))  # before what computes is loaded
    photo_memory.use(chosen.get("photo_memory"))
    return commands[name](chosen)


def _require_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109  # whose answer nobody needs
    except OSError as error:  # libraries would say that they cannot be loaded
        raise ValueError(
            "the folder that this was started in is gone: go to another one (cd) and try again."
        ) from error


def _said(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    known = os.strerror(error.errno) if error.errno in _REMEDIES else error.strerror  # Arrow has words of its own
    said = f"{known[:1].lower()}{known[1:]}"
    if error.errno == errno.ENOENT and error.filename is None:  # of all calls, the search for such a folder
        said += "; set TMPDIR to a folder that can be written."
    if error.errno in _REMEDIES:
        said += f"; {_REMEDIES[error.errno]}."
    return said if error.filename is None else f"{os.fsdecode(error.filename)}: {said}"


def command_line(asked: str = "") -> tuple[ArgumentParser, dict[str, Command]]:
    """The parser, and what runs each command, by name: "train", "data check".

    Args:
        asked: the command that is called; then its module alone is made, since all take longer than many a command.
    """
    parser = _parser()
    subcommands = parser.add_subcommands(dest="subcommand", metavar="COMMAND")
    commands: dict[str, Command] = {}
    for command in [COMMANDS[asked]] if asked in COMMANDS else dict.fromkeys(COMMANDS.values()):
        commands |= command.add(subcommands)
    return parser, commands


def outline() -> ArgumentParser:
    """The parser of a call that names no command: it knows of each no more than the line in the help."""
    parser = _parser()
    subcommands = parser.add_subcommands(dest="subcommand", metavar="COMMAND")
    for command in dict.fromkeys(COMMANDS.values()):
        for name, said in command.HELP.items():
            subcommands.add_subcommand(name, ArgumentParser(), help=said)
    return parser


def _parser() -> ArgumentParser:
    return ArgumentParser(
        prog="saree-cosface",
        version=__version__,
        description="Names the craft tradition of a saree from photographs, by cosine similarity.",
        epilog="A first tour: loom corpus → data check → train → evaluate → predict; `saree-cosface demo` does it all.",
    )
