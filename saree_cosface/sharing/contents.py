"""What a shared run consists of, and whether a folder is one: before it goes to a hub, and when it comes from there."""

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import sha256_of
from saree_cosface.runs.folder import CONFIG, MANIFEST, RunError
from saree_cosface.runs.gallery import INDEX, Gallery
from saree_cosface.runs.share import SHARE, Share, read_share
from saree_cosface.sharing.card import CREDITS, README
from saree_cosface.sharing.errors import ShareError

_NAMES = (
    *(SHARE, README, CREDITS, CONFIG, MANIFEST, "parts.json", "run.json"),
    *("embedder/embedder.json", "embedder/model.safetensors", "gallery/gallery.json"),
    *("calibration/calibration.json", "calibration/features.npy", "evaluation/source/evaluation.json"),
)
_TABLES = re.compile(r"gallery/(embeddings-[0-9a-f]{16}\.npy|references-[0-9a-f]{16}\.parquet)")


def belongs(name: str) -> bool:
    """Whether a shared run may have a file of this name, which is a path below its folder with slashes."""
    return name in _NAMES or _TABLES.fullmatch(name) is not None


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder that belongs to a shared run, without the document that tells them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: sha256_of(path) for name, path in names.items() if belongs(name) and name != SHARE}


def require_shared(folder: Path) -> Share:
    """Make sure that a folder holds a run as ``saree-cosface share`` made it. Nothing in it is unpickled.

    Other files may lie beside those that belong to it, such as evaluations made since.

    Returns:
        what it was given away with.

    Raises:
        ShareError: it is another folder; a file is missing, or not the one that was shared; or a table names a file
            elsewhere.
    """
    try:
        share = read_share(folder)
    except RunError as error:
        raise ShareError(str(error)) from error
    if share is None:
        raise ShareError(
            f"{folder}: not a run that was shared, so it may hold photos, paths and names: make one of it with "
            "`saree-cosface share RUN --out FOLDER`."
        )
    require_known(share.files, f"{folder / SHARE} lists")
    for name, content in share.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise ShareError(f"{path}: no such file, or a link; share the run again, or fetch it again.")
        if sha256_of(path) != content:
            raise ShareError(f"{path}: not as it was shared: share the run as it is now, or fetch it again.")
    _look_inside(folder, share)
    return share


def require_known(names: Iterable[str], who: str) -> None:
    """Make sure that all names are of files that a shared run may have.

    Raises:
        ShareError: others are there; ``who`` has them.
    """
    foreign = sorted(name for name in names if not belongs(name))
    if foreign:
        raise ShareError(
            f"{who} {len(foreign)} files that no shared run has (the first: {foreign[0]!r}): it is not taken for one."
        )


def _look_inside(folder: Path, share: Share) -> None:
    """What a table says may lead to other files of whoever reads it."""
    try:
        for name in share.files:
            if name.endswith(".npy"):
                np.load(folder / name, mmap_mode="r", allow_pickle=False)
        index = json.loads((folder / "gallery" / INDEX).read_text(encoding="utf-8"))
        tables = [index["embeddings"], index["references"]]
        if not {f"gallery/{table}" for table in tables} <= set(share.files):
            raise ValueError(f"its gallery has tables that do not belong to it: {', '.join(tables)}")
        references = Gallery.load(folder / "gallery").references
        listed = read_manifest(folder / MANIFEST, taxonomy=None).table
        settings = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        cache = settings["data"].get("cache")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, yaml.YAMLError) as error:
        raise ShareError(f"{folder}: damaged, or no shared run of this version ({error}); fetch it again.") from error
    led = [str(path) for path in (*references["path"], *listed["path"]) if len(PurePosixPath(str(path)).parts) != 1]
    led += [str(thumbnail) for thumbnail in references["thumbnail"] if thumbnail]
    led += [str(cache)] if cache is not None else []
    if led:
        raise ShareError(f"{folder}: names a file elsewhere ({led[0]!r}), as no shared run does; do not use it.")
