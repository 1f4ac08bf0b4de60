"""Embeddings read from shards instead of computed again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.data.content import hash_if_readable
from saree_cosface.data.images import DECODER
from saree_cosface.features.embedding import PhotoEmbeddings, embed_photos
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.shards.folder import ShardError, read_plan
from saree_cosface.shards.part import VECTORS


def read_or_embed(
    embedder: Embedder,
    files: Sequence[Path],
    *,
    shards: Path | None = None,
    cache: Path | None = None,
    description: str | None = "Embedding photos",
) -> PhotoEmbeddings:
    """As :func:`saree_cosface.features.embedding.embed_photos`; what a folder of shards holds is read from there.

    Photos are known by their content, wherever they lie. Of those that no shard has it is said how many there are.

    Args:
        embedder: trained.
        files: photos.
        shards: folder that ``saree-cosface embed`` made with this embedder; None for none.
        cache: of features, for the others.
        description: of their progress bar.

    Raises:
        ShardError: the folder is of another embedder, or damaged.
    """
    if shards is None:
        return embed_photos(embedder, files, cache=cache, description=description)
    places = _places(Path(shards), embedder)
    known: dict[Path, list[tuple[int, int]]] = {}
    rest = []
    for row, file in enumerate(files):
        place = places.get(hash_if_readable(file))
        if place is None:
            rest.append(row)
        else:
            known.setdefault(place[0], []).append((row, place[1]))
    if rest:
        said = f"{len(rest)} of {len(files)} photos are not in {shards} and are computed now."
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    others = embed_photos(embedder, [files[row] for row in rest], cache=cache, description=description)
    rows = np.concatenate(
        [np.array(rest, dtype=np.int_)[others.rows], *([row for row, _ in each] for each in known.values())]
    )
    order = np.argsort(rows, kind="stable")
    read = [_vectors(part, [within for _, within in each]) for part, each in known.items()]
    vectors = {}
    for name, attribute in VECTORS.items():
        first: NDArray[np.float32] = getattr(others, attribute)
        found = [first, *(each[name].reshape(-1, *first.shape[1:]) for each in read)]
        vectors[attribute] = np.concatenate(found)[order]
    return PhotoEmbeddings(**vectors, rows=rows[order].astype(np.int_), bad=others.bad)


def _places(folder: Path, embedder: Embedder) -> dict[str, tuple[Path, int]]:
    """The file, and the row within it, of every photo that a folder has the embedding of, by the photo's SHA-256."""
    plan = read_plan(folder)
    if plan.embedder != embedder_version(embedder) or plan.decoder != str(DECODER):
        raise ShardError(
            f"{folder} holds what another embedder or another version of this program made: make embeddings with this "
            "run (`saree-cosface embed`)."
        )
    places = {}
    for name, _, _ in plan.parts():
        if not (folder / name).exists():  # not made yet: its photos are computed
            continue
        table = _read(folder / name, ["sha256", "reason"])
        for row, (sha256, reason) in enumerate(
            zip(*(table[each].to_pylist() for each in table.column_names), strict=True)
        ):
            if sha256 and not reason:
                places[sha256] = folder / name, row
    return places


def _vectors(part: Path, rows: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """Vectors of some rows of a shard, ``(N, length)``, by the names in ``VECTORS``."""
    table = _read(part, list(VECTORS)).take(pa.array(rows, pa.int64()))
    return {name: table[name].combine_chunks().flatten().to_numpy().reshape(len(rows), -1) for name in VECTORS}


def _read(part: Path, columns: Sequence[str]) -> pa.Table:
    try:
        return pq.read_table(part, columns=list(columns))
    except (OSError, ValueError) as error:
        raise ShardError(f"{part}: damaged ({error}); delete it and make the embeddings again.") from error
