"""``saree-cosface app``: the app, served on this machine."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_run, new_parser


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    app = new_parser(
        "Serve the app on this machine: name sarees, one or many, browse the traditions, and, for curators, map,\n"
        "review and enrol. It binds to 127.0.0.1 and asks nothing of the network."
    )
    add_run(app)
    app.add_argument("--port", type=int | None, help="port on 127.0.0.1 (default: the first free one from 7860)")
    app.add_argument("--auth", type=Path | None, help="file with a line name:password, or name:HASH, for each user")
    app.add_argument("--max-upload-mb", type=int, default=1000, help="megabytes of one upload, all its files together")
    app.add_argument("--manifest", type=Path | None, help="manifest of the collection that curators work on")
    app.add_argument("--log", type=Path | None, help="log of their decisions; made with the first one")
    subcommands.add_subcommand("app", app, help="serve the app")
    return {"app": _run}


def _run(options: Namespace) -> int:
    try:
        from saree_cosface.app.__main__ import serve_run  # type: ignore[import-untyped]  # where it lies in an installed package
    except ModuleNotFoundError:
        from app.__main__ import serve_run  # in a checkout
    serve_run(options.run, options.port, options.auth, options.max_upload_mb, options.manifest, options.log)
    return 0
