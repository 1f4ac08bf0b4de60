import shutil
import threading
from types import SimpleNamespace

import pytest

from app import batch
from app.uploads import taken
from saree_cosface.answers.batch import Row
from saree_cosface.languages.packaged import english
from tests.helpers.bad_photos import save, textured


def test_what_was_named_before_a_batch_broke_off_is_shown(tmp_path, monkeypatch, capsys):
    def name_photos(*_):
        yield Row("a.jpg", kind="tradition", tradition="Patola", verdict="Patola", cosine=0.9)
        raise OSError(28, "No space left on device", "/srv/uploads/7")

    monkeypatch.setattr(batch, "name_photos", name_photos)
    files = [(tmp_path / name, name) for name in ("a.jpg", "b.jpg")]
    said, table, more = list(batch.name_all(SimpleNamespace(run=None), files, threading.Event(), english()))[-1]
    assert "Broke off (No space left on device) after 1 of 2 photos: 1 named." in said
    assert "Patola" in table
    assert "/srv" not in said + table
    assert not more
    assert "a batch broke off" in capsys.readouterr().err


def test_of_a_folder_the_first_bytes_tell_what_is_a_photo(tmp_path):
    photo = save(tmp_path / "photo.jpg", textured())
    shutil.copy(photo, tmp_path / "0.file")
    (tmp_path / "1.file").write_bytes(b"notes")
    files = [(tmp_path / "0.file", "IMG_0012"), (tmp_path / "1.file", "notes")]
    assert batch.of_folder(files) == files[:1]


def test_no_room_for_uploads_is_said(tmp_path, monkeypatch):
    (tmp_path / "arrivals").mkdir()
    (tmp_path / "sessions").touch()  # as good as a disk without room
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "arrivals"))
    with pytest.raises(ValueError, match="cannot take photos in now"), taken([], "session"):
        pass
