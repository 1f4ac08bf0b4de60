"""The map of a collection: made, continued or aligned with one made before, and written with its figures and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from saree_cosface.answers.collection import Collection, is_without_photos, see, see_references
from saree_cosface.console import announce
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import Manifest
from saree_cosface.maps.coordinates import align, map_parameters, umap_coordinates
from saree_cosface.maps.embedding import EmbeddingMap, MapError
from saree_cosface.maps.page import write_map_page
from saree_cosface.metrics.neighbourhood import map_quality, nearest_neighbours
from saree_cosface.metrics.outliers import outliers
from saree_cosface.networks.fingerprint import fingerprint
from saree_cosface.runs.run import Run
from saree_cosface.runs.share import NO_PHOTOS

COORDINATES, PARAMETERS, PAGE = "coords.parquet", "map.json", "map.html"
FIGURE, SOURCES, SHEET, BEFORE_AFTER = "map", "sources", "crafts", "before_after"

SHOWN_NEIGHBOURS = 8
"""Neighbours that the page shows of a photo."""

_NO_PICTURES = f"The references of the run alone, and no picture of them: {NO_PHOTOS}."

_NEIGHBOURS = 15  # of a photo, in embedding and map, for the quality that is printed


@dataclass(frozen=True, eq=False)
class MappedCollection:
    """A map that was written.

    Attributes:
        folder: where.
        map: its photos, with the columns of ``FACTS``, outlier, x and y.
        facts: how far it is to be trusted, in words.
        bad: photos that could not be read, and have no place.
    """

    folder: Path
    map: EmbeddingMap
    facts: tuple[str, ...]
    bad: tuple[BadImage, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "folder": str(self.folder),
            "parameters": dict(self.map.parameters),
            "facts": list(self.facts),
            "outliers": self.map.photos["path"][self.map.photos["outlier"]].tolist(),
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in self.bad],
        }

    def print_facts(self, out: Console) -> None:
        """For people."""
        for fact in self.facts:
            out.print(fact, highlight=False, markup=False)
        for bad in self.bad[:10]:
            out.print(f"Skipped {bad}", style="yellow", highlight=False, markup=False)
        if len(self.bad) > 10:
            out.print(f"… and {len(self.bad) - 10} more.", style="yellow")
        out.print(f"Page: {self.folder / PAGE}", highlight=False, markup=False)


def map_collection(
    run: Run,
    manifest: Manifest,
    out: Path,
    *,
    seed: int = 0,
    before: Path | None = None,
    shards: Path | None = None,
    cache: Path | None = None,
) -> MappedCollection:
    """Map every photo of a manifest that can be read, and write coordinates, figures and page into a folder.

    Args:
        run: whose embeddings are mapped.
        manifest: photos; labels need be no crafts. That of a run that was shared stands for its references, which are
            mapped without pictures.
        out: folder.
        seed: of the map.
        before: folder of a map made before. Of the same embedder: its photos keep their places, and others are placed
            among them. Of another one: the new map starts from it and is turned onto it. Either way a figure shows
            both side by side.
        shards: folder of embeddings made before, which are read instead of computed.
        cache: of features.

    Raises:
        MapError: there is no map in ``before``, or it is the folder to be written.
        ManifestError: no photo can be read.
    """
    earlier = _earlier(before, out)
    out.mkdir(parents=True, exist_ok=True)  # before the long work, if it cannot be
    without_photos = is_without_photos(run, manifest)
    collection = see_references(run, manifest) if without_photos else see(run, manifest, shards=shards, cache=cache)
    announce(f"Mapping {len(collection)} photos")
    near = nearest_neighbours(collection.embeddings, max(SHOWN_NEIGHBOURS, _NEIGHBOURS))
    made, said = _map(collection, near, seed, earlier)
    trust, kept = map_quality(collection.embeddings, made.coordinates, _NEIGHBOURS, seed=seed)
    facts = (*_quality(trust, kept, len(collection)), *said, *_caution(collection))
    facts = (*facts, _NO_PICTURES) if without_photos else facts
    parameters = {
        **made.parameters,
        "run": str(run.folder),
        "embedder": fingerprint(run.embedder),
        "manifest_sha256": manifest.sha256,
        "trustworthiness": round(trust, 4),
        "neighbours_kept": round(kept, 4),
        "neighbours": _NEIGHBOURS,
    }
    done = EmbeddingMap(made.photos, made.embeddings, parameters)
    prototypes = pd.DataFrame(done.place(run.gallery.prototypes), columns=["x", "y"])
    prototypes.insert(0, "craft", run.gallery.crafts)
    done.save(out / COORDINATES, out / PARAMETERS)
    announce("Drawing the figures")
    _write_figures(done, prototypes, facts, earlier, out)
    announce("Writing the page")
    title = f"Map of {len(collection)} photos"
    shown = near[0][:, :SHOWN_NEIGHBOURS], near[1][:, :SHOWN_NEIGHBOURS]
    write_map_page(done.photos, collection.manifest.files(), *shown, prototypes, out / PAGE, title=title, facts=facts)
    return MappedCollection(out, done, facts, collection.bad)


def load_map(folder: Path) -> EmbeddingMap:
    """Read the map in a folder.

    Raises:
        MapError: there is none, or it is damaged.
    """
    return EmbeddingMap.load(folder / COORDINATES, folder / PARAMETERS)


def _earlier(before: Path | None, out: Path) -> EmbeddingMap | None:
    if before is None:
        return None
    if before.resolve() == out.resolve():
        raise MapError(f"{out} holds the map to compare with; give another folder for the new one.")
    return load_map(before)


def _map(
    collection: Collection,
    near: tuple[NDArray[np.int_], NDArray[np.float32]],
    seed: int,
    earlier: EmbeddingMap | None,
) -> tuple[EmbeddingMap, tuple[str, ...]]:
    facts = collection.facts.copy()
    facts["outlier"] = _odd(collection, near)
    embeddings, parameters = collection.embeddings, map_parameters(len(collection), seed)
    if earlier is None:
        return _placed(facts, embeddings, umap_coordinates(embeddings, seed, near), parameters), ()
    position = {photo: row for row, photo in enumerate(earlier.photos["sha256"])}
    there = np.array([position.get(photo, -1) for photo in facts["sha256"]])
    shared = there >= 0
    if earlier.parameters.get("embedder") == fingerprint(collection.run.embedder):
        coordinates = np.zeros((len(collection), 2), np.float32)
        coordinates[shared] = earlier.coordinates[there[shared]]
        coordinates[~shared] = earlier.place(embeddings[~shared])
        parameters = {**earlier.parameters, "photos": len(collection), "placed": int((~shared).sum())}
        said = (
            f"{shared.sum()} photos keep their places on the map before; {(~shared).sum()} new ones are placed there."
        )
        return _placed(facts, embeddings, coordinates, parameters), (said,)
    if shared.sum() < 3:
        said = f"The map before was made with another model, and only {shared.sum()} photos are on both: not aligned."
        return _placed(facts, embeddings, umap_coordinates(embeddings, seed, near), parameters), (said,)
    start = np.zeros((len(collection), 2), np.float32)
    start[shared] = earlier.coordinates[there[shared]]
    known = EmbeddingMap(pd.DataFrame(start[shared], columns=["x", "y"]), embeddings[shared], {})
    start[~shared] = known.place(embeddings[~shared])
    free = umap_coordinates(embeddings, seed, near, start)
    matrix, left = align(free[shared], earlier.coordinates[there[shared]])
    coordinates = (np.c_[free, np.ones(len(free))] @ matrix).astype(np.float32)
    said = (
        f"Turned onto the map before, made with another model, by the {shared.sum()} photos on both; they lie "
        f"{left:.2f} of its spread away from their old places in the mean."
    )
    return _placed(facts, embeddings, coordinates, {**parameters, "aligned_by": int(shared.sum())}), (said,)


def _placed(
    facts: pd.DataFrame, embeddings: NDArray[np.float32], coordinates: NDArray[np.float32], parameters: dict[str, Any]
) -> EmbeddingMap:
    return EmbeddingMap(facts.assign(x=coordinates[:, 0], y=coordinates[:, 1]), embeddings, parameters)


def _odd(collection: Collection, near: tuple[NDArray[np.int_], NDArray[np.float32]]) -> NDArray[np.bool_]:
    """Photos that lie further from the prototype of their label than the others of it do."""
    return outliers(collection.own_cosines, collection.manifest.crafts)


def _quality(trust: float, kept: float, count: int) -> tuple[str, ...]:
    k = min(_NEIGHBOURS, (count - 1) // 2)
    if k < 1:
        return ("Too few photos to say how far the map is to be trusted.",)
    return (
        f"Trustworthiness {trust:.2f} (1: neighbours on the map are neighbours in truth; 0.5: chance). Of a photo's "
        f"{k} nearest by cosine the map keeps {kept:.0%}. Distances between clusters mean little.",
    )


def _caution(collection: Collection) -> tuple[str, ...]:
    trained = int((collection.parts == "train").sum())
    if not trained:
        return ()
    return (
        f"{trained} of {len(collection)} photos were trained on: these lie nearer to their label than new ones would, "
        "right or wrong.",
    )


def _write_figures(
    done: EmbeddingMap, prototypes: pd.DataFrame, facts: Sequence[str], earlier: EmbeddingMap | None, out: Path
) -> None:
    from saree_cosface.maps.by_craft import map_figure  # matplotlib is slow to import
    from saree_cosface.maps.by_source import source_figure
    from saree_cosface.maps.changes import before_after_figure
    from saree_cosface.maps.craft_sheet import craft_sheet
    from saree_cosface.maps.print_page import SUFFIXES

    map_figure(done.photos, prototypes, facts, out / FIGURE)
    source_figure(done.photos, facts, out / SOURCES)
    craft_sheet(done.photos, prototypes, out / SHEET)
    if earlier is not None:
        before_after_figure(earlier.photos, done.photos, out / BEFORE_AFTER)
        return
    for suffix in SUFFIXES:  # of a map that was here before
        (out / BEFORE_AFTER).with_suffix(suffix).unlink(missing_ok=True)
