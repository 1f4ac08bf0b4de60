"""Enrolled photos that are kept beside a gallery, and what is kept of where a piece comes from."""

import os
from pathlib import Path

import pandas as pd
from PIL import Image

from saree_cosface.data.images import decode
from saree_cosface.data.profiles import SRGB
from saree_cosface.files import atomic_path
from saree_cosface.runs.gallery import Gallery

FOLDER = "photos"
LARGEST_COPY = 4096
"""Bound on the short side of a copy in pixels: more than is ever looked at, and it fits into memory."""


def keep_photos(gallery: Gallery, folder: Path) -> Gallery:
    """The gallery with its photos copied to a folder: as they are seen, in sRGB and saying so, without place, time or
    camera.

    The copies are named by the content of the originals, by which the references are known as before.

    Raises:
        BadImage: a photo cannot be read any more.
    """
    references, paths = gallery.references, []
    for photo, content in zip(references["path"], references["sha256"], strict=True):
        target = folder / FOLDER / f"{content}.jpg"
        with atomic_path(target) as temporary:
            pixels = decode(Path(photo), shrink_to=LARGEST_COPY)
            Image.fromarray(pixels).save(temporary, "JPEG", quality=93, icc_profile=SRGB)
        paths.append(os.path.abspath(target))  # noqa: PTH100  # Path.resolve would follow links
    # A photo of unknown piece stands for itself by its path.
    kept = pd.Series(paths, index=references.index, dtype=object)
    pieces = references["piece"].where(references["piece"] != references["path"], kept)
    references = references.assign(path=kept, piece=pieces)
    return Gallery(gallery.embeddings, references, gallery.folder)


def is_kept_copy(path: Path, sha256: str) -> bool:
    """Whether a file is a copy that :func:`keep_photos` made of the photo with this SHA-256."""
    return path.parent.name == FOLDER and path.name == f"{sha256}.jpg"


def forget_photos(references: pd.DataFrame, folder: Path) -> None:
    """Remove the kept copies and thumbnails of references that have left a gallery; no other file is touched."""
    for content in references["sha256"]:
        (folder / FOLDER / f"{content}.jpg").unlink(missing_ok=True)
    for thumbnail in references["thumbnail"]:
        if thumbnail:
            (folder / thumbnail).unlink(missing_ok=True)
