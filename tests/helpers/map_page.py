"""The page of a map with hostile names in it: written, opened in a browser, and handled as its reader does."""

import json
from contextlib import contextmanager
from urllib.parse import urlsplit

from selenium.webdriver.common.action_chains import ActionChains

from saree_cosface.maps.page import write_map_page
from tests.helpers.browser import find, until
from tests.helpers.map_photos import draw_map, draw_pictures

SCRIPT = "</script><script>window.hacked = 1</script>"
IMAGE = '"\'><img src=x onerror="window.hacked = 1">'
FORMULA = '=HYPERLINK("x","y")\r\n.jpg'
WALK = 18  # a photo at the centre of the map
ODD = (1, 2, 3, 4)


def drawn(count, folder):
    """Arguments of write_map_page for so many photos."""
    photos, files, neighbours, cosines, prototypes = draw_map(count, draw_pictures(folder))
    # A little group in the middle of the ring of clusters: what is selected, walked along and hostile.
    photos.loc[ODD[0], ["craft", "source", "piece"]] = [SCRIPT, IMAGE, "+1"]
    photos.loc[ODD[1], ["path", "source"]] = [FORMULA, '@shop, "quoted"']
    photos.loc[ODD[2], ["craft", "source"]] = ["ساڑی 🧵" + "x" * 300, "<b>" + "y" * 300]
    prototypes.loc[len(prototypes)] = [SCRIPT, -0.5, 3.0]
    photos.loc[list(ODD), "outlier"] = False
    photos.loc[list(ODD), "x"] = [-1.0, 1.0, 0.0, 0.0]
    photos.loc[list(ODD), "y"] = [0.0, 0.0, 1.0, -1.0]
    photos.loc[WALK, ["x", "y", "outlier"]] = [0.0, 0.0, False]
    files[WALK] = folder / "gone.jpg"
    return photos, files, neighbours, cosines, prototypes


def written(table, folder):
    """Where the page lies."""
    path = folder / "map #1.html"
    write_map_page(*table, path, title=f"Map {IMAGE}", facts=[f"Fact {SCRIPT}"])
    assert path.stat().st_size < 15_000_000
    return path.as_uri()


@contextmanager
def opened(chromium, address):
    """The map, freshly opened; afterwards it must have asked for nothing, run nothing hostile and reported no error."""
    chromium.get_log("browser"), chromium.get_log("performance")
    show(chromium, address)
    yield chromium
    assert chromium.execute_script("return window.hacked") is None
    assert chromium.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert any(url.startswith("file:") for url in asked)
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}
    files = {urlsplit(url).path for url in asked if url.startswith("file:")}
    assert files == {urlsplit(address).path}


def show(driver, address, view=""):
    driver.get("about:blank")
    driver.get(address + view)
    until(driver, lambda: driver.execute_script("return document.body.dataset.ready") == "yes")


def shown(driver):
    """Photos on the map, by plotly's own account."""
    return driver.execute_script(
        "const trace = document.getElementById('plot')._fullData[1]; return trace.visible ? trace.x.length : 0"
    )


def at(driver, photos, row):
    """Where a photo lies within the map, from its centre, in pixels."""
    return driver.execute_script(
        """const {xaxis, yaxis} = document.getElementById('plot')._fullLayout;
        const box = document.getElementById('map').getBoundingClientRect();
        return [Math.round(xaxis.l2p(arguments[0]) - box.width / 2), Math.round(yaxis.l2p(arguments[1]) - box.height / 2)]""",
        float(photos["x"][row]),
        float(photos["y"][row]),
    )


def hover(driver, photos, row, seen):
    """Move the pointer onto a photo; again if the page was drawing just then."""

    def moved():
        onto = ActionChains(driver, duration=0).move_to_element(find(driver, "#search"))
        onto.move_to_element_with_offset(find(driver, "#map"), *at(driver, photos, row)).pause(0.3).perform()
        print(find(driver, "#hover").text, at(driver, photos, row), find(driver, "#map").rect)
        return seen in find(driver, "#hover").text

    until(driver, moved)


def choose(driver, column):
    find(driver, f"#colour option[value={column}]").click()


def search(driver, query):
    box = find(driver, "#search")
    box.clear()
    box.send_keys(query)


def drag(page, points):
    mouse = ActionChains(page, duration=30).move_to_element_with_offset(find(page, "#map"), *points[0]).click_and_hold()
    for point in points[1:]:
        mouse.move_to_element_with_offset(find(page, "#map"), *point)
    mouse.release().perform()
