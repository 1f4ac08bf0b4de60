"""Photos that are one photograph, and look-alikes that are not: drawn sarees, altered as shops alter photos."""

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data import crops
from saree_cosface.data.crops import LEAST_POINTS, match, points_of
from tests.helpers import altered
from tests.helpers import bad_photos as bad

CRAFTS = ("banarasi", "bandhani", "kanjivaram", "patola")


@pytest.fixture(scope="module")
def sarees():
    return {craft: altered.woven(craft, seed) for seed, craft in enumerate(CRAFTS)}


@pytest.fixture(scope="module")
def photos(sarees):
    return {craft: altered.photo(saree, shop=shop) for shop, (craft, saree) in enumerate(sarees.items())}


ALTERED = {
    "a crop": lambda photo, *_: altered.part(photo, 0.2, 0.8),
    "a small crop, saved badly": lambda photo, *_: altered.saved(altered.part(photo, 0.5, 0.5, 0.5), 30),
    "half the size": lambda photo, *_: altered.saved(altered.resized(photo, photo.shape[1] // 2, photo.shape[0] // 2)),
    "squashed": lambda photo, *_: altered.resized(photo, round(0.8 * photo.shape[1]), photo.shape[0]),
    "brighter and warmer": lambda photo, *_: np.clip(photo * np.array([1.2, 1.1, 1.0]) + 8, 0, 255).astype(np.uint8),
    "a tile of a collage": lambda photo, *others: altered.saved(altered.collage(others[0], photo, *others[1:])),
    "a screenshot": lambda photo, *_: altered.saved(altered.screenshot(photo)),
}


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "mirrored"])
@pytest.mark.parametrize("what", ALTERED)
@pytest.mark.parametrize("craft", CRAFTS)
def test_a_photo_is_found_again(photos, craft, what, turned):
    photo = photos[craft]
    copy = ALTERED[what](photo, *(other for name, other in photos.items() if name != craft))
    one, other = points_of(photo), points_of(altered.mirrored(copy) if turned else copy)
    for found in (match(one, other), match(other, one)):
        assert found is not None
        assert found.mirrored == turned
        assert found.points >= LEAST_POINTS


LOOKALIKES = {
    "the saree once more, by the same shop": lambda saree, craft: altered.photo(saree, seed=1),
    "the saree, by another shop": lambda saree, craft: altered.photo(saree, shop=2, seed=1),
    "the design in other colours, in the same pose": lambda saree, craft: altered.photo(altered.woven(craft, 3, 79)),
    "the design in other colours": lambda saree, craft: altered.photo(altered.woven(craft, 3, 79), seed=1),
    "another saree of the craft, in the same pose": lambda saree, craft: altered.photo(altered.woven(craft, 78)),
}


@pytest.mark.parametrize("lookalike", LOOKALIKES)
@pytest.mark.parametrize("craft", CRAFTS)
def test_a_lookalike_is_no_copy(craft, lookalike):
    saree = altered.woven(craft, 3)
    one, other = points_of(altered.photo(saree)), points_of(LOOKALIKES[lookalike](saree, craft))
    assert match(one, other) is None
    assert match(other, one) is None


@pytest.mark.parametrize(("turn", "found"), [(3, True), (90, True), (11, False)])
def test_a_photo_may_be_straightened_or_turned_upright_but_not_tilted(photos, turn, found):
    photo = photos["patola"]
    turned = altered.part(np.array(Image.fromarray(photo).rotate(turn, Image.Resampling.BICUBIC)), 0.5, 0.5, 0.7)
    assert (match(points_of(photo), points_of(turned)) is not None) == found


def test_one_frame_around_two_photos_makes_no_copies(photos):
    one, *others = [points_of(altered.screenshot(photo)) for photo in photos.values()]
    assert [match(one, other) for other in others] == [None] * 3


@pytest.mark.parametrize(
    "pixels",
    [np.full((300, 400, 3), 200, np.uint8), np.zeros((1, 1, 3), np.uint8), np.zeros((2, 9000, 3), np.uint8)],
    ids=["one colour", "one pixel", "a thread"],
)
def test_what_shows_nothing_is_a_copy_of_nothing(pixels):
    nothing, photo = points_of(pixels), points_of(bad.textured(300, 200))
    assert match(nothing, nothing) is None
    assert match(nothing, photo) is None
    assert match(photo, nothing) is None


def test_a_long_strip_is_shrunk():
    strip = points_of(bad.textured(20_000, 300))
    assert strip.pixels.size < 4 * crops.SIDE**2 * 3
