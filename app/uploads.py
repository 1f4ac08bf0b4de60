"""Uploads: the photos of a session lie in a folder of its own while they are looked at, and are deleted then.

Gradio puts what arrives into ``arrivals``, from where it hands files out again; each upload has a folder there whose
name cannot be guessed (:mod:`app.gate`). Whatever is looked at is moved out of there first, to where nothing is handed
out.
"""

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.languages.said import said

ARRIVALS, SESSIONS, EXAMPLES = "arrivals", "sessions", "examples"
UNPACKED = "unpacked"
"""Beside the photos that were taken: what comes out of archives."""

_LONGEST_NAME, _LONGEST_PATH = 120, 400
_STALE = 3600.0  # seconds after which an upload that nobody asked about is deleted


@contextmanager
def upload_folders() -> Iterator[Path]:
    """A temporary folder with one for arrivals, which gradio is told of; all of it goes when the app ends."""
    with tempfile.TemporaryDirectory(prefix="saree-uploads-") as root:
        for name in (ARRIVALS, SESSIONS, EXAMPLES):
            (Path(root) / name).mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(Path(root) / ARRIVALS)
        yield Path(root)


def arrivals() -> Path:
    """The folder that gradio puts uploads into."""
    return Path(os.environ.get("GRADIO_TEMP_DIR", Path(tempfile.gettempdir()) / "gradio")).resolve()


def folder_of(session: str | None) -> Path:
    """The folder of a session; its name follows from the session's without being it, since that comes from outside."""
    digest = hashlib.sha256((session or "").encode("utf-8", "replace")).hexdigest()[:32]
    return arrivals().with_name(SESSIONS) / digest


@contextmanager
def taken(uploads: Any, session: str | None, *, folders: bool = False) -> Iterator[list[tuple[Path, str]]]:
    """The files of an upload with the names they are shown by, in the folder of the session until the block ends.

    A field that is not emptied yet also sends what it sent before; that is left out where there is something new.

    Args:
        uploads: what gradio's file field or the API sends: a list of ``{"path": …, "orig_name": …}``, of paths, or one
            of these. Nothing in it is believed.
        session: id of the session.
        folders: whether names are shown with the folders in them.

    Raises:
        ValueError: it is something else, or names a file that was not uploaded, or was looked at already; or there is
            no room for it.
    """
    folder = folder_of(session) / secrets.token_hex(8)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ValueError(said("upload.no_room", detail=str(error.strerror))) from error
    try:
        entries = _entries(uploads)
        new = [entry for entry in entries if not was_upload(_path(entry))] or entries
        yield [_take(entry, folder, number, folders) for number, entry in enumerate(new)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another answer of the session may be under way
            folder.parent.rmdir()


def forget(session: str | None) -> None:
    """Delete whatever a session has left."""
    shutil.rmtree(folder_of(session), ignore_errors=True)


def sweep() -> None:
    """Delete uploads that nobody has asked about for an hour, such as those of a tab that was closed."""
    oldest = time.time() - _STALE
    for entry in list(arrivals().iterdir()) if arrivals().is_dir() else []:
        with suppress(OSError):
            if entry.lstat().st_mtime >= oldest:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()


def is_upload(path: str) -> bool:
    """Whether a path names a regular file in the folder of arrivals, and no link to elsewhere.

    >>> is_upload("/etc/passwd"), is_upload("https://example.org/photo.jpg"), is_upload(chr(0))
    (False, False, False)
    """
    try:
        real = Path(path).resolve(strict=True)
        return real.is_file() and real.is_relative_to(arrivals())
    except (OSError, ValueError, RuntimeError):
        return False


def was_upload(path: str) -> bool:
    """Whether a path names a file that is not in the folder of arrivals, or not any more.

    >>> was_upload("/etc/passwd"), was_upload(str(arrivals() / "folder" / "photo.jpg"))
    (False, True)
    """
    try:
        named = Path(path)
        return named.is_relative_to(arrivals()) and ".." not in named.parts and not os.path.lexists(named)
    except (OSError, ValueError):
        return False


def shown_name(name: object, fallback: str, *, folders: bool = False) -> str:
    """A file name to be shown, and for nothing else: without control characters, ways up, and what is beyond reason.

    Args:
        name: from outside; anything.
        fallback: shown where nothing is left of it.
        folders: whether the folders in it are kept.

    >>> shown_name("../../pass\\x00wd", "photo"), shown_name("C:\\\\me\\\\साड़ी.jpg", "photo"), shown_name(7, "photo")
    ('passwd', 'साड़ी.jpg', 'photo')
    >>> shown_name("../shop/./a/1.jpg", "photo", folders=True)
    'shop/a/1.jpg'
    """
    if not isinstance(name, str):
        return fallback
    seen = "".join(character for character in name if character.isprintable() or character in "\u200c\u200d")
    parts = [part.strip() for part in seen.replace("\\", "/").split("/")]
    parts = [part for part in parts if part not in ("", ".", "..")]
    shown, longest = ("/".join(parts), _LONGEST_PATH) if folders else ("".join(parts[-1:]), _LONGEST_NAME)
    if len(shown) > longest:
        shown = shown[: longest - 20] + "…" + shown[-19:]
    return shown or fallback


def _entries(uploads: Any) -> list[Any]:
    if uploads is None:
        return []
    return uploads if isinstance(uploads, list) else [uploads]


def _path(entry: Any) -> str:
    path = entry.get("path") if isinstance(entry, dict) else entry
    if not isinstance(path, str):
        raise ValueError(said("upload.no_list"))
    return path


def _take(entry: Any, folder: Path, number: int, folders: bool) -> tuple[Path, str]:
    path = _path(entry)
    name = shown_name(entry.get("orig_name") if isinstance(entry, dict) else None, "", folders=folders)
    name = name or shown_name(path, f"photo {number + 1}")
    if not is_upload(path):
        raise ValueError(said("upload.not_uploaded", photo=name))
    source = Path(path).resolve()
    suffix = PurePosixPath(name).suffix.lower()
    target = folder / f"{number}{suffix if suffix in PHOTO_SUFFIXES or suffix == '.zip' else '.file'}"
    source.replace(target)
    if source.parent != arrivals():
        with suppress(OSError):  # other files of the same upload
            source.parent.rmdir()
    return target, name
