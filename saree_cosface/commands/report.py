"""``saree-cosface report``: one page on a run."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_cache, add_run, new_parser
from saree_cosface.console import console

HELP = {"report": "write a page about a run"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    report = new_parser(
        "One page on a run: scores, figures, and examples with their nearest references. Opens offline."
    )
    add_run(report)
    report.add_argument("manifest", type=Path, help="the manifest trained on, or one of other photos")
    report.add_argument("--out", type=Path | None, help="HTML file (default: report.html in the run)")
    add_cache(report)
    subcommands.add_subcommand("report", report, help=HELP["report"])
    return {"report": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.pages.report import write_report
    from saree_cosface.runs.run import load_run

    out = options.out or options.run / "report.html"
    page = write_report(load_run(options.run), options.manifest, out, cache=options.cache)
    console.print(f"Report: {page}", highlight=False)
    return 0
