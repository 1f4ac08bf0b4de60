"""Enrolled photos that are kept beside a gallery, and what is kept of where a piece comes from."""

import os
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd
from PIL import Image

from saree_cosface.curation.text import tidy_text
from saree_cosface.data.images import decode
from saree_cosface.files import atomic_path
from saree_cosface.runs.gallery import Gallery

FOLDER = "photos"
LONGEST = 1000


@dataclass(frozen=True)
class Provenance:
    """What is known of a reference piece, for the note of its enrolment.

    Attributes:
        inventory: its number in a collection.
        owner: who has it.
        weaver: who wove it, or the workshop.
        made: where and when.
        remark: anything else.

    >>> Provenance(inventory="T.12-1955", weaver="Haji Amin").note()
    'Inventory number: T.12-1955\\nWeaver or workshop: Haji Amin'
    """

    inventory: str = ""
    owner: str = ""
    weaver: str = ""
    made: str = ""
    remark: str = ""

    def note(self) -> str:
        """One line a fact; what is not known is left out.

        Raises:
            CurationError: a fact is too long, or holds what cannot be shown.
        """
        known = {field.name: tidy_text(getattr(self, field.name), _SAID[field.name], LONGEST) for field in fields(self)}
        return "\n".join(f"{_SAID[name]}: {' '.join(text.split())}" for name, text in known.items() if text)


_SAID = {
    "inventory": "Inventory number",
    "owner": "Owner or collection",
    "weaver": "Weaver or workshop",
    "made": "Made where and when",
    "remark": "Remark",
}


def keep_photos(gallery: Gallery, folder: Path) -> Gallery:
    """The gallery with its photos copied to a folder: as they are seen, without place, time or camera.

    The copies are named by the content of the originals, by which the references are known as before.

    Raises:
        BadImage: a photo cannot be read any more.
    """
    references, paths = gallery.references, []
    for photo, content in zip(references["path"], references["sha256"], strict=True):
        target = folder / FOLDER / f"{content}.jpg"
        if not target.exists():
            with atomic_path(target) as temporary:
                Image.fromarray(decode(Path(photo))).save(temporary, "JPEG", quality=93)
        paths.append(os.path.abspath(target))  # noqa: PTH100  # Path.resolve would follow links
    # A photo of unknown piece stands for itself by its path.
    kept = pd.Series(paths, index=references.index, dtype=object)
    pieces = references["piece"].where(references["piece"] != references["path"], kept)
    references = references.assign(path=kept, piece=pieces)
    return Gallery(gallery.embeddings, references, gallery.folder)


def forget_photos(references: pd.DataFrame, folder: Path) -> None:
    """Remove the kept copies and thumbnails of references that have left a gallery; no other file is touched."""
    for content in references["sha256"]:
        (folder / FOLDER / f"{content}.jpg").unlink(missing_ok=True)
    for thumbnail in references["thumbnail"]:
        if thumbnail:
            (folder / thumbnail).unlink(missing_ok=True)
