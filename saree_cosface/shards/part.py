"""A shard: some photos of a manifest, each with its embedding or with the reason why it has none, as a table."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from saree_cosface.data.content import hash_if_readable
from saree_cosface.data.manifest import Manifest
from saree_cosface.features.embedding import embed_photos
from saree_cosface.files import atomic_path
from saree_cosface.networks.embedder import Embedder

DESCRIBED = ("path", "craft", "piece", "source", "view")
"""Columns of the manifest that a shard repeats, so that it is of use by itself."""

VECTORS = {"embedding": "embeddings", "sides": "sides", "features": "features"}
"""Columns of vectors, and the attribute of :class:`saree_cosface.features.embedding.PhotoEmbeddings` that each holds a
row of, in single precision: what is read is what would be computed, to the last digit. Null where a photo could not be
read."""

_CHANGED = "changed while it was embedded"


def asked(manifest: Manifest, start: int, stop: int) -> pa.Table:
    """What is to be computed of rows start to stop of a manifest: ``row``, ``file`` (absolute) and ``DESCRIBED``."""
    some = manifest.select(np.arange(start, stop))
    columns = {name: pa.array(some.table[name].astype(str).tolist(), pa.string()) for name in DESCRIBED}
    # os.path.abspath, unlike Path.resolve, keeps links, under whose names the photos are known.
    files = [os.path.abspath(path) for path in some.files()]  # noqa: PTH100
    return pa.table({"row": pa.array(range(start, stop), pa.int64()), "file": files, **columns})


def computed(
    embedder: Embedder, rows: pa.Table, *, cache: Path | None = None, description: str | None = None
) -> pa.Table:
    """The shard of what was :func:`asked`: its columns with ``sha256``, ``reason`` and ``VECTORS``.

    Args:
        embedder: trained.
        rows: some photos. One that cannot be read gets the reason, "" for all others, and null for vectors.
        cache: of features; nothing is remembered when None.
        description: of the progress bar; None shows none.
    """
    files = [Path(file) for file in rows["file"].to_pylist()]
    before = [_state(file) for file in files]
    names = [hash_if_readable(file) for file in files]
    found = embed_photos(embedder, files, cache=cache, description=description)
    same = np.array([_state(files[row]) == before[row] for row in found.rows], dtype=bool)
    said = {bad.path: bad.reason for bad in found.bad}
    said |= {files[row]: _CHANGED for row in found.rows[~same]}
    shard = rows.append_column("sha256", pa.array(names, pa.string()))
    shard = shard.append_column("reason", pa.array([said.get(file, "") for file in files], pa.string()))
    for name, attribute in VECTORS.items():
        shard = shard.append_column(name, _column(getattr(found, attribute)[same], found.rows[same], len(files)))
    return shard


def write_part(part: pa.Table, path: Path) -> None:
    """Write a shard, all or nothing."""
    with atomic_path(path) as temporary:
        pq.write_table(part, temporary, compression="zstd")


def is_part(path: Path, start: int, stop: int) -> bool:
    """Whether a file is the shard of these rows of a manifest: not where it is missing, cut short or foreign."""
    try:
        rows = pq.read_table(path, columns=["row", "embedding"])["row"].to_pylist()
    except (OSError, ValueError, KeyError):
        return False
    return bool(rows == list(range(start, stop)))


def _state(file: Path) -> tuple[int, int] | None:
    """What changes with a file's content: its time and size; None where it is not there."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _column(values: NDArray[np.float32], rows: NDArray[np.int_], count: int) -> pa.Array:
    """Vectors of the rows that have one, any shape, as lists; null for the others.

    Lengths are told one by one, though all are the same: among lists of fixed length older pyarrows write no null.
    """
    length = int(np.prod(values.shape[1:]))
    missing = np.ones(count, dtype=bool)
    missing[rows] = False
    offsets = np.concatenate([[0], np.cumsum(np.where(missing, 0, length))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()), mask=pa.array(missing))
