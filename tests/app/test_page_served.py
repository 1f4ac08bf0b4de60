"""The app as its command serves it: its API, and whatever hostile comes in from outside."""

import hashlib
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.gate import _CLOSED
from app.page import style, theme
from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers.bad_photos import BAD, ODD, picture, save
from tests.helpers.served import ROOT, Served, as_files

pytestmark = pytest.mark.slow  # a run is trained and calibrated for them

ELSEWHERE = re.compile(r"""(?:\b(?:src|action)\s*=\s*["']?|url\(\s*["']?|@import\s+["'])\s*(https?:)?//""")


@pytest.fixture(scope="module")
def photos(calibrated_run):
    """Photos of a source that the run never saw."""
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()


@pytest.fixture(scope="module")
def served(calibrated_run, tmp_path_factory):
    serving = Served(tmp_path_factory.mktemp("temporary"), calibrated_run.folder, "--max-upload-mb", 3)
    yield serving
    serving.end()


def test_page_loads_nothing_from_elsewhere(served):
    answer = served.get()
    assert "Which craft is this saree?" in answer.text
    assert not re.search(r'<(?:script|iframe|img)\b[^>]*(?:href|src)="(?:https?:)?//', answer.text)
    assert not ELSEWHERE.search(served.get("theme.css").text)
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
    answer = served.get("health")
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


def test_equal_files_of_one_name_are_each_answered(served, photos):
    paths = served.upload(*[("1.jpg", photos[0].read_bytes())] * 3)
    assert len(set(paths)) == 3
    _, answer = served.call("batch", as_files(paths))
    assert [row["photo"] for row in answer["rows"]] == ["1.jpg"] * 3
    assert len({row["sha256"] for row in answer["rows"]}) == 1
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
        answer = served.post("gradio_api/" + path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404, 422, 500, 503)
        assert "Traceback" not in answer.text
    assert served.get("health").json()["status"] == "ok"


def test_a_function_that_is_not_there_is_not_found(served):
    answer = served.post("gradio_api/call/nothing", json={"data": []})
    assert answer.status_code == 404
    assert "there are identify, batch, health" in answer.json()["error"]


def test_too_large_a_call_or_an_upload_is_refused_before_it_is_kept(served):
    answer = served.post("gradio_api/call/identify", content=b'{"data": ["' + b"x" * 9_000_000 + b'"]}')
    assert answer.status_code == 413
    assert "8 MB" in answer.json()["error"]
    for size in (1, 4):  # one file that is too large, or several that are together
        files = [("files", (f"{n}.jpg", bytes(4_000_000 // size))) for n in range(size)]
        answer = served.post("gradio_api/upload", files=files, timeout=60)
        assert answer.status_code == 413
        assert "--max-upload-mb" in answer.text

    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        for _ in range(40):
            yield bytes(100_000)

    answer = served.post(
        "gradio_api/upload",
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
        assert served.get(f"gradio_api/file={path}").status_code in (403, 404)
    for closed in _CLOSED:
        assert served.get(f"gradio_api/{closed}://example.org/x").status_code == 404
    assert served.get("monitoring").status_code == 404


def test_other_names_of_this_machine_are_refused(served):
    for host in ("example.org", "127.0.0.1.example.org", "localhost.example.org:80"):
        assert served.get(headers={"host": host}).status_code == 403
    port = served.address.rstrip("/").rsplit(":", 1)[1]
    assert served.get("health", headers={"host": f"localhost:{port}"}).status_code == 200


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
