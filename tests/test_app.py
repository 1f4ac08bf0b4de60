"""The app without a browser: what its tabs answer, its API, and what comes in from outside."""

import hashlib
import json
import os
import re
import signal
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from app import __main__ as command
from app.accounts import hash_of, read_accounts
from app.accounts import main as accounts
from app.batch import Running, name_all, results
from app.desk import Desk
from app.gate import _CLOSED
from app.identify import identify
from app.page import build_app, style, theme
from app.uploads import folder_of, is_upload, sweep, taken, upload_folders
from saree_cosface.batch import Row
from saree_cosface.data.manifest import read_manifest
from saree_cosface.gallery import Gallery
from saree_cosface.pages import craft_name
from saree_cosface.prediction import predict
from saree_cosface.runs import Run

from .bad_photos import BAD, ODD, picture, save
from .served import ROOT, Served, as_files

pytestmark = pytest.mark.slow  # a run is trained and calibrated for them

ELSEWHERE = re.compile(r"""(?:\b(?:src|action)\s*=\s*["']?|url\(\s*["']?|@import\s+["'])\s*(https?:)?//""")


@pytest.fixture(scope="module")
def photos(calibrated_run):
    """Photos of a source that the run never saw."""
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()


def named(*paths):
    return [(path, path.name) for path in paths]


def whole(run, files):
    """All HTML of an answer, and what came first."""
    steps = list(identify(run, files))
    return "".join(part for step in steps for part in step if isinstance(part, str)), steps


# --- Identify, as HTML --------------------------------------------------------------------------------------------


def test_answer_is_that_of_predict(calibrated_run, photos):
    page, steps = whole(calibrated_run, named(photos[0]))
    expected = predict(calibrated_run, photos[:1], one_piece=True).attributions[0]
    first = steps[0][0]
    assert re.findall(r'<div class="value[^"]*">(-?[\d.]+)', first) == [
        f"{one.cosine:.3f}" for one in expected.traditions
    ]
    assert re.findall(r"cosine (-?[\d.]+)", first) == [f"{one.cosine:.3f}" for one in expected.references]
    for said in ("What the answer rests on", "What a specialist would look at", "Report (HTML)", "Report (JSON)"):
        assert said in page
        assert said not in first  # the answer does not wait for it


def test_several_photos_are_one_piece(calibrated_run, photos):
    page, _ = whole(calibrated_run, named(*photos[:3]))
    assert "Seen in 3 photos." in page
    assert page.count('class="verdict"') == 1


def test_bad_photo_among_good_ones_is_named_and_stops_nobody(calibrated_run, photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    page, _ = whole(calibrated_run, [(bad, "<b>${1}{{x}}.png"), *named(photos[0])])
    assert "&lt;b&gt;${1}{{x}}.png was left out" in page
    assert 'class="verdict"' in page
    page, steps = whole(calibrated_run, [(bad, "bad.png")])
    assert "Try another photo" in page
    assert len(steps) == 1


def test_nothing_to_look_at_or_to_compare_with_is_said(calibrated_run, photos):
    assert "Choose one or several photos" in whole(calibrated_run, [])[0]
    assert "at most 24" in whole(calibrated_run, named(photos[0]) * 25)[0]
    references = pd.DataFrame(columns=calibrated_run.gallery.references.columns)
    dimensions = calibrated_run.gallery.embeddings.shape[1]
    bare = Run(
        calibrated_run.folder,
        calibrated_run.embedder,
        Gallery(np.zeros((0, dimensions), np.float32), references),
        calibrated_run.used,
        calibrated_run.sources,
        "",
    )
    assert "the gallery is empty" in whole(bare, named(photos[0]))[0]


# --- Batch --------------------------------------------------------------------------------------------------------


def test_batch_tells_how_far_it_is_and_ends_with_a_table(calibrated_run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("app.batch._OFTEN", 0.0)
    monkeypatch.setattr("app.batch._SELDOM", 0.0)
    taken_there = tmp_path / "taken"
    taken_there.mkdir()
    copies = [save_as(taken_there / f"{n}.jpg", photo) for n, photo in enumerate(photos[:3])]
    steps = list(name_all(Desk(calibrated_run.folder), named(*copies), threading.Event()))
    assert "0 of 3 photos" in steps[0][0]
    assert re.search(r"1 of 3 photos, about \d+ s left", steps[1][0])
    assert [more for _, _, more in steps] == [True] * (len(steps) - 1) + [False]
    assert "3 of 3 photos named." in steps[-1][0]
    assert steps[-1][1].count("<tr>") == 4


def save_as(target, photo):
    target.write_bytes(Path(photo).read_bytes())
    return target


def test_cancelled_batch_shows_what_is_done(calibrated_run, photos, tmp_path):
    copies = [save_as(tmp_path / f"{n}.jpg", photo) for n, photo in enumerate(photos[:3])]
    running = Running()
    end = running.begin("me")
    running.begin("somebody else")
    running.end("me")
    assert end.is_set()
    said, table, more = list(name_all(Desk(calibrated_run.folder), named(*copies), end))[-1]
    assert "Cancelled after 1 of 3 photos" in said
    assert table.count("<tr>") == 2
    assert more is False


def test_table_escapes_names_and_gives_reasons():
    table = results(
        [Row("<script>x</script>.jpg", problem="<i>empty"), Row("b.jpg", "1" * 64, "", "Patola", 0.5, None, "", None)]
    )
    assert "<script>" not in table
    assert "left out: &lt;i&gt;empty" in table
    assert "verdict" not in table  # of a run that is not calibrated
    assert results([]) == ""


# --- Uploads ------------------------------------------------------------------------------------------------------


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


# --- Accounts -----------------------------------------------------------------------------------------------------


def test_accounts_by_password_or_by_hash(tmp_path):
    file = tmp_path / "accounts"
    file.write_text(f"# curators\nasha:open sesame: twice\nravi:{hash_of('pw')}\n\n")
    known = read_accounts(file)
    assert known("asha", "open sesame: twice")
    assert known("ravi", "pw")
    for name, password in (("asha", "pw"), ("ravi", hash_of("pw")), ("nobody", "pw"), ("", ""), ("# curators", "")):
        assert not known(name, password)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "nobody"),
        ("asha\n", "line 1"),
        ("a:b\na:c\n", "already"),
        (":x\n", "line 1"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_bad_files_of_accounts_are_refused(tmp_path, content, reason):
    file = tmp_path / "accounts"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=reason):
        read_accounts(file)


def test_accounts_are_made_with_hashes(tmp_path, monkeypatch):
    file = tmp_path / "accounts"
    for password in ("first", "second"):
        monkeypatch.setattr("getpass.getpass", lambda _, password=password: password)
        assert accounts([str(file), "asha"]) == 0
    assert file.stat().st_mode & 0o077 == 0
    assert "second" not in file.read_text()
    assert read_accounts(file)("asha", "second")
    assert not read_accounts(file)("asha", "first")
    assert accounts([str(file), "a:b"]) == 2


# --- Served -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(calibrated_run, tmp_path_factory):
    serving = Served(tmp_path_factory.mktemp("temporary"), calibrated_run.folder, "--max-upload-mb", 3)
    yield serving
    serving.end()


def test_page_loads_nothing_from_elsewhere(served):
    answer = httpx.get(served.address)
    assert "Which craft is this saree?" in answer.text
    assert not re.search(r'<(?:script|iframe|img)\b[^>]*(?:href|src)="(?:https?:)?//', answer.text)
    assert not ELSEWHERE.search(httpx.get(served.address + "theme.css").text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http:" not in policy.replace("'self'", "")
    assert "https:" not in policy
    assert not ELSEWHERE.search(style())
    assert not any("//" in address for address in theme()._stylesheets)


def test_identify_by_plain_http(served, calibrated_run, photos):
    paths = served.upload(photos[0], photos[1])
    kind, answer = served.call("identify", as_files(paths, "front.jpg", "pallu.jpg"))
    assert kind == "complete"
    expected = predict(calibrated_run, photos[:2], one_piece=True).attributions[0]
    assert [one["cosine"] for one in answer["traditions"]] == pytest.approx([one.cosine for one in expected.traditions])
    assert answer["verdict"]["kind"] == expected.verdict.kind
    assert [photo["name"] for photo in answer["photos"]] == ["front.jpg", "pallu.jpg"]
    assert answer["evidence"]["photo"] in ("front.jpg", "pallu.jpg")
    assert str(served.temporary) not in json.dumps(answer)
    assert served.files() == []


def test_same_answers_by_gradios_client(served, photos, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(served.address, verbose=False, download_files=tmp_path)
    answer = client.predict(photos=[handle_file(str(photos[0]))], api_name="/identify")
    assert answer["photos"][0]["sha256"] == hashlib.sha256(photos[0].read_bytes()).hexdigest()
    rows = client.predict(photos=[handle_file(str(photos[0]))], api_name="/batch")["rows"]
    assert rows[0]["tradition"] == answer["traditions"][0]["name"]
    assert client.predict(api_name="/health")["model"]["embedder"] == answer["model"]["embedder"]
    assert served.files() == []


def test_health(served, calibrated_run):
    answer = httpx.get(served.address + "health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert served.call("health")[1]["model"]["references"] == len(calibrated_run.gallery)


def test_every_awkward_file_is_answered_and_not_kept(served, tmp_path):
    made = [(make(tmp_path), pattern) for make, pattern in BAD.items()]
    made = [(path, pattern) for path, pattern in made if path.is_file()]
    assert len(made) >= 11
    odd = [make(tmp_path) for make in ODD]
    paths = served.upload(*(path for path, _ in made), *odd)
    names = [path.name for path, _ in made] + [path.name for path in odd]
    kind, answer = served.call("batch", as_files(paths, *names))
    assert kind == "complete"
    assert [row["photo"] for row in answer["rows"]] == names
    for row, (_, pattern) in zip(answer["rows"], made, strict=False):
        assert re.search(pattern, row["problem"])
    assert all(row["tradition"] for row in answer["rows"][len(made) :])
    assert served.files() == []


def test_archives_through_the_api(served, photos, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("../../../evil.jpg", photos[0].read_bytes())
        opened.writestr("bomb.jpg", bytes(50_000_000))
        opened.writestr("nested/b.jpg", photos[1].read_bytes())
    _, answer = served.call("batch", as_files(served.upload(path)))
    problems = {row["photo"]: row["problem"] for row in answer["rows"]}
    assert problems["a.zip/../../../evil.jpg"] == problems["a.zip/nested/b.jpg"] == ""
    assert "unpacked" in problems["a.zip/bomb.jpg"]
    assert not list(served.temporary.rglob("evil*"))
    assert served.files() == []


@pytest.mark.parametrize(
    "name",
    ["../../../../etc/cron.d/x.jpg", "..\\..\\x.jpg", "<script>x</script>.jpg", "a" * 300 + ".jpg", "\u202egpj.exe"],
)
def test_hostile_names_stay_names(served, photos, name):
    paths = served.upload((name, photos[0].read_bytes()))
    assert all(Path(path).is_relative_to(served.temporary) for path in paths)
    kind, answer = served.call("identify", as_files(paths, name))
    assert kind == "complete"
    shown = answer["photos"][0]["name"]
    assert "/" not in shown
    assert "\\" not in shown
    assert len(shown) <= 120
    assert served.files() == []


HOSTILE_CALLS = [
    [],
    "x",
    7,
    None,
    {},
    {"path": "/etc/passwd"},
    ["/etc/passwd"],
    [["/etc/passwd"]],
    [{"path": "../../../etc/passwd"}],
    [{"path": ["a"], "orig_name": {"b": 1}}],
    [{"url": "http://127.0.0.1:1/a.jpg"}],
    [{"path": "http://127.0.0.1:1/a.jpg", "meta": {"_type": "gradio.FileData"}}],
    [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}, "orig_name": "a.jpg"}],
    [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}, "url": "file:///etc/passwd", "is_stream": True}],
]


@pytest.mark.parametrize("hostile", HOSTILE_CALLS, ids=repr)
@pytest.mark.parametrize("name", ["identify", "batch"])
def test_hostile_calls_are_refused_in_plain_words(served, hostile, name):
    kind, said = served.call(name, hostile)
    assert kind == "error"
    words = json.dumps(said)
    assert re.search("uploaded|no photo was given", words)
    assert "root:" not in words
    assert "Traceback" not in words
    assert str(served.temporary) not in words


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"data": "x"}', b"[]", b"null", b'{"data": [[], 1, 2, 3, 4]}', b""]
)
def test_wrong_json_is_refused(served, body):
    for path in ("call/identify", "queue/join", "run/identify", "call/v2/identify", "cancel"):
        answer = httpx.post(
            served.address + "gradio_api/" + path, content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (200, 400, 404, 422, 500, 503)
        assert "Traceback" not in answer.text
    assert httpx.get(served.address + "health").json()["status"] == "ok"


def test_too_large_a_call_or_an_upload_is_refused_before_it_is_kept(served):
    answer = httpx.post(served.address + "gradio_api/call/identify", content=b'{"data": ["' + b"x" * 9_000_000 + b'"]}')
    assert answer.status_code == 413
    assert "8 MB" in answer.json()["error"]
    for size in (1, 4):  # one file that is too large, or several that are together
        files = [("files", (f"{n}.jpg", bytes(4_000_000 // size))) for n in range(size)]
        answer = httpx.post(served.address + "gradio_api/upload", files=files, timeout=60)
        assert answer.status_code == 413
        assert "--max-upload-mb" in answer.text

    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        for _ in range(40):
            yield bytes(100_000)

    answer = httpx.post(
        served.address + "gradio_api/upload",
        content=endless(),
        headers={"content-type": "multipart/form-data; boundary=x"},
        timeout=60,
    )
    assert answer.status_code == 413
    assert sum(file.stat().st_size for file in served.files()) <= 3_100_000


def test_a_thousand_files_at_once(served, tmp_path):
    content = save(tmp_path / "tiny.png", picture(24, 24)).read_bytes()
    paths = served.upload(*((f"{n}.png", content if n < 5 else b"") for n in range(1000)))
    assert len(set(paths)) == 1000
    kind, answer = served.call("batch", as_files(paths, *(f"{n}.png" for n in range(1000))), timeout=300)
    assert kind == "complete"
    assert len(answer["rows"]) == 1000
    assert [bool(row["problem"]) for row in answer["rows"]] == [False] * 5 + [True] * 995
    assert served.files() == []


def test_no_folder_of_this_machine_is_served(served, photos):
    for path in (photos[0], ROOT / "pyproject.toml", Path("/etc/passwd")):
        assert httpx.get(f"{served.address}gradio_api/file={path}").status_code in (403, 404)
    for closed in _CLOSED:
        assert httpx.get(f"{served.address}gradio_api/{closed}://example.org/x").status_code == 404
    assert httpx.get(f"{served.address}monitoring").status_code == 404


def test_other_names_of_this_machine_are_refused(served):
    for host in ("example.org", "127.0.0.1.example.org", "localhost.example.org:80"):
        assert httpx.get(served.address, headers={"host": host}).status_code == 403
    port = served.address.rstrip("/").rsplit(":", 1)[1]
    assert httpx.get(served.address + "health", headers={"host": f"localhost:{port}"}).status_code == 200


def test_equal_uploads_of_two_sessions_are_two(served, photos):
    def ask(number):
        photo = photos[number % 2]
        paths = served.upload(("same.jpg", photo.read_bytes()))
        kind, answer = served.call("identify", as_files(paths, f"{number}.jpg"))
        assert kind == "complete", answer
        (shown,) = answer["photos"]
        return shown["name"] == f"{number}.jpg" and shown["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(16)))
    assert served.files() == []


def test_login(calibrated_run, photos, tmp_path):
    file = tmp_path / "accounts"
    file.write_text(f"asha:{hash_of('pw')}\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    serving = Served(temporary, calibrated_run.folder, "--auth", file)
    try:
        assert httpx.get(serving.address + "health").json()["status"] == "ok"
        assert httpx.get(serving.address + "config").status_code == 401
        for call in (lambda: serving.upload(photos[0]), lambda: serving.call("health")):
            with pytest.raises((httpx.HTTPStatusError, AssertionError, KeyError)):
                kind, _ = call()
                assert kind == "complete"
        wrong = httpx.post(serving.address + "login", data={"username": "asha", "password": "no"})
        assert wrong.status_code == 400
        with httpx.Client(base_url=serving.address) as client:
            assert client.post("/login", data={"username": "asha", "password": "pw"}).status_code == 200
            assert client.get("/config").status_code == 200
    finally:
        serving.end()


# --- The command --------------------------------------------------------------------------------------------------


def test_app_builds_without_analytics(calibrated_run):
    page = build_app(Desk(calibrated_run.folder))
    assert page.analytics_enabled is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    first = calibrated_run.gallery.crafts[0]
    assert craft_name(first) in json.dumps(page.get_config_file())


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
    assert command.main([str(tmp_path), "--max-upload-mb", "0"]) == 1
    assert command.main([str(tmp_path), "--auth", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("undone")
def test_command_says_that_a_port_is_taken(calibrated_run, served, capsys):
    port = served.address.rstrip("/").rsplit(":", 1)[1]
    assert command.main([str(calibrated_run.folder), "--port", port]) == 1
    assert "port" in capsys.readouterr().err


def test_command_explains_itself():
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
