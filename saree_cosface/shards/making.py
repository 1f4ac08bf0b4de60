"""A collection embedded shard by shard, here or on a cluster: what was finished is kept, whatever happens."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from saree_cosface.console import console
from saree_cosface.data.csv_text import csv_text
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.files import require_utf8, write_text
from saree_cosface.networks.embedder import Embedder
from saree_cosface.shards.folder import begin, plan_of
from saree_cosface.shards.part import DESCRIBED, asked, computed, is_part, write_part

Engine = Literal["local", "ray"]

UNREADABLE = "unreadable.csv"
"""Lists the photos that have no embedding, with reasons."""


@dataclass(frozen=True)
class Embedded:
    """What :func:`embed_collection` has left in a folder.

    Attributes:
        folder: where.
        photos: of the manifest.
        shards: files, of which ``kept`` were there already.
        kept: see above.
        seconds: that this call took.
        bad: photos that could not be read.
    """

    folder: Path
    photos: int
    shards: int
    kept: int
    seconds: float
    bad: tuple[BadImage, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "folder": str(self.folder),
            "photos": self.photos,
            "embedded": self.photos - len(self.bad),
            "shards": self.shards,
            "kept": self.kept,
            "seconds": round(self.seconds, 3),
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in self.bad],
        }


def embed_collection(
    embedder: Embedder,
    manifest: Manifest,
    folder: Path,
    *,
    engine: Engine = "local",
    address: str | None = None,
    shard: int = 1000,
    cache: Path | None = None,
) -> Embedded:
    """Embed every photo of a manifest that can be read into Parquet files of a folder; what is there is kept.

    Photos that could not be read are tried again.

    Args:
        embedder: trained.
        manifest: photos; labels need be no crafts.
        folder: new, empty, or of an earlier call with the same arguments, which then goes on.
        engine: "local" computes in this process, "ray" on the machines of a Ray cluster, which must see the photos
            under the same paths.
        address: of the cluster; None takes that of the variable RAY_ADDRESS or, without it, this machine.
        shard: photos a file.
        cache: of features; nothing is remembered when None.

    Raises:
        ShardError: the folder is of other photos or another embedder, or there is no such cluster.
        ValueError: the folder of the photos has a name that is not UTF-8.
        OSError: it cannot be written.

    >>> from saree_cosface import load_run
    >>> from saree_cosface.data.manifest_file import read_manifest
    >>> some = read_manifest(manifest_file, where="craft == 'jamdani'")
    >>> made = embed_collection(load_run(run_folder).embedder, some, out / "embeddings", shard=5, cache=cache)
    >>> made.photos, made.shards, made.kept, made.bad
    (8, 2, 0, ())
    """
    began = time.perf_counter()
    folder = Path(folder)
    require_utf8(os.path.abspath(manifest.root))  # noqa: PTH100  # Path.absolute keeps ".."
    plan = plan_of(embedder, manifest, shard)
    begin(folder, plan)
    parts = list(plan.parts())
    missing = []
    for name, start, stop in parts:
        if is_part(folder / name, start, stop):
            _try_again(embedder, folder / name, cache)
        else:
            missing.append((name, start, stop))
    if len(missing) < len(parts):
        console.print(f"{len(parts) - len(missing)} of {len(parts)} shards are there already.", highlight=False)
    todo = [asked(manifest, start, stop) for _, start, stop in missing]
    names = {start: name for name, start, _ in missing}
    for part in _computed(embedder, todo, engine, address, cache):
        write_part(part, folder / names[part["row"][0].as_py()])
    bad = tuple(each for name, _, _ in parts for each in _unreadable(folder / name))
    rows = [{"path": str(each.path), "reason": each.reason} for each in bad]
    write_text(folder / UNREADABLE, csv_text(("path", "reason"), rows))
    return Embedded(folder, len(manifest), len(parts), len(parts) - len(missing), time.perf_counter() - began, bad)


def _computed(
    embedder: Embedder, todo: list[pa.Table], engine: Engine, address: str | None, cache: Path | None
) -> Iterator[pa.Table]:
    if engine == "ray" and todo:
        from saree_cosface.shards.on_ray import computed_on_ray  # which is not installed everywhere

        yield from computed_on_ray(embedder, todo, address=address, cache=cache)
        return
    for number, rows in enumerate(todo, start=1):
        yield computed(embedder, rows, cache=cache, description=f"Shard {number} of {len(todo)}")


def _try_again(embedder: Embedder, path: Path, cache: Path | None) -> None:
    """Take into a shard the photos that could not be read when it was made, and can be now."""
    if not _unreadable(path):
        return
    part = pq.read_table(path)
    lost = pc.not_equal(part["reason"], "")
    again = computed(embedder, part.filter(lost).select(["row", "file", *DESCRIBED]), cache=cache)
    if pc.any(pc.equal(again["reason"], "")).as_py():
        write_part(pa.concat_tables([part.filter(pc.invert(lost)), again]).sort_by("row"), path)


def _unreadable(path: Path) -> list[BadImage]:
    table = pq.read_table(path, columns=["file", "reason"])
    lost = table.filter(pc.not_equal(table["reason"], ""))
    return [BadImage(Path(row["file"]), row["reason"]) for row in lost.to_pylist()]
