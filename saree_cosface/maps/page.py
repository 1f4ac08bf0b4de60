"""The interactive map of a collection: one HTML file that opens from a USB stick and asks nothing of any network.

plotly.js, the style, the data and the thumbnails are all inside. Numbers travel as base64 of little-endian arrays and
texts as JSON columns, so that a browser has 20,000 photos on the screen within seconds.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from saree_cosface import __version__
from saree_cosface.files import write_text
from saree_cosface.html.page import escape, stylesheet
from saree_cosface.maps.colours import colours, craft_colours
from saree_cosface.maps.thumbnails import thumbnails
from saree_cosface.taxonomy import craft_name, load_taxonomy

_COLUMNS = (
    *("path", "craft", "family", "source", "view", "piece", "split", "named", "verdict"),
    *("cosine", "own_cosine", "outlier", "x", "y"),
)
_SCRIPTS = tuple(f"{part}.js" for part in ("data", "filter", "looks", "plot", "panel", "cards", "lists", "page"))

_UNKNOWN = "#8d857c"
_NAMES: Mapping[str, Mapping[str, str]] = {
    "verdict": {
        "tradition": "Near one tradition",
        "between": "Between traditions",
        "unsure": "Not sure which",
        "outside": "Outside those known",
    },
    "split": {"train": "Trained on", "validation": "Validation", "test": "Test", "new": "New", "unused": "Unused"},
}
_ABSENT = {
    "craft": "No label",
    "family": "No known family",
    "source": "Source unknown",
    "view": "View unknown",
    "verdict": "Not calibrated",
    "split": "No part",
    "named": "None",
    "piece": "",
}

_SCALE = 10_000  # cosines as 16-bit integers
_NO_COSINE = -32_768

# plotly.js compiles its drawing commands, hence unsafe-eval; that nothing is fetched is what the policy is for.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def write_map_page(
    photos: pd.DataFrame,
    files: Sequence[Path],
    neighbours: NDArray[np.int_],
    cosines: NDArray[np.float32],
    prototypes: pd.DataFrame,
    path: Path,
    *,
    title: str,
    facts: Sequence[str],
) -> None:
    """Write the interactive map as one HTML file, whole or not at all.

    Args:
        photos: a row a photo: path, craft (id of its label), family, source, view, piece, split, named (id of the
            nearest tradition), verdict (its kind, "" without calibration), cosine (to the
            nearest tradition), own_cosine (to the prototype of its label; NaN if it has none), outlier, x, y.
        files: where each photo lies, (N,). One that is gone has no picture, and the page says so.
        neighbours: rows of each photo's nearest other photos, nearest first, ``(N, K)``; -1 for none.
        cosines: to them, ``(N, K)``.
        prototypes: craft, x, y.
        path: to write.
        title: of the page.
        facts: sentences shown below the map.

    Raises:
        ValueError: there is no photo, a column is missing, lengths differ, or a place on the map is not finite.
        OSError: the file cannot be written.
    """
    _check(photos, files, neighbours, cosines, prototypes)
    pictures = thumbnails(files)
    absent = int((pictures.codes < 0).sum())
    said = [*facts]
    if absent:
        said.append(f"{absent} of {len(photos)} photos could not be read and have no picture here.")
    data = _data(photos, neighbours, cosines, prototypes) | {
        "picture": _base64(pictures.codes, "<i4"),
        "side": pictures.side,
    }
    from plotly.offline import get_plotlyjs  # 5 MB of text, for this page alone

    page = Template(_asset("page.html")).substitute(
        title=escape(title),
        policy=_POLICY,
        style=f"{stylesheet()}\n{_asset('page.css')}",
        facts="".join(f"<li>{escape(fact)}</li>" for fact in said),
        version=escape(__version__),
        plotly=_script(get_plotlyjs()),
        data=_json(data),
        pictures="\n".join(pictures.pictures),
        script=_script("\n".join(_asset(name) for name in _SCRIPTS)),
    )
    write_text(path, page)


def _check(
    photos: pd.DataFrame,
    files: Sequence[Path],
    neighbours: NDArray[np.int_],
    cosines: NDArray[np.float32],
    prototypes: pd.DataFrame,
) -> None:
    missing = [name for name in _COLUMNS if name not in photos] + [
        f"{name} of the prototypes" for name in ("craft", "x", "y") if name not in prototypes
    ]
    if missing:
        raise ValueError(f"the map lacks {', '.join(missing)}")
    if photos.empty:
        raise ValueError("there is no photo to map")
    if len(files) != len(photos):
        raise ValueError(f"{len(photos)} photos, but {len(files)} files")
    if neighbours.ndim != 2 or neighbours.shape != cosines.shape or len(neighbours) != len(photos):
        raise ValueError(f"neighbours {neighbours.shape} and cosines {cosines.shape} of {len(photos)} photos")
    if neighbours.size and not -1 <= neighbours.min() <= neighbours.max() < len(photos):
        raise ValueError(f"a neighbour is not among the {len(photos)} photos")
    for table, name in ((photos, "photo"), (prototypes, "prototype")):
        if not np.isfinite(table[["x", "y"]].to_numpy(np.float64)).all():
            raise ValueError(f"a {name} has no finite place on the map")


def _data(
    photos: pd.DataFrame, neighbours: NDArray[np.int_], cosines: NDArray[np.float32], prototypes: pd.DataFrame
) -> dict[str, Any]:
    crafts = _texts(photos["craft"])
    families = dict(zip(crafts, _texts(photos["family"]), strict=True))
    shown_crafts = [craft for craft in dict.fromkeys([*crafts, *_texts(prototypes["craft"])]) if craft]
    looks = craft_colours(shown_crafts)
    texts = {name: _texts(photos[name]) for name in _COLUMNS[:9]}
    # A photo of unknown piece stands for itself, maybe by a path that tells of the machine: that says nothing here.
    own = [piece if not piece.endswith(path) else "" for piece, path in zip(texts["piece"], texts["path"], strict=True)]
    texts["piece"] = own
    columns = {name: _column(name, texts[name], families) for name in texts if name != "path"}
    columns["craft"]["colours"] = [looks[craft][0] if craft else _UNKNOWN for craft in columns["craft"]["values"]]
    columns["craft"]["markers"] = [looks[craft][1] if craft else "o" for craft in columns["craft"]["values"]]
    columns["craft"]["groups"] = [families[craft] for craft in columns["craft"]["values"]]
    columns["craft"]["search"] = [_spellings(craft) for craft in columns["craft"]["values"]]
    return {
        "count": len(photos),
        "columns": columns,
        "path": texts["path"],
        "x": _base64(photos["x"], "<f4"),
        "y": _base64(photos["y"], "<f4"),
        "cosine": _base64(_integers(photos["cosine"]), "<i2"),
        "own_cosine": _base64(_integers(photos["own_cosine"]), "<i2"),
        "outlier": _base64(photos["outlier"].to_numpy(bool), "u1"),
        "nearest": neighbours.shape[1],
        "neighbours": _base64(neighbours, "<i4"),
        "cosines": _base64(_integers(cosines), "<i2"),
        "prototypes": {
            "craft": _texts(prototypes["craft"]),
            "name": [craft_name(craft) for craft in _texts(prototypes["craft"])],
            "colour": [looks[craft][0] if craft else _UNKNOWN for craft in _texts(prototypes["craft"])],
            "x": [float(value) for value in prototypes["x"]],
            "y": [float(value) for value in prototypes["y"]],
        },
    }


def _column(name: str, texts: Sequence[str], families: Mapping[str, str]) -> dict[str, Any]:
    """A dictionary-coded column: its values in the order of a legend, names for people, colours, the code of a row."""
    taxonomy = load_taxonomy()
    places = {family: index for index, family in enumerate(dict.fromkeys(taxonomy.families.values()))}
    fixed = list(_NAMES.get(name, ()))

    def order(value: str) -> tuple[Any, ...]:  # crafts stand by family; what is not known comes last
        family = families.get(value, "") if name == "craft" else value
        by_family = (places.get(family, len(places)), family) if name in ("craft", "family") else (0, "")
        return (
            value == "",
            by_family,
            fixed.index(value) if value in fixed else len(fixed),
            _shown(name, value).casefold(),
        )

    values = sorted(set(texts), key=order)
    code = {value: index for index, value in enumerate(values)}
    found: dict[str, Any] = {
        "values": values,
        "names": [_shown(name, value) for value in values],
        "codes": _base64([code[text] for text in texts], "<i4"),
    }
    if name not in ("named", "piece"):
        known = colours(value for value in values if value)
        found["colours"] = [known[value] if value else _UNKNOWN for value in values]
    return found


def _shown(column: str, value: str) -> str:
    if not value:
        return _ABSENT[column]
    if column in ("craft", "named"):
        return craft_name(value)
    return _NAMES.get(column, {}).get(value, value)


def _spellings(craft: str) -> str:
    taxonomy = load_taxonomy()
    if craft not in taxonomy:
        return craft
    known = taxonomy[craft]
    return "\n".join((known.id, known.name, *known.spellings, known.family, known.place))


def _texts(values: Iterable[object]) -> list[str]:
    # What is no text of Unicode (names of files need not be) is shown as question marks: a page is UTF-8.
    return ["" if pd.isna(value) else str(value).encode("utf-8", "replace").decode("utf-8") for value in values]  # type: ignore[call-overload]


def _integers(values: ArrayLike) -> NDArray[np.int16]:
    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    scaled = np.rint(np.clip(np.where(known, numbers, 0), -3, 3) * _SCALE)
    return np.where(known, scaled, _NO_COSINE).astype(np.int16)


def _base64(values: ArrayLike, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _json(value: object) -> str:
    # "<" only ever stands within strings of JSON; as an escape it cannot end the block of the page that holds it.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _script(source: str) -> str:
    if "</script" in source.lower() or "<!--" in source:
        raise ValueError("a script of the page holds a tag that would end it; another version of plotly will do")
    return source


def _asset(name: str) -> str:
    return package_files("saree_cosface.maps").joinpath("web", name).read_text(encoding="utf-8")
