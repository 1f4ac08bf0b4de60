"""Collections as if a run had seen them: of drawn squares and made-up features."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image

from saree_cosface.answers.collection import Collection
from saree_cosface.data.content import photo_hash
from saree_cosface.data.manifest import COLUMNS, manifest_of
from saree_cosface.review.judging import HeldOutLabels


def collected(crafts, features=None, *, sources=None, pieces=None, files=None, parts=None, folder=Path("/nowhere")):
    """A collection as if a run had seen it."""
    count = len(crafts)
    table = pd.DataFrame("", index=range(count), columns=list(COLUMNS), dtype=object)
    table["path"] = [f"{row}.jpg" for row in range(count)] if files is None else list(files)
    table["craft"] = list(crafts)
    table["source"] = [f"s{row}" for row in range(count)] if sources is None else list(sources)
    table["piece"] = [f"p{row}" for row in range(count)]
    table["shared_piece"] = "" if pieces is None else list(pieces)
    manifest = manifest_of(table, folder)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 300)).astype(np.float32) if features is None else features.astype(np.float32)
    sha256 = np.array(
        [photo_hash(path) for path in manifest.files()] if files else [f"{row:064d}" for row in range(count)]
    )
    used = {} if parts is None else dict(zip(sha256.tolist(), parts, strict=True))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    run = SimpleNamespace(used=used, folder=Path("/run"), gallery=SimpleNamespace(crafts=sorted(set(crafts))))
    kinds, cosines = np.full(count, ""), np.zeros((count, len(set(crafts))), np.float32)
    return Collection(run, manifest, unit, features, cosines, kinds, np.full(count, np.nan), sha256, ())


def bundles(kinds, spread=1.0, seed=0, width=300):
    """Features near a direction of each kind."""
    rng = np.random.default_rng(seed)
    towards = rng.normal(size=(50, width))
    return towards[np.unique(kinds, return_inverse=True)[1]] + spread * rng.normal(size=(len(kinds), width))


def judged(crafts, probabilities):
    names, labels = np.unique(crafts, return_inverse=True)
    probabilities = np.array(probabilities, float)
    return HeldOutLabels(names, labels, probabilities, np.where(np.isnan(probabilities[:, 0]), 0, 2))


def picture(seed, side=160):
    """Blurred noise: structure enough for a hash."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)
