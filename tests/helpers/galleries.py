"""Small galleries made of numbers."""

import numpy as np
import pandas as pd

from saree_cosface.runs.gallery import COLUMNS, Gallery


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def gallery_of(count=8, dim=4, seed=0, prefix=""):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "craft": [("chanderi", "jamdani", "kasavu")[row % 3] for row in range(count)],
            "piece": [f"piece {row // 2}" for row in range(count)],
            "source": "shop",
            "view": "",
            "path": [f"/photos/{prefix}{row}.jpg" for row in range(count)],
            "sha256": [f"{prefix}{row:064d}" for row in range(count)],
            "thumbnail": "",
            "shared_piece": "",
        },
        columns=COLUMNS,
    )
    return Gallery(unit(rng.normal(size=(count, dim))), table)
