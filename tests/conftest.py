"""Shared by the tests: a tiny corpus of drawn sarees, and a run trained on some of it.

Both are made once a test session and must not be written to; a test that changes one takes a copy.
"""

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test waits for a hub

CRAFTS = ("chanderi", "jamdani", "leheriya")
"""The crafts that ``tiny_run`` is trained on."""

SOME = f"craft in {list(CRAFTS)}"
"""Selects their photos."""


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of twelve crafts, eight pieces each, a small photo of each piece, taken by eight shops."""
    from saree_cosface.loom.corpus import draw_corpus
    from saree_cosface.loom.options import LoomOptions

    options = LoomOptions(pieces_per_craft=8, photos_per_piece=1, shops=8, size=96, seed=1, workers=1)
    return draw_corpus(tmp_path_factory.mktemp("corpus"), options)


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_run(tiny_corpus: Path, tiny_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """A run of a few epochs on three crafts of ``tiny_corpus``; of four folds by source, fold 0 is held out."""
    from saree_cosface.options import DataOptions, ModelOptions, OptimOptions, Recipe
    from saree_cosface.runs.create import create_run

    data = DataOptions(tiny_corpus, where=SOME, folds=4, cache=tiny_cache)
    recipe = Recipe(
        model=ModelOptions(embedding_dim=32, precision="fp32"),
        optim=OptimOptions(epochs=6, batch_size=16, lr=5e-3),
    )
    return create_run(data, recipe, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def calibrated_run(tiny_run, tiny_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """A calibrated copy of ``tiny_run``."""
    import shutil

    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.calibrate import calibrate_run

    folder = shutil.copytree(tiny_run.folder, tmp_path_factory.mktemp("calibrated") / "run")
    calibrate_run(load_run(folder), cache=tiny_cache, false_accepts=0.3, folds=2, groups=3)
    return load_run(folder)


@pytest.fixture
def tiny_embedder():
    """An embedder of untrained weights that looks at views of 32 pixels: quick, and as good as any for mechanics."""
    from dataclasses import asdict

    import torch

    from saree_cosface.networks.backbone import Preprocessing
    from saree_cosface.networks.backbones import create_backbone
    from saree_cosface.networks.card import EmbedderCard
    from saree_cosface.networks.embedder import Embedder

    torch.manual_seed(0)
    preprocessing = Preprocessing(32, (0.4, 0.5, 0.6), (0.2, 0.2, 0.3), False)
    backbone = create_backbone("test_resnet", pretrained=False, preprocessing=preprocessing)
    card = EmbedderCard("test_resnet", 8, classes=("chanderi", "jamdani"), preprocessing=asdict(preprocessing))
    return Embedder(card, backbone).eval()


@pytest.fixture
def full_disk():
    """A context in which no file can grow beyond some bytes, as on a disk that is full."""

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
