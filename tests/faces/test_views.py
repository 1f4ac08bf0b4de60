import numpy as np
import pytest
import torch

from saree_cosface.faces.training import FaceDataset
from saree_cosface.faces.views import FaceViews
from saree_cosface.options import FaceOptions
from tests.helpers.faces import face


def views(**options):
    return FaceViews(FaceOptions("folder", **{"shift": 0, **options}))


def test_unmoved_faces_are_the_columns_of_the_paper_s_crop_and_half_are_mirrored():
    pixels = face(1, 0)
    plain = pixels[:, 8:104]
    seen = [views()(pixels, number) for number in range(100)]
    mirrored = [np.array_equal(view, plain[:, ::-1]) for view in seen]
    assert all(np.array_equal(view, plain) != flip for view, flip in zip(seen, mirrored, strict=True))
    assert 30 < sum(mirrored) < 70


def test_shifts_reach_every_place_and_repeat_the_edge():
    rows, columns = np.mgrid[:112, :112]
    pixels = np.stack([rows, columns, rows], axis=2).astype(np.uint8)
    seen = {}
    for number in range(400):
        crop = views(shift=2)(pixels, number)
        mirrored = bool(crop[0, 0, 1] > crop[0, -1, 1])
        left = int(crop[0, -1, 1] if mirrored else crop[0, 0, 1])
        seen[int(crop[50, 0, 0]) - 50, left - 8, mirrored] = crop
    assert set(seen) == {(down, right, flip) for down in range(-2, 3) for right in range(-2, 3) for flip in (0, 1)}
    assert (seen[2, 0, False][-3:, 0, 0] == 111).all()  # shifted up by two: the last row thrice
    assert (seen[-2, 0, False][:3, 0, 0] == 0).all()


def test_a_face_is_turned_and_zoomed_about_its_middle():
    pixels = np.zeros((112, 112, 3), np.uint8)
    pixels[52:60, 52:60] = 255
    for number in range(20):
        view = views(rotation=10, zoom=0.1)(pixels, number)
        down, right = np.nonzero(view[..., 0] > 127)
        assert np.mean(down) == pytest.approx(55.5, abs=0.7)
        assert np.mean(right) == pytest.approx(47.5, abs=0.7)
    sizes = {int((views(zoom=0.5)(pixels, number)[..., 0] > 127).sum()) for number in range(40)}
    assert min(sizes) < 45
    assert max(sizes) > 110  # of 64 pixels: between 64 / 2.25 and 64 * 2.25


@pytest.mark.slow
def test_a_rectangle_is_covered_at_the_chance_asked_for():
    pixels = np.full((112, 112, 3), 100, np.uint8)
    covered = [(views(cover=0.3)(pixels, number) != 100).any(axis=2).mean() for number in range(300)]
    hit = [share for share in covered if share > 0]
    assert 60 < len(hit) < 120
    assert min(hit) >= 0.02
    assert max(hit) <= 0.25


def test_colours_change_but_a_little():
    pixels = face(3, 1)
    middle = pixels[:, 8:104].mean()
    means = [views(colour_jitter=0.1)(pixels, number).mean() for number in range(20)]
    assert np.std(means) > 1
    assert all(abs(mean - middle) < 0.2 * middle for mean in means)


def test_a_view_follows_from_its_number_alone():
    strong = {"shift": 4, "rotation": 10, "zoom": 0.1, "colour_jitter": 0.2, "cover": 0.5}
    one, other = views(**strong), views(**strong)
    other(face(5, 0), 99)
    for number in (0, 7, 2**31 - 2):
        assert np.array_equal(one(face(1, 0), number), other(face(1, 0), number))
    assert not np.array_equal(one(face(1, 0), 0), one(face(1, 0), 7))


def test_a_data_set_gives_views_and_people():
    pixels = np.stack([face(0, 0), face(1, 0)])
    view, person = FaceDataset(pixels, np.array([3, 5]), views(shift=4))[1, 7]
    assert view.shape == (3, 112, 96)
    assert view.dtype == torch.uint8
    assert person == 5
    narrow = FaceDataset(pixels[:, :, 8:104], np.array([3, 5]), views(shift=4))
    assert narrow[0, 7][0].shape == (3, 112, 96)
