"""What a drawn corpus holds, counted from its manifest, and how long a photograph takes."""

import csv
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from saree_cosface.loom.corpus import draw_piece, pieces
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.options import LoomOptions


def measure(manifest: Path) -> dict[str, Any]:
    """Counts of a drawn corpus: photos, pieces, megabytes, and photos of each craft, view and shop.

    Under ``shops``, each shop has its photos, the craft it is confounded with, and the share of its photos that show
    the craft it sells most.

    Raises:
        OSError: the manifest, its ``shops.json`` or one of its photos is missing.
    """
    manifest = Path(manifest)
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cards = json.loads((manifest.parent / "shops.json").read_text(encoding="utf-8"))
    size = sum((manifest.parent / row["path"]).stat().st_size for row in rows)
    shops = {}
    for name, card in cards.items():
        sold = Counter(row["craft"] for row in rows if row["source"] == name)
        top = max(sold.values(), default=0) / max(1, sold.total())
        shops[name] = {
            "photos": sold.total(),
            "crafts": len(sold),
            "confounded_with": card["confounded_with"],
            "largest_share": round(top, 3),
        }
    return {
        "photos": len(rows),
        "pieces": len({row["piece"] for row in rows}),
        "megabytes": round(size / 1e6, 1),
        "crafts": dict(sorted(Counter(row["craft"] for row in rows).items())),
        "views": dict(sorted(Counter(row["view"] for row in rows).items())),
        "shops": shops,
    }


def seconds_per_photo(options: LoomOptions) -> float:
    """Processor seconds that one photograph takes on one core, cloth included: the mean over a piece of each craft."""
    trial = replace(options, pieces_per_craft=1, workers=1)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        for piece in pieces(trial):
            draw_piece((Path(folder), trial, piece))
        return (time.process_time() - start) / (len(GRAMMARS) * trial.photos_per_piece)
