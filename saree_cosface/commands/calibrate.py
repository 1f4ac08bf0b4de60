"""``saree-cosface calibrate``: probabilities and verdicts of a run."""

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_cache, add_json, add_run, finish, new_parser
from saree_cosface.console import console

HELP = {"calibrate": "find probabilities and verdicts"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    calibrate = new_parser(
        "Find probabilities and verdicts of a run: its training photos are scored by embedders that are trained\n"
        "without their source, and without their craft. Seconds to minutes where the backbone is frozen; goes on\n"
        "where it was interrupted."
    )
    add_run(calibrate)
    calibrate.add_argument(
        "--false_accepts",
        type=float,
        default=0.1,
        help="share allowed: of pieces of other traditions that are given a name, and of names that are wrong",
    )
    calibrate.add_argument("--folds", type=int, default=5, help="folds by source")
    calibrate.add_argument("--groups", type=int, default=3, help="groups of crafts, each left out once a fold")
    calibrate.add_argument(
        "--workers",
        type=int,
        default=0,
        help="trainings at once, a process each; 0: one a thread, 4 at most, where the backbone is frozen and no GPU",
    )
    add_cache(calibrate)
    add_json(calibrate, "what was found")
    subcommands.add_subcommand("calibrate", calibrate, help=HELP["calibrate"])
    return {"calibrate": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.calibrate import calibrate, print_calibration
    from saree_cosface.sharing.own_card import write_own_card

    calibration = calibrate(
        load_run(options.run),
        false_accepts=options.false_accepts,
        folds=options.folds,
        groups=options.groups,
        cache=options.cache,
        workers=options.workers,
    )
    print_calibration(calibration, console)
    write_own_card(load_run(options.run))
    return finish(options, calibration.to_json())
