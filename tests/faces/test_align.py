"""Aligning a face: the transform from its landmarks, the picture that comes of it, and landmarks from a table."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saree_cosface.faces.align import (
    TEMPLATE_112x96,
    TEMPLATE_112x112,
    align,
    read_landmarks,
    similarity_transform,
)
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.images import crop_face
from tests.helpers import bad_photos as bad
from tests.helpers.aligned import moved, smooth


def umeyama(source, target):
    """Equations 38 to 43 of Umeyama (1991), for any dimension."""
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - to_mean).T @ (source - from_mean) / len(source)
    u, d, vt = np.linalg.svd(covariance)
    sign = np.ones(source.shape[1])
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[-1] = -1
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / ((source - from_mean) ** 2).sum() * len(source)
    return np.column_stack([scale * rotation, to_mean - scale * rotation @ from_mean])


def apply(transform, points):
    return points @ transform[:, :2].T + transform[:, 2]


# --- the transform ------------------------------------------------------------------------------------------------


def test_the_template_of_the_paper():
    assert TEMPLATE_112x96.shape == (5, 2)
    np.testing.assert_allclose(TEMPLATE_112x112 - TEMPLATE_112x96, [[8, 0]] * 5)
    assert (TEMPLATE_112x96[[0, 3], 0] < 48).all()  # left of the middle, as seen
    assert (TEMPLATE_112x96[[1, 4], 0] > 48).all()


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.floats(0.05, 20), st.floats(0, 30), st.booleans())
def test_the_transform_is_umeyamas(seed, angle, scale, noise, mirrored):
    rng = np.random.default_rng(seed)
    landmarks = moved(TEMPLATE_112x96, angle, scale, rng.uniform(-500, 500, 2)) + noise * rng.normal(size=(5, 2))
    if mirrored:
        landmarks = landmarks * [-1, 1]
    np.testing.assert_allclose(
        similarity_transform(landmarks, TEMPLATE_112x96), umeyama(landmarks, TEMPLATE_112x96), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("angle", [0.0, 0.3, -2.5, np.pi])
def test_what_was_moved_is_moved_back_exactly(angle):
    landmarks = moved(TEMPLATE_112x112, angle, 3.7, [40, -9])
    transform = similarity_transform(landmarks, TEMPLATE_112x112)
    np.testing.assert_allclose(apply(transform, landmarks), TEMPLATE_112x112, atol=1e-9)


def test_opencv_agrees_where_no_landmark_is_an_outlier():
    rng = np.random.default_rng(3)
    landmarks = moved(TEMPLATE_112x96, 0.4, 2.0, [30, 60]) + 0.2 * rng.normal(size=(5, 2))
    theirs, inliers = cv2.estimateAffinePartial2D(
        landmarks, TEMPLATE_112x96, method=cv2.RANSAC, ransacReprojThreshold=50, refineIters=100
    )
    assert inliers.all()
    np.testing.assert_allclose(similarity_transform(landmarks, TEMPLATE_112x96), theirs, atol=1e-3)


def test_no_small_change_fits_better():
    rng = np.random.default_rng(1)
    landmarks = moved(TEMPLATE_112x96, -0.7, 1.4, [3, 4]) + 4 * rng.normal(size=(5, 2))
    best = similarity_transform(landmarks, TEMPLATE_112x96)
    distance = np.sum((apply(best, landmarks) - TEMPLATE_112x96) ** 2)
    for _ in range(100):
        a, b, x, y = 1e-3 * rng.normal(size=4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert np.sum((apply(other, landmarks) - TEMPLATE_112x96) ** 2) > distance


@pytest.mark.parametrize(
    ("landmarks", "pattern"),
    [
        (np.full((5, 2), 7.0), "in one point"),
        (np.full((5, 2), 1e8), "in one point"),
        (np.full((5, 2), np.nan), "not finite"),
        (np.full((5, 2), np.inf), "not finite"),
        (np.zeros((4, 2)), "must both be"),
        (np.zeros((5, 3)), "must both be"),
        (np.zeros(10), "must both be"),
    ],
)
def test_landmarks_that_tell_no_transform(landmarks, pattern):
    with pytest.raises(ValueError, match=pattern):
        similarity_transform(landmarks, TEMPLATE_112x96)


# --- aligning one face --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "template"), [((112, 96), TEMPLATE_112x96), ((112, 112), TEMPLATE_112x112)])
def test_an_aligned_face_stays_as_it_is(size, template):
    face = bad.textured(size[1], size[0])
    np.testing.assert_array_equal(align(face, template, size), face)


def test_both_sizes_are_crops_of_one_another():
    photo = smooth(250, 250)
    landmarks = moved(TEMPLATE_112x96, 0.2, 1.3, [60, 50])
    wide, narrow = align(photo, landmarks, (112, 112)), align(photo, landmarks)
    assert wide.shape == (112, 112, 3)
    assert narrow.shape == (112, 96, 3)
    assert np.abs(crop_face(wide).astype(int) - narrow).max() <= 1


def test_a_turned_and_enlarged_face_comes_back_upright():
    face = smooth(112, 112)
    angle, scale, shift = 0.5, 1.7, np.array([120.0, 40.0])
    forward = np.column_stack([moved(np.eye(2), angle, scale, 0).T, shift])
    photo = cv2.warpAffine(face, forward, (400, 400))
    landmarks = moved(TEMPLATE_112x112, angle, scale, shift)
    np.testing.assert_allclose(apply(forward, TEMPLATE_112x112), landmarks)
    back = align(photo, landmarks, (112, 112))
    assert np.abs(back[3:-3, 3:-3].astype(int) - face[3:-3, 3:-3]).mean() < 1.5


def test_outside_the_photo_it_is_black():
    face = align(np.full((112, 112, 3), 255, np.uint8), TEMPLATE_112x112 - [30, 0], (112, 112))
    assert (face[:, :29] == 0).all()
    assert (face[:, 31:] == 255).all()


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"size is \(96, 112\)"):
        align(smooth(50, 50), TEMPLATE_112x96, (96, 112))


# --- landmarks from a table ---------------------------------------------------------------------------------------


def table(path, rows, end="\n"):
    path.write_bytes(end.join(",".join(map(str, row)) for row in rows).encode("utf-8-sig"))
    return path


ROW = ["A/1.jpg", *range(10)]
HEADER = ["name", *(f"{axis}{i}" for i in range(1, 6) for axis in "xy")]


@pytest.mark.parametrize("header", [[], [HEADER]])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_landmarks_of_a_table(header, end, tmp_path):
    path = table(tmp_path / "l.csv", [*header, ROW, ['"B, C/2.jpg"', *np.arange(10) + 0.5]], end)
    found = read_landmarks(path)
    assert list(found) == ["A/1.jpg", "B, C/2.jpg"]
    np.testing.assert_array_equal(found["A/1.jpg"], np.arange(10).reshape(5, 2))


@pytest.mark.parametrize(
    ("row", "pattern"),
    [
        (ROW, "A/1.jpg occurs twice"),
        (["./A/1.jpg", *range(10)], "A/1.jpg occurs twice"),
        (["b.jpg", *range(9)], "ten numbers"),
        (["b.jpg", *range(9), "nan"], "ten numbers"),
        (["b.jpg", *range(9), "x"], "x"),
        (["../../etc/passwd", *range(10)], "leads out"),
        (["b.jpg"], "ten numbers"),
        (HEADER, "x1"),
    ],
)
def test_rows_that_are_no_landmarks(row, pattern, tmp_path):
    with pytest.raises(FaceDataError, match=f"l.csv, line 2: .*{pattern}"):
        read_landmarks(table(tmp_path / "l.csv", [ROW, row]))
