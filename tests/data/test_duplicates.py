import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from saree_cosface.data import duplicates
from saree_cosface.data.duplicates import (
    MAX_DISTANCE,
    embedding_pairs,
    groups,
    near_duplicate_pairs,
    perceptual_hash,
)
from tests.helpers import bad_photos as bad


def saved_again(pixels, scale, quality):
    image = Image.fromarray(pixels)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def distance(first, second):
    return int((perceptual_hash(first) != perceptual_hash(second)).sum())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("scale", "quality"), [(1, 50), (0.5, 75), (0.5, 40), (1.5, 90)])
def test_copies_are_near(seed, scale, quality):
    pixels = bad.textured(480, 360, seed)
    assert distance(pixels, saved_again(pixels, scale, quality)) <= 20


def test_other_pictures_are_far():
    hashes = [perceptual_hash(bad.textured(480, 360, seed)) for seed in range(12)]
    assert min(int((a != b).sum()) for a, b in combinations(hashes, 2)) > MAX_DISTANCE + 20


def test_another_colourway_in_the_same_pose_is_no_copy():
    pixels = bad.textured(480, 360)
    red, blue = ((pixels // 2 + np.array(dye)).astype(np.uint8) for dye in ([110, 20, 20], [20, 20, 110]))
    assert distance(red, blue) > MAX_DISTANCE
    greys = [np.asarray(Image.fromarray(dyed).convert("L").convert("RGB")) for dyed in (red, blue)]
    assert distance(*greys) < MAX_DISTANCE  # greys alone would take them for copies


def test_pictures_of_one_colour_match_nothing():
    hashes = np.stack([perceptual_hash(np.full((50, 50, 3), 200, dtype=np.uint8))] * 2)
    assert not hashes.any()
    assert near_duplicate_pairs(hashes).tolist() == []


@given(
    hashes=hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.just(12))),
    most=st.integers(0, 12),
    block=st.sampled_from([1, 3, 2048]),
)
def test_pairs_are_exactly_those_of_a_plain_loop(hashes, most, block):
    expected = [
        [i, j]
        for i, j in combinations(range(len(hashes)), 2)
        if hashes[i].any() and hashes[j].any() and (hashes[i] != hashes[j]).sum() <= most
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", block)
        assert sorted(near_duplicate_pairs(hashes, most).tolist()) == expected


def test_embeddings_pair_by_cosine():
    embeddings = np.array([[1, 0], [5, 0.1], [0, 1], [0, 0], [np.nan, 1], [-1, 0]], dtype=np.float32)
    assert embedding_pairs(embeddings, 0.99).tolist() == [[0, 1]]
    assert embedding_pairs(embeddings, -0.5).tolist() == [[0, 1], [0, 2], [1, 2], [2, 5]]


@given(n=st.integers(1, 25), data=st.data())
def test_groups_are_the_components(n, data):
    node = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=30))
    label = list(range(n))
    for left, right in pairs:
        old, new = label[right], label[left]
        label = [new if value == old else value for value in label]
    found = groups(n, np.array(pairs, dtype=int).reshape(-1, 2))
    assert (found[:, None] == found).tolist() == (np.array(label)[:, None] == label).tolist()
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))
