"""Identify and Batch in a real Chromium, at a desk and on a phone: upload, answer, evidence, report, keyboard, contrast."""

import csv
import json
import re
import shutil
from urllib.parse import urlsplit

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import sha256_of
from tests.helpers.browser import (
    PHONE,
    WIDE,
    barriers,
    errors,
    find,
    in_chromium,
    see,
    tab,
    text,
    too_wide,
    until,
    visit,
)
from tests.helpers.served import Served

pytestmark = in_chromium
HOSTILE = "<img src=x onerror='window.hacked = 1'>${window.hacked = 1}{{constructor}}.jpg"


@pytest.fixture(scope="module")
def served(calibrated_run, tmp_path_factory):
    serving = Served(tmp_path_factory.mktemp("temporary"), calibrated_run.folder)
    yield serving
    serving.end()


@pytest.fixture(scope="module")
def photos(calibrated_run, tmp_path_factory):
    """A photo with the place where it was taken, under a hostile name; one that is cut short; and an ordinary one."""
    folder = tmp_path_factory.mktemp("photos")
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    files = held_out.select(held_out.table["split"].to_numpy(str) == "test").files()
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (25.0, 19.0, 4.0), 3: "E", 4: (82.0, 58.0, 26.0)})
    Image.open(files[0]).save(folder / HOSTILE, exif=exif)
    (folder / "cut.jpg").write_bytes(files[0].read_bytes()[:700])
    shutil.copy(files[-1], folder / "plain.jpg")
    return folder / HOSTILE, folder / "cut.jpg", folder / "plain.jpg"


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def page(request, chromium, served):
    """The app, freshly opened; afterwards nothing hostile has run, nothing failed, nothing was asked for elsewhere, and
    nothing is wider than the page."""
    visit(chromium, served.address, request.param)
    until(chromium, lambda: find(chromium, "#identify-photos input[type=file]"))
    yield chromium
    assert chromium.execute_script("return window.hacked") is None
    assert errors(chromium) == []
    assert too_wide(chromium) == 0
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert any(urlsplit(url).scheme == "http" for url in asked)
    assert {urlsplit(url).netloc for url in asked if urlsplit(url).scheme not in ("data", "blob", "about")} == {
        urlsplit(served.address).netloc
    }


def upload(driver, field, *photos):
    def sent():
        """Whether the field was there to take them; the page may be drawing it anew just then."""
        chooser = find(driver, f"#{field} input[type=file]")
        if chooser:
            chooser.send_keys("\n".join(map(str, photos)))
        return chooser

    until(driver, sent)


def drop(driver, field, folder):
    """Drag a folder of this machine onto a field, and let it go."""
    zone = see(driver, f"#{field} .upload-container")
    middle = """arguments[0].scrollIntoView({block: "center"});
      const {x, y, width, height} = arguments[0].getBoundingClientRect(); return [x + width / 2, y + height / 2]"""
    x, y = driver.execute_script(middle, zone)
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": dragged})


def open_batch(driver):
    tab(driver, "Batch")
    until(driver, lambda: find(driver, "#batch-photos") and find(driver, "#batch-photos").is_displayed())


def saved(driver, link):
    """Press a link and wait for its file."""
    name = link.get_attribute("download")
    path = driver.downloads / name
    path.unlink(missing_ok=True)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    until(driver, lambda: path.exists() and path.stat().st_size > 0)
    return path


def test_upload_answer_evidence_and_report(page, photos, served):
    upload(page, "identify-photos", photos[0])
    until(page, lambda: find(page, "#identify-closer a.save"))
    for selector in ("#identify-answer h3.verdict", "#identify-answer .sure", "#identify-answer .why .boxed span"):
        element = find(page, selector)
        assert element.is_displayed()  # at once: what else there is stands a step behind it
        assert element.rect["width"] > 5
    assert not find(page, "#identify-closer .heat img").is_displayed()
    top = "return document.querySelector('#identify-answer').getBoundingClientRect().top / innerHeight"
    until(page, lambda: -0.01 < page.execute_script(top) < 0.5)  # nobody has to look for it; a pixel is nothing
    assert not find(page, "#identify-answer details")
    for title in page.find_elements(By.CSS_SELECTOR, ".parts summary"):
        assert title.rect["height"] >= 44  # for a finger
        title.click()
    for line in ("known", "named"):
        drawn = f"return document.querySelectorAll('#identify-numbers .track .line.{line}').length"
        assert page.execute_script(drawn) >= 3
    for selector in ("#identify-numbers .references img", "#identify-closer .heat img", "#identify-closer .marks li"):
        element = find(page, selector)
        assert element.is_displayed()
        assert element.rect["width"] > 5
    assert too_wide(page) == 0  # nor with all of it open
    pictures = "return [...document.querySelectorAll('.found img')].every((picture) => picture.naturalWidth > 0)"
    assert page.execute_script(pictures)
    assert "was right" in find(page, ".chances").text
    report, document = (saved(page, link) for link in page.find_elements(By.CSS_SELECTOR, "#identify-closer a.save"))
    found = json.loads(document.read_text())
    assert found["photos"] == [{"name": HOSTILE, "sha256": sha256_of(photos[0])}]
    assert served.files() == []
    verdict, address = text(page, "#identify-answer h3.verdict"), page.current_url
    page.get(report.as_uri())
    assert text(page, "h1") == verdict
    assert sha256_of(photos[0]) in text(page, "body")
    assert page.execute_script("return [...document.images].every((picture) => picture.naturalWidth > 0)")
    assert page.execute_script("return window.hacked") is None
    assert (
        page.execute_script(
            "return performance.getEntriesByType('resource').filter((e) => /^http/.test(e.name)).length"
        )
        == 0
    )
    assert b"Exif" not in report.read_bytes()
    page.get_log("browser"), page.get_log("performance")
    page.get(address)
    until(page, lambda: find(page, "#identify-photos input[type=file]"))


@pytest.mark.parametrize("page", [PHONE], indirect=True, ids=["phone"])
def test_the_page_in_hindi_and_back(page, served, photos):
    try:
        find(page, "a[hreflang=hi]").click()
        until(page, lambda: find(page, "#identify-photos input[type=file]"))
        language = "return [document.documentElement.lang, document.body.lang, document.title]"
        assert page.execute_script(language) == ["hi", "hi", "यह साड़ी किस शिल्प की है?"]
        assert "फ़ोटो" in text(page, "#identify-photos")
        assert "छोड़ें" in text(page, "#identify-photos")  # as gradio says itself
        upload(page, "identify-photos", photos[2], photos[1])
        until(page, lambda: find(page, "#identify-closer a.save"))
        assert "cut.jpg को छोड़ दिया गया" in text(page, "#identify-answer")
        assert re.search("[\u0900-\u097f]", text(page, "#identify-answer h3.verdict"))
        page.execute_script("for (const part of document.querySelectorAll('.parts details')) part.open = true")
        assert too_wide(page) == 0
        report = saved(page, find(page, "#identify-closer a.save")).read_text(encoding="utf-8")
        assert '<html lang="hi">' in report
        assert "इसे कैसे उद्धृत करें" in report
        page.get(served.address)  # remembered
        until(page, lambda: find(page, "#identify-photos input[type=file]"))
        assert page.execute_script(language)[0] == "hi"
        find(page, "a[hreflang=en]").click()
        until(page, lambda: find(page, "#identify-photos input[type=file]"))
        assert page.execute_script(language) == ["en", "en", "Which craft is this saree?"]
    finally:
        page.delete_all_cookies()


def test_map_has_the_piece_once_it_is_drawn(page, photos):
    for _ in range(30):
        upload(page, "identify-photos", photos[2])
        until(page, lambda: find(page, "#identify-closer a.save"))
        if find(page, "#identify-closer .smallmap svg"):
            break
        page.execute_script("document.querySelector('#identify-closer a.save').remove()")
    assert find(page, "#identify-closer .smallmap svg")


def test_bad_photo_is_named(page, photos):
    upload(page, "identify-photos", photos[1])
    until(page, lambda: "cut.jpg was left out" in text(page, "#identify-answer"))
    assert find(page, "#identify-answer [role=alert]").is_displayed()


def test_a_photo_sent_while_another_is_answered_is_answered_too(page, photos, served):
    upload(page, "identify-photos", photos[2])
    until(page, lambda: served.files())  # on its way, and not yet answered
    until(page, lambda: find(page, "#identify-photos input[type=file]"))
    upload(page, "identify-photos", photos[1])
    until(page, lambda: "cut.jpg was left out" in text(page, "#identify-answer"))
    until(page, lambda: served.files() == [])  # the first answer has come to an end
    assert "cut.jpg was left out" in text(page, "#identify-answer")


def test_example_by_keyboard_alone(page):
    for _ in range(40):
        ActionChains(page).send_keys(Keys.TAB).perform()
        if page.execute_script("return document.activeElement.dataset.example !== undefined"):
            break
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"  # somebody who uses the keyboard sees where they are
    ActionChains(page).send_keys(Keys.ENTER).perform()
    until(page, lambda: find(page, "#identify-closer a.save"))
    for _ in range(60):
        ActionChains(page).send_keys(Keys.TAB).perform()
        if page.execute_script("return document.activeElement.matches('summary')"):
            ActionChains(page).send_keys(Keys.ENTER).perform()  # each part opens
        if page.execute_script("return document.activeElement.matches('a.save')"):
            return
    raise AssertionError("the report cannot be reached by keyboard")


def test_batch_with_a_corrupt_file(page, photos, served):
    open_batch(page)
    upload(page, "batch-photos", *photos)
    until(page, lambda: "3 photos: " in text(page, "#batch-progress"))
    assert "1 left out" in text(page, "#batch-progress")
    assert "left out: damaged" in text(page, "#batch-table .wrong")

    def names():
        return [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#batch-table tbody th")]

    assert names() == [HOSTILE, "cut.jpg", "plain.jpg"]
    heading = page.find_elements(By.CSS_SELECTOR, "#batch-table thead button")[0]
    heading.send_keys(Keys.ENTER)
    ascending = names()
    heading.send_keys(Keys.ENTER)
    assert names() == ascending[::-1]
    assert find(page, "#batch-table th[aria-sort=descending]") is not None
    table = list(csv.DictReader(saved(page, find(page, "#batch-table a.save")).open()))
    assert [row["photo"] for row in table] == [HOSTILE, "cut.jpg", "plain.jpg"]
    assert table[0]["sha256"] == sha256_of(photos[0])
    assert table[1]["problem"]
    until(page, lambda: served.files() == [])


@pytest.mark.parametrize("put", [upload, drop])
def test_photos_of_a_folder_are_told_by_where_they_lie(page, photos, served, tmp_path, put):
    for place in ("asha/silk", "meera", ".trash"):
        (tmp_path / "pieces" / place).mkdir(parents=True)
        shutil.copy(photos[2], tmp_path / "pieces" / place / "1.jpg")  # equal, too: gradio takes them for one file
    (tmp_path / "pieces" / "notes.txt").write_text("notes")
    open_batch(page)
    put(page, "batch-folder", tmp_path / "pieces")
    until(page, lambda: "2 photos: " in text(page, "#batch-progress"))
    places = ["pieces/asha/silk/1.jpg", "pieces/meera/1.jpg"]
    assert sorted(cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#batch-table tbody th")) == places
    table = list(csv.DictReader(saved(page, find(page, "#batch-table a.save")).open()))
    assert sorted(row["photo"] for row in table) == places
    until(page, lambda: served.files() == [])


def test_batch_can_be_cancelled(page, photos, served, tmp_path):
    many = [shutil.copy(photos[2], tmp_path / f"{number}.jpg") for number in range(150)]
    open_batch(page)
    upload(page, "batch-photos", *many)
    until(page, lambda: "of 150 photos" in text(page, "#batch-progress"))
    until(page, lambda: find(page, "#batch-cancel") and find(page, "#batch-cancel").is_displayed())
    find(page, "#batch-cancel").click()
    until(page, lambda: "Cancelled after" in text(page, "#batch-progress"))
    assert 1 <= len(page.find_elements(By.CSS_SELECTOR, "#batch-table tbody tr")) < 150
    until(page, lambda: served.files() == [])


# Contrast hangs on the scheme, all else on the width: each of both is seen once.
@pytest.mark.parametrize(
    ("scheme", "page"), [("light", WIDE), ("dark", PHONE)], indirect=True, ids=["wide-light", "phone-dark"]
)
def test_no_serious_barrier(scheme, page, photos, axe):
    assert page.execute_script("return document.body.classList.contains('dark')") == (scheme == "dark")
    upload(page, "identify-photos", photos[2])
    until(page, lambda: find(page, "#identify-closer a.save"))
    problems = barriers(page, axe)
    open_batch(page)
    upload(page, "batch-photos", photos[1], photos[2])
    until(page, lambda: find(page, "#batch-table a.save"))
    problems += barriers(page, axe)
    assert problems == []
