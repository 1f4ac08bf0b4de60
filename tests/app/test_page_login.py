"""The app behind a login, as its command serves it: by HTTP, and in Chromium at a desk and on a phone."""

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from app.accounts import hash_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.languages.packaged import english
from tests.helpers.browser import (
    PHONE,
    WIDE,
    barriers,
    find,
    needs_chromium,
    see,
    text,
    too_wide,
    until,
    visit,
)
from tests.helpers.served import PLAIN, Served

TITLE = english()("title")
pytestmark = pytest.mark.slow  # a run is trained and calibrated for them


@pytest.fixture(scope="module")
def photo(calibrated_run):
    """One of a source that the run never saw."""
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()[-1]


@pytest.fixture(scope="module")
def guarded(calibrated_run, tmp_path_factory):
    """The app behind a login, of one whose password stands in the file, and of one who has a hash there."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "accounts").write_text(f"asha:nine looms\nmeera:{hash_of('pw')}\n")
    serving = Served(folder, calibrated_run.folder, "--auth", folder / "accounts")
    yield serving
    serving.end()


def test_by_plain_http(guarded, photo):
    assert guarded.get("health").json()["status"] == "ok"
    assert guarded.get("config").status_code == 401
    assert guarded.get().text.count(f"<title>{TITLE}</title>") == 1
    for call in (lambda: guarded.upload(photo), lambda: guarded.call("health")):
        with pytest.raises((httpx.HTTPStatusError, AssertionError, KeyError)):
            kind, _ = call()
            assert kind == "complete"
    wrong = guarded.post("login", data={"username": "meera", "password": "no"})
    assert wrong.status_code == 400
    with httpx.Client(base_url=guarded.address, verify=PLAIN) as client:
        assert client.post("/login", data={"username": "meera", "password": "pw"}).status_code == 200
        assert client.get("/config").status_code == 200


@needs_chromium
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_in_chromium(chromium, guarded, photo, axe, size):
    visit(chromium, guarded.address, size)
    chromium.delete_all_cookies()  # of this address, which the other size may have left
    visit(chromium, guarded.address, size)
    log_in(chromium, "asha", "nine loans")
    until(chromium, lambda: "Incorrect" in text(chromium, "body"))
    problems = barriers(chromium, axe)
    log_in(chromium, "asha", "nine looms")
    until(chromium, lambda: find(chromium, "#identify-photos input[type=file]")).send_keys(str(photo))
    until(chromium, lambda: find(chromium, "#identify-closer a.save"))
    assert {rule for rule, *_ in problems} <= {"document-title"}  # gradio's own page gives itself none
    assert too_wide(chromium) == 0


def log_in(driver, name, password):
    see(driver, "input[type=text]").send_keys(name)
    see(driver, "input[type=password]").send_keys(password, Keys.ENTER)
