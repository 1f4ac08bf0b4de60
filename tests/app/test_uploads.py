"""Uploads: whose they are, when they go, and what of their names is shown."""

import os
import re
import time

import pytest

from app.batch import results
from app.uploads import folder_of, is_upload, shown_name, sweep, taken, upload_folders
from saree_cosface.answers.batch import Row
from saree_cosface.languages.packaged import english


@pytest.fixture
def folders(monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    with upload_folders() as root:
        yield root


def test_uploads_lie_with_their_session_and_are_deleted(folders):
    there = folders / "arrivals" / "token" / "a.jpg"
    there.parent.mkdir()
    there.write_bytes(b"x")
    with taken([{"path": str(there), "orig_name": "../../बनारसी.JPG"}], "../../../session") as files:
        ((path, name),) = files
        assert name == "बनारसी.JPG"
        assert path.parent.parent == folder_of("../../../session")
        assert path.is_relative_to(folders / "sessions")
        assert path.read_bytes() == b"x"
        assert not there.parent.exists()
    assert list((folders / "sessions").iterdir()) == []


HOSTILE_PATHS = {
    "../../etc/./shop//1.jpg": "etc/shop/1.jpg",
    "/etc/cron.d/1.jpg": "etc/cron.d/1.jpg",
    "C:\\shop\\..\\1.jpg": "C:/shop/1.jpg",
    ".\0./\x1b.\u202e./shop\r\n/1\u2028.jpg": "shop/1.jpg",
    "shop/ \t/ .. /1.jpg": "shop/1.jpg",
    "../..": "arrived.jpg",
    "": "arrived.jpg",
}


@pytest.mark.parametrize(("sent", "shown"), HOSTILE_PATHS.items(), ids=repr)
def test_folders_of_an_upload_are_shown_and_no_more(folders, sent, shown):
    there = folders / "arrivals" / "token" / "arrived.jpg"
    there.parent.mkdir()
    there.write_bytes(b"x")
    with taken([{"path": str(there), "orig_name": sent}], "me", folders=True) as ((path, name),):
        assert name == shown
        assert path.parent.parent == folder_of("me")
        assert path.name.startswith("0.")
    assert list((folders / "sessions").iterdir()) == []


def test_long_and_marked_up_folders_are_shown_short_and_as_text():
    long = shown_name("shop/" * 100_000 + "x" * 5000 + "1.jpg", "photo", folders=True)
    assert len(long) == 400
    assert (long[:10], long[-6:]) == ("shop/shop/", "x1.jpg")
    marked = shown_name("<b onclick='x()'>/<img src=x>.jpg", "photo", folders=True)
    table = results([Row(marked, problem="empty")], english())
    assert "&lt;b onclick=&#x27;x()&#x27;&gt;/&lt;img src=x&gt;.jpg" in table
    assert not re.search("<(b|img) ", table)


def test_uploads_that_nobody_asked_about_go(folders):
    arrived = folders / "arrivals"
    for name, age in (("old", 7200), ("fresh", 60)):
        (arrived / name).mkdir()
        (arrived / name / "a.jpg").write_bytes(b"x")
        os.utime(arrived / name, (time.time() - age,) * 2)
    (arrived / "left").write_bytes(b"x")
    os.utime(arrived / "left", (0, 0))
    sweep()
    assert [entry.name for entry in arrived.iterdir()] == ["fresh"]


@pytest.mark.parametrize(
    "sly",
    [
        "/etc/passwd",
        "arrivals/../secret",
        "arrivals/link",
        "arrivals",
        "https://example.org/a.jpg",
        "a\0b",
        7,
        None,
        {"x": 1},
        [1],
    ],
)
def test_nothing_but_uploads_is_taken(folders, sly):
    (folders / "secret").write_bytes(b"x")
    (folders / "arrivals" / "link").symlink_to(folders / "secret")
    path = str(folders / sly) if isinstance(sly, str) and sly.startswith("arrivals") else sly
    for entry in (path, {"path": path}):
        with pytest.raises(ValueError, match="uploaded files"), taken([entry], "me"):
            pass
    assert (folders / "secret").exists()
    assert not is_upload(str(path))
    assert list((folders / "sessions").iterdir()) == []
