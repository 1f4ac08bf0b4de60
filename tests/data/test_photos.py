import shutil

import pytest

from saree_cosface.data.images import decode
from saree_cosface.data.photos import find_photos, is_photo
from tests.helpers.bad_photos import save, textured

FORMATS = ("jpg", "png", "webp", "tif", "bmp", "gif", "jp2", "heic", "avif")


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_content_says_what_is_a_photo_where_the_name_does_not(tmp_path, suffix):
    photo = save(tmp_path / f"photo.{suffix}", textured())
    for name in ("IMG_0012", "IMG.0012", "photo.jpg~"):
        shutil.copy(photo, tmp_path / name)
        assert decode(tmp_path / name).shape == (72, 96, 3)
        assert is_photo(tmp_path / name, name)


def test_other_things_in_a_folder_are_none(tmp_path):
    for name, content in {
        "notes": b"Bought in Varanasi",
        "BMW": b"BMW: red, zari border",
        "list.csv": b"path,craft\n",
        "empty": b"",
        "film.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        "raw.dng": b"II*\0\x08\0\0\0" + bytes(24),
        ".hidden": b"\xff\xd8\xff\xe0" + bytes(24),
    }.items():
        (tmp_path / name).write_bytes(content)
    assert find_photos(tmp_path) == ([], [])


def test_a_photo_cut_short_is_found_all_the_same(tmp_path):
    whole = save(tmp_path / "a.png", textured()).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:40])
    photos, bad = find_photos(tmp_path)
    assert photos == [tmp_path / "a.png", tmp_path / "cut"]  # and what is wrong with it is said when it is decoded
    assert bad == []
