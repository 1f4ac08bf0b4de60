"""Paths as tables list them, and the files that they mean."""

import os
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname


def listed(text: str) -> str:
    """One spelling of a path, so that "./a.jpg" and a Windows "photos\\a.jpg" are known again; "" for blanks.

    Blanks at its ends are kept, since folders may bear them.

    >>> listed(".\\\\photos\\\\a.jpg"), listed("file:///home/meera/a%20b.jpg"), listed(" Banarasi/1.jpg")
    ('photos/a.jpg', '/home/meera/a b.jpg', ' Banarasi/1.jpg')
    """
    if not text.strip():
        return ""
    if text.lower().startswith("file:"):
        text = url2pathname(urlsplit(text).path)
    return str(PurePosixPath(text.replace("\\", "/")))


def locate(root: Path, paths: Iterable[str]) -> list[Path]:
    """The file that each listed path means: the one of that name or, where there is none, one that reads the same.

    A Mac writes é as two characters, other systems as one, and a blank at the end of a cell is seen by nobody. A path
    that begins with ~ is one from the home folder. What is not there at all stays as it is listed.

    Args:
        root: the folder that the paths are relative to.
        paths: any.
    """
    folders: dict[Path, dict[str, list[str]]] = {}
    return [_locate(root, path, folders) for path in paths]


def _locate(root: Path, path: str, folders: dict[Path, dict[str, list[str]]]) -> Path:
    file = root / path
    # os.path.lexists, unlike Path.exists, has an answer for a name that no file can have.
    if os.path.lexists(file):
        return file
    if path.startswith("~/"):
        with suppress(RuntimeError):  # nobody knows which folder that is
            return Path(path).expanduser()
    place = Path(root)
    for part in Path(path).parts:
        there = place / part
        if not os.path.lexists(there):
            if place not in folders:
                folders[place] = _by_reading(place)
            alike = folders[place].get(_reading(part), [])
            if len(alike) != 1:
                return file
            there = place / alike[0]
        place = there
    return place


def _by_reading(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        for name in os.listdir(folder):  # noqa: PTH208  # names are all that is needed
            found.setdefault(_reading(name), []).append(name)
    except (OSError, ValueError):  # no folder, and so nothing in it
        pass
    return found


def _reading(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
