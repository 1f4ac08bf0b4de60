"""What lies in a folder of shards: of which photos, by which embedder, and in which files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from saree_cosface.data.images import DECODER
from saree_cosface.data.manifest import Manifest
from saree_cosface.files import write_json
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.fingerprint import embedder_version

PLAN = "embeddings.json"
FORMAT = 1


class ShardError(ValueError):
    """A folder of shards cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class Plan:
    """What a folder holds, or will hold when it is done.

    Attributes:
        embedder: its version, by its weights.
        decoder: version of what reads the photos.
        manifest_sha256: fingerprint of the manifest.
        order: fingerprint of the order of its photos.
        photos: how many it lists.
        shard: how many of them a file holds.
    """

    embedder: str
    decoder: str
    manifest_sha256: str
    order: str
    photos: int
    shard: int

    def parts(self) -> Iterator[tuple[str, int, int]]:
        """Each file's name, and from which row of the manifest to which it goes.

        >>> list(Plan("", "", "", "", photos=5, shard=3).parts())
        [('part-000000.parquet', 0, 3), ('part-000001.parquet', 3, 5)]
        """
        for number, start in enumerate(range(0, self.photos, self.shard)):
            yield f"part-{number:06d}.parquet", start, min(start + self.shard, self.photos)


def plan_of(embedder: Embedder, manifest: Manifest, shard: int) -> Plan:
    """What will be computed of a manifest's photos, so many a file.

    Raises:
        ShardError: a file would hold none.
    """
    if shard < 1:
        raise ShardError(f"a shard of {shard} photos holds none; it must be at least 1.")
    order = hashlib.sha256("\n".join(manifest.table["path"]).encode("utf-8", "surrogateescape")).hexdigest()
    return Plan(embedder_version(embedder), str(DECODER), manifest.sha256, order, len(manifest), shard)


def begin(folder: Path, plan: Plan) -> None:
    """Write the plan into a new folder, or make sure that one that was begun is of the same plan.

    Raises:
        ShardError: it was begun for other photos, another embedder or another size of the files, or holds other things.
        OSError: it cannot be written.
    """
    if (folder / PLAN).exists():
        begun = asdict(read_plan(folder))
        other = [name for name, value in asdict(plan).items() if begun[name] != value]
        if other:
            was = ", ".join(f"{name} {begun[name]}" for name in other)
            raise ShardError(
                f"{folder} was begun with other photos or options ({was}): choose another --out, or give what it was "
                "begun with."
            )
        return
    foreign = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    if foreign:
        raise ShardError(f"{folder} holds other things ({foreign[0]}): choose another --out.")
    write_json(folder / PLAN, {"format": FORMAT, **asdict(plan)})


def read_plan(folder: Path) -> Plan:
    """The plan of a folder.

    Raises:
        ShardError: it has none, or a damaged or foreign one.
    """
    try:
        document = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        plan = Plan(**{name: value for name, value in document.items() if name != "format"})
        if document.get("format") != FORMAT or not (type(plan.photos) is type(plan.shard) is int and plan.shard > 0):
            raise ValueError("another format")
        return plan
    except FileNotFoundError as error:
        raise ShardError(f"{folder}: no {PLAN} there; `saree-cosface embed` makes such a folder.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShardError(f"{folder / PLAN}: damaged or foreign ({error}); make the folder anew.") from error
