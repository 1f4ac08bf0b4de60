"""What ``saree-cosface next`` keeps in a run, of two crafts, one with a hostile name."""

import json

from saree_cosface.review.next_steps import DOCUMENT, FOLDER
from tests.helpers.hostile import HOSTILE

CRAFTS = [
    {
        "craft": "gadwal",
        "name": "Gadwal",
        "sources": 6,
        "photos": 14,
        "accuracy": 0.4,
        "gain": {"value": 0.006, "low": -0.002, "high": 0.011},
        "after": 0.5,
        "says": "Gadwal: 6 sources; one more is expected to raise balanced accuracy by 0.60 points [-0.20, 1.10].",
    },
    {
        **dict.fromkeys(("accuracy", "gain", "after")),
        "craft": HOSTILE,
        "name": HOSTILE,
        "sources": 1,
        "photos": 2,
        "says": "",
    },
]


def kept(run, **more):
    """Keep it, with more in the document."""
    document = {"format": 1, "run": str(run), "manifest": "/museum/manifest.csv", "where": None}
    document |= {"query": "craft != 'khadi'", "manifest_sha256": "0"}
    document |= {"made": "2026-11-30T12:00:00+00:00", "crafts": CRAFTS, "photos": None, **more}
    (run / FOLDER).mkdir(parents=True, exist_ok=True)
    (run / FOLDER / DOCUMENT).write_text(json.dumps(document), encoding="utf-8")
