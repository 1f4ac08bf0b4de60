import os
from pathlib import Path

from saree_cosface.data.paths import locate


def test_nobody_knows_a_home(tmp_path, monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    assert locate(tmp_path, ["~/a.jpg"]) == [tmp_path / "~" / "a.jpg"]


def test_names_that_read_the_same_are_found(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    (tmp_path / decomposed / "b ").mkdir(parents=True)
    (tmp_path / decomposed / "b " / "1.jpg").touch()
    (found,) = locate(tmp_path, [f"{composed}/b/1.jpg"])
    assert found == tmp_path / decomposed / "b " / "1.jpg"


def test_what_is_there_is_taken_and_nothing_is_guessed(tmp_path):
    for name in ("a.jpg", " a.jpg", "b .jpg", "c.jpg ", " c.jpg"):
        (tmp_path / name).touch()
    listed = ["a.jpg", " a.jpg", "b.jpg", "c.jpg", "no/where.jpg", "x\0y.jpg", "n" * 300, "\udce9.jpg", "../up.jpg"]
    assert locate(tmp_path, listed) == [tmp_path / path for path in listed]
    assert locate(tmp_path / "gone", ["a.jpg"]) == [tmp_path / "gone" / "a.jpg"]
    assert locate(tmp_path, [os.fspath(tmp_path / "b .jpg ")]) == [tmp_path / "b .jpg"]
