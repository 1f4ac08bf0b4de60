"""A collection for galleries on a server, questions to it, and how answers are compared."""

import numpy as np
import pandas as pd

from saree_cosface.runs.gallery import COLUMNS, Gallery
from tests.helpers.galleries import unit

EMBEDDER = "0123456789ab"
CRAFTS = ("patola", "bandhani", "kanjivaram", "shawls of my aunt")
"""Two of Gujarat, one of Tamil Nadu, and one that the taxonomy does not know."""


def collection(count=400, dim=32, seed=0, prefix=""):
    """Photos of four crafts by five shops, in clusters; some pieces have several photos, some are shared by shops."""
    rng = np.random.default_rng(seed)
    number = np.arange(count)
    centres = np.random.default_rng(99).normal(size=(len(CRAFTS), dim))
    craft = number % len(CRAFTS)
    path = [f"/photos/{prefix}{row}.jpg" for row in number]
    piece = np.where(number % 5 == 0, path, [f"P {row // 8}" for row in number])
    table = pd.DataFrame(
        {
            "craft": np.array(CRAFTS, object)[craft],
            "piece": piece.astype(object),
            "source": [f"shop {row % 5}" if row % 7 else "" for row in number],
            "view": "",
            "path": path,
            "sha256": [f"{prefix}{row:06d}" for row in number],
            "thumbnail": "",
            "shared_piece": ["of two shops" if row in (3, 44) else "" for row in number],
        },
        columns=COLUMNS,
        dtype=object,
    )
    return halved(Gallery(unit(centres[craft] + 0.8 * rng.normal(size=(count, dim))), table))


def halved(gallery):
    return Gallery(gallery.embeddings.astype(np.float16).astype(np.float32), gallery.references)


def queries(own, count=20, seed=5):
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(own), size=count)
    return unit(own.embeddings[rows] + 0.3 * rng.normal(size=(count, own.dimensions)) / own.dimensions**0.5)


def same_rows(found, expected):
    assert found["sha256"].tolist() == expected["sha256"].tolist()
    pd.testing.assert_frame_equal(found[list(COLUMNS)], expected[list(COLUMNS)], check_dtype=False)
    np.testing.assert_allclose(found["cosine"], expected["cosine"], atol=1e-6)
