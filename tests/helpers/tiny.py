"""A tiny corpus of drawn sarees, and runs trained on some of it: made once a session, whatever its number of workers.

They must not be written to, which is looked at in the end; a test that changes one takes a copy.
"""

import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test waits for a hub

CRAFTS = ("chanderi", "jamdani", "leheriya")
"""The crafts that ``tiny_run`` is trained on."""

SOME = f"craft in {list(CRAFTS)}"
"""Selects their photos."""


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Makes a folder in the first worker that asks for it; the others wait, and find it done.

    ``make test`` names a folder by ``SAREE_COSFACE_TESTED``, in which its second round finds what the first has made.
    """
    base = tmp_path_factory.getbasetemp()
    here = (base if worker_id == "master" else base.parent) / "shared"
    shared = Path(os.environ.get("SAREE_COSFACE_TESTED", here))
    shared.mkdir(exist_ok=True)

    def made(name, make):
        folder = shared / name
        with FileLock(shared / f"{name}.lock"):
            if not (shared / f"{name}.done").exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a worker that crashed has left
                make(folder)
                (shared / f"{name}.done").touch()
        return folder

    return made


def content(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


@pytest.fixture(scope="session")
def tiny_corpus(once) -> Path:
    """Manifest of twelve crafts, eight pieces each, a small photo of each piece, taken by eight shops."""
    from saree_cosface.loom.corpus import draw_corpus
    from saree_cosface.loom.options import LoomOptions

    options = LoomOptions(pieces_per_craft=8, photos_per_piece=1, shops=8, size=96, seed=1, workers=1)
    return once("corpus", lambda folder: draw_corpus(folder, options)) / "manifest.csv"


@pytest.fixture(scope="session")
def tiny_cache(once) -> Path:
    """Features that tests share."""
    return once("cache", lambda folder: folder.mkdir())


@pytest.fixture(scope="session")
def tiny_run(once, tiny_corpus: Path, tiny_cache: Path):
    """A run of a few epochs on three crafts of ``tiny_corpus``; of four folds by source, fold 0 is held out."""
    from saree_cosface.options import DataOptions, ModelOptions, OptimOptions, Recipe
    from saree_cosface.runs.create import create_run
    from saree_cosface.runs.run import load_run

    data = DataOptions(tiny_corpus, where=SOME, folds=4, cache=tiny_cache)
    recipe = Recipe(
        model=ModelOptions(embedding_dim=32, precision="fp32"),
        optim=OptimOptions(epochs=6, batch_size=16, lr=5e-3),
    )
    folder = once("tiny", lambda folder: create_run(data, recipe, folder))
    before = content(folder)
    yield load_run(folder)
    assert content(folder) == before, "a test has written into the run that all share"


@pytest.fixture(scope="session")
def calibrated_run(once, tiny_run, tiny_cache: Path):
    """A calibrated copy of ``tiny_run``, with the map of its references that the app would else make of it."""
    from saree_cosface.maps.references import reference_map
    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.calibrate import calibrate

    def make(folder):
        shutil.copytree(tiny_run.folder, folder)
        calibrate(load_run(folder), cache=tiny_cache, false_accepts=0.3, folds=2, groups=3)
        reference_map(load_run(folder))

    folder = once("calibrated", make)
    before = content(folder)
    yield load_run(folder)
    assert content(folder) == before, "a test has written into the run that all share"


@pytest.fixture(scope="session")
def axe(once) -> str:
    """The script that looks for barriers in a page; skips the test where it is not to be had."""
    from tests.helpers.browser import AxeAbsent, axe_script, install_axe

    try:
        return axe_script(once("npm", install_axe))
    except AxeAbsent as error:
        pytest.skip(str(error))


@pytest.fixture
def names_in_examples(tiny_run, tiny_corpus: Path, tiny_cache: Path, tmp_path: Path) -> dict[str, Path]:
    """What examples in docstrings work with: the folder of a copied run, its manifest, a photo, features, a folder."""
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    photo = sorted(tiny_corpus.parent.rglob("*.jpg"))[0]
    return {"run_folder": folder, "manifest_file": tiny_corpus, "photo": photo, "cache": tiny_cache, "out": tmp_path}


@pytest.fixture
def tiny_embedder():
    """An embedder of untrained weights that looks at views of 32 pixels: quick, and as good as any for mechanics."""
    from dataclasses import asdict

    import torch

    from saree_cosface.networks.backbone import Preprocessing
    from saree_cosface.networks.card import EmbedderCard
    from saree_cosface.networks.create import create_backbone
    from saree_cosface.networks.embedder import Embedder

    torch.manual_seed(0)
    preprocessing = Preprocessing(32, (0.4, 0.5, 0.6), (0.2, 0.2, 0.3), False)
    backbone = create_backbone("test_resnet", pretrained=False, preprocessing=preprocessing)
    card = EmbedderCard("test_resnet", 8, classes=("chanderi", "jamdani"), preprocessing=asdict(preprocessing))
    return Embedder(card, backbone).eval()


@pytest.fixture
def tiny_moments():
    """The same with second moments at two depths."""
    from dataclasses import asdict

    import torch

    from saree_cosface.networks.backbone import Preprocessing
    from saree_cosface.networks.card import EmbedderCard
    from saree_cosface.networks.create import create_backbone
    from saree_cosface.networks.embedder import Embedder

    torch.manual_seed(0)
    preprocessing = Preprocessing(32, (0.4, 0.5, 0.6), (0.2, 0.2, 0.3), False)
    moments = {"pooling": "second_order", "depths": 2, "directions": 6}
    backbone = create_backbone("test_resnet", pretrained=False, preprocessing=preprocessing, **moments)
    for depth, channels in enumerate(backbone.pooling.channels):
        getattr(backbone.pooling, f"basis{depth}").copy_(torch.linalg.qr(torch.randn(channels, 6))[0])
    card = EmbedderCard("test_resnet", 8, batch_norm=False, preprocessing=asdict(preprocessing), **moments)
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
