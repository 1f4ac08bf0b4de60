"""What a file is by its name and its first bytes: a photo, a picture that is not read, or something else."""

from collections.abc import Callable
from functools import cache
from pathlib import PurePath

from PIL import Image

from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.languages.said import said

HEAD = 32
"""Bytes by which a photo is known."""

_RAW = frozenset(
    {
        *(
            ".dng",
            ".nef",
            ".nrw",
            ".cr2",
            ".cr3",
            ".crw",
            ".arw",
            ".sr2",
            ".orf",
            ".raf",
            ".rw2",
            ".rwl",
            ".pef",
            ".srw",
        ),
        *(".x3f", ".mrw", ".kdc", ".3fr", ".iiq", ".erf"),
    }
)
"""What cameras write beside a photo: much of it TIFF by the first bytes, of which only a preview could be read."""

_PICTURES = frozenset(
    {
        *(
            ".psd",
            ".psb",
            ".xcf",
            ".jxl",
            ".jxr",
            ".pdf",
            ".svg",
            ".svgz",
            ".eps",
            ".ai",
            ".ico",
            ".tga",
            ".exr",
            ".hdr",
        ),
        *(".djvu", ".pcx", ".ppm", ".pgm", ".wmf", ".emf"),
    }
)

_ARCHIVES = frozenset(
    {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".cbz", ".cbr"}
)


def unread_picture(name: str, size: int, head: bytes) -> str:
    """Why a file that is no photo may still hold one that its owner would miss; "" where it lies about in any folder.

    Args:
        name: of the file.
        size: in bytes.
        head: its first bytes.

    >>> unread_picture("DSC_1.NEF", 9, b"II*\\0"), unread_picture("Thumbs.db", 9, b""), unread_picture("IMG_1", 0, b"")
    ('a camera’s raw picture; develop it, and save it as JPEG', '', 'empty (0 bytes)')
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in _RAW:
        return said("photo.raw")
    if suffix in _PICTURES:
        return said("photo.other_kind", kind=suffix[1:].upper())
    if suffix in _ARCHIVES or (not suffix and head.startswith(b"PK\x03\x04")):
        return said("photo.archive")
    return said("photo.empty") if not suffix and not size else ""


def named_like_photo(name: str) -> bool:
    """Whether the suffix of a name is that of a photo."""
    return PurePath(name).suffix.lower() in PHOTO_SUFFIXES


def begins_like_photo(name: str, head: bytes) -> bool:
    """Whether a file of another name is a photo by its first :data:`HEAD` bytes: exports and mail leave the suffix out.

    >>> begins_like_photo("IMG_0012", bytes.fromhex("ffd8ffe0")), begins_like_photo("notes", b"BM: bought in Varanasi")
    (True, False)
    """
    if PurePath(name).suffix.lower() in _RAW | _ARCHIVES or (
        head[:2] == b"BM" and b"\0" not in head
    ):  # text is no bitmap
        return False
    return any(accept(head) for accept in _accepting())


@cache
def _accepting() -> tuple[Callable[[bytes], bool | str], ...]:
    """How Pillow knows each format of photos."""
    formats = Image.registered_extensions()
    names = sorted({formats.get(suffix, "") for suffix in PHOTO_SUFFIXES} & Image.OPEN.keys())
    return tuple(accept for _, accept in map(Image.OPEN.__getitem__, names) if accept is not None)
