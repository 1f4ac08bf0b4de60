import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saree_cosface.data.views import BRIEF, LONGEST, PYRAMID, PyramidViews, RandomViews
from saree_cosface.options import ViewOptions
from tests.helpers.bad_photos import textured

PHOTO = textured(120, 90)


@settings(max_examples=25)
@given(height=st.integers(1, 150), width=st.integers(1, 150))
def test_photos_of_any_shape_give_all_views(height, width):
    pixels = np.resize(textured(64, 64), (height, width, 3))
    views = PyramidViews(16)(pixels, "photo")
    assert views.shape == (1 + sum(parts**2 for _, parts in PYRAMID), 16, 16, 3)
    assert views.dtype == np.uint8
    assert RandomViews(16, ViewOptions(random=3))(pixels, "photo").shape == (3, 16, 16, 3)


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1), (3, 50_000)])
def test_a_strip_takes_no_more_memory_than_a_photo(shape):
    # Its short side blown up to 3 × 224 pixels, the first would be 400 GB.
    strip = np.zeros((*shape, 3), np.uint8)
    strip[shape[0] // 2, shape[1] // 2] = 255
    views = PyramidViews(224)(strip, "strip")
    assert views.shape[0] == 31
    assert views[0].max() > 100  # the middle is what is kept
    assert RandomViews(224, ViewOptions(random=2))(strip, "strip").shape == (2, 224, 224, 3)


def test_photos_of_ordinary_shape_are_not_cut():
    wide = textured(LONGEST * 20, 20)
    whole = PyramidViews(16)(wide, "photo")[0]
    changed = wide.copy()
    changed[:, :4] = 255 - changed[:, :4]
    assert np.any(PyramidViews(16)(changed, "photo")[0] != whole)


def test_brief_views_are_the_first_of_the_pyramid():
    every, brief = PyramidViews(32)(PHOTO, "photo"), PyramidViews(32, brief=True)(PHOTO, "photo")
    assert len(brief) == BRIEF
    assert np.array_equal(every[:BRIEF], brief)
    assert PyramidViews(32).key != PyramidViews(32, brief=True).key


def test_the_first_view_is_the_whole_photo_and_the_next_four_its_corners():
    corners = np.zeros((100, 100, 3), np.uint8)
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]])
    corners[:50, :50], corners[:50, 50:], corners[50:, :50], corners[50:, 50:] = colours
    views = PyramidViews(32)(corners, "photo").astype(int)
    assert np.abs(views[0, [4, 4, 28, 28], [4, 28, 4, 28]] - colours).max() < 15
    for view, colour in zip(views[1:5], colours, strict=True):
        near = np.abs(view - colour).sum(axis=2) < 60
        assert 0.35 < near.mean() < 0.75  # mostly its own corner, with some of the neighbours


def test_random_views_depend_on_photo_and_number_alone():
    options = ViewOptions(random=6)
    views = RandomViews(32, options)
    first = views(PHOTO, "photo")
    assert np.array_equal(first, RandomViews(32, options)(PHOTO, "photo"))
    for number in (4, 0, 2):  # in any order, whatever came between
        assert np.array_equal(views.view(PHOTO, "photo", number), first[number])
    assert not np.array_equal(views(PHOTO, "another"), first)
    assert len({view.tobytes() for view in first}) == 6


def test_key_of_random_views_follows_their_options():
    plain = RandomViews(32, ViewOptions(random=4))
    assert plain.key == RandomViews(32, ViewOptions(random=4)).key
    for other in (ViewOptions(random=5), ViewOptions(random=4, colour_jitter=0.1)):
        assert RandomViews(32, other).key != plain.key
    assert RandomViews(64, ViewOptions(random=4)).key != plain.key


def test_flips_have_nothing_to_do_with_each_other():
    corner = np.zeros((200, 200, 3), np.uint8)
    corner[:100, :100] = 255  # bright at the top left, until a flip moves it; every crop keeps the order
    options = ViewOptions(random=200, colour_jitter=0, vertical_flip=0.5)
    views = RandomViews(32, options)(corner, "photo")[..., 0].astype(int)
    mixed = [view for view in views if view.min() < 50 and view.max() > 200 and view.std(0).max() and view.std(1).max()]
    seen = {(bool(view[:, 0].sum() < view[:, -1].sum()), bool(view[0].sum() < view[-1].sum())) for view in mixed}
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def test_without_jitter_random_views_keep_colours_and_the_right_way_up():
    gradient = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[:, None, None], 200, axis=1).repeat(3, axis=2)
    views = RandomViews(32, ViewOptions(random=30, colour_jitter=0))(gradient, "photo").astype(int)
    assert all(view[-1].mean() >= view[0].mean() for view in views)
    upside_down = RandomViews(32, ViewOptions(random=30, colour_jitter=0, vertical_flip=1.0))(gradient, "photo")
    assert all(view[-1].mean() <= view[0].mean() for view in upside_down.astype(int))
    jittered = RandomViews(32, ViewOptions(random=30, colour_jitter=0.5))(gradient, "photo")
    assert jittered.astype(int).mean(axis=(1, 2, 3)).std() > 0
