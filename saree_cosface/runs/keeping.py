"""Enrolled photos that are kept beside a gallery, and what is kept of where a piece comes from."""

import hashlib
import io
import os
from pathlib import Path

import pandas as pd
from PIL import Image

from saree_cosface.data.content import CHANGED, photo_hash
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.profiles import SRGB
from saree_cosface.files import atomic_path
from saree_cosface.runs.gallery import Gallery

FOLDER = "photos"
_DIGITS = 16  # of a copy's own SHA-256, in its name
LARGEST_COPY = 4096
"""Bound on the short side of a copy in pixels: more than is ever looked at, and it fits into memory."""


def keep_photos(gallery: Gallery, folder: Path) -> Gallery:
    """The gallery with its photos copied to a folder: as they are seen, in sRGB and saying so, without place, time or
    camera.

    The copies are named by the content of the originals, by which the references are known as before, and by their own.

    Raises:
        BadImage: a photo cannot be read any more.
    """
    references, paths = gallery.references, []
    for photo, content in zip(references["path"], references["sha256"], strict=True):
        copy = io.BytesIO()
        Image.fromarray(decode(Path(photo), shrink_to=LARGEST_COPY)).save(copy, "JPEG", quality=93, icc_profile=SRGB)
        own = hashlib.sha256(copy.getvalue()).hexdigest()[:_DIGITS]
        target = folder / FOLDER / f"{content}-{own}.jpg"
        with atomic_path(target) as temporary:
            temporary.write_bytes(copy.getvalue())
        paths.append(os.path.abspath(target))  # noqa: PTH100  # Path.resolve would follow links
    # A photo of unknown piece stands for itself by its path.
    kept = pd.Series(paths, index=references.index, dtype=object)
    pieces = references["piece"].where(references["piece"] != references["path"], kept)
    references = references.assign(path=kept, piece=pieces)
    return Gallery(gallery.embeddings, references, gallery.folder)


def is_kept_copy(path: Path, sha256: str) -> bool:
    """Whether a file is by its name a copy that :func:`keep_photos` made of the photo with this SHA-256."""
    return path.parent.name == FOLDER and path.match(f"{sha256}-{'?' * _DIGITS}.jpg")


def require_kept(path: Path) -> None:
    """Make sure that a kept copy is still what was kept.

    Raises:
        BadImage: it cannot be read, or has changed since.
    """
    if photo_hash(path)[:_DIGITS] != path.stem[-_DIGITS:]:
        raise BadImage(path, f"{CHANGED}; take the enrolment back, and enrol the photo again")


def forget_photos(references: pd.DataFrame, folder: Path) -> None:
    """Remove the kept copies and thumbnails of references that have left a gallery; no other file is touched."""
    for content in references["sha256"]:
        for copy in (folder / FOLDER).glob(f"{content}-*.jpg"):
            copy.unlink(missing_ok=True)
    for thumbnail in references["thumbnail"]:
        if thumbnail:
            (folder / thumbnail).unlink(missing_ok=True)
