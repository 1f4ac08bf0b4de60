"""Whether two pictures are one photograph: cropped, framed, set beside others, mirrored, saved again.

A copy is flat. All that it shares with its original is moved by one affine map that hardly shears, and what lies
between the points found is the same too, in light and in colour. Two sarees of one design share motifs, and one saree
photographed twice shares all but light, folds and place: neither passes both tests.

References: Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 300
"""Short side in pixels at which points are looked for. At 360, which takes a third longer, no more is found of the
copies that ``benchmarks/crops.py`` draws."""

LEAST_POINTS = 10
"""Points that must agree; two photos of one saree before one wall easily have a hundred."""

_LEAST_SIDE = 16  # of fewer pixels OpenCV makes no pyramid
_MOST_PIXELS = 4 * SIDE**2  # of a strip that is longer than four times its width
_MOST_POINTS = 1000
_PARTS = 4  # along a side, from which points are taken alike
_RATIO = 0.75  # of the distances to the nearest and the second nearest descriptor: Lowe's test
_TOLERANCE = 3.0  # pixels of the coarser picture by which points that agree may miss each other
_MEDIAN = 0.5  # and which half of them must miss by less: copies by 0.05 to 0.45, two photos of one thing by 0.6 to 1.6
_LARGEST_SCALE = 6.0
_LARGEST_TILT = 5.0  # degrees from upright, or from a quarter turn: people straighten photos by no more
_LARGEST_STRETCH = 2.0  # of one direction against the other: shops squash photos into their frames

_SEEN = 240  # short side in pixels at which what lies between the points is compared
_WINDOW = 9  # pixels along a side in which greys are correlated
_CORRELATED = 0.8
_STRUCTURE = 3.0  # grey levels of standard deviation below which a window says nothing
_AGREEMENT = 0.75  # share of what both show, and which has structure, that must correlate: copies with a caption 0.78,
# without one 0.92 and more, colourways in one pose at most 0.71
_LARGEST_CAST = 14.0  # of chroma, all over
_COLOURS = 14.0  # by which three quarters may differ in chroma beside that; from there on it is another colourway

# A descriptor holds 4 x 4 cells of 8 directions, turned to that of its point. In a mirror the rows change places, and
# the directions their sense.
_MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].ravel()


@dataclass(frozen=True, eq=False)
class Points:
    """What is kept of a photo to find it in others.

    Attributes:
        places: of points, x and y in pixels, ``(K, 2)``.
        descriptors: of what surrounds each, ``(K, 128)``.
        pixels: of the photo, ``(H, W, 3)``, at ``shrunk`` times the size in which places are counted.
        shrunk: at most 1.
        width: of the photo where places are counted, in pixels.
    """

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    pixels: NDArray[np.uint8]
    shrunk: float
    width: int


class Match(NamedTuple):
    """How two photos agree.

    Attributes:
        points: how many agree.
        mirrored: whether one is the mirror image of the other.
    """

    points: int
    mirrored: bool


@dataclass(frozen=True)
class Crop:
    """Two photos that are one photograph: rows ``first < second``, and how they agree."""

    first: int
    second: int
    points: int
    mirrored: bool


def points_of(pixels: NDArray[np.uint8]) -> Points:
    """Points of a photo ``(H, W, 3)``, looked for where its short side has :data:`SIDE` pixels at most."""
    least = min(1.0, SIDE / min(pixels.shape[:2]), (_MOST_PIXELS / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    pixels = _shrunk(pixels, least)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create()
    enough = min(grey.shape) >= _LEAST_SIDE
    found, descriptors = sift.compute(grey, _spread(sift.detect(grey, None), grey.shape)) if enough else ([], None)
    places = np.array([point.pt for point in found], np.float32).reshape(-1, 2)
    numbers = np.zeros((0, 128), np.uint8) if descriptors is None else descriptors.astype(np.uint8)
    shrunk = min(1.0, _SEEN / min(grey.shape))
    return Points(places, numbers, _shrunk(pixels, shrunk), shrunk, grey.shape[1])


def match(one: Points, other: Points) -> Match | None:
    """How two photos agree, if they are one photograph; else None.

    >>> rng = np.random.default_rng(0)
    >>> coarse = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    >>> photo = cv2.resize(coarse, (600, 400), interpolation=cv2.INTER_CUBIC)
    >>> match(points_of(photo), points_of(photo[50:300, 200:520])).mirrored
    False
    >>> match(points_of(photo), points_of(np.ascontiguousarray(photo[50:300, 520:200:-1]))).mirrored
    True
    """
    for mirrored in (False, True):
        found = _agreeing(one, _mirror(other) if mirrored else other)
        if found:
            return Match(found, mirrored)
    return None


def _spread(points: Sequence[cv2.KeyPoint], shape: tuple[int, ...]) -> list[cv2.KeyPoint]:
    """The strongest points of each size in each part of a picture: else words around a photo, or the grain of its film,
    would leave no room for what it shows."""
    if not points:
        return []
    places = np.array([point.pt for point in points]) * _PARTS / (shape[1], shape[0])
    strength = np.array([point.response for point in points])
    part = np.stack([*places.astype(np.int_).T, [point.octave & 255 for point in points]], axis=1)
    _, part = np.unique(part, axis=0, return_inverse=True)
    order = np.lexsort((-strength, part.ravel()))
    first = np.searchsorted(part.ravel()[order], part.ravel()[order])
    rank = np.arange(len(order)) - first  # among those of its part
    return [points[index] for index in order[np.argsort(rank, kind="stable")[:_MOST_POINTS]]]


def _shrunk(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    if share == 1:
        return pixels
    height, width = (max(1, round(share * length)) for length in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _mirror(points: Points) -> Points:
    places = np.stack([points.width - 1 - points.places[:, 0], points.places[:, 1]], axis=1)
    pixels = np.ascontiguousarray(points.pixels[:, ::-1])
    return Points(places, points.descriptors[:, _MIRRORED], pixels, points.shrunk, points.width)


def _agreeing(one: Points, other: Points) -> int:
    """Points that agree, or 0 if the two are not one photograph."""
    left, right = _pairs(one.descriptors, other.descriptors)
    if len(left) < LEAST_POINTS:
        return 0
    fitted = _fitted(one.places[left], other.places[right])
    if fitted is None:
        return 0
    if np.linalg.det(fitted[0][:, :2]) > 1:  # from the finer picture to the coarser, whose pixels the tolerance counts
        one, other, left, right = other, one, right, left
        fitted = _fitted(one.places[left], other.places[right])
        if fitted is None:
            return 0
    matrix, agree = fitted
    misses = np.linalg.norm(one.places[left] @ matrix[:, :2].T + matrix[:, 2] - other.places[right], axis=1)[agree]
    return len(misses) if np.median(misses) < _MEDIAN and _looks_the_same(one, other, matrix) else 0


def _pairs(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of descriptors that are each other's nearest, and by far."""
    none = np.zeros(0, np.intp)
    if len(one) < LEAST_POINTS or len(other) < LEAST_POINTS:
        return none, none
    a, b = one.astype(np.float32), other.astype(np.float32)
    distance = (b * b).sum(axis=1) - 2 * (a @ b.T)  # squared, but for a term that is the same along a row
    own = (a * a).sum(axis=1)
    rows = np.arange(len(a))
    nearest = distance.argmin(axis=1)
    best = distance[rows, nearest] + own
    distance[rows, nearest] = np.inf
    clear = np.flatnonzero(best < _RATIO**2 * (distance.min(axis=1) + own))
    distance[rows, nearest] = best - own
    columns = nearest[clear]
    mutual = (distance[:, columns] + own[:, None]).argmin(axis=0) == clear
    return clear[mutual], columns[mutual]


def _fitted(
    here: NDArray[np.float32], there: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """The affine map ``(2, 3)`` that most pairs of places agree on, and which do; None if no copy is made so."""
    matrix, inside = cv2.estimateAffine2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=2000, confidence=0.999
    )
    if matrix is None or int(inside.sum()) < LEAST_POINTS:
        return None
    left, (large, small), right = np.linalg.svd(matrix[:, :2])
    turned = np.degrees(np.arctan2(*(left @ right)[::-1, 0]))
    upright = abs((turned + 45) % 90 - 45) <= _LARGEST_TILT and np.linalg.det(matrix[:, :2]) > 0
    sized = 1 / _LARGEST_SCALE < small <= large < min(_LARGEST_SCALE, _LARGEST_STRETCH * small)
    if not (upright and sized):
        return None
    return np.asarray(matrix, np.float64), inside.ravel() > 0


def _looks_the_same(fine: Points, coarse: Points, matrix: NDArray[np.float64]) -> bool:
    """Whether the finer picture, laid over the coarser one, shows the same wherever both show something."""
    matrix = matrix.copy()
    matrix[:, :2] *= coarse.shrunk / fine.shrunk
    matrix[:, 2] *= coarse.shrunk
    height, width = coarse.pixels.shape[:2]
    shrink = min(1.0, float(np.sqrt(np.linalg.det(matrix[:, :2]))))
    laid = _shrunk(fine.pixels, shrink)
    matrix[:, :2] /= shrink
    there = cv2.warpAffine(np.ones(laid.shape[:2], np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    there = cv2.erode(there, np.ones((_WINDOW, _WINDOW), np.uint8), borderValue=0)
    laid = np.asarray(cv2.warpAffine(laid, matrix, (width, height)), np.uint8)
    one, other = (cv2.cvtColor(each, cv2.COLOR_RGB2YCrCb).astype(np.float32) for each in (laid, coarse.pixels))
    correlation, structure = _correlations(one[..., 0], other[..., 0])
    told = (there > 0) & structure
    if not told.any() or (correlation[told] > _CORRELATED).mean() < _AGREEMENT:
        return False
    apart = (cv2.blur(one[..., 1:], (_WINDOW, _WINDOW)) - cv2.blur(other[..., 1:], (_WINDOW, _WINDOW)))[told]
    cast = np.median(apart, axis=0)
    beside = np.quantile(np.abs(apart - cast).max(axis=1), 0.75)
    return bool(np.abs(cast).max() < _LARGEST_CAST and beside < _COLOURS)


def _correlations(
    one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Of the greys in a window around each pixel, and whether either picture has structure there."""

    def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(plane, (_WINDOW, _WINDOW)), np.float32)

    one, other = (np.asarray(cv2.GaussianBlur(each, (0, 0), 1), np.float32) for each in (one, other))
    first, second = mean(one), mean(other)
    spread_one = np.maximum(mean(one * one) - first * first, 0)
    spread_other = np.maximum(mean(other * other) - second * second, 0)
    together = mean(one * other) - first * second
    structure = np.maximum(spread_one, spread_other) > _STRUCTURE**2
    return together / np.sqrt(spread_one * spread_other + 1), structure
