"""The command ``saree-cosface``: finds the sub-command that is asked for, runs it, and turns errors into sentences.

Results go to stdout as one document where ``--json`` or ``--csv`` asks for it; everything for people goes to stderr.
"""

import os
import sys
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, get_loader, set_loader

from saree_cosface import __version__, threads
from saree_cosface.commands import (
    app,
    audit,
    calibrate,
    compare,
    curate,
    data,
    enrol,
    evaluate,
    faces,
    loom,
    map,
    predict,
    report,
    review,
    train,
)
from saree_cosface.commands.common import Command
from saree_cosface.console import console
from saree_cosface.files import require_utf8


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the job could not be done, 2 the call was wrong."""
    parser, commands = command_line()
    options = parser.parse_args(arguments)
    name = options.subcommand
    chosen = options[name]
    while "subcommand" in chosen:
        name, outer, chosen = f"{name} {chosen.subcommand}", chosen, chosen[chosen.subcommand]
        if curate.LOG in outer:  # which stands before the sub-command
            chosen[curate.LOG] = outer[curate.LOG]
    try:
        for path in (value for value in chosen.values() if isinstance(value, Path)):  # photos, which are lists, may be
            require_utf8(path)
        threads.use(chosen.get("threads"))  # before what computes is loaded
        code = commands[name](chosen)
        sys.stdout.flush()  # here, where a reader who has left can be dealt with
    except KeyboardInterrupt:
        console.print("Interrupted; what was finished is kept.")
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (OSError, ValueError) as error:  # the errors of this package are ValueErrors
        console.print(
            f"saree-cosface: {_said(error)}", style="red", highlight=False, markup=False, emoji=False, soft_wrap=True
        )
        code = 1
    sys.exit(code)


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    return str(error)


def command_line() -> tuple[ArgumentParser, dict[str, Command]]:
    """The parser, and what runs each command, by name: "train", "data check"."""
    # Values are looked at as YAML first, and a name of a file that is not UTF-8 is none.
    set_loader("yaml", get_loader("yaml"), (yaml.YAMLError, UnicodeEncodeError))
    parser = ArgumentParser(
        prog="saree-cosface",
        version=__version__,
        description="Names the craft tradition of a saree from photographs, by cosine similarity.",
        epilog="A first tour: loom corpus → data check → train → evaluate → predict; `make demo` does it all.",
    )
    subcommands = parser.add_subcommands(dest="subcommand", metavar="COMMAND")
    commands: dict[str, Command] = {}
    work = (loom, data, train, calibrate, evaluate, audit, compare, predict, enrol, app, report)
    for command in (*work, faces, map, review, curate):
        commands |= command.add(subcommands)
    return parser, commands
