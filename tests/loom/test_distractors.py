"""Pictures of no saree: the same for the same seed, of every kind, and of the room that the shop has."""

import cv2
import numpy as np
from PIL import Image

from saree_cosface.loom.cloth import LENGTH, WIDTH
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.distractors import KINDS, draw_distractors, room
from saree_cosface.loom.light import swatch
from saree_cosface.loom.shops import open_shop, photograph


def test_every_kind_as_often_and_the_same_again(tmp_path):
    first = draw_distractors(tmp_path / "a", 9, size=96)
    again = draw_distractors(tmp_path / "b", 9, size=96)
    other = draw_distractors(tmp_path / "c", 9, size=96, seed=1)
    names = [file.name.split("_")[0] for file in first]
    assert {name: names.count(name) for name in names} == {kind.__name__: 3 for kind in KINDS}
    for one, two, three in zip(first, again, other, strict=True):
        assert one.read_bytes() == two.read_bytes() != three.read_bytes()
        with Image.open(one) as image:
            assert max(image.size) == 96
            assert np.asarray(image).std() > 1


def test_the_empty_room_is_the_one_behind_the_saree():
    shop = open_shop(0, 3)
    cloth = GRAMMARS["banarasi"](np.random.default_rng(1), shop.taste)
    assert cloth.yarns.shape == (WIDTH, LENGTH)
    rooms = [room(shop, 128, np.random.default_rng(seed)).astype(float) for seed in range(4)]
    sold = photograph(shop, swatch(cloth, np.random.default_rng(1)), "flat", 128, np.random.default_rng(0)).astype(
        float
    )
    own = np.mean([room.mean(axis=(0, 1)) for room in rooms], axis=0)
    for each in rooms:
        assert np.abs(each.mean(axis=(0, 1)) - own).max() < 25  # one room, whatever the light meter says
    smooth = [cv2.GaussianBlur(picture, (0, 0), 2) for picture in (rooms[0], sold)]
    assert np.abs(smooth[0] - smooth[1]).mean() > 10  # and the saree is gone
