"""A real Chromium for the tests of pages: opened, looked into, waited for, and asked for barriers."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
WIDE, PHONE = (1440, 900), (390, 844)
AXE = "axe-core@4.10.3"  # MPL-2.0, and so not in this repository

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason="needs Debian's chromium and chromium-driver in /usr/bin"
)
in_chromium = [pytest.mark.slow, needs_chromium]


@contextmanager
def open_chromium(downloads: Path, *, webgl: bool = False) -> Iterator[webdriver.Chrome]:
    """A headless browser that reaches this machine alone, draws by itself, and keeps a log of what it does.

    Args:
        downloads: folder for what it saves.
        webgl: whether to put pages together as a GPU would. Without one that costs as much as all else together; but
            else each picture that WebGL draws is copied, which takes its time and is warned of.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    flags = ["--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]
    flags += ["--window-size=1440,900", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    if not webgl:
        flags.append("--disable-gpu-compositing")
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # which Chromium refuses to root
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.downloads = downloads
    behaviour = {"behavior": "allow", "downloadPath": str(downloads)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    try:
        yield driver
    finally:
        driver.quit()


def visit(driver, address, size=WIDE):
    """Open an address anew, in a window of a size; what was logged before is forgotten."""
    shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    driver.get("about:blank")
    driver.get_log("browser"), driver.get_log("performance")
    driver.get(address)


@contextmanager
def preferring(driver, scheme):
    """Within this context the browser tells pages that somebody wants them "light" or "dark"."""
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def until(driver, ready, seconds=120):
    """Wait for something to be so, and return it."""
    waiting = WebDriverWait(driver, seconds, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException])
    return waiting.until(lambda _: ready())


def find(driver, selector):
    """The first element, or None."""
    found = driver.find_elements(By.CSS_SELECTOR, selector)
    return found[0] if found else None


def see(driver, selector):
    """Wait for an element that is shown."""
    return until(
        driver, lambda: next((e for e in driver.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), None)
    )


def text(driver, selector):
    """All text of an element, also where it is out of sight."""
    return driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


TABS = {
    "Researcher": ("Identify", "Batch", "Traditions"),
    "Curator": ("Map", "Review", "Enrol"),
    "About this model": (),
}
"""The app's tabs, those of each person in the order of use."""


def tab(driver, title):
    """Open a tab of the app, and before it the one that it is within."""
    around = next((person for person, titles in TABS.items() if title in titles), None)
    for each in filter(None, (around, title)):
        until(driver, lambda each=each: _pressed(driver, each))


def _pressed(driver, title):
    """Whether the tab was there to be pressed; the page may be putting its tabs in order just then."""
    found = [each for each in driver.find_elements(By.CSS_SELECTOR, "button[role=tab]") if each.is_displayed()]
    for button in found:
        if button.text.strip() == title:
            button.click()
            return True
    return False


def errors(driver):
    """What the browser has reported as an error since it was asked last."""
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def too_wide(driver):
    """Pixels by which the page is wider than its window."""
    return max(0, driver.execute_script("return document.documentElement.scrollWidth - innerWidth"))


class AxeAbsent(Exception):
    """npm is not installed, or cannot fetch the script."""


def install_axe(folder: Path) -> None:
    """Fetch axe-core from npm into a folder.

    Raises:
        AxeAbsent: it is not to be had.
    """
    if shutil.which("npm") is None:
        raise AxeAbsent("npm is not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), AXE]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise AxeAbsent(f"npm cannot fetch {AXE}") from error


def axe_script(folder: Path) -> str:
    """The script of axe-core, where it was fetched."""
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def barriers(driver, axe):
    """Serious and critical violations that axe-core finds in what is shown, once nothing of it is faded any more."""
    fading = """return document.querySelector('.pending') !== null || document.getAnimations().some(
      (each) => each.playState === 'running' && each.effect.getTiming().iterations !== Infinity)"""
    until(driver, lambda: not driver.execute_script(fading))
    driver.execute_script(axe)
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((all) => done(all.violations))"
    )
    return [
        (each["id"], node["target"], node["failureSummary"][:300])
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
