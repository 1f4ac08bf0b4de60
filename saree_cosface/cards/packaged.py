"""Croissant documents of what comes with the package or is spoken of in it: the taxonomy, the loom, the sets of faces.

They lie beside their cards in ``data_cards/``; ``python -m saree_cosface.cards`` writes them anew.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from saree_cosface.cards.croissant import dataset, file_object
from saree_cosface.faces import datasets
from saree_cosface.loom.corpus import DRAWING
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.taxonomy import load_taxonomy

_MAKERS = {"@type": "sc:Organization", "name": "The saree-cosface authors"}
_CITE = "The saree-cosface authors: saree-cosface, craft provenance of sarees by cosine similarity."

_FACES = (
    *(datasets.LFW, datasets.YTF, datasets.CFP, datasets.AGEDB, datasets.CALFW, datasets.CPLFW),
    *(datasets.CASIA_WEBFACE, datasets.FACESCRUB, datasets.FGNET, datasets.MEGAFACE),
)


def documents(folder: Path) -> dict[str, dict[str, Any]]:
    """The documents by the names of their files.

    Args:
        folder: where the cards and the taxonomy lie.

    Raises:
        OSError: the taxonomy cannot be read.
    """
    return {
        "taxonomy.croissant.json": _taxonomy(folder / "taxonomy.yaml"),
        "loom.croissant.json": _loom(),
        "faces.croissant.json": _faces(),
    }


def _taxonomy(path: Path) -> dict[str, Any]:
    taxonomy = load_taxonomy(path)
    meanings = {
        "id": "Label of the craft",
        "name": "For people",
        "family": "The technique, which makes two crafts look alike",
        "place": "Where it is made",
        "gi": "Name in a register of geographical indications, as it is commonly written; empty where none is known",
        "look_for": "What a specialist looks at",
    }
    rows = (
        {
            "id": craft.id,
            "name": craft.name,
            "family": craft.family,
            "place": craft.place,
            "gi": craft.gi or "",
            "look_for": "; ".join(craft.look_for),
        }
        for craft in taxonomy.crafts
    )
    return dataset(
        "Craft clusters of Indian and Bengali sarees",
        "A vocabulary of labels: one entry a tradition with its names, technique, place and marks, and words that are "
        "no label. taxonomy.md says where its facts come from, what is contested, and what wrong provenance does.",
        ["https://spdx.org/licenses/Apache-2.0"],
        [file_object(path, "application/yaml", "The vocabulary, with all spellings and the refused words.")],
        [_inline("crafts", "The crafts, without their spellings.", meanings, rows)],
        version=f"{taxonomy.version}.0",
        creator=_MAKERS,
        citeAs=_CITE,
    )


def _loom() -> dict[str, Any]:
    taxonomy = load_taxonomy()
    meanings = {"id": "Label of the craft", "name": "For people", "family": "The technique that its grammar draws"}
    rows = ({"id": each, "name": taxonomy[each].name, "family": taxonomy[each].family} for each in GRAMMARS)
    return dataset(
        "The loom: synthetic sarees",
        "Drawings of sarees from written rules, made by the program saree_cosface.loom on the computer of whoever asks "
        "for them, so that there is no file to fetch: `saree-cosface loom FOLDER`. No evidence about real "
        "sarees; loom.md says what they are, and which shortcut is built into them.",
        ["https://spdx.org/licenses/CC0-1.0"],
        records=[_inline("crafts", "The crafts that are drawn.", meanings, rows)],
        version=f"{DRAWING}.0.0",
        creator=_MAKERS,
        citeAs=_CITE,
    )


def _faces() -> dict[str, Any]:
    meanings = {
        "title": "The data set",
        "page": "Where its owners give it out, or gave",
        "note": "What else to know before asking there",
    }
    rows = ({"title": each.title, "page": each.page, "note": each.note} for each in _FACES)
    return dataset(
        "Face sets of the CosFace benchmark",
        "References to the data sets that the face benchmark reads. None of them is given out here, in whole or in "
        "part: each has owners and terms. faces.md says what each is, that nobody in them was asked, and what they are "
        "not for.",
        ["Each set has owners and terms of its own; some were withdrawn. See faces.md."],
        records=[_inline("sets", "The data sets.", meanings, rows)],
        version="1.0.0",
        creator=_MAKERS,
        citeAs=_CITE,
    )


def _inline(
    records: str, description: str, meanings: Mapping[str, str], rows: Iterable[Mapping[str, str]]
) -> dict[str, Any]:
    """Records that stand in the document itself, all of them texts."""
    return {
        "@type": "cr:RecordSet",
        "@id": records,
        "name": records,
        "description": description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{records}/{name}",
                "name": name,
                "description": meaning,
                "dataType": "sc:Text",
            }
            for name, meaning in meanings.items()
        ],
        "data": [{f"{records}/{name}": value for name, value in row.items()} for row in rows],
    }
