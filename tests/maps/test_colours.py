import itertools
import re

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from saree_cosface.maps.colours import MARKERS, colours, craft_colours
from saree_cosface.taxonomy import load_taxonomy

CRAFTS = [craft.id for craft in load_taxonomy().crafts]
DRAWN = (
    "banarasi kanjivaram gadwal patola pochampally sambalpuri jamdani chanderi bandhani leheriya kalamkari ajrakh tant"
)
# Linear sRGB as seen with deuteranopia: Viénot, Brettel and Mollon 1999, another model than the one optimised for.
VIENOT = np.array([[0.29275, 0.70725, -0.02234], [0.29275, 0.70725, 0.02234], [0, 0, 1.0]])


def lab(colour, blind):
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    if blind:
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        linear = np.clip(VIENOT @ linear, 0, 1)
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(srgb)


def nearest_pair(found, blind):
    """Smallest CIEDE2000 between any two colours."""
    return min(deltaE_ciede2000(lab(one, blind), lab(other, blind)) for one, other in itertools.combinations(found, 2))


@pytest.mark.parametrize(
    "crafts", [DRAWN.split(), CRAFTS[:40], CRAFTS[-40:], CRAFTS[::2], [f"own {i}" for i in range(40)]]
)
def test_crafts_of_one_marker_are_told_apart(crafts):
    found = craft_colours(crafts)
    assert list(found) == crafts
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) and marker in MARKERS for colour, marker in found.values())
    for marker in MARKERS:
        mine = [colour for colour, other in found.values() if other == marker]
        if len(mine) > 1:
            assert nearest_pair(mine, blind=False) > 12
            assert nearest_pair(mine, blind=True) > 10


def test_few_crafts_need_few_markers():
    assert {marker for _, marker in craft_colours(["banarasi", "kanjivaram", "patola", "ajrakh"]).values()} == {"o"}
    assert len({marker for _, marker in craft_colours(DRAWN.split()).values()}) <= 4


def test_the_whole_taxonomy_has_no_two_alike():
    assert len(set(craft_colours(CRAFTS).values())) == len(CRAFTS)


def test_crafts_of_a_family_share_a_hue_and_run_from_dark_to_light():
    found = craft_colours(CRAFTS)
    for family in ("embroidery", "korvai silk"):
        seen = [lab(found[craft.id][0], False) for craft in load_taxonomy().crafts if craft.family == family]
        hues = [np.arctan2(one[2], one[1]) for one in seen]
        assert np.abs(np.exp(1j * np.array(hues)).mean()) > 0.97
        lightness = [one[0] for one in seen]
        assert lightness == sorted(lightness)
        assert lightness[-1] - lightness[0] > 25


def test_colours_depend_on_the_set_of_names_alone():
    forward, backward = craft_colours(CRAFTS[:13]), craft_colours([*CRAFTS[:13][::-1], CRAFTS[0]])
    assert forward == backward
    assert colours("abcdefghijkl") == colours("lkjihgfedcba" + "aaa")


@pytest.mark.parametrize(("count", "apart"), [(8, 12), (20, 6), (40, 3.5)])
def test_other_categories_are_told_apart(count, apart):
    found = colours(str(index) for index in range(count))
    assert nearest_pair(found.values(), blind=False) > apart
    assert nearest_pair(found.values(), blind=True) > 0.8 * apart


def test_any_number_of_names_has_colours():
    assert len(colours(str(index) for index in range(2000))) == 2000
    assert colours([]) == craft_colours([]) == {}
