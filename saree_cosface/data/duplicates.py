"""Photos that show the same picture: perceptual hashes, cosines, and the groups that pairs join up to."""

from collections.abc import Iterator

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_DISTANCE = 47
"""Bits by which copies may differ. Measured on 1,600 photos of sarees and batik: copies saved again at JPEG quality
50 or half the size differ by 2 or 3 bits (median; 30 at the 95th percentile of the worst case), copies with an edge
cut off or a caption by 34 to 60, two sarees of one design in one pose by 48 and more, other photos by 90 and more."""

HASH_SIDE = 256
"""Short side in pixels at which photos are hashed."""

_FREQUENCIES = 16  # bits along a side; with 8 the plain cloths of one shop collide
_CELLS = 4  # cells along a side in which colour is taken
_COLOUR_STEPS = np.arange(16, 256, 16)  # coarse enough for another JPEG quality, fine enough to tell colourways apart
BITS = _FREQUENCIES**2 + 2 * _CELLS**2 * len(_COLOUR_STEPS)
"""Bits of a perceptual hash."""

_FLAT = 2.0  # grey levels of standard deviation below which a picture has no structure worth a hash
_BLOCK = 2048


def perceptual_hash(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hash of a photo ``(H, W, 3)``, alike for copies of other size, quality or format: ``(736,)``.

    The signs of the lowest 16 × 16 cosine frequencies of the greys against their median, followed by the chroma of
    4 × 4 cells as so many bits as steps of 16 levels it reaches: shops photograph many colourways in one pose, and
    these are not copies. A picture without structure (one colour) has no bit set, since its frequencies are rounding
    errors, and ``near_duplicate_pairs`` never matches it.
    """
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    if np.asarray(grey.resize((64, 64), Image.Resampling.BOX), dtype=np.float32).std() < _FLAT:
        return np.zeros(BITS, dtype=np.bool_)
    frequencies = imagehash.phash(grey, hash_size=_FREQUENCIES).hash
    cells = np.asarray(image.resize((_CELLS, _CELLS), Image.Resampling.BOX).convert("YCbCr"))
    colours = cells[..., 1:, None] >= _COLOUR_STEPS
    return np.concatenate([frequencies.ravel(), colours.ravel()])


def near_duplicate_pairs(hashes: NDArray[np.bool_], max_distance: int = MAX_DISTANCE) -> NDArray[np.int_]:
    """Pairs of rows ``i < j`` of ``hashes`` (N, bits) that differ in at most ``max_distance`` bits: ``(P, 2)``.

    Exact. Rows without a bit set match nothing.

    >>> hashes = np.array([[1, 0, 1, 0], [1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=bool)
    >>> near_duplicate_pairs(hashes, 1).tolist()
    [[0, 1]]
    """
    known = np.flatnonzero(hashes.any(axis=1))
    # With bits as ±1, a scalar product is the number of equal bits minus that of different ones.
    signs = np.where(hashes[known], np.float32(1), np.float32(-1))
    return _pairs(known, signs, hashes.shape[1] - 2 * max_distance)


def embedding_pairs(embeddings: NDArray[np.floating], min_cosine: float) -> NDArray[np.int_]:
    """Pairs of rows ``i < j`` of ``embeddings`` (N, D) with a cosine of at least ``min_cosine``: ``(P, 2)``.

    Rows of zeros or with values that are not finite match nothing.
    """
    values = np.asarray(embeddings, dtype=np.float64)
    length = np.linalg.norm(values, axis=1)
    known = np.flatnonzero(np.isfinite(length) & (length > 0))
    return _pairs(known, values[known] / length[known, None], min_cosine)


def groups(n: int, pairs: NDArray[np.int_]) -> NDArray[np.int_]:
    """Group ``(n,)`` of each of ``n`` photos, where pairs ``(P, 2)`` and chains of pairs belong together.

    Groups are numbered from 0 in the order of their first photo.

    >>> groups(5, np.array([[0, 3], [3, 4]])).tolist()
    [0, 1, 2, 0, 0]
    """
    pairs = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(edges, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int_)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _pairs(names: NDArray[np.intp], rows: NDArray[np.floating], least: float) -> NDArray[np.int_]:
    found = [names[block] for block in _blocks(rows, least)]
    return np.concatenate(found).astype(np.int_) if found else np.zeros((0, 2), dtype=np.int_)


def _blocks(rows: NDArray[np.floating], least: float) -> Iterator[NDArray[np.intp]]:
    # Block by block, so that memory stays at _BLOCK × N products however many photos there are.
    for start in range(0, len(rows), _BLOCK):
        products = rows[start : start + _BLOCK] @ rows[start:].T
        left, right = np.nonzero(np.triu(products >= least, k=1))
        yield np.stack([left + start, right + start], axis=1)
