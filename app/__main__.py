"""``python -m app RUN`` serves the app on this machine."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from saree_cosface.console import console


def main(arguments: list[str] | None = None) -> int:
    """Serve a run until interrupted; 1 if that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m app", description="Name the craft tradition of uploaded photos.")
    parser.add_argument("run", type=Path, help="folder of a run, made by `saree-cosface train`")
    parser.add_argument("--manifest", type=Path, help="manifest of the collection that curators work on")
    parser.add_argument("--log", type=Path, help="log of their decisions; made with the first one")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: the first free one from 7860)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the folder of uploads goes, however we are ended
    with tempfile.TemporaryDirectory(prefix="saree-uploads-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads  # a folder of our own, gone when the app ends
        # After the environment is set, and after --help: gradio and torch take seconds to import.
        from app.desk import Desk
        from app.page import build_app, serve

        try:
            serve(build_app(Desk(options.run, options.manifest, options.log)), options.port)
        except (OSError, ValueError) as error:
            console.print(f"app: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
