"""A map of a run's references, on which a new piece is placed; and a small drawing of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.html.page import escape
from saree_cosface.languages.language import Language
from saree_cosface.maps.coordinates import map_parameters, umap_coordinates
from saree_cosface.maps.embedding import EmbeddingMap, MapError
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.runs.run import Run

FOLDER = "reference_map"
SEED = 0

_DRAWN = 1500  # dots: more than these cannot be told apart at this size
_WIDE, _HIGH, _EDGE = 360.0, 270.0, 14.0
_COLOURS = ("var(--indigo)", "var(--zari)")


def reference_map(run: Run) -> EmbeddingMap:
    """The references of a run as a map; kept in the run's folder, if that can be written.

    Made anew where there is none of this embedder. References that were enrolled since are placed among the others, and
    those that left are taken off: neighbours do not move because one joined them.
    """
    files = run.folder / FOLDER / "map.parquet", run.folder / FOLDER / "map.json"
    references = run.gallery.references[["sha256", "craft"]].reset_index(drop=True)
    embeddings = np.ascontiguousarray(run.gallery.embeddings, np.float32)
    version = embedder_version(run.embedder)
    try:
        kept = EmbeddingMap.load(*files)
    except MapError:
        kept = None
    if kept is None or kept.parameters.get("embedder") != version or not set(kept.photos["sha256"]):
        coordinates = umap_coordinates(embeddings, SEED)
        made = _with(
            references, embeddings, coordinates, {**map_parameters(len(references), SEED), "embedder": version}
        )
        _keep(made, files)
        return made
    known = kept.photos.drop_duplicates("sha256").set_index("sha256")[["x", "y"]]
    coordinates = known.reindex(references["sha256"]).to_numpy(np.float32, copy=True)
    new = ~np.isfinite(coordinates).all(axis=1)
    coordinates[new] = kept.place(embeddings[new])
    return _with(references, embeddings, coordinates, dict(kept.parameters))


def small_map(references: EmbeddingMap, crafts: Sequence[str], place: NDArray[np.float32], say: Language) -> str:
    """The map as inline SVG: references as dots, those of the first two crafts in colour, and the piece.

    Args:
        references: of a run.
        crafts: ids of the traditions that the piece is nearest to; the first two are coloured.
        place: of the piece, ``(2,)``.
        say: language.
    """
    points = references.coordinates
    lowest, highest = np.minimum(points.min(axis=0), place), np.maximum(points.max(axis=0), place)
    scale = float(min((np.array([_WIDE, _HIGH]) - 2 * _EDGE) / np.maximum(highest - lowest, 1e-6)))
    middle = (lowest + highest) / 2

    def at(point: NDArray[np.float32]) -> tuple[float, float]:
        x, y = (point - middle) * scale
        return _WIDE / 2 + float(x), _HIGH / 2 - float(y)

    named = list(crafts[:2])
    of = references.photos["craft"].to_numpy(str)
    shown = np.linspace(0, len(points) - 1, min(_DRAWN, len(points))).round().astype(int)
    dots = dict.fromkeys(["", *reversed(named)], "")  # the first tradition is drawn last, above the others
    for row in shown:
        x, y = at(points[row])
        dots[of[row] if of[row] in named else ""] += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    fills = dict(zip(named, _COLOURS, strict=False))
    groups = "".join(
        f'<g fill="{fills.get(craft, "var(--soft)")}" fill-opacity="{0.85 if craft else 0.3}">{circles}</g>'
        for craft, circles in dots.items()
    )
    x, y = at(place)
    names = escape(say.listed(say.craft(craft) for craft in named))
    key = "".join(
        f'<li><span style="background:{fills[craft]}"></span>{escape(say.craft(craft))}</li>' for craft in named
    )
    return (
        f'<figure class="smallmap"><svg viewBox="0 0 {_WIDE:.0f} {_HIGH:.0f}" role="img" '
        f'aria-label="{say("references.map", crafts=names)}">{groups}'
        f'<g fill="none" stroke="var(--madder)" stroke-width="2"><circle cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
        f'<path d="M{x - 13:.1f} {y:.1f}h8M{x + 5:.1f} {y:.1f}h8M{x:.1f} {y - 13:.1f}v8M{x:.1f} {y + 5:.1f}v8"/></g>'
        f'</svg><figcaption><ul class="key"><li><span class="here"></span>{say("references.this_piece")}</li>{key}'
        f'<li><span style="background:var(--soft);opacity:.4"></span>{say("references.others")}</li></ul>'
        f"{say('references.neighbours')}</figcaption></figure>"
    )


def _with(
    references: pd.DataFrame,
    embeddings: NDArray[np.float32],
    coordinates: NDArray[np.float32],
    parameters: dict[str, object],
) -> EmbeddingMap:
    return EmbeddingMap(references.assign(x=coordinates[:, 0], y=coordinates[:, 1]), embeddings, parameters)


def _keep(made: EmbeddingMap, files: tuple[Path, Path]) -> None:
    try:
        made.save(*files)
    except OSError:  # a run that cannot be written is still one that can be shown
        return
