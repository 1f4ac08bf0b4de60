"""A gallery on a real server, for each test one of its own, with the folder's that it was made from; and a copied run."""

import shutil
import zlib
from pathlib import Path

import pytest

from saree_cosface.runs import create
from saree_cosface.runs.shared_gallery import create_gallery
from tests.helpers.shared_gallery import EMBEDDER, collection


@pytest.fixture
def name(request):
    return f"g{zlib.crc32(request.node.nodeid.encode()):x}"


@pytest.fixture
def url(postgres, name):
    return postgres.url(name=name)


@pytest.fixture
def own():
    return collection()


@pytest.fixture
def shared(url, own):
    gallery = create_gallery(url, EMBEDDER, own.dimensions, Path("/thumbnails"))
    assert gallery.add(own) == (len(own), 0)
    return gallery.read_again()


@pytest.fixture
def copied(tiny_run, tmp_path):
    return Path(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.fixture
def no_training(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a training was begun")

    monkeypatch.setattr(create, "fit", fail)
