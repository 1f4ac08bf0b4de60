"""A collection as a run sees it: each photo with its embedding, its cosines, and its part in training."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.answers.verdict import kinds
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest, ManifestError
from saree_cosface.runs.originals import originals
from saree_cosface.runs.run import Run
from saree_cosface.runs.share import NO_PHOTOS
from saree_cosface.shards.reading import read_or_embed
from saree_cosface.taxonomy import load_taxonomy

NEW = "new"
"""Part of a photo that the run has never had to do with."""

FACTS = (
    *("path", "sha256", "craft", "family", "source", "view", "piece"),
    *("split", "named", "verdict", "cosine", "own_cosine"),
)
"""What :meth:`Collection.facts` says of a photo."""


@dataclass(frozen=True, eq=False)
class Collection:
    """The photos of a manifest that could be read.

    Attributes:
        run: that looks at them.
        manifest: a row a photo.
        embeddings: of length 1, ``(N, D)``.
        features: of the backbone, the mean over the views, ``(N, F)``; F is 0 where the photos are not here.
        cosines: to each tradition of the run's gallery, with allowances, ``(N, C)``.
        kinds: of the verdict on each, ``(N,)``; "" where the run is not calibrated.
        familiarity: of each, ``(N,)``; NaN where there is no verdict on it.
        sha256: of each photo, ``(N,)``.
        bad: those that could not be read, or have changed.
    """

    run: Run
    manifest: Manifest
    embeddings: NDArray[np.float32]
    features: NDArray[np.float32]
    cosines: NDArray[np.float32]
    kinds: NDArray[np.str_]
    familiarity: NDArray[np.float32]
    sha256: NDArray[np.str_]
    bad: tuple[BadImage, ...]

    def __len__(self) -> int:
        return len(self.manifest)

    @cached_property
    def parts(self) -> NDArray[np.str_]:
        """What the run did with each photo, ``(N,)``: train, validation, test, unused or new."""
        return np.array([self.run.used.get(photo, NEW) for photo in self.sha256.tolist()], dtype=np.str_)

    @cached_property
    def own_cosines(self) -> NDArray[np.float32]:
        """Cosine of each photo to the prototype of its label, ``(N,)``; NaN where the gallery has none of it."""
        position = {craft: index for index, craft in enumerate(self.run.gallery.crafts)}
        column = np.array([position.get(craft, -1) for craft in self.manifest.crafts.tolist()])
        own = self.cosines[np.arange(len(self)), column].astype(np.float32)
        return np.where(column < 0, np.nan, own).astype(np.float32)

    @cached_property
    def facts(self) -> pd.DataFrame:
        """A row a photo, with the columns ``FACTS``."""
        taxonomy = load_taxonomy()
        crafts = self.manifest.crafts.tolist()
        return pd.DataFrame(
            {
                "path": self.manifest.table["path"].astype(str),
                "sha256": self.sha256,
                "craft": crafts,
                "family": [taxonomy[craft].family if craft in taxonomy else "" for craft in crafts],
                "source": self.manifest.sources,
                "view": self.manifest.views,
                "piece": self.manifest.table["piece"].astype(str),
                "split": self.parts,
                "named": np.array(self.run.gallery.crafts)[self.cosines.argmax(axis=1)],
                "verdict": self.kinds,
                "cosine": self.cosines.max(axis=1),
                "own_cosine": self.own_cosines,
            }
        )


def see(run: Run, manifest: Manifest, *, shards: Path | None = None, cache: Path | None = None) -> Collection:
    """Look at every photo of a manifest that can be read, and is still the file that was labelled or learned from.

    Args:
        run: that looks.
        manifest: photos; labels need be no crafts.
        shards: folder of embeddings made before, which are read instead of computed.
        cache: of features, for the others.

    Raises:
        ManifestError: none can.
        ShardError: the folder of embeddings is of another embedder, or damaged.
    """
    if is_without_photos(run, manifest):
        raise ManifestError(f"{NO_PHOTOS.capitalize()}: give a manifest of photos that are here.")
    same, gone = originals(run, manifest)
    embedded = read_or_embed(run.embedder, same.files(), shards=shards, cache=cache)
    bad = (*gone, *embedded.bad)
    if not len(embedded.rows):
        raise ManifestError(f"none of the {len(manifest)} photos can be read; the first: {bad[0]}")
    kept = same.select(embedded.rows)
    cosines = run.cosines(embedded.embeddings)
    verdicts = np.full(len(kept), "", dtype="<U9")
    familiarity = np.full(len(kept), np.nan, np.float32)
    if run.calibration is not None:
        sides, familiarity = run.cosines(embedded.sides), run.calibration.photos(embedded.features)
        verdicts = kinds(cosines, sides, familiarity, run.calibration)
    return Collection(
        run,
        kept,
        embedded.embeddings,
        embedded.features,
        cosines,
        verdicts,
        familiarity,
        np.array([photo_hash(path) for path in kept.files()], dtype=np.str_),
        bad,
    )


def is_without_photos(run: Run, manifest: Manifest) -> bool:
    """Whether a manifest is that of a shared run itself, whose photos are elsewhere."""
    return run.share is not None and manifest.root.resolve() == run.folder.resolve()


def see_references(run: Run, manifest: Manifest) -> Collection:
    """The references of a shared run, by the embeddings that its gallery has of them; they get no verdicts.

    Args:
        run: that was shared.
        manifest: its own; photos that are no references have no embedding here, and are told as such.

    Raises:
        ManifestError: none of the rows is a reference.
    """
    table = run.gallery.references
    position = {path: row for row, path in enumerate(table["path"])}
    places = np.array([position.get(path, -1) for path in manifest.table["path"]], dtype=np.int_)
    files = manifest.files()
    bad = tuple(BadImage(files[row], f"no reference, and {NO_PHOTOS}") for row in np.flatnonzero(places < 0))
    if len(bad) == len(manifest):
        raise ManifestError(f"none of the {len(manifest)} photos is a reference; the first: {bad[0]}")
    kept, places = manifest.select(places >= 0), places[places >= 0]
    embeddings = np.ascontiguousarray(run.gallery.embeddings[places], np.float32)
    return Collection(
        run,
        kept,
        embeddings,
        np.zeros((len(kept), 0), np.float32),
        run.cosines(embeddings),
        np.full(len(kept), "", dtype=np.str_),
        np.full(len(kept), np.nan, np.float32),
        table["sha256"].to_numpy(str)[places],
        bad,
    )
