"""A page of one line, served to a network: gradio's login, cookies and addresses, with encryption and under a path."""

import ssl
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from starlette.testclient import TestClient

from app.page import TITLE
from app.place import Place, place
from app.serving import layers, serve
from saree_cosface.console import console
from saree_cosface.languages.packaged import packaged
from tests.helpers.certificates import self_signed


def known(name, password):
    return (name, password) == ("asha", "nine looms")


def small_page():
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML("<p>small</p>")
    return page


@pytest.fixture
def started(monkeypatch):
    """Serves a small page, and ends it; what it sets for its whole process is undone."""
    for name in ("FORWARDED_ALLOW_IPS", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there, and nobody has to
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda self: None)
    pages = []

    def start(where, **options):
        pages.append(small_page())
        desk = SimpleNamespace(run=SimpleNamespace(embedder=None), languages=packaged())
        serve(pages[0], desk, where, **options)
        return pages[0].server_port

    yield start
    for page in pages:
        page.close()


def test_the_network_is_served_encrypted(started, tmp_path):
    signed = self_signed(tmp_path)
    found = place("0.0.0.0", accounts=True, certificate=signed.certificate, key=signed.key, root_path="/sarees")
    # Not by pytest's capsys: uvicorn ends the handlers of all logs, and one of another library's would close the stream
    # that sys.stderr is otherwise.
    with console.capture() as said:
        port = started(found, auth=known)
    assert f"Open https://localhost:{port}/sarees/, or the like under a name of this machine" in said.get()
    trusted = ssl.create_default_context(cafile=str(signed.certificate))
    forged = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "x-forwarded-for": "10.0.0.1"}
    with httpx.Client(base_url=f"https://localhost:{port}/sarees/", verify=trusted, headers=forged) as client:
        page = client.get("./").text
        assert page.count(f"<title>{packaged()['en']('title')}</title>") == 1
        assert f'"root":"https://localhost:{port}/sarees"' in page
        assert "evil.example" not in page
        assert 'href="/' not in page
        assert 'href="./manifest.json"' in page
        assert client.get("config").status_code == 401
        assert client.post("login", data={"username": "asha", "password": "no"}).status_code == 400
        answer = client.post("login", data={"username": "asha", "password": "nine looms"})
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert {"HttpOnly", "Path=/sarees", "SameSite=Lax", "Secure"} == set(cookie.split("; ")[1:])
        assert client.get("config").json()["root"] == f"https://localhost:{port}/sarees"
        assert client.get("logout").headers["location"] == f"https://localhost:{port}/sarees"
        assert client.get("config").status_code == 401


def test_an_address_of_six_is_served(started):
    with console.capture() as said:
        port = started(Place("::1"))
    assert f"Open http://[::1]:{port}/ in a browser" in said.get()
    assert httpx.get(f"http://[::1]:{port}/", trust_env=False).status_code == 200


@pytest.fixture(scope="module")
def app():
    """Gradio's application for a small page with a login, under a path; made as gradio makes it, but not served."""
    page = small_page()
    page.auth, page.auth_message, page.root_path = known, "", "/sarees"
    where = place("0.0.0.0", accounts=True, behind_proxy="10.0.0.0/24", root_path="/sarees")
    return gr.routes.App.create_app(page, app_kwargs={"middleware": layers(where, packaged(), open_to_all=False)})


@pytest.mark.parametrize("prefix", ["", "/sarees"])
def test_what_is_closed_stays_closed_under_a_path(app, prefix):
    said = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    with TestClient(app, "https://museum.example", client=("10.0.0.5", 1), headers=said) as client:
        page = client.get(f"{prefix}/").text
        assert page.count(f"<title>{packaged()['en']('title')}</title>") == 1
        assert '"root":"https://museum.example/sarees"' in page
        for closed in ("monitoring", "monitoring/summary", "gradio_api/vibe-code", "gradio_api/file=http://x"):
            assert client.get(f"{prefix}/{closed}").json()["error"] == "there is nothing here"
        for closed in ("config", "gradio_api/info", "gradio_api/file=/etc/passwd", "gradio_api/queue/data"):
            assert client.get(f"{prefix}/{closed}").status_code == 401
        for closed in ("gradio_api/upload", "gradio_api/queue/join", "gradio_api/call/identify"):
            wrong = {"json": {"data": [[]]}} if "call" in closed else {"json": {"data": [], "fn_index": 0}}
            assert client.post(f"{prefix}/{closed}", **wrong).status_code == 401


def test_guesses_wait(app, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    with TestClient(app, "https://museum.example", client=("10.0.0.5", 1)) as client:
        layer = app.middleware_stack
        while not hasattr(layer, "patience"):
            layer = layer.app
        monkeypatch.setattr(layer.patience, "sleep", sleep)

        def log_in(address, password):
            return client.post(
                "/login", data={"username": "asha", "password": password}, headers={"x-forwarded-for": address}
            ).status_code

        assert [log_in("203.0.113.9", "no") for _ in range(7)] == [400] * 7
        assert waited == [1, 2]
        assert log_in("203.0.113.10", "nine looms") == 200
        assert waited == [1, 2]
        assert log_in("203.0.113.9", "nine looms") == 200  # later, but not never
        assert waited == [1, 2, 4]
