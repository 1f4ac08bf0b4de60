"""Embeddings computed elsewhere: read by name, scored in pairs, and refused."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.embeddings import NamedEmbeddings, pair_scores, read_embeddings
from saree_cosface.faces.pair_lists import read_lfw_pairs
from saree_cosface.faces.pairs import MissingImages, Pairs
from tests.helpers.pickled import Calls
from tests.helpers.real_faces import FACES, needs_faces


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


NAMES = np.array(["A/A_0001.jpg", "A/A_0002.jpg", "B/B_0001.jpg"])
VECTORS = np.array([[3.0, 0.0], [3.0, 4.0], [0.0, -2.0]])
PAIRS = Pairs(
    ("A/A_0001.jpg", "A/A_0001.jpg"), ("A/A_0002.jpg", "B/B_0001.jpg"), np.array([True, False]), np.array([0, 0])
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_vectors_of_any_length_and_type(dtype, tmp_path):
    found = read_embeddings(archive(tmp_path / "e.npz", names=NAMES, embeddings=VECTORS.astype(dtype)))
    assert found.names == tuple(NAMES)
    assert found.embeddings.dtype == np.float32
    assert len(found) == 3
    scores, kept, absent = pair_scores(PAIRS, found)
    np.testing.assert_allclose(scores, [0.6, 0.0], atol=1e-12)
    assert (len(kept), absent) == (2, ())


def test_mirrored_vectors_are_concatenated(tmp_path):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 3, 8)).astype(np.float32)
    found = read_embeddings(archive(tmp_path / "e.npz", names=NAMES, embeddings=one, mirrored=other))
    joined = np.hstack([one, other]).astype(np.float64)
    a, b = joined[0], joined[1]
    assert pair_scores(PAIRS, found)[0][0] == pytest.approx(a @ b / np.sqrt(a @ a * (b @ b)), abs=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-30, 1e-10, 1.0, 1e30]))
def test_cosines_do_not_depend_on_lengths(seed, length):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(3, 4))
    scaled = (vectors * length * rng.uniform(0.5, 2, (3, 1))).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, _, _ = pair_scores(PAIRS, NamedEmbeddings(tuple(NAMES), scaled))
    np.testing.assert_allclose(scores, [unit[0] @ unit[1], unit[0] @ unit[2]], atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ["A_0001", "A_0002", "B_0001"],
        ["A_0001.jpg", "A_0002.png", "B_0001.JPG"],
        ["A/A_0001", "A/A_0002", "B/B_0001"],
        ["data/lfw/A/A_0001.jpg", "data/lfw/A/A_0002.jpg", "data/lfw/B/B_0001.jpg"],
        ["A\\A_0001.jpg", "A\\A_0002.jpg", "B\\B_0001.jpg"],
        [b"A_0001", b"A_0002", b"B_0001"],
    ],
)
def test_names_are_found_in_every_usual_spelling(names, tmp_path):
    found = read_embeddings(archive(tmp_path / "e.npz", names=np.array(names), embeddings=VECTORS))
    np.testing.assert_allclose(pair_scores(PAIRS, found)[0], [0.6, 0.0], atol=1e-12)


def test_a_name_that_only_looks_as_if_it_had_a_suffix():
    names = ("K/K_Jr._0001.jpg", "K/K_Jr._0002.jpg")
    pairs = Pairs(names[:1], names[1:], np.array([True]), np.array([0]))
    found = NamedEmbeddings(("K_Jr._0001", "K_Jr._0002"), np.eye(2, dtype=np.float32))
    assert pair_scores(pairs, found)[0].tolist() == [0.0]


def test_names_that_fit_several_are_refused():
    ones = np.ones((2, 2), np.float32)
    pairs = Pairs(("1.jpg",), ("2.jpg",), np.array([True]), np.array([0]))
    with pytest.raises(FaceDataError, match=r"image 1.jpg fits several vectors: A/1.jpg, B/1.jpg"):
        pair_scores(pairs, NamedEmbeddings(("A/1.jpg", "B/1.jpg"), ones))
    pairs = Pairs(("A/1.jpg",), ("B/1.jpg",), np.array([False]), np.array([0]))
    with pytest.raises(FaceDataError, match=r"vector 1.jpg fits several images: A/1.jpg, B/1.jpg"):
        pair_scores(pairs, NamedEmbeddings(("1.jpg", "2.jpg"), ones))
    # A whole name is never mistaken for the end of another.
    embeddings = NamedEmbeddings(("1.jpg", "A/1.jpg", "B/1.jpg"), np.eye(3, dtype=np.float32))
    assert pair_scores(pairs, embeddings)[0].tolist() == [0.0]


def test_absent_names_are_counted_and_listed():
    found = NamedEmbeddings(tuple(NAMES[:2]), VECTORS[:2].astype(np.float32), "e.npz")
    with pytest.raises(
        MissingImages, match=r"e\.npz: 1 of the 3 images.*1 of 2 pairs need them: B/B_0001\.jpg"
    ) as error:
        pair_scores(PAIRS, found)
    assert error.value.names == ("B/B_0001.jpg",)
    scores, kept, absent = pair_scores(PAIRS, found, allow_missing=True)
    np.testing.assert_allclose(scores, [0.6], atol=1e-12)
    assert (len(kept), absent) == (1, ("B/B_0001.jpg",))


def objects():
    return np.array(["a", None, 3], dtype=object)


@pytest.mark.parametrize(
    ("arrays", "pattern"),
    [
        ({"names": NAMES[[0, 1, 0]], "embeddings": VECTORS}, "1 names occur twice: A/A_0001"),
        ({"names": np.array(["a.jpg", "a", "b"]), "embeddings": VECTORS}, "1 names occur twice"),
        ({"names": NAMES, "embeddings": VECTORS * [[1], [np.nan], [1]]}, "1 of 3 vectors hold NaN.*A/A_0002.jpg"),
        ({"names": NAMES, "embeddings": VECTORS * [[1], [np.inf], [1]]}, "NaN or infinite"),
        ({"names": NAMES, "embeddings": VECTORS * 1e300}, "3 of 3 vectors hold NaN or infinite"),
        (
            {"names": NAMES, "embeddings": VECTORS * [[0], [0], [1]]},
            "2 of 3 vectors hold nothing but zeros.*A_0001.*A_0002",
        ),
        ({"names": NAMES, "embeddings": VECTORS[:2]}, r"shape \(2, 2\) for 3 names"),
        ({"names": NAMES[:2], "embeddings": VECTORS}, r"shape \(3, 2\) for 2 names"),
        ({"names": NAMES, "embeddings": VECTORS[:, 0]}, r"shape \(3,\)"),
        ({"names": NAMES, "embeddings": VECTORS[:, :0]}, r"shape \(3, 0\)"),
        ({"names": NAMES, "embeddings": VECTORS[None]}, r"shape \(1, 3, 2\)"),
        ({"names": NAMES, "embeddings": VECTORS.astype(complex)}, "complex128"),
        ({"names": NAMES, "embeddings": VECTORS, "mirrored": VECTORS[:, :1]}, "mirrored.*differ in shape"),
        ({"names": NAMES, "embeddings": VECTORS, "mirrored": VECTORS[:2]}, "mirrored.*differ in shape"),
        ({"names": np.arange(3), "embeddings": VECTORS}, "must be.*text"),
        ({"names": NAMES[None], "embeddings": VECTORS}, "must be.*text"),
        ({"names": np.array([b"\xff", b"a", b"b"]), "embeddings": VECTORS}, "not UTF-8"),
        ({"names": objects(), "embeddings": VECTORS}, "text, not as objects"),
        ({"names": NAMES[:0], "embeddings": VECTORS[:0]}, "must be.*text"),
        ({"names": NAMES, "vectors": VECTORS}, "has no embeddings, only names, vectors"),
        ({}, "has no embeddings and no names, only nothing"),
    ],
)
def test_archives_that_are_refused(arrays, pattern, tmp_path):
    path = archive(tmp_path / "e.npz", **arrays)
    with pytest.raises(FaceDataError, match=pattern) as error:
        read_embeddings(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", VECTORS)
    with pytest.raises(FaceDataError, match="a single array"):
        read_embeddings(tmp_path / "a.npy")
    whole = archive(tmp_path / "e.npz", names=NAMES, embeddings=VECTORS).read_bytes()
    for content in (b"", b"junk", whole[: len(whole) // 2], whole.replace(b"\x93NUMPY", b"\x93NUMPX")):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(FaceDataError, match="not a NumPy archive"):
            read_embeddings(tmp_path / "bad.npz")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Calls(os.system, "touch HARMED")))
    with pytest.raises(FaceDataError, match="not a NumPy archive"):
        read_embeddings(tmp_path / "pickle.npz")
    with pytest.raises(FileNotFoundError):
        read_embeddings(tmp_path / "nothing.npz")


@needs_faces
@pytest.mark.photos
def test_the_public_encoder_separates_the_pairs_of_lfw():
    pairs = read_lfw_pairs(FACES / "lfw_pairs.txt")
    scores, kept, absent = pair_scores(pairs, read_embeddings(FACES / "lfw_sface_embeddings.npz"))
    assert (len(kept), absent) == (6000, ())
    # The area under the ROC curve: how often a pair of one person scores above one of two people.
    assert (scores[pairs.same, None] > scores[~pairs.same]).mean() > 0.998
