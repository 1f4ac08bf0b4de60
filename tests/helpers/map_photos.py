"""Tables and drawn pictures for the tests of the interactive map."""

import numpy as np
import pandas as pd
from PIL import Image

CRAFTS = ("kanjivaram", "gadwal", "banarasi", "patola", "pochampally", "bandhani", "tant", "chikankari")
FAMILIES = ("korvai silk", "korvai silk", "brocade", "ikat", "ikat", "tie-dye", "cotton border weave", "embroidery")


def draw_pictures(folder, count=40):
    """Little checks in different colours, as files."""
    rng = np.random.default_rng(0)
    files = []
    for index in range(count):
        pixels = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        files.append(folder / f"{index}.png")
        Image.fromarray(pixels).save(files[-1])
    return files


def draw_map(count, pictures, near=8):
    """Arguments of write_map_page: clusters round each craft; every seventh photo is named another craft."""
    rng = np.random.default_rng(1)
    label = np.arange(count) % len(CRAFTS)
    named = np.where(np.arange(count) % 7 == 6, (label + 1) % len(CRAFTS), label)
    angle = 2 * np.pi * np.arange(len(CRAFTS)) / len(CRAFTS)
    centres = 10 * np.c_[np.cos(angle), np.sin(angle)]
    places = centres[label] + rng.normal(0, 1.2, (count, 2))
    photos = pd.DataFrame(
        {
            "path": [f"photos/{CRAFTS[craft]}_{row:05d}.jpg" for row, craft in enumerate(label)],
            "craft": [CRAFTS[craft] for craft in label],
            "family": [FAMILIES[craft] for craft in label],
            "source": [f"shop {row % 60:02d}" for row in range(count)],
            "view": [("flat", "draped", "macro")[row % 3] for row in range(count)],
            "piece": [f"piece {row // 3}" for row in range(count)],
            "split": [("train", "test", "new")[row % 3] for row in range(count)],
            "named": [CRAFTS[craft] for craft in named],
            "verdict": [("tradition", "between", "outside")[row % 3] for row in range(count)],
            "cosine": rng.uniform(0.3, 0.9, count),
            "own_cosine": np.where(np.arange(count) % 11 == 10, np.nan, rng.uniform(-0.2, 0.8, count)),
            "outlier": np.arange(count) % 50 == 0,
            "x": places[:, 0],
            "y": places[:, 1],
        }
    )
    neighbours = (np.arange(count)[:, None] + len(CRAFTS) * np.arange(1, near + 1)) % count
    neighbours[:, -1] = (np.arange(count) + 1) % count  # of another craft
    cosines = np.broadcast_to(np.linspace(0.9, 0.4, near, dtype=np.float32), (count, near))
    prototypes = pd.DataFrame({"craft": CRAFTS, "x": centres[:, 0], "y": centres[:, 1]})
    files = [pictures[row % len(pictures)] for row in range(count)]
    return photos, files, neighbours, cosines, prototypes
