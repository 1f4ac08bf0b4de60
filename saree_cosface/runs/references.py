"""Photos made references: embedded, with a thumbnail each."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from saree_cosface.console import track
from saree_cosface.data.content import same_content
from saree_cosface.data.images import DECODER, BadImage, decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.features.embedding import embed_whole
from saree_cosface.files import atomic_path
from saree_cosface.networks.embedder import Embedder
from saree_cosface.runs.gallery import COLUMNS, Gallery
from saree_cosface.shards.reading import read_or_embed

THUMBNAIL_SIDE = 192


def build_gallery(
    embedder: Embedder,
    manifest: Manifest,
    *,
    folder: Path | None = None,
    shards: Path | None = None,
    cache: Path | None = None,
) -> tuple[Gallery, tuple[BadImage, ...]]:
    """Embed the photos of a manifest as references; those that cannot be read, or have changed, are returned beside.

    Args:
        embedder: trained.
        manifest: the reference photos.
        folder: where thumbnails are written; none are made when None. The gallery itself is not saved.
        shards: folder of embeddings made before, which are read instead of computed.
        cache: of features.
    """
    files = manifest.files()
    said = "Embedding the gallery"
    if shards is None:
        embedded = embed_whole(embedder, files, cache=cache, description=said)
    else:
        embedded = read_or_embed(embedder, files, shards=shards, cache=cache, description=said)
    kept, hashes, bad = [], [], list(embedded.bad)
    for index, row in enumerate(embedded.rows.tolist()):
        try:
            hashes.append(same_content(files[row], manifest.table["sha256"].iloc[row]))
            kept.append(index)
        except BadImage as error:
            bad.append(error)
    rows = embedded.rows[kept]
    thumbnails = [""] * len(rows)
    if folder is not None:
        for index, row in enumerate(track(rows, "Drawing thumbnails", total=len(rows))):
            thumbnails[index] = f"thumbnails/{hashes[index]}-{DECODER}.jpg"
            write_thumbnail(files[row], folder / thumbnails[index])
    read = manifest.select(rows)
    paths = [os.path.abspath(file) for file in read.files()]  # noqa: PTH100  # Path.resolve would follow links
    references = pd.DataFrame(
        {
            "craft": read.crafts,
            "piece": np.where(read.table["piece"] == "", paths, read.table["piece"]),
            "source": read.sources,
            "view": read.views,
            "path": paths,
            "sha256": hashes,
            "thumbnail": thumbnails,
            "shared_piece": read.table["shared_piece"].to_numpy(str),
        },
        columns=COLUMNS,
    )
    return Gallery(embedded.embeddings[kept], references), tuple(bad)


def write_thumbnail(photo: Path, target: Path) -> None:
    """A small JPEG of a photo, unless it is there already."""
    if target.exists():
        return
    image = Image.fromarray(decode(photo, shrink_to=THUMBNAIL_SIDE))
    image.thumbnail((2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
    with atomic_path(target) as temporary:
        image.save(temporary, "JPEG", quality=85)
