import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from app import __main__ as command
from app.identify import _forget, _theme, build_app, identify
from saree_cosface.data.manifest import read_manifest
from saree_cosface.gallery import Gallery
from saree_cosface.pages import craft_name, stylesheet
from saree_cosface.prediction import predict
from saree_cosface.runs import Run

ROOT = Path(__file__).parents[1]
ELSEWHERE = re.compile(r"""(?:\b(?:src|action)\s*=\s*["']?|url\(\s*["']?|@import\s+["'])\s*(https?:)?//""")


@pytest.fixture(scope="module")
def photos(tiny_run):
    """Photos of a source that the run never saw."""
    held_out = read_manifest(tiny_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()


@pytest.fixture
def with_gallery(tiny_run):
    def run(gallery):
        return Run(tiny_run.folder, tiny_run.embedder, gallery, tiny_run.used, tiny_run.sources, tiny_run.split_hash)

    return run


def test_answer_is_that_of_predict(tiny_run, photos):
    page = identify(tiny_run, photos[:1])
    expected = predict(tiny_run, photos[:1], one_piece=True).attributions[0]
    assert re.findall(r'<div class="value[^"]*">(-?[\d.]+)', page) == [
        f"{one.cosine:.3f}" for one in expected.traditions
    ]
    assert re.findall(r"cosine (-?[\d.]+)", page) == [f"{one.cosine:.3f}" for one in expected.references]
    assert f"Nearest to {craft_name(expected.traditions[0].craft)}" in page
    # The photo and a thumbnail for each reference, inside the page.
    assert page.count('<img src="data:image/jpeg;base64,') == 1 + len(expected.references)


def test_several_photos_are_one_piece(tiny_run, photos):
    page = identify(tiny_run, photos[:3])
    assert page.count("Nearest to") == 1
    assert "Seen in 3 photos." in page


def test_references_outlive_their_photos(with_gallery, tiny_run, photos):
    gone = tiny_run.gallery.references.assign(path="/gone/photo.jpg")
    page = identify(with_gallery(Gallery(tiny_run.gallery.embeddings, gone, tiny_run.gallery.folder)), photos[:1])
    assert "no picture" not in page


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"<html>no</html>", "web page"), (b"\xff\xd8\xff\xe0 cut short", "damaged|not a photo")],
)
def test_bad_photo_is_named_with_the_reason(tiny_run, tmp_path, content, reason):
    bad = tmp_path / "<b>saree.jpg"
    bad.write_bytes(content)
    page = identify(tiny_run, [bad])
    assert "&lt;b&gt;saree.jpg was left out" in page
    assert re.search(reason, page)
    assert "Nearest to" not in page


def test_bad_photo_among_good_ones_does_not_stop_them(tiny_run, photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    page = identify(tiny_run, [bad, photos[0]])
    assert "bad.png was left out" in page
    assert "Nearest to" in page


def test_nothing_uploaded_and_nothing_to_compare_with_are_said(with_gallery, tiny_run, photos):
    assert "Choose one or several photos" in identify(tiny_run, [])
    references = tiny_run.gallery.references
    empty = Gallery(np.zeros((0, 32), np.float32), pd.DataFrame(columns=references.columns))
    assert "the gallery is empty" in identify(with_gallery(empty), photos[:1])


def test_one_tradition_alone_has_no_second(with_gallery, tiny_run, photos):
    mine = (tiny_run.gallery.references["craft"] == tiny_run.classes[0]).to_numpy()
    references = tiny_run.gallery.references[mine].reset_index(drop=True)
    alone = Gallery(np.asarray(tiny_run.gallery.embeddings)[mine], references, tiny_run.gallery.folder)
    page = identify(with_gallery(alone), photos[:1])
    assert "Nearest to" in page
    assert "Ahead of" not in page


def test_uploads_are_forgotten_and_nothing_else_is(tmp_path, monkeypatch):
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    mine, other = uploads / "a.jpg", tmp_path / "b.jpg"
    sly = uploads / ".." / "b.jpg"
    for file in (mine, other):
        file.write_bytes(b"x")
    _forget([mine, other, sly, uploads / "gone.jpg"])
    assert not mine.exists()
    assert other.exists()


def test_style_and_fonts_come_from_here():
    assert not ELSEWHERE.search(stylesheet())
    assert not any("//" in address for address in _theme()._stylesheets)
    assert "googleapis" not in str(_theme().to_dict())


@pytest.fixture(scope="module")
def served(tiny_run, tmp_path_factory):
    """Address of the app, served by ``python -m app`` from the repository's root; and its folder of temporary files."""
    temporary = tmp_path_factory.mktemp("temporary")
    environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("GRADIO_TEMP_DIR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "app", str(tiny_run.folder)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"Open (http://127\.0\.0\.1:\d+/)", line):
            break
    else:
        pytest.fail("the app did not start:\n" + "".join(lines))
    yield found[1], temporary
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not list(temporary.glob("saree-uploads-*"))


def test_page_loads_nothing_from_elsewhere(served):
    address, _ = served
    page = httpx.get(address).text
    assert "Which craft is this saree?" in page
    assert not ELSEWHERE.search(page)
    assert not re.search(r'<(?:link|script|iframe|img)\b[^>]*(?:href|src)="(?:https?:)?//', page)
    theme = httpx.get(address + "theme.css").text
    assert not ELSEWHERE.search(theme)


def upload(address, photo):
    """What a browser does when a photo is dropped; returns the answer's HTML and what is left in the upload field."""
    with photo.open("rb") as file:
        (path,) = httpx.post(address + "gradio_api/upload", files={"files": (photo.name, file)}, timeout=60).json()
    (event,) = httpx.get(address + "config").json()["dependencies"]
    data = [[{"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}]]
    call = {"data": data, "fn_index": event["id"], "session_hash": "test"}
    httpx.post(address + "gradio_api/queue/join", json=call).raise_for_status()
    with httpx.stream("GET", address + "gradio_api/queue/data?session_hash=test", timeout=120) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "process_completed":
                left, page = message["output"]["data"]
                return page, left
    raise AssertionError("no answer came")


def test_upload_is_answered_and_not_kept(served, photos, tmp_path):
    address, temporary = served
    page, left = upload(address, photos[0])
    assert "Nearest to" in page
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photos[0].read_bytes()[:300])
    page, left = upload(address, bad)
    assert "bad.jpg was left out" in page
    assert left is None
    assert [file for file in temporary.rglob("*") if file.is_file() and file.stat().st_size] == []


def test_no_folder_of_this_machine_is_served(served, photos):
    address, _ = served
    for path in (photos[0], ROOT / "pyproject.toml", Path("/etc/passwd")):
        assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)


def test_app_builds_without_analytics(tiny_run):
    page = build_app(tiny_run)
    assert page.analytics_enabled is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


@pytest.fixture
def undone(monkeypatch):
    """Undoes what the command sets for its whole process."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("undone")
def test_command_refuses_what_is_no_run(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 1
    assert "not a run" in capsys.readouterr().err


@pytest.mark.usefixtures("undone")
def test_command_says_that_a_port_is_taken(tiny_run, served, capsys):
    port = served[0].rstrip("/").rsplit(":", 1)[1]
    assert command.main([str(tiny_run.folder), "--port", port]) == 1
    assert "port" in capsys.readouterr().err


def test_command_explains_itself():
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
