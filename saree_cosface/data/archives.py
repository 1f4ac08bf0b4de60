"""Photos out of a ZIP archive, one at a time: nothing lands outside a folder, and no small file becomes a large one."""

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from saree_cosface.data.images import BadImage
from saree_cosface.data.kinds import HEAD, begins_like_photo, named_like_photo, unread_picture
from saree_cosface.languages.said import said

MOST_FILES = 10_000
"""Photos in one archive."""

LARGEST_PHOTO = 200_000_000
"""Bytes of one photo, unpacked."""

LARGEST_WHOLE = 20_000_000_000
"""Bytes of all photos, unpacked. They are unpacked one by one and deleted, so this bounds time, not disk."""

_HIGHEST_RATIO = 200
"""Photos hardly shrink when packed; what grows more than this is made to fill a disk."""

_GRACE = 10_000_000  # bytes that may be packed as tightly as anybody likes
_CHUNK = 1 << 20


class BadArchive(ValueError):
    """An archive cannot be used; the message says why, in words for the person who owns the file."""


@dataclass(frozen=True)
class Packed:
    """A photo in an archive: its path there, for showing, and its position."""

    name: str
    position: int


def photos_in_archive(archive: Path) -> tuple[list[Packed], list[BadImage]]:
    """The photos of a ZIP archive, and the entries that look like photos by name but cannot be unpacked, or that may
    hold a photo that is not read.

    Of an entry whose name does not say that it is a photo the first bytes decide. What lies in hidden folders, or in
    the ``__MACOSX`` folder that Macs add, is left out without a word.

    Raises:
        BadArchive: it is no ZIP archive, is damaged, or holds more than :data:`MOST_FILES` photos.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            heads = {entry.filename: _head(opened, entry) for entry in entries}
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError) as error:
        raise BadArchive(said("archive.damaged", detail=str(error))) from error
    photos: list[Packed] = []
    bad: list[BadImage] = []
    total = 0
    for position, entry in enumerate(entries):
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        hidden = any(_hidden(part) for part in path.parts)
        if entry.is_dir() or hidden:
            continue
        head = heads[entry.filename]
        if not (named_like_photo(entry.filename) or begins_like_photo(entry.filename, head)):
            if why := unread_picture(entry.filename, entry.file_size, head):
                bad.append(BadImage(Path(path), why))
        elif entry.flag_bits & 1:
            bad.append(BadImage(Path(path), said("archive.locked")))
        elif (entry.external_attr >> 16) & 0o170000 == 0o120000:
            bad.append(BadImage(Path(path), said("archive.link")))
        elif entry.file_size > LARGEST_PHOTO or _grows(entry.file_size, entry.compress_size):
            bad.append(BadImage(Path(path), said("archive.too_large", megabytes=round(entry.file_size / 1e6))))
        else:
            photos.append(Packed(str(path), position))
            total += entry.file_size
    if len(photos) > MOST_FILES:
        raise BadArchive(said("archive.too_many", photos=len(photos), most=MOST_FILES))
    if total > LARGEST_WHOLE:
        raise BadArchive(said("archive.too_much", gigabytes=round(total / 1e9)))
    return photos, bad


def unpack(opened: zipfile.ZipFile, packed: Packed, target: Path) -> None:
    """Write one photo of an archive to ``target``, whatever path it claims to have.

    Raises:
        BadImage: it is damaged, or larger than the archive says; nothing is left behind then.
    """
    try:
        entry = opened.infolist()[packed.position]
        written = 0
        with opened.open(entry) as source, target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > LARGEST_PHOTO or _grows(written, entry.compress_size):
                    raise BadImage(Path(packed.name), said("archive.grows"))
                file.write(chunk)
    except BaseException as error:
        with suppress(OSError):
            target.unlink(missing_ok=True)
        if isinstance(error, BadImage) or not isinstance(error, Exception):
            raise
        # zlib, lzma and bz2 raise errors of their own on damaged data
        raise BadImage(Path(packed.name), said("archive.packed", detail=str(error))) from error


def expand(files: Iterator[tuple[Path, str]], scratch: Path) -> Iterator[tuple[Path, str] | BadImage]:
    """Photos as they are, and those in archives unpacked one by one into ``scratch``.

    A file in ``scratch`` may be deleted once it was used. A whole archive that cannot be used is one bad photo.

    Args:
        files: each with the name it is shown by.
        scratch: a folder of one's own.
    """
    for path, name in files:
        if not name.lower().endswith(".zip"):
            yield path, name
            continue
        try:
            photos, bad = photos_in_archive(path)
        except BadArchive as error:
            yield BadImage(Path(name), error.args[0])
            continue
        if not photos and not bad:
            bad.append(BadImage(Path(name), said("archive.empty")))
        yield from (BadImage(Path(name) / entry.path, entry.reason) for entry in bad)
        with zipfile.ZipFile(path) as opened:
            for packed in photos:
                target = scratch / f"{packed.position}{PurePosixPath(packed.name).suffix.lower()}"
                try:
                    unpack(opened, packed, target)
                except BadImage as error:
                    yield BadImage(Path(name) / error.path, error.reason)
                    continue
                yield target, f"{name}/{packed.name}"


def _head(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """First bytes of an entry whose name does not say that it is a photo."""
    if named_like_photo(entry.filename) or entry.is_dir() or entry.flag_bits & 1:
        return b""
    try:
        with opened.open(entry) as file:
            return file.read(HEAD)
    except Exception:  # zlib, lzma and bz2 raise errors of their own on damaged data
        return b""


def _grows(size: int, packed: int) -> bool:
    return size > _GRACE and size > _HIGHEST_RATIO * max(packed, 1)


def _hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))
