"""Whether a photo is still the file that it was."""

import pytest

from saree_cosface.data.content import CHANGED, same_content, unchanged
from saree_cosface.data.images import BadImage
from saree_cosface.files import sha256_of


def test_a_file_in_the_place_of_another_is_told(tmp_path):
    first, second = tmp_path / "a.jpg", tmp_path / "b.jpg"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    one, two = sha256_of(first), sha256_of(second)
    assert same_content(first, one) == same_content(first, one.upper()) == same_content(first, "") == one
    with pytest.raises(BadImage, match=rf"a\.jpg: {CHANGED}; restore it"):
        same_content(first, two)
    rows, bad = unchanged([first, second, tmp_path / "gone.jpg", tmp_path / "gone too.jpg"], [one, one, one, ""])
    assert rows.tolist() == [0, 3]  # of the last nothing is known, so it was not looked at
    assert [each.path.name for each in bad] == ["b.jpg", "gone.jpg"]
