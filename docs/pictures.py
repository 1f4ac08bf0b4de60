"""The pictures of README.md and of these pages: ``make pictures`` makes them anew from a demonstration.

All show drawn sarees, which are CC0, or no saree at all. What a browser shows is photographed there, so that the
pictures are of the app and the map as they are now.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from saree_cosface.data.images import decode
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import atomic_path
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.browser import find, open_chromium, see, until, visit
from tests.helpers.served import Served

OUT = Path(__file__).parent / "pictures"
ALL = 1_500_000
"""Bytes that all pictures may take together."""

SIZE = (1280, 1000)
"""Of the browser's window, in pixels."""


def save(picture: Image.Image, name: str, *, width: int = 1280, quality: int = 82) -> None:
    """Write a picture as WebP, no wider than asked for."""
    picture = picture.convert("RGB")
    if picture.width > width:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    with atomic_path(OUT / f"{name}.webp") as temporary:
        picture.save(temporary, "WEBP", quality=quality, method=6)


def sarees(manifest: Manifest) -> Image.Image:
    """One drawn saree of each craft, laid flat where it was photographed so."""
    table = manifest.table.assign(other=manifest.table["view"] != "flat").sort_values(["craft", "other", "path"])
    first = table.groupby("craft").nth(1)  # which of them does not matter; the first is often an example elsewhere
    figure = Figure(figsize=(12.8, 5.1), dpi=100)
    for place, (path, craft) in enumerate(zip(first["path"], first["craft"], strict=True)):
        axes = figure.add_axes(((place % 6) / 6 + 0.003, 0.555 - 0.5 * (place // 6), 1 / 6 - 0.006, 0.44))
        photo = decode(manifest.root / path)
        side = min(photo.shape[:2])
        top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
        axes.imshow(photo[top : top + side, left : left + side], aspect="auto")
        axes.set_axis_off()
        axes.set_title(load_taxonomy()[craft].name, fontsize=11, y=-0.12)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn)


def screen(driver) -> Image.Image:
    """What the browser shows."""
    return Image.open(io.BytesIO(driver.get_screenshot_as_png()))


def answer(driver, address: str, photo: Path) -> Image.Image:
    """The app's answer about a photo, with what it rests on."""
    visit(driver, address, (SIZE[0], 1220))
    chooser = until(driver, lambda: find(driver, "#identify-photos input[type=file]"))
    chooser.send_keys(str(photo))
    until(driver, lambda: find(driver, "#identify-closer a.save"))
    until(driver, lambda: driver.execute_script("return [...document.images].every((picture) => picture.complete)"))
    driver.execute_script("document.querySelector('#identify-answer').scrollIntoView()")
    return screen(driver)


def collection(driver, page: Path) -> Image.Image:
    """The page of a map."""
    visit(driver, page.as_uri(), SIZE)
    see(driver, "#plot .main-svg")
    until(driver, lambda: "photos" in find(driver, "#count").text)
    return screen(driver)


def make(demo: Path, name: str) -> None:
    """Make what is pictured, as the program makes it now."""
    commands = {
        "map": ["map", demo / "run", demo / "corpus" / "manifest.csv", "--out", demo / "map"],
        "figure-2": ["faces", "margins", "--out", demo / "figures"],
        "figure-4": ["faces", "toy", "--out", demo / "figures"],
    }
    if name in commands:
        subprocess.run([sys.executable, "-m", "saree_cosface", *map(str, commands[name])], check=True)


def main() -> None:
    """Make all pictures, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of a demonstration, with corpus/ and run/")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="such as answer or map")
    options = parser.parse_args()
    demo = options.demo.resolve()
    manifest = read_manifest(demo / "run" / "manifest.csv")
    held_out = manifest.select(manifest.table["split"].to_numpy(str) == "test")
    photo = next(file for file, craft in zip(held_out.files(), held_out.crafts, strict=True) if craft == "patola")
    makers: dict[str, Callable[[], Image.Image]] = {
        "sarees": lambda: sarees(read_manifest(demo / "corpus" / "manifest.csv")),
        "answer": lambda: _served(demo, lambda driver, address: answer(driver, address, photo)),
        "map": lambda: _browsed(lambda driver: collection(driver, demo / "map" / "map.html")),
        "figure-2": lambda: Image.open(demo / "figures" / "margins.png"),
        "figure-4": lambda: Image.open(demo / "figures" / "toy_digits.png"),
    }
    for name in options.only or makers:
        make(demo, name)
        save(makers[name](), name)
        print(f"{OUT / name}.webp")
    taken = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{taken / 1e6:.2f} MB in all")
    if taken > ALL:
        raise SystemExit(f"more than {ALL / 1e6:g} MB: make them smaller.")


def _browsed(look: Callable[..., Image.Image]) -> Image.Image:
    with tempfile.TemporaryDirectory() as downloads, open_chromium(Path(downloads), webgl=True) as driver:
        return look(driver)


def _served(demo: Path, look: Callable[..., Image.Image]) -> Image.Image:
    with tempfile.TemporaryDirectory() as temporary:
        serving = Served(Path(temporary), demo / "run", "--manifest", demo / "corpus" / "manifest.csv")
        try:
            return _browsed(lambda driver: look(driver, serving.address))
        finally:
            serving.end()


if __name__ == "__main__":
    main()
