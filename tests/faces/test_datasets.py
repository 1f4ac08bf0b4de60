"""Folders of people, a sub-folder each."""

import pytest

from saree_cosface.faces.datasets import CASIA_WEBFACE, MEGAFACE, FaceDataError, read_identities, require
from tests.helpers.touched import touch


def test_a_missing_file_is_described_with_its_owner(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no such file.*the noise list of MegaFace.*megaface\.cs.*2020"
    ) as error:
        require(tmp_path / "noise.txt", MEGAFACE, "the noise list")
    assert error.value.filename == str(tmp_path / "noise.txt")
    assert str(tmp_path / "noise.txt") in str(error.value)
    assert require(str(tmp_path), CASIA_WEBFACE, "anything") == tmp_path


def test_people_are_folders(tmp_path):
    touch(tmp_path, "b/2.jpg", "b/1.jpg", "a b/deep/3.png", "a b/4.jpg", "c/5.webp", "b/notes.txt", ".hidden/6.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "c" / "gone.jpg").symlink_to("nowhere.jpg")
    found = read_identities(tmp_path)
    assert found.names == ("a b", "b", "c")
    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == [
        *("a b/4.jpg", "a b/deep/3.png", "b/1.jpg", "b/2.jpg", "c/5.webp"),
    ]
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    assert len(found) == 5
    assert [error.path.name for error in found.bad] == ["gone.jpg"]


def test_people_with_few_photos_are_left_out_and_labels_stay_dense(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg", "d/1.jpg", "d/2.jpg")
    found = read_identities(tmp_path, min_photos=2)
    assert found.names == ("b", "d")
    assert found.labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(FaceDataError, match="nobody has 3 photos or more.*6 photos of 4 people"):
        read_identities(tmp_path, min_photos=3)
    with pytest.raises(ValueError, match="min_photos is 0"):
        read_identities(tmp_path, min_photos=0)


def test_folders_of_people_that_are_none(tmp_path):
    with pytest.raises(FaceDataError, match="nobody has 1 photo"):
        read_identities(tmp_path)
    with pytest.raises(FileNotFoundError, match="one sub-folder of photos a person of CASIA-WebFace"):
        read_identities(tmp_path / "nothing")
    touch(tmp_path, "a/1.jpg", "stray.jpg")
    with pytest.raises(NotADirectoryError):
        read_identities(tmp_path / "stray.jpg")
    with pytest.raises(FaceDataError, match=r"stray\.jpg: lies in no person's folder"):
        read_identities(tmp_path)
