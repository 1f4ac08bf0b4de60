"""The tabs for curators and readers in a real Chromium: atlas, map, review, enrolment, about, wide and on a phone."""

import re
import shutil
import subprocess
import sys
import time

import httpx
import pandas as pd
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from saree_cosface.curation.log import CurationLog
from saree_cosface.data.manifest_file import read_manifest, write_manifest
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
from tests.helpers.served import ROOT, Served
from tests.helpers.steps import CRAFTS, kept

pytestmark = in_chromium

IMAGE = "<img src=x onerror='window.hacked = 1'>"
SHOWN = {
    "Traditions": "article.craft.known",
    "Map": "#map-draw",
    "Review": "#review-begin",
    "Enrol": "#enrol-add",
    "About this model": "#about section",
}
"""What a tab has when it is there."""

HOSTILE = IMAGE + "${window.hacked = 1}{{constructor}}"


@pytest.fixture(scope="module")
def place(tiny_run, calibrated_run, tmp_path_factory):
    """A run to change, and a collection with two copies under other labels, from a source of a hostile name: four
    photos that come first in any review."""
    folder = tmp_path_factory.mktemp("curators")
    shutil.copytree(tiny_run.folder, folder / "run")
    shutil.copytree(calibrated_run.folder / "reference_map", folder / "run" / "reference_map")  # it takes seconds
    table = read_manifest(tiny_run.folder / "manifest.csv", taxonomy=None).table.drop(columns="split")
    copies = pd.concat([table[table["craft"] == craft].iloc[:1] for craft in ("chanderi", "leheriya")])
    paths = [shutil.copy(path, folder / f"{number} {IMAGE}.jpg") for number, path in enumerate(copies["path"])]
    copies = copies.assign(path=paths, craft=["leheriya", "chanderi"], source=HOSTILE, piece=["copy 0", "copy 1"])
    write_manifest(pd.concat([table, copies], ignore_index=True), folder / "manifest.csv")
    return folder


@pytest.fixture(scope="module")
def server(place, tmp_path_factory):
    serving = Served(tmp_path_factory.mktemp("temporary"), place / "run", "--manifest", place / "manifest.csv")
    yield serving
    serving.end()


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def page(request, chromium, server):
    """The app, freshly opened; afterwards nothing hostile has run, nothing failed, and nothing is wider than the page."""
    show(chromium, server, request.param)
    yield chromium
    assert chromium.execute_script("return window.hacked") is None
    assert errors(chromium) == []
    assert too_wide(chromium) == 0


def show(driver, server, size):
    visit(driver, server.address, size)
    until(driver, lambda: find(driver, "button[role=tab]"))


def press(driver, *keys):
    ActionChains(driver).send_keys(*keys).perform()


def fill(driver, selector, words):
    field = see(driver, f"{selector} input, {selector} textarea")
    field.click()
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(words)


def test_atlas_is_searched_at_once(page):
    tab(page, "Traditions")
    see(page, "article.craft.known")
    cards = page.find_elements(By.CSS_SELECTOR, "article.craft")
    assert len(cards) > 50
    assert [card.get_attribute("class") for card in cards[:4]] == ["craft known"] * 3 + ["craft"]
    picture = "return document.querySelector('article.craft.known img').naturalWidth"
    until(page, lambda: page.execute_script(picture) > 50)
    see(page, "#atlas-search").send_keys("Kāncheepuram", Keys.ENTER)  # which must not send a form
    until(page, lambda: "1 of" in text(page, "#atlas .count"))
    shown = [card for card in page.find_elements(By.CSS_SELECTOR, "article.craft") if card.is_displayed()]
    assert [card.find_element(By.TAG_NAME, "h3").text for card in shown] == ["Kanjivaram"]
    find(page, "#atlas-search").clear()
    find(page, "#atlas-search").send_keys("zzzz")
    assert see(page, "#atlas .none").text.startswith("No tradition matches")


def test_map_is_shown_in_a_frame_without_rights(page, server):
    tab(page, "Map")
    see(page, "#map-draw").click()
    frame = see(page, "#map-frame[src]")
    assert frame.get_attribute("sandbox") == "allow-scripts allow-downloads"
    page.switch_to.frame(frame)
    until(page, lambda: page.execute_script("return document.body?.dataset.ready") == "yes")
    assert page.execute_script("return document.getElementById('plot')._fullData[1].x.length") > 10
    assert page.execute_script("return origin") == "null"  # it cannot reach the app
    page.switch_to.default_content()
    # The file itself is for whoever may see the app, and comes as a download.
    assert find(page, "#map-save").is_displayed()
    link = frame.get_attribute("data-of")
    assert link.startswith(f"{server.address}gradio_api/file=")
    assert "attachment" in httpx.get(link).headers["content-disposition"]


def test_review_is_decided_with_keys_and_survives_a_restart(chromium, place, server):
    show(chromium, server, WIDE)
    tab(chromium, "Review")
    fill(chromium, ".who", "Asha Rao")
    see(chromium, "#review-begin").click()
    see(chromium, ".entry")
    assert HOSTILE in text(chromium, "#review-card")
    total = int(re.search(r"of (\d+)", text(chromium, "#review-card .progress"))[1])
    chromium.execute_script("document.activeElement.blur()")
    press(chromium, "a")
    until(chromium, lambda: "Photo 2 of" in text(chromium, "#review-card"))
    press(chromium, "r")
    until(chromium, lambda: chromium.execute_script("return document.activeElement.closest('#review-why') !== null"))
    press(chromium, f"a border {HOSTILE}", Keys.ENTER)  # an "a" in a reason is no key
    until(chromium, lambda: "2 decided" in text(chromium, "#review-card .progress"))
    assert HOSTILE in text(chromium, "#review-card .told")
    press(chromium, "d")
    until(chromium, lambda: "2 decided · 1 put off" in text(chromium, "#review-card .progress"))
    press(chromium, "u")
    until(chromium, lambda: "Taken back" in text(chromium, "#review-card .told"))
    assert "2 decided" in text(chromium, "#review-card .progress")
    press(chromium, Keys.ARROW_LEFT)
    until(chromium, lambda: "Photo 2 of" in text(chromium, "#review-card .progress"))
    assert HOSTILE in text(chromium, "#review-card .history")
    focus = "return document.activeElement.closest('#review-why') !== null"
    press(chromium, "x")
    until(chromium, lambda: chromium.execute_script(focus))
    press(chromium, "half a thought", Keys.ESCAPE)  # which is no reason for anything
    press(chromium, "c")
    until(chromium, lambda: chromium.execute_script(focus))
    assert find(chromium, "#review-why input, #review-why textarea").get_attribute("value") == ""
    press(chromium, Keys.ESCAPE)
    # Somebody else has had the queue ranked anew: what stands at this place is another photo now.
    chromium.execute_script(
        "const at = document.querySelector('#review-place textarea, #review-place input');"
        "at.value = at.value.replace(/[^:]*$/, '0'.repeat(16)); at.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    press(chromium, "a")
    until(chromium, lambda: "ranked anew meanwhile" in text(chromium, "#review-card"))
    assert "2 decided" in text(chromium, "#review-card .progress")
    with CurationLog(place / "decisions.db") as log:
        kinds = [entry.kind for entry in log.trusted()]
    assert kinds == ["manifest", "accept", "relabel", "defer", "undo"]
    server.end()
    server.start()
    show(chromium, server, WIDE)
    tab(chromium, "Review")
    see(chromium, "#review-begin").click()
    see(chromium, ".entry")
    assert "2 decided" in text(chromium, "#review-card .progress")
    assert f"Photo 3 of {total}" in text(chromium, "#review-card .progress")
    # The name was remembered by the browser.
    assert find(chromium, ".who input, .who textarea").get_attribute("value") == "Asha Rao"
    assert chromium.execute_script("return window.hacked") is None


def test_review_tells_of_a_clash_and_lets_it_be_overruled(page, place, server):
    tab(page, "Review")
    if not page.find_elements(By.CSS_SELECTOR, ".entry"):
        time.sleep(2)
    if not page.find_elements(By.CSS_SELECTOR, ".entry"):
        see(page, "#review-begin").click()
    see(page, ".entry")
    fill(page, ".who", "Asha Rao")
    page.execute_script("document.activeElement.blur()")
    shown = text(page, "#review-card .entry dl")
    photo = next(path for path in read_manifest(place / "manifest.csv", taxonomy=None).table["path"] if path in shown)
    command = [sys.executable, "-m", "saree_cosface", "curate", place / "decisions.db", "exclude", photo]
    command += ["--by", "Ben", "--why", HOSTILE, "--manifest", place / "manifest.csv"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    press(page, "a")
    told = see(page, "#review-card .problem")
    assert "Ben" in told.text
    assert HOSTILE in told.text
    assert "nothing was recorded" in told.text
    see(page, "#review-overrule")
    press(page, "o")
    until(page, lambda: "Recorded" in text(page, "#review-card .told"))
    with CurationLog(place / "decisions.db") as log:
        last = log.entries()[-1]
        assert (last.kind, last.by) == ("accept", "Asha Rao")
        assert log.standing().verdicts[last.photo].number == last.number
        assert not log.standing().conflicts


def test_what_to_photograph_next_stands_below(page, place):
    shutil.rmtree(place / "run" / "next", ignore_errors=True)
    tab(page, "Review")
    until(page, lambda: "saree-cosface next" in text(page, "#review-next"))
    kept(place / "run")
    tab(page, "Map")
    tab(page, "Review")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "#review-next tbody tr"))
    assert CRAFTS[0]["says"] in text(page, "#review-next")
    assert CRAFTS[1]["name"] in text(page, "#review-next")


def test_enrolled_tradition_is_found_at_once_and_taken_back(page, server, tiny_corpus):
    photos = sorted((tiny_corpus.parent / "photos" / "patola").iterdir())
    tab(page, "Enrol")
    see(page, "#enrol-add")
    assert page.execute_script("return document.querySelector('#enrol-new').offsetWidth") > 200  # on a phone, too
    see(page, "#enrol-add")
    # A message in plain words where something is missing.
    find(page, "#enrol-add").click()
    assert "Choose photos" in see(page, "#enrol-result .problem").text
    find(page, "#enrol-photos input[type=file]").send_keys("\n".join(map(str, photos[:4])))
    until(page, lambda: photos[0].stem in find(page, "#enrol-photos").text)
    fill(page, "#enrol-craft", "Patola")
    press(page, Keys.ENTER)
    fill(page, "#enrol-source", HOSTILE)
    find(page, "#enrol-add").click()
    assert "Patola is new here" in see(page, "#enrol-result .note:not(.problem)").text
    assert HOSTILE in text(page, "#enrol-log")
    tab(page, "Identify")
    find(page, "input[type=file]").send_keys(str(photos[0]))
    until(page, lambda: "Patola" in text(page, ".bars .name.first"))
    tab(page, "Enrol")
    see(page, "#enrol-undo").click()
    until(page, lambda: "was taken back" in text(page, "#enrol-result"))
    tab(page, "Traditions")
    see(page, "article.craft.known")
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "article.craft.known")) == 3)


def test_about_says_what_was_not_measured(page):
    tab(page, "About this model")
    see(page, "#about section")
    told = find(page, "#about").text
    for expected in ("learned from drawings", "Not measured.", "Not calibrated.", "To authenticate", "Versions"):
        assert expected in told


def test_every_field_has_a_name_and_every_tab_is_reached_by_keys(page):
    for title, shown in SHOWN.items():
        tab(page, title)
        see(page, shown)
        until(page, lambda: not find(page, ".pending"))
        nameless = page.execute_script(
            """return [...document.querySelectorAll('input, textarea, select, button, iframe')].filter((field) =>
              field.offsetParent !== null && field.type !== 'file' && field.type !== 'hidden' &&
              !(field.labels?.length || field.ariaLabel || field.title || field.textContent.trim() ||
                field.getAttribute('aria-labelledby'))).map((field) => field.outerHTML.slice(0, 200))"""
        )
        assert nameless == [], title


# Contrast hangs on the scheme, all else on the width: each of both is seen once.
@pytest.mark.parametrize(
    ("scheme", "page"), [("light", WIDE), ("dark", PHONE)], indirect=True, ids=["wide-light", "phone-dark"]
)
def test_no_serious_barrier(scheme, page, axe):
    assert page.execute_script("return document.body.classList.contains('dark')") == (scheme == "dark")
    problems = {}
    for title, shown in SHOWN.items():
        tab(page, title)
        see(page, shown)
        if title == "Review":
            see(page, "#review-begin").click()
            until(page, lambda: "Rank it anew" in text(page, "#review-begin"))
        problems[title] = barriers(page, axe)
    assert not any(problems.values()), problems
