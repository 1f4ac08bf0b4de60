"""Whether files are still those that a run learned from: one that was put in the place of another has its caption."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.content import same_content, unchanged
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest, ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.runs.keeping import is_kept_copy, require_kept
from saree_cosface.runs.run import Run


def require_original(path: Path, sha256: str) -> None:
    """Make sure that the file of a reference is the one that was learned from.

    Raises:
        BadImage: it cannot be read, or has changed since.
    """
    if is_kept_copy(path, sha256):
        require_kept(path)
    else:
        same_content(path, sha256)


def recorded(run: Run, manifest: Manifest) -> NDArray[np.str_]:
    """SHA-256 that each file of a manifest should have, ``(N,)``: as the manifest says or, where it says nothing, as
    the run has known the file; "" where neither does."""
    references = run.gallery.references
    known = {
        path: sha256
        for path, sha256 in zip(references["path"], references["sha256"], strict=True)
        if not is_kept_copy(Path(path), sha256)
    }
    with suppress(ManifestError):  # a run of which only the model is left can still answer
        begun = read_manifest(run.folder / "manifest.csv", taxonomy=None).table
        known |= {path: sha256 for path, sha256 in zip(begun["path"], begun["sha256"], strict=True) if sha256}
    said = manifest.table["sha256"]
    paths = [os.path.abspath(path) for path in manifest.files()]  # noqa: PTH100  # Path.resolve would follow links
    return np.array([own or known.get(path, "") for own, path in zip(said, paths, strict=True)], dtype=np.str_)


def originals(run: Run, manifest: Manifest) -> tuple[Manifest, tuple[BadImage, ...]]:
    """The photos of a manifest whose files are those that :func:`recorded` tells of, and the others, with reasons.

    Files of which nothing is recorded are not looked at.
    """
    rows, bad = unchanged(manifest.files(), recorded(run, manifest).tolist())
    return (manifest.select(rows) if bad else manifest), bad
