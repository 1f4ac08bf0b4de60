"""The colours of the pages and the app: words can be read on whatever they stand on, in the light and in the dark."""

import re
from pathlib import Path

import pytest

from saree_cosface.html.page import stylesheet

APP = Path(__file__).parents[2] / "app"
WORDS = ("ink", "soft", "madder", "indigo", "leaf")
GROUNDS = ("paper", "card")


def colours(scheme):
    """The colours by name: what stands first in light-dark() is for the light."""
    found = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\);", stylesheet())
    return {name: pair[scheme == "dark"] for name, *pair in found}


def luminance(colour):
    """Of WCAG 2, from #rrggbb."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("word", WORDS)
def test_words_stand_out(scheme, ground, word):
    named = colours(scheme)
    assert contrast(named[word], named[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chosen_tab_stands_out(scheme):
    named = colours(scheme)
    assert contrast(named["paper"], named["indigo"]) >= 4.5


@pytest.mark.parametrize("name", ["style.css", "curators.css"])
def test_the_app_has_no_colours_of_its_own_but_for_borders(name):
    known = {colour for scheme in ("light", "dark") for colour in colours(scheme).values()}
    used = set(re.findall(r"(?<![\w-])color: (?:light-dark\()?(#\w{6})(?:, (#\w{6}))?", (APP / name).read_text()))
    assert {colour for pair in used for colour in pair if colour} <= known


def test_ornament_is_seen():
    for scheme in ("light", "dark"):
        named = colours(scheme)
        assert contrast(named["zari"], named["card"]) >= 3
