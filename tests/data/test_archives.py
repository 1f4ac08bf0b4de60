import zipfile
from pathlib import Path

import pytest

from saree_cosface.data.archives import BadArchive, expand, photos_in_archive
from saree_cosface.data.images import BadImage
from tests.helpers.bad_photos import picture, save


@pytest.fixture
def photo(tmp_path):
    return save(tmp_path / "photo.jpg", picture()).read_bytes()


def archive(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return path


def all_of(path, scratch):
    scratch.mkdir(exist_ok=True)
    found = list(expand(iter([(path, path.name)]), scratch))
    return [one for one in found if not isinstance(one, BadImage)], [one for one in found if isinstance(one, BadImage)]


def test_photos_come_out_and_whatever_else_does_not(tmp_path, photo):
    entries = [("a/b/c/one.JPG", photo), ("two.png", photo), ("notes.txt", b"x"), ("__MACOSX/a/._one.jpg", b"x")]
    entries += [(".hidden/three.jpg", photo), ("folder.jpg/", b""), ("बनारसी №1.jpg", photo)]
    photos, bad = all_of(archive(tmp_path / "all.zip", entries), tmp_path / "out")
    assert [name for _, name in photos] == ["all.zip/a/b/c/one.JPG", "all.zip/two.png", "all.zip/बनारसी №1.jpg"]
    assert all(path.read_bytes() == photo for path, _ in photos)
    assert bad == []


def test_the_content_decides_where_a_name_does_not(tmp_path, photo):
    entries = [("IMG_1", photo), ("b/photo.backup", photo), ("notes", b"BM: bought in Varanasi"), (".hidden", photo)]
    photos, bad = all_of(archive(tmp_path / "all.zip", entries), tmp_path / "out")
    assert [name for _, name in photos] == ["all.zip/IMG_1", "all.zip/b/photo.backup"]
    assert bad == []


@pytest.mark.parametrize(
    "name", ["../../evil.jpg", "/tmp/evil.jpg", "..\\..\\evil.jpg", "C:\\evil.jpg", "a/../../evil.jpg"]
)
def test_nothing_lands_outside(tmp_path, photo, name):
    (tmp_path / "deep").mkdir()
    photos, _ = all_of(archive(tmp_path / "slip.zip", [(name, photo)]), tmp_path / "deep" / "out")
    assert [path.parent for path, _ in photos] == [tmp_path / "deep" / "out"]
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/evil.jpg").exists()


def test_bombs_are_named_and_not_unpacked(tmp_path, photo):
    path = archive(tmp_path / "bomb.zip", [("bomb.jpg", bytes(60_000_000)), ("good.jpg", photo)])
    assert path.stat().st_size < 100_000
    photos, bad = all_of(path, tmp_path / "out")
    assert [name for _, name in photos] == ["bomb.zip/good.jpg"]
    assert [str(one.path) for one in bad] == ["bomb.zip/bomb.jpg"]
    assert "60 MB when unpacked" in bad[0].reason


def test_bomb_that_lies_about_its_size_is_stopped(tmp_path):
    path = archive(tmp_path / "lie.zip", [("bomb.jpg", bytes(60_000_000))])
    content = path.read_bytes()
    size = (60_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    photos, bad = all_of(path, tmp_path / "out")
    assert photos == []
    assert len(bad) == 1
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) < 11_000_000


def test_links_locks_and_archives_within_are_named(tmp_path, photo):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as opened:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("inner.zip", photo)
    photos, bad = all_of(path, tmp_path / "out")
    assert photos == []
    assert {str(one.path): one.reason for one in bad} == {
        "odd.zip/link.jpg": "a link, not a photo",
        "odd.zip/inner.zip": "an archive; unpack it first",
    }


def test_damaged_entry_is_named_and_the_others_come(tmp_path, photo):
    path = archive(tmp_path / "cut.zip", [("one.jpg", photo), ("two.jpg", photo)], zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)  # within the first photo, whose checksum then fails
    path.write_bytes(content)
    photos, bad = all_of(path, tmp_path / "out")
    assert [name for _, name in photos] == ["cut.zip/two.jpg"]
    assert "cannot be unpacked" in bad[0].reason


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no more", b"\xff\xd8\xff\xe0"])
def test_what_is_no_archive_is_one_bad_photo(tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(BadArchive):
        photos_in_archive(path)
    photos, bad = all_of(path, tmp_path / "out")
    assert photos == []
    assert "not a ZIP archive" in bad[0].reason


def test_empty_archive_and_too_many_photos(tmp_path, monkeypatch, photo):
    _, bad = all_of(archive(tmp_path / "none.zip", [("notes.txt", b"x")]), tmp_path / "out")
    assert [one.reason for one in bad] == ["holds no photo"]
    monkeypatch.setattr("saree_cosface.data.archives.MOST_FILES", 2)
    _, bad = all_of(archive(tmp_path / "many.zip", [(f"{n}.jpg", b"x") for n in range(3)]), tmp_path / "out")
    assert "3 photos are too many" in bad[0].reason
