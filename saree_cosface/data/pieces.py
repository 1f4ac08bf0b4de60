"""The piece that a photo is of."""

import os

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.manifest import Manifest


def piece_names(manifest: Manifest) -> NDArray[np.str_]:
    """Piece of each photo ``(N,)``; one of unknown piece stands for itself by its whole path, since two manifests may
    both have a photo 1.jpg."""
    paths = [os.path.abspath(path) for path in manifest.files()]  # noqa: PTH100  # Path.resolve would follow links
    return np.where(manifest.table["piece"].to_numpy(str) == "", np.array(paths, dtype=np.str_), manifest.pieces)
