"""What a collection consists of, for machines: JSON-LD in the format Croissant, which indexes and loaders of data read.

Reference: Croissant Format Specification 1.0, MLCommons, 2024 (http://mlcommons.org/croissant/1.0), with terms of its
vocabulary for responsible AI.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pyarrow.parquet import read_schema

from saree_cosface.data.manifest import Manifest
from saree_cosface.data.values import as_written
from saree_cosface.files import sha256_of

CROISSANT = "croissant.json"

PEOPLES = ("url", "creator", "publisher", "datePublished", "version", "citeAs")
"""Properties that only people can fill in, and that are kept once they are there. Croissant asks for the first two and
for the date before a collection is published."""

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet"),
            *("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
            *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
"""The context that the specification gives."""

_MEANS = {
    "path": "The photo's file, relative to the folder of the table",
    "craft": "Tradition that the photo is said to show",
    "piece": "The saree that it shows, by its source's own name for it",
    "view": "Which part of the saree is seen",
    "source": "Who took the photo: a shop, a museum, a person",
    "licence": "What was noted of the photo's licence",
    "split": "Part of a split that the photo was dealt to",
    "sha256": "Checksum of the photo's file",
    "note": "What was noted of the photo",
    "shared_piece": "The saree that it shows, by a name that several sources share",
    "public": "Whether source and credit of the photo may be named",
    "credit": "Whom the photo is owed to, as they want to be named",
    "basis": "What the label rests on",
}

_ENCODINGS = {
    suffix: f"image/{kind}"
    for kind, suffixes in (
        *(("jpeg", ".jpg .jpeg .jpe .jfif .mpo"), ("tiff", ".tif .tiff"), ("png", ".png"), ("webp", ".webp")),
        *(("bmp", ".bmp"), ("gif", ".gif"), ("jp2", ".jp2"), ("heic", ".heic"), ("heif", ".heif"), ("avif", ".avif")),
    )
    for suffix in suffixes.split()
}


def dataset(
    name: str,
    description: str,
    licences: Sequence[str],
    distribution: Sequence[Mapping[str, Any]] = (),
    records: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """A document; ``more`` are further properties, such as its version."""
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "license": licences[0] if len(licences) == 1 else list(licences),
        **more,
    }
    if distribution:
        document["distribution"] = list(distribution)
    if records:
        document["recordSet"] = list(records)
    return document


def file_object(path: Path, encoding: str, description: str) -> dict[str, Any]:
    """A file that lies beside the document.

    Raises:
        OSError: it cannot be read.
    """
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": description,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": encoding,
        "sha256": sha256_of(path),
    }


def field(records: str, column: str, kind: str, description: str, file: str) -> dict[str, Any]:
    """A column of a file as a field of records.

    Args:
        records: whose field it is.
        column: its name, in the file too.
        kind: "Text", "Integer", "Float" or "Boolean".
        description: of what stands there.
        file: the file's id.
    """
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{column}",
        "name": column,
        "description": description,
        "dataType": f"sc:{kind}",
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }


def collection_document(
    path: Path, manifest: Manifest, name: str, described: str, licences: Sequence[str], limits: Sequence[str]
) -> dict[str, Any]:
    """The document of a collection: its manifest, its photos, and a record a photo.

    Where files lie is told from the folder of the manifest: beside it, the document can be read as it stands.

    Args:
        path: of the manifest's file.
        manifest: all its rows.
        name: of the collection.
        described: what it is, in a sentence or two.
        licences: of the photos.
        limits: what is known to be wrong with it.

    Raises:
        OSError: the manifest's file cannot be read.
    """
    parquet = path.suffix.lower() == ".parquet"
    encoding = "application/x-parquet" if parquet else "text/csv"
    files = [file_object(path, encoding, "The manifest: a table with a row a photo."), *_file_sets(manifest)]
    columns = _columns(path)
    records: list[dict[str, Any]] = []
    if {"path", "craft"} <= set(columns):
        fields = [
            field("photos", column, _kind(manifest.table[column]), _MEANS.get(column, "A further column"), path.name)
            for column in columns
            if column in manifest.table.columns
        ]
        said = "A record a photo, as the manifest lists it."
        records = [{"@type": "cr:RecordSet", "@id": "photos", "name": "photos", "description": said, "field": fields}]
        records[0]["key"] = {"@id": "photos/path"}
    return dataset(name, described, licences, files, records, **{"rai:dataLimitations": list(limits)})


def with_what_people_said(document: Mapping[str, Any], before: Path) -> dict[str, Any]:
    """The document with the properties that people have filled in at ``before``, where such a file is.

    Raises:
        ValueError: it is there and cannot be read as a JSON object.
    """
    if not before.exists():
        return dict(document)
    try:
        said = json.loads(before.read_text(encoding="utf-8"))
        kept = {name: said[name] for name in PEOPLES if name in said}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{before}: cannot be read as JSON-LD ({error}); mend it, or choose another --out.") from error
    return {**document, **kept}


def _columns(path: Path) -> list[str]:
    """Names of the columns as loaders of Croissant find them, which take every CSV for UTF-8 with commas."""
    if path.suffix.lower() == ".parquet":
        return list(read_schema(path).names)
    try:
        return [str(column) for column in pd.read_csv(path, nrows=0).columns]
    except ValueError:  # another encoding, or no such table
        return []


def _kind(column: "pd.Series[Any]") -> str:
    return {"b": "Boolean", "i": "Integer", "f": "Float"}.get(as_written(column).dtype.kind, "Text")


def _file_sets(manifest: Manifest) -> list[dict[str, Any]]:
    """The photos below the folder of the manifest, a set for each format."""
    patterns: dict[str, set[str]] = {}
    for path in map(PurePosixPath, manifest.table["path"]):
        encoding = _ENCODINGS.get(path.suffix.lower())
        if encoding is not None and not path.is_absolute() and ".." not in path.parts and path.parts[0] != "~":
            patterns.setdefault(encoding, set()).add(f"*{path.suffix}")  # folders may bear people's names
    return [
        {
            "@type": "cr:FileSet",
            "@id": encoding.removeprefix("image/"),
            "name": encoding.removeprefix("image/"),
            "description": "Photos of one format; those that the manifest lists belong to the collection.",
            "encodingFormat": encoding,
            "includes": sorted(found),
        }
        for encoding, found in sorted(patterns.items())
    ]
