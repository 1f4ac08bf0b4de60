"""``saree-cosface curve``: what more sources are worth."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_cache, add_json, add_where, finish, new_parser
from saree_cosface.commands.recipes import read_recipe
from saree_cosface.console import console

HELP = {"curve": "say what more sources are worth"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    curve = new_parser(
        "What more sources are worth: trains on growing shares of each craft's sources, scores sources never seen,\n"
        "and continues the curve by a power law, with intervals. Says how often each craft would be named rightly\n"
        "with more sources, and with how many it would be named as often as the median craft. Frozen features are\n"
        "read out, which takes minutes; what was scored is kept, so that a second call, or one after an\n"
        "interruption, computes only what is missing. Writes curve.json and curve.png."
    )
    curve.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    curve.add_argument("--out", type=Path, required=True, help="folder for curve.json and curve.png")
    add_where(curve, "use")
    curve.add_argument(
        "--factors",
        type=float,
        nargs="+",
        default=[1.5, 2.0],
        metavar="TIMES",
        help="say what is expected of so many times the sources there are, at most 3",
    )
    curve.add_argument("--folds", type=int, default=5, help="folds by source")
    curve.add_argument("--seed", type=int, default=0, help="of the folds and of the orders in which sources are added")
    add_cache(curve)
    add_json(curve)
    subcommands.add_subcommand("curve", curve, help=HELP["curve"])
    return {"curve": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.figures.curve import curve_figure
    from saree_cosface.files import write_json
    from saree_cosface.runs.alone import alone
    from saree_cosface.scoring.curve import source_curve
    from saree_cosface.scoring.curve_table import check_factor

    for factor in options.factors:  # before anything is read
        check_factor(factor)
    with alone(options.out, "curve"):
        found = source_curve(
            options.manifest,
            read_recipe("sarees").model,
            where=options.where,
            folds=options.folds,
            seed=options.seed,
            cache=options.cache,
        )
        document = found.to_json(options.factors)
        write_json(options.out / "curve.json", document)
        curve_figure(document, options.out / "curve.png")
    found.print_table(console, options.factors)
    console.print(f"Figure: {options.out / 'curve.png'}", highlight=False, markup=False, soft_wrap=True)
    return finish(options, document)
