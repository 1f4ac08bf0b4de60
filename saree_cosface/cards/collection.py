"""What a collection of photos holds: all that its card says without asking anybody.

Sources may be people, so they go by numbers, except for those that a column ``public`` of the manifest allows to name.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.cards.gaps import gaps
from saree_cosface.cards.held_out import held_out
from saree_cosface.data.findings import CheckReport
from saree_cosface.data.images import BadImage, size_and_format
from saree_cosface.data.manifest import BASIS, CAPTION, CURATOR, Manifest
from saree_cosface.data.photos import map_files
from saree_cosface.data.values import text_of
from saree_cosface.sharing.licences import OTHER, licence_of
from saree_cosface.sharing.names import neutral_names

SMALL = 224
"""Short side in pixels at which the usual backbone looks at a photo; of a smaller one it sees enlarged pixels."""

UNKNOWN = "unknown"

_COPIES = ("exact duplicate", "near duplicate", "crop")
_QUANTILES = {"least": 0.0, "tenth": 0.1, "median": 0.5, "nine tenths": 0.9, "most": 1.0}


@dataclass(frozen=True)
class Picture:
    """What the header of a photo's file says.

    Attributes:
        width, height: in pixels, upright.
        format: by Pillow's name.
        size: of the file, in bytes.
    """

    width: int
    height: int
    format: str
    size: int


def pictures_of(files: Sequence[Path]) -> list[Picture | None]:
    """What the headers of files say; None of those that say nothing."""

    def look(path: Path) -> Picture | None:
        try:
            return Picture(*size_and_format(path), path.stat().st_size)
        except (BadImage, OSError):
            return None

    return map_files(look, files, "Looking at sizes")


def measure(
    manifest: Manifest, report: CheckReport, pictures: Sequence[Picture | None], public: "pd.Series[bool]"
) -> dict[str, Any]:
    """All that is measured of a collection, as one JSON document in which nobody is named who may not be.

    Args:
        manifest: of the photos, ``N`` rows.
        report: what is wrong with them.
        pictures: of each, ``(N,)``.
        public: whether the source of each may be named, which is alike for all photos of a source, ``(N,)``.
    """
    names = neutral_names(manifest.table.assign(public=public)).sources
    sources = np.array([names[source] for source in manifest.sources.tolist()], dtype=np.str_)
    together, copies = _copies(manifest, report)
    kinds = Counter(finding.kind for finding in report.findings)
    return {
        "photos": len(manifest),
        "readable": report.readable,
        "crafts": _crafts(manifest, sources),
        "sources": _sources(manifest.sources, public),
        "pieces": _pieces(manifest),
        "views": dict(Counter(view or UNKNOWN for view in manifest.views.tolist()).most_common()),
        "splits": dict(Counter(split for split in manifest.table["split"] if split).most_common()),
        "labels_rest_on": _bases(manifest),
        "drawn": manifest.drawn,
        **_sizes([picture for picture in pictures if picture is not None]),
        "copies": copies,
        "licences": dict(Counter(map(licence_of, manifest.table["licence"])).most_common()),
        "credited": sum(map(bool, _said(manifest, "credit"))),
        "wrong": {kind: kinds[kind] for kind in ("unknown label", "refused label", "contradictory") if kinds[kind]},
        "gaps": gaps(manifest.crafts, sources, manifest.views),
        "held_out": held_out(manifest, together),
    }


def _crafts(manifest: Manifest, sources: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Each craft, the largest first."""
    crafts, pieces, views = manifest.crafts, manifest.pieces, manifest.views
    found = []
    for craft, count in Counter(crafts.tolist()).most_common():
        mine = crafts == craft
        found.append(
            {
                "craft": craft,
                "photos": count,
                "pieces": len(set(pieces[mine].tolist())),
                "sources": dict(Counter(each for each in sources[mine].tolist() if each).most_common()),
                "without_source": int((sources[mine] == "").sum()),
                "views": dict(Counter(view or UNKNOWN for view in views[mine].tolist()).most_common()),
            }
        )
    return found


def _sources(sources: NDArray[np.str_], public: "pd.Series[bool]") -> dict[str, Any]:
    known = sorted(set(sources.tolist()) - {""})
    return {
        "count": len(known),
        "photos_without": int((sources == "").sum()),
        "named": [source for source in known if public[sources == source].all()],
    }


def _pieces(manifest: Manifest) -> dict[str, int]:
    """Photos of which it is known which saree they show, and how many sarees these are."""
    table = manifest.table
    known = ((table["piece"] != "") | (table["shared_piece"] != "")).to_numpy()
    return {"photos": int(known.sum()), "pieces": len(set(manifest.pieces[known].tolist()))}


def _said(manifest: Manifest, column: str) -> list[str]:
    """What a further column says of each photo; nothing where there is no such column."""
    return [text_of(value).strip() for value in manifest.table.get(column, ())]


def _bases(manifest: Manifest) -> dict[str, int]:
    """What labels rest on, where it is said in a word that is known here: other words may name somebody."""
    said = [basis.lower() or UNKNOWN for basis in _said(manifest, BASIS)]
    return dict(Counter(basis if basis in (CAPTION, CURATOR, UNKNOWN) else OTHER for basis in said).most_common())


def _sizes(pictures: Sequence[Picture]) -> dict[str, Any]:
    short = np.array([min(picture.width, picture.height) for picture in pictures], dtype=np.int64)
    spread = np.quantile(short, list(_QUANTILES.values()), method="nearest").tolist() if len(short) else []
    return {
        "short_side": dict(zip(_QUANTILES, spread, strict=False)),
        "small": int((short < SMALL).sum()),
        "formats": dict(Counter(picture.format for picture in pictures).most_common()),
        "bytes": sum(picture.size for picture in pictures),
    }


def _copies(manifest: Manifest, report: CheckReport) -> tuple[NDArray[np.int_], dict[str, dict[str, int]]]:
    """Pairs of rows that show one picture, ``(P, 2)``, and how many of each kind there are."""
    row = {path: number for number, path in enumerate(manifest.table["path"])}
    sources = manifest.sources
    pairs, counts = [], {}
    for kind in _COPIES:
        found = [[row[path] for path in finding.paths] for finding in report.findings if finding.kind == kind]
        pairs += [(rows[0], other) for rows in found for other in rows[1:]]
        counts[kind] = {
            "cases": len(found),
            "photos": len({each for rows in found for each in rows}),
            "of_several_sources": sum(len(set(sources[rows].tolist())) > 1 for rows in found),
        }
    return np.array(pairs, dtype=np.int_).reshape(-1, 2), counts
