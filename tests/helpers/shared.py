"""A run in which names and paths stand wherever somebody may have written one, and a search for them."""

import io
import json
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.files import write_json
from saree_cosface.runs.gallery import Gallery

PEOPLE = ("Meera Devi Ansari", "Ravi & Söhne", "कमला बाई", "asha.rao@example.org", "Leela")
"""Sources, one for each shop of the tiny corpus."""

OTHERS = ("Farida Khatun", "Gita's trousseau", "Nandini", "Padma", "Qamar", "Rukmini", "Sarojini", "Tulsi", "Vimala")
"""Names in every other place."""

FOLDER = "/home/hiralal/collection"

LICENCES = ("CC BY-SA 4.0", "all rights: Farida Khatun", "", "CC0-1.0", "cc-by-nc-4.0")


def run_of_names(run, folder: Path) -> Path:
    """A copy of a run with names planted in it; its photos are told to lie elsewhere."""
    shutil.copytree(run.folder, folder)
    manifest = read_manifest(folder / "manifest.csv", taxonomy=None)
    table = manifest.table
    called = dict(zip(sorted(set(table["source"])), PEOPLE, strict=True))
    places = {path: f"{FOLDER}/{OTHERS[row % 9]}/{row}.jpg" for row, path in enumerate(table["path"])}
    pieces = {piece: f"{OTHERS[row % 9]} {row}" for row, piece in enumerate(dict.fromkeys(table["piece"]))}
    count = range(len(table))
    write_manifest(
        table.assign(
            path=table["path"].map(places),
            source=table["source"].map(called),
            piece=table["piece"].map(pieces),
            shared_piece=[f"{OTHERS[1]}, {row}" if row % 5 == 0 else "" for row in count],
            view=OTHERS[2],
            note=f"synthetic, drawn by the loom for {OTHERS[3]}",
            licence=[LICENCES[row % 5] for row in count],
            credit=OTHERS[4],
            basis=OTHERS[5],
            weaver=OTHERS[6],
        ),
        folder / "manifest.csv",
    )
    listed = read_manifest(folder / "manifest.csv", taxonomy=None).table.set_index("path")
    own = Gallery.load(folder / "gallery")
    paths = own.references["path"].map(places)
    mine = listed.loc[paths, ["source", "piece", "view", "shared_piece"]].reset_index()
    references = own.references.assign(**{name: mine[name] for name in mine})
    Gallery(own.embeddings, references).save(folder / "gallery")
    parts = json.loads((folder / "parts.json").read_text())
    parts["sources"] = {part: sorted(called[source] for source in names) for part, names in parts["sources"].items()}
    write_json(folder / "parts.json", parts)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("where: ", f"where: source != '{PEOPLE[0]}' and "))
    write_json(folder / "evaluation/source/evaluation.json", _evaluation(places, called))
    write_json(folder / "gallery/enrolments.json", [])
    (folder / "notes.txt").write_text(OTHERS[7])
    return folder


def _evaluation(places, called):
    photos = [
        {"path": path, "craft": "jamdani", "answer": "leheriya", "cosine": 0.5, "source": PEOPLE[1]}
        for path in places.values()
    ]
    return {
        **{"protocol": "source", "run": FOLDER, "manifest": f"{FOLDER}/m.csv", "split_hash": "", "before": OTHERS[8]},
        **{"manifest_sha256": "", "counts": {"photos": 20, "pieces": 20, "sources": 2, "crafts": 3, "references": 9}},
        **{"skipped": {}, "remarks": [f"The sources {PEOPLE[2]} and {PEOPLE[3]} look alike"], "photos": photos},
        "metrics": {"top1": {"value": 0.4, "low": 0.3, "high": 0.5}},
        "per_craft": {"jamdani": {"photos": 20, "top1": 0.4}},
        "per_source": {source: {"photos": 12, "top1": number / 9} for number, source in enumerate(called.values())},
        "confusion": {"classes": ["chanderi", "jamdani", "leheriya"], "matrix": [[0] * 3] * 3},
    }


def every_byte(folder: Path) -> bytes:
    """All that a folder holds, names of files too, with what is packed in tables unpacked."""
    found = [str(path.relative_to(folder)).encode() for path in sorted(folder.rglob("*"))]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.append(path.read_bytes())
            if path.suffix == ".parquet":
                found.append(pd.read_parquet(path).to_csv().encode())
            if path.suffix == ".json":  # where letters may be written as numbers
                found.append(json.dumps(json.loads(path.read_text()), ensure_ascii=False).encode())
    return b"\n".join(found)


def is_picture(content: bytes) -> bool:
    try:
        Image.open(io.BytesIO(content))
    except OSError:
        return False
    return True
