"""Writing files so that a killed process or a full disk never leaves half of one."""

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from saree_cosface.console import console

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it is renamed onto ``target``, on any error removed.

    The temporary name keeps the target's suffix, since many writers choose their format by it.

    Raises:
        OSError: the folder cannot be made or written; the message names the target.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{shortened(target.stem)}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:  # which names the temporary file, that nobody asked for
        raise OSError(error.errno, error.strerror, str(target)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        try:
            yield temporary
        except OSError as error:
            # A full disk does not say which file it had no room for, or names the one that was copied.
            if error.filename is None or error.errno in _NO_ROOM:
                raise OSError(
                    error.errno or errno.EIO, error.strerror or f"{error}; is the disk full?", str(target)
                ) from error
            raise
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; ours are ordinary ones
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def require_utf8(path: Path | str) -> None:
    """Make sure that a path can be told in the files that will name it, which are UTF-8 text.

    Raises:
        ValueError: a name in it comes from a system of another encoding.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise ValueError(f"{shown}: its name, or that of its folder, is not UTF-8 text; rename it.") from error


def shortened(name: str, most: int = 80) -> str:
    """The beginning of a file's name, of at most so many bytes: most file systems take 255, and a letter may have four.

    >>> shortened("साड़ी", 8), shortened("saree")
    ('सा', 'saree')
    """
    coded = os.fsencode(name)
    return name if len(coded) <= most else os.fsdecode(coded[:most].decode(errors="ignore").encode())


def write_text(target: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 with Unix line ends, all or nothing."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, all or nothing."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def remembered(write: Callable[[], None], what: str, folder: Path) -> bool:
    """Whether something could be written that only saves time: a disk that is full or read-only makes the next call
    slow, no more, and is told of.

    Args:
        write: writes it.
        what: it is, in the plural.
        folder: where it goes.
    """
    try:
        write()
    except OSError as error:
        said = f"{what} are not kept in {folder} ({error.strerror or error}): the next time takes as long."
        console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
        return False
    return True


def sha256_of(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        OSError: it cannot be read, or is no regular file: reading a pipe would wait for ever.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
