"""A gallery on a real server, for each test one of its own, and the folder's that it was made from."""

import zlib
from pathlib import Path

import pytest

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
