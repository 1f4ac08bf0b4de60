"""Photos found in folders, and worked through with a progress bar."""

import os
import stat
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from saree_cosface.console import console, track
from saree_cosface.data.images import BadImage, irregular, os_reason
from saree_cosface.data.kinds import HEAD, begins_like_photo, named_like_photo, unread_picture
from saree_cosface.machine import threads

Result = TypeVar("Result")


def gather_photos(paths: Sequence[Path]) -> tuple[list[Path], list[BadImage]]:
    """Files as they are, and the photos below folders, as :func:`find_photos` finds them."""
    files: list[Path] = []
    bad: list[BadImage] = []
    for path in paths:
        # os.path.isdir, unlike Path.is_dir, has an answer for a name that no file can have.
        found, unusable = find_photos(path) if os.path.isdir(path) else ([path], [])  # noqa: PTH112
        files += found
        bad += unusable
    return files, bad


def find_photos(folder: Path) -> tuple[list[Path], list[BadImage]]:
    """Photos below ``folder``, sorted, and what looks like a photo by name but cannot be one, or may hold one that is
    not read.

    Of a file whose name does not say that it is a photo the first bytes decide, as :func:`begins_like_photo` does.
    Folders are followed through links, each once, so that loops end. Hidden files and folders are skipped.

    Raises:
        NotADirectoryError: ``folder`` is not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: not a folder; give the folder that holds the photos.")
    photos: list[Path] = []
    bad: list[BadImage] = []
    seen: set[tuple[int, int]] = set()
    # Real folders come before linked ones: a folder reached both ways is listed under its real name.
    real, linked = deque([folder]), deque[Path]()
    while real or linked:
        current = real.popleft() if real else linked.popleft()
        try:
            identity = current.stat()
            if (identity.st_dev, identity.st_ino) in seen:
                continue
            seen.add((identity.st_dev, identity.st_ino))
            names = sorted(path.name for path in current.iterdir())
        except OSError as error:
            bad.append(BadImage(current, f"the folder cannot be read ({error.strerror})"))
            continue
        for path in (current / name for name in names if not name.startswith(".")):
            looks_like_photo = named_like_photo(path.name)
            try:
                state = path.stat()
            except OSError as error:
                if looks_like_photo:
                    bad.append(BadImage(path, os_reason(path, error)))
                continue
            mode = state.st_mode
            if stat.S_ISREG(mode) and is_photo(path, path.name):
                photos.append(path)
            elif looks_like_photo:
                bad.append(BadImage(path, irregular(mode)))
            elif stat.S_ISDIR(mode):
                (linked if path.is_symlink() else real).append(path)
            elif stat.S_ISREG(mode) and (why := unread_picture(path.name, state.st_size, _head(path))):
                bad.append(BadImage(path, why))
    return sorted(photos), sorted(bad, key=lambda entry: entry.path)


def is_photo(path: Path, name: str) -> bool:
    """Whether a file is a photo by its name or, where that does not say so, by its first bytes."""
    return named_like_photo(name) or begins_like_photo(name, _head(path))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def map_files(function: Callable[[Path], Result], files: Sequence[Path], description: str) -> list[Result]:
    """Results of ``function`` for each file, in order, with a progress bar.

    Threads, not processes: Pillow lets go of the interpreter while it decodes and resizes.
    """
    workers = max(1, min(len(files), threads.count(), 16))
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(track(pool.map(function, files), description, total=len(files)))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupted user should not wait for what is still queued
            raise


def list_bad(bad: tuple[BadImage, ...], manifest: Path | None = None, shown: int = 10) -> None:
    """Say on stderr which photos were left out, and why, and what lists all of those in a manifest."""
    if bad:
        several = f"{len(bad)} photos cannot be used and were left out:"
        console.print("[yellow]1 photo cannot be used and was left out:" if len(bad) == 1 else f"[yellow]{several}")
        for each in bad[:shown]:
            console.print(f"  {each}", highlight=False, markup=False, soft_wrap=True)
        if len(bad) > shown:
            all_of_them = f"; `saree-cosface data check {manifest} --json` lists all" if manifest else ""
            console.print(f"  … and {len(bad) - shown} more{all_of_them}.", highlight=False, markup=False)
