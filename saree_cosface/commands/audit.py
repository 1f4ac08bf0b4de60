"""``saree-cosface audit``: what could name a craft that is not the cloth."""

from pathlib import Path

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt

from saree_cosface.commands.common import Command, Subcommands, add_cache, add_json, add_run, finish, new_parser
from saree_cosface.console import console

HELP = {"audit": "look for shortcuts"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    audit = new_parser(
        "What could name a craft that is not the cloth: copies across the split, sources that sell one craft, what\n"
        "colours or a thumbnail alone give away, what is still named when the centre or the border of a photo is\n"
        "hidden, or its cloth or its background, and how well the source can be read from the embedding. Writes a\n"
        "page, figures and JSON."
    )
    add_run(audit)
    audit.add_argument("manifest", type=Path, help="the manifest trained on")
    audit.add_argument("--out", type=Path | None, help="folder for the page (default: audit in the run)")
    audit.add_argument(
        "--photos", type=PositiveInt, default=200, help="look at cloth and background alone in this many, at most"
    )
    add_cache(audit)
    add_json(audit, "what was found")
    subcommands.add_subcommand("audit", audit, help=HELP["audit"])
    return {"audit": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.pages.audit import write_audit_page
    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.audit import audit_run

    run = load_run(options.run)
    out = run.folder / "audit" if options.out is None else options.out
    found = audit_run(run, options.manifest, out, photos=options.photos, cache=options.cache)
    write_audit_page(found.document, out)
    found.print_findings(console)
    console.print(f"Page: {out / 'audit.html'}", highlight=False)
    return finish(options, found.to_json())
