"""``python -m app RUN`` serves the app, as ``saree-cosface app RUN`` does."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from saree_cosface.console import console
from saree_cosface.languages.language import Language
from saree_cosface.languages.packaged import languages, missing

from . import THREADS
from .accounts import read_accounts
from .gradio_alone import import_gradio
from .memory import share_arenas
from .place import LOOPBACK, Place, free_port, place
from .uploads import EXAMPLES, upload_folders


def main(arguments: list[str] | None = None) -> int:
    """Serve a run until interrupted; 1 if that cannot be done."""
    parser = argparse.ArgumentParser(prog="saree-cosface app", description=DESCRIPTION)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        serve_run(options)
    except (OSError, ValueError) as error:
        console.print(f"app: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    return 0


DESCRIPTION = """Serve the app: name sarees, one or many, browse the traditions, and, for curators, map,
review and enrol. It answers this machine alone, unless told otherwise, and asks nothing of the network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The app's arguments."""
    parser.add_argument("run", type=Path, help="folder of a run, made by `saree-cosface train`")
    parser.add_argument("--host", default=LOOPBACK, help=f"address of this machine to answer at (default: {LOOPBACK})")
    parser.add_argument("--port", type=int, help="port there (default: the first free one from 7860)")
    parser.add_argument(
        "--auth", type=Path, help="file with a line name:password, or name:HASH, for each who may log in"
    )
    parser.add_argument("--tls-certificate", type=Path, help="certificate, with its chain, to encrypt by; PEM")
    parser.add_argument("--tls-key", type=Path, help="key of the certificate; PEM")
    parser.add_argument("--behind-proxy", default="", help="addresses of the reverse proxies that encrypt, instead")
    parser.add_argument("--root-path", default="", help="path, or whole address, under which a proxy shows the app")
    parser.add_argument("--max-upload-mb", type=int, default=1000, help="megabytes of one upload (default: 1000)")
    parser.add_argument("--manifest", type=Path, help="manifest of the collection that curators work on")
    parser.add_argument("--log", type=Path, help="log of their decisions; made with the first one")
    parser.add_argument("--languages", type=Path, help="folder of more languages of the page, a file TAG.po each")
    parser.add_argument("--gallery", default="", help="address of a shared gallery, postgresql://USER@HOST/DATABASE")


def serve_run(options: Any) -> None:
    """Serve a run until interrupted.

    Args:
        options: parsed; see :func:`add_arguments`.

    Raises:
        OSError: the port is taken, or the address is not one of this machine.
        ValueError: the run, or the file of accounts, cannot be read; the limit is none; or the network would be let in
            without passwords, or passwords out without encryption.
    """
    if options.max_upload_mb < 1:
        raise ValueError(f"--max-upload-mb {options.max_upload_mb}: give at least 1.")
    accounts = None if options.auth is None else read_accounts(options.auth)
    spoken = languages(options.languages)
    for language in spoken.values():
        _tell_of_gaps(language)
    where = place(
        options.host,
        options.port,
        accounts=accounts is not None,
        certificate=options.tls_certificate,
        key=options.tls_key,
        behind_proxy=options.behind_proxy,
        root_path=options.root_path,
    )
    free_port(where)  # that it is taken is known before a model is loaded
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the folder of uploads goes, however we are ended
    try:
        _serve(options, where, accounts, spoken)
    except SystemExit:
        _leave()
        raise
    _leave()


def _leave() -> None:
    # Python would take torch and numba away from threads that are not waited for, which they do not survive.
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        os._exit(0)


def _tell_of_gaps(language: Language) -> None:
    gaps = missing(language)
    if gaps:
        some = ", ".join(gaps[:3]) + (" and others" if len(gaps) > 3 else "")
        told = f"{language.tag}.po has no text for {len(gaps)} keys, which stay in English: {some}."
        console.print(f"app: {told}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _serve(
    options: Any, where: Place, accounts: Callable[[str, str], bool] | None, spoken: Mapping[str, Language]
) -> None:
    share_arenas()
    with upload_folders() as folders:
        # After the environment is set, and after --help: gradio and torch take seconds to import.
        import_gradio()
        from saree_cosface.pages.examples import example_photos

        from .background import ReferenceMaps, sweep_now_and_then, warm_up
        from .desk import Desk
        from .page import build_app
        from .serving import serve

        desk = Desk(options.run, options.manifest, options.log, options.gallery or "", spoken)
        maps = ReferenceMaps(desk)
        page = build_app(desk, maps, example_photos(desk.run, folders / EXAMPLES))
        sweep_now_and_then()
        ready = partial(warm_up, desk, maps, folders / EXAMPLES)
        serve(page, desk, where, auth=accounts, megabytes=options.max_upload_mb, then=ready)


if __name__ == "__main__":
    sys.exit(main())
