"""``python -m app RUN`` serves the app on this machine, as ``saree-cosface app RUN`` does."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from saree_cosface.console import console

from . import THREADS
from .accounts import read_accounts
from .memory import share_arenas
from .uploads import EXAMPLES, upload_folders


def main(arguments: list[str] | None = None) -> int:
    """Serve a run until interrupted; 1 if that cannot be done."""
    parser = argparse.ArgumentParser(prog="saree-cosface app", description=DESCRIPTION)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        limits = options.port, options.auth, options.max_upload_mb
        serve_run(options.run, *limits, options.manifest, options.log, options.gallery)
    except (OSError, ValueError) as error:
        console.print(f"app: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    return 0


DESCRIPTION = """Serve the app on this machine: name sarees, one or many, browse the traditions, and, for curators, map,
review and enrol. It binds to 127.0.0.1 and asks nothing of the network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The app's arguments."""
    parser.add_argument("run", type=Path, help="folder of a run, made by `saree-cosface train`")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: the first free one from 7860)")
    parser.add_argument(
        "--auth", type=Path, help="file with a line name:password, or name:HASH, for each who may log in"
    )
    parser.add_argument("--max-upload-mb", type=int, default=1000, help="megabytes of one upload (default: 1000)")
    parser.add_argument("--manifest", type=Path, help="manifest of the collection that curators work on")
    parser.add_argument("--log", type=Path, help="log of their decisions; made with the first one")
    parser.add_argument("--gallery", default="", help="address of a shared gallery, postgresql://USER@HOST/DATABASE")


def serve_run(
    run: Path,
    port: int | None = None,
    auth: Path | None = None,
    megabytes: int = 1000,
    manifest: Path | None = None,
    log: Path | None = None,
    gallery: str = "",
) -> None:
    """Serve a run until interrupted; see :func:`add_arguments`.

    Raises:
        OSError: the port is taken.
        ValueError: the run, or the file of accounts, cannot be read; or the limit is none.
    """
    if megabytes < 1:
        raise ValueError(f"--max-upload-mb {megabytes}: give at least 1.")
    accounts = None if auth is None else read_accounts(auth)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the folder of uploads goes, however we are ended
    try:
        _serve(run, port, accounts, megabytes, manifest, log, gallery)
    except SystemExit:
        _leave()
        raise
    _leave()


def _leave() -> None:
    # Python would take torch and numba away from threads that are not waited for, which they do not survive.
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        os._exit(0)


def _serve(
    run: Path,
    port: int | None,
    accounts: Callable[[str, str], bool] | None,
    megabytes: int,
    manifest: Path | None,
    log: Path | None,
    gallery: str,
) -> None:
    share_arenas()
    with upload_folders() as folders:
        # After the environment is set, and after --help: gradio and torch take seconds to import.
        from saree_cosface.pages.examples import example_photos

        from .background import ReferenceMaps, sweep_now_and_then, warm_up
        from .desk import Desk
        from .page import build_app
        from .serving import serve

        desk = Desk(run, manifest, log, gallery)
        maps = ReferenceMaps(desk)
        page = build_app(desk, maps, example_photos(desk.run, folders / EXAMPLES))
        sweep_now_and_then()
        ready = partial(warm_up, desk, maps, folders / EXAMPLES)
        serve(page, desk, port, auth=accounts, megabytes=megabytes, then=ready)


if __name__ == "__main__":
    sys.exit(main())
