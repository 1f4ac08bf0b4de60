"""The photo, or the piece, that a curator means, and its name in the log.

A log names photos by their path from the folder of its first manifest. So a photo keeps its name when an applied
manifest is written to another folder, and when log, manifests and photos move to another machine together.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import numpy as np

from saree_cosface.curation.decisions import CurationError, Entry
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.names import tidy
from saree_cosface.data.paths import listed
from saree_cosface.files import sha256_of

_SHOWN = 5


def names_in_log(manifest: Manifest, manifests: Sequence[Entry], folder: Path) -> list[str]:
    """The log's name of each photo of a manifest.

    Args:
        manifest: any; of the log's first one, and of all in its folder, the names are the paths that it lists.
        manifests: the entries that brought manifests into use
            (:meth:`saree_cosface.curation.log.CurationLog.manifests`).
        folder: of the log.
    """
    base = manifest.root
    if manifests and manifest.sha256 != manifests[0].manifest:
        base = (folder / manifests[0].value).parent
    return [relative(path, base) for path in manifest.files()]


def relative(path: Path, folder: Path) -> str:
    """A path from a folder, by words alone: the same on a machine where the files are not there."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  # Path.resolve follows links


def find_photo(manifest: Manifest, said: Path | str) -> int:
    """Row of the photo that is meant by its path in the manifest, its file, or an end that no other photo has.

    Raises:
        CurationError: no photo, or several.
    """
    paths = manifest.table["path"].tolist()
    wanted = listed(str(said))
    if wanted in paths:
        return paths.index(wanted)
    file = os.path.abspath(said)  # noqa: PTH100  # Path.resolve follows links, under whose names photos are listed
    found = [row for row, path in enumerate(manifest.files()) if os.path.abspath(path) == file]  # noqa: PTH100
    if not found:
        found = [row for row, path in enumerate(paths) if path.endswith("/" + wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(paths[row] for row in found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise CurationError(f"{said}: {len(found)} photos end so: {shown}; give more of the path.")
    ends = {PurePosixPath(path).name: path for path in reversed(paths)}
    near = get_close_matches(wanted, paths, n=3) + [
        ends[end] for end in get_close_matches(PurePosixPath(wanted).name, list(ends), n=3)
    ]
    hint = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "no path is near it."
    raise CurationError(f"{said}: no photo of the manifest ({len(paths)} photos): {hint}")


def content_of(manifest: Manifest, row: int) -> str:
    """SHA-256 of a photo's file, or what the manifest says of it where there is no file to read; "" for neither."""
    try:
        return sha256_of(manifest.file(row))
    except (OSError, ValueError):
        return str(manifest.table["sha256"].iloc[row]).lower()


def find_piece(manifest: Manifest, said: Path | str) -> int:
    """Row of a photo, or of the first photo of the piece that has this id.

    Raises:
        CurationError: neither, or pieces of several sources have this id.
    """
    named = (manifest.table[["piece", "shared_piece"]] == tidy(str(said))).any(axis="columns").to_numpy()
    if not named.any() or str(said) in set(manifest.table["path"]):
        return find_photo(manifest, said)
    rows = np.flatnonzero(named)
    if len(set(manifest.pieces[rows].tolist())) > 1:
        sources = ", ".join(sorted({source or "an unknown one" for source in manifest.sources[rows].tolist()}))
        raise CurationError(f"{said}: several sources have a piece of this name ({sources}); name a photo of it.")
    return int(rows[0])
