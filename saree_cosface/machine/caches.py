"""Where caches lie: in ``~/.cache``, or in the folder that XDG_CACHE_HOME names, as for any program.

The account of a service often has no home, or none that it may write; some libraries then do not work at all. There,
everything that is only remembered goes to a temporary folder of the account's own.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

VARIABLE = "XDG_CACHE_HOME"

refused: Path | None = None
"""The folder that cannot be written, where :func:`prepare` had to look for another."""

instead: Path | None = None
"""The temporary folder that it took."""


def prepare() -> None:
    """Set what libraries read when they are loaded; called when the package is imported, before any of them."""
    global instead, refused
    if _writable(cache_home()):
        return
    refused = cache_home()
    try:
        instead = _temporary()
    except OSError:  # whatever is to be written first says so
        return
    os.environ[VARIABLE] = str(instead)
    os.environ.setdefault("MPLCONFIGDIR", str(instead / "matplotlib"))


def cache_home() -> Path:
    """The folder in which every program has one for its cache; relative where the account has no home."""
    named = Path(os.environ.get(VARIABLE, ""))
    return named if named.is_absolute() else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111  # has always an answer


def located(path: Path | str) -> Path:
    """A path without ``~``; what begins with ``~/.cache`` is in :func:`cache_home`.

    Raises:
        ValueError: nobody knows which folder ``~`` is.

    >>> located("~/.cache/saree-cosface") == cache_home() / "saree-cosface", located("features")
    (True, PosixPath('features'))
    """
    path = Path(path)
    if path.parts[:2] == ("~", ".cache"):
        return cache_home().joinpath(*path.parts[2:])
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: there is no such home folder; give the path without ~.") from error


def _writable(folder: Path) -> bool:
    """Whether a folder is there and may be written, or may be made."""
    if not folder.is_absolute():
        return False
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)  # noqa: PTH112  # never raises


def _temporary() -> Path:
    """A temporary folder that stays for the next call, and that nobody else can put anything into."""
    import tempfile  # so that importing the package stays light

    user = getattr(os, "getuid", int)()
    folder = Path(tempfile.gettempdir()) / f"saree-cosface-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if stat.S_ISDIR(state.st_mode) and state.st_uid == user and not state.st_mode & 0o022:
        return folder
    return Path(tempfile.mkdtemp(prefix="saree-cosface-"))  # the name was taken
