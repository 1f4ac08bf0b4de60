"""Where the real photographs of faces and their lists lie, and the mark of tests that need them."""

import os
from pathlib import Path

import pytest

FACES = Path(os.environ.get("SAREE_COSFACE_DATA", "/nowhere")) / "faces"
needs_faces = pytest.mark.skipif(not FACES.is_dir(), reason="needs the folder faces in SAREE_COSFACE_DATA")
