"""A folder that is there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saree_cosface.files import require_utf8, shortened
from saree_cosface.runs.alone import alone
from saree_cosface.sharing.errors import ShareError


@contextmanager
def new_folder(out: Path, command: str) -> Iterator[Path]:
    """A folder to be filled within this context, which then becomes ``out``; after an error nothing is left.

    It lies beside ``out``, in a folder whose name begins with a dot; what else is put there goes in the end. What a
    killed process has left is removed by the next one of the same ``out``.

    Args:
        out: must not be there yet, or be empty.
        command: what is done, as whoever comes meanwhile is told.

    Raises:
        ShareError: ``out`` is there already.
        RunError: somebody else is at work on it, or it cannot be written.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100  # Path.absolute keeps ".."
    require_utf8(out)
    _require_free(out)
    workshop = out.with_name(f".{shortened(out.name)}-{command}")
    begun = workshop.exists()
    with alone(workshop, command):
        inside = workshop / "inside"  # beside the lock
        folder = inside / "run"
        try:
            shutil.rmtree(inside, ignore_errors=True)
            folder.mkdir(parents=True)
            yield folder
            _require_free(out)
            folder.replace(out)
        finally:
            shutil.rmtree(inside, ignore_errors=True)
    if begun:
        with suppress(OSError):
            workshop.rmdir()


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ShareError(f"{out} is there already: choose another --out.")
