"""What a run was given away with: the document ``share.json``, which is there in shared runs alone.

``saree_cosface.sharing`` makes such runs. Their photos are elsewhere, and their sources go by other names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from saree_cosface.files import write_json
from saree_cosface.runs.folder import RunError

SHARE = "share.json"
FORMAT = 1

NO_PHOTOS = "this run was shared without its photos"
"""What is said wherever they would be looked at."""


@dataclass(frozen=True)
class Share:
    """What a run was given away with.

    Attributes:
        licence: of the run, as SPDX writes it.
        files: SHA-256 of each file that belongs to it, by its path below the folder, with slashes.
    """

    licence: str
    files: Mapping[str, str]

    def save(self, folder: Path) -> None:
        """Write it."""
        write_json(folder / SHARE, {"format": FORMAT, "licence": self.licence, "files": dict(self.files)})


def read_share(folder: Path) -> Share | None:
    """What a run was given away with; None for one that was made here.

    Raises:
        RunError: it cannot be read, or another version wrote it.
    """
    path = folder / SHARE
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        written, licence, files = document["format"], document["licence"], dict(document["files"])
        if not all(isinstance(text, str) for text in (licence, *files, *files.values())):
            raise TypeError("it holds something else than texts")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error}); fetch the run again.") from error
    if written != FORMAT:
        raise RunError(f"{path}: of another version of saree-cosface (format {written}, here {FORMAT}).")
    return Share(licence, files)
