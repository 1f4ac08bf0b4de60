import shutil
from pathlib import Path

import pytest

from saree_cosface.data.archives import photos_in_archive
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
        "empty.txt": b"",
        "film.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        ".hidden": b"\xff\xd8\xff\xe0" + bytes(24),
    }.items():
        (tmp_path / name).write_bytes(content)
    assert find_photos(tmp_path) == ([], [])


def test_what_may_hold_a_photo_that_is_not_read_is_listed(tmp_path):
    for name, content in {
        "a.dng": b"II*\0\x08\0\0\0" + bytes(24),
        "b.RAF": b"FUJIFILM",
        "c.psd": b"8BPS",
        "d.jxl": b"\xff\x0a",
        "e.pdf": b"%PDF-1.7",
        "f": b"",
        "g": b"PK\x03\x04",
        "h.tgz": b"\x1f\x8b",
    }.items():
        (tmp_path / name).write_bytes(content)
    photos, bad = find_photos(tmp_path)
    assert photos == []
    said = {each.path.name: each.reason for each in bad}
    assert said["a.dng"] == said["b.RAF"] == "a camera’s raw picture; develop it, and save it as JPEG"
    assert said["c.psd"] == "a picture of a kind that is not read here (PSD); save it as JPEG"
    assert said["f"] == "empty (0 bytes)"
    assert said["g"] == said["h.tgz"] == "an archive; unpack it first"
    assert len(said) == 8
    archive = shutil.make_archive(str(tmp_path.parent / "all"), "zip", tmp_path)
    assert photos_in_archive(Path(archive))[0] == []
    assert {bad.path.name: bad.reason for bad in photos_in_archive(Path(archive))[1]} == said


def test_a_photo_cut_short_is_found_all_the_same(tmp_path):
    whole = save(tmp_path / "a.png", textured()).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:40])
    photos, bad = find_photos(tmp_path)
    assert photos == [tmp_path / "a.png", tmp_path / "cut"]  # and what is wrong with it is said when it is decoded
    assert bad == []
