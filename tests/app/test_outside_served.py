"""The app behind reverse proxies that encrypt, under a path of theirs: by HTTP, by gradio's client, and in Chromium."""

import json
import ssl
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from selenium.webdriver.common.by import By

from app.accounts import hash_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.languages.packaged import english
from tests.helpers.browser import errors, find, in_chromium, open_chromium, see, text, until, visit
from tests.helpers.certificates import self_signed
from tests.helpers.proxied import Proxied
from tests.helpers.served import Served, as_files
from tests.helpers.web_servers import WebServer

TITLE = english()("title")
pytestmark = pytest.mark.slow  # a run is trained and calibrated for them

WHO = {"username": "asha", "password": "nine looms"}


@pytest.fixture(scope="module")
def photo(calibrated_run):
    """One of a source that the run never saw."""
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()[0]


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def served(calibrated_run, tmp_path_factory):
    file = tmp_path_factory.mktemp("accounts") / "accounts"
    file.write_text(f"{WHO['username']}:{hash_of(WHO['password'])}\n")
    behind = ("--behind-proxy", "127.0.0.1", "--root-path", "/sarees")
    serving = Served(tmp_path_factory.mktemp("temporary"), calibrated_run.folder, "--auth", file, *behind)
    yield serving
    serving.end()


@pytest.fixture(scope="module", params=["keeps the prefix", "strips the prefix", "nginx", "caddy"])
def proxied(request, served, signed, tmp_path_factory):
    if request.param in ("nginx", "caddy"):
        proxy = WebServer(request.param, served.address, signed, tmp_path_factory.mktemp(request.param))
    else:
        proxy = Proxied(served.address, "/sarees", signed, strips=request.param == "strips the prefix")
    yield proxy
    proxy.end()
    assert not getattr(proxy, "asked", [])


def test_by_plain_http(proxied, served, signed, photo):
    trusted = ssl.create_default_context(cafile=str(signed.certificate))
    with httpx.Client(base_url=proxied.address, verify=trusted, timeout=120) as client:
        if not proxied.strips:  # one that does sends visitors on by itself
            sent_to = client.get(proxied.address.rstrip("/")).headers["location"]
            assert urljoin(proxied.address, sent_to) == proxied.address
        page = client.get("./").text
        assert page.count(f"<title>{TITLE}</title>") == 1
        assert f'"root":"{proxied.address.rstrip("/")}"' in page
        assert client.get("login", follow_redirects=True).text.count(f"<title>{TITLE}</title>") == 1
        assert client.get("health").json()["status"] == "ok"
        assert client.post("gradio_api/upload", files={"files": ("a.jpg", b"x")}).status_code == 401
        assert client.post("login", data=WHO, headers={"origin": "https://evil.example"}).status_code == 403
        answer = client.post("login", data=WHO, headers={"origin": f"https://{urlsplit(proxied.address).netloc}"})
        assert all("; Path=/sarees; SameSite=Lax; Secure" in each for each in answer.headers.get_list("set-cookie"))
        paths = client.post("gradio_api/upload", files={"files": (photo.name, photo.read_bytes())}).json()
        begun = client.post("gradio_api/call/identify", json={"data": [as_files(paths)]}).json()
        lines = client.get(f"gradio_api/call/identify/{begun['event_id']}").text.splitlines()
        assert lines[-3:-1] == lines[:2]
        assert lines[0] == "event: complete"
        assert json.loads(lines[1].removeprefix("data: "))[0]["photos"][0]["name"] == photo.name
        client.get("logout")
        assert client.get("config").status_code == 401
    assert served.files() == []


def test_by_gradios_client(proxied, photo, tmp_path):
    from gradio_client import Client, handle_file

    who = WHO["username"], WHO["password"]
    client = Client(proxied.address, auth=who, ssl_verify=False, verbose=False, download_files=tmp_path)
    assert client.predict(photos=[handle_file(str(photo))], api_name="/identify")["photos"][0]["name"] == photo.name


@in_chromium[1]
@pytest.mark.parametrize("proxied", ["strips the prefix"], indirect=True)
def test_in_chromium(proxied, photo, tmp_path):
    with open_chromium(tmp_path) as driver:
        driver.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
        visit(driver, proxied.address)
        password = see(driver, "input[type=password]")
        assert driver.title == TITLE
        see(driver, "input:not([type=password]), textarea").send_keys(WHO["username"])
        password.send_keys(WHO["password"])
        next(each for each in driver.find_elements(By.CSS_SELECTOR, "button") if each.text == "Login").click()
        until(driver, lambda: find(driver, "#identify-photos input[type=file]")).send_keys(str(photo))
        until(driver, lambda: "What a specialist would look at" in text(driver, "body"))
        assert driver.title == TITLE
        assert errors(driver) == []
        messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        asked = {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
        asked = {url for url in asked if urlsplit(url).scheme not in ("data", "blob", "about")}
        assert any("/gradio_api/upload" in url for url in asked)
        assert {url for url in asked if not url.startswith(proxied.address)} == set()
        assert all(each["secure"] and each["path"] == "/sarees" for each in driver.get_cookies())
        assert len(driver.get_cookies()) == 2
