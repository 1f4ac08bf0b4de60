import errno
import os

import pytest

from saree_cosface.console import announce, track
from saree_cosface.files import atomic_path, sha256_of, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "made" / "file.txt"
    write_text(target, "old\n")
    with pytest.raises(RuntimeError, match="half-way"), atomic_path(target) as temporary:
        temporary.write_text("new")
        raise RuntimeError("half-way")
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
    assert target.read_text() == "old\n"


def test_a_full_disk_is_reported_with_the_files_name(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device.*photo\.json") as error,
        atomic_path(tmp_path / "photo.json"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="12 requested and 3 written.*photo.npy"), atomic_path(tmp_path / "photo.npy"):
        raise OSError("12 requested and 3 written")  # NumPy's words
    with pytest.raises(OSError, match=r"No space left on device.*photo\.jpg"), atomic_path(tmp_path / "photo.jpg"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/copied.jpg", None, "/tmp/.photo-xyz.jpg")
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_path(tmp_path / "photo.npy"):
        (tmp_path / "elsewhere").read_text()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_reported_with_the_files_name(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EROFS, "Read-only file system", "/some/.temporary")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(OSError, match=r"Read-only file system.*result\.json"):
        write_json(tmp_path / "result.json", {})


def test_files_have_ordinary_permissions_and_unix_line_ends(tmp_path):
    write_text(tmp_path / "a.txt", "one\ntwo\n")
    (tmp_path / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode
    assert (tmp_path / "a.txt").read_bytes() == b"one\ntwo\n"


def test_long_names_fit(tmp_path):
    for name in ("s" * 245 + ".json", "स" * 80 + ".json"):
        write_json(tmp_path / name, [1])
        assert [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_numbers_that_json_has_not_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_hashing_never_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(OSError, match=r"not a regular file.*pipe\.jpg"):
        sha256_of(tmp_path / "pipe.jpg")
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a").startswith("ba7816bf")


def test_track_passes_everything_on_to_stderr_only(capsys):
    assert list(track(range(5), "Counting")) == [0, 1, 2, 3, 4]
    assert list(track(iter("ab"), "Counting", total=2)) == ["a", "b"]
    announce("Drawing [the map]")
    out, err = capsys.readouterr()
    assert out == ""
    assert "Drawing [the map] …" in err
