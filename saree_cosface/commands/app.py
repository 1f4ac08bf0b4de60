"""``saree-cosface app``: the app, served; and ``accounts``: who may log in there."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_gallery, add_run, new_parser

HELP = {"app": "serve the app", "accounts": "let somebody log in to the app"}
"""What they do, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the commands."""
    app = new_parser(
        "Serve the app: name sarees, one or many, browse the traditions, and, for curators, map, review and enrol. It\n"
        "answers this machine alone, and asks nothing of the network. To let others in, name an address with --host:\n"
        "they have to log in (--auth), and their passwords must be encrypted, by the app (--tls-certificate and\n"
        "--tls-key) or by a reverse proxy before it (--behind-proxy)."
    )
    add_run(app)
    app.add_argument("--host", type=str, default="127.0.0.1", help="address of this machine to answer at; 0.0.0.0: all")
    app.add_argument("--port", type=int | None, help="port there (default: the first free one from 7860)")
    app.add_argument("--auth", type=Path | None, help="file of those who may log in, as `saree-cosface accounts` makes")
    app.add_argument("--tls-certificate", type=Path | None, help="certificate, with its chain, to encrypt by; PEM")
    app.add_argument("--tls-key", type=Path | None, help="key of the certificate, not encrypted; PEM")
    app.add_argument("--behind-proxy", type=str, default="", help="addresses, or networks, of proxies that encrypt")
    app.add_argument("--root-path", type=str, default="", help="path, or whole address, under which a proxy shows it")
    app.add_argument("--max-upload-mb", type=int, default=1000, help="megabytes of one upload, all its files together")
    app.add_argument("--manifest", type=Path | None, help="manifest of the collection that curators work on")
    app.add_argument("--languages", type=Path | None, help="folder of more languages of the page, a file TAG.po each")
    app.add_argument("--log", type=Path | None, help="log of their decisions; made with the first one")
    add_gallery(app, "search a shared gallery, and enrol into it, instead of the run's own")
    subcommands.add_subcommand("app", app, help=HELP["app"])
    accounts = new_parser(
        "Let somebody log in to the app, or change their password, which is asked for. The file, made if need be,\n"
        "gets a line with the name and a hash: whoever reads it cannot log in with that."
    )
    accounts.add_argument("file", type=Path, help="file for `saree-cosface app --auth`")
    accounts.add_argument("name", type=str, help="of the user")
    subcommands.add_subcommand("accounts", accounts, help=HELP["accounts"])
    return {"app": _serve, "accounts": _account}


def _serve(options: Namespace) -> int:
    _of_the_app("__main__").serve_run(options)
    return 0


def _account(options: Namespace) -> int:
    _of_the_app("accounts").add_account(options.file, options.name)
    return 0


def _of_the_app(module: str) -> Any:
    """A module of the app, which lies within an installed package, and beside the package in a checkout."""
    return import_module(f"saree_cosface.app.{module}" if find_spec("saree_cosface.app") else f"app.{module}")
