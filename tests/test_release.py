"""A release: its number wherever it stands, and its packages, built as for everybody and tried by themselves."""

import json
import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

from saree_cosface import __version__

ROOT = Path(__file__).parents[1]
INSIDE = {"saree_cosface": "", "app": "saree_cosface/", "configs": "saree_cosface/", "data_cards": "saree_cosface/"}
"""Folders of the checkout that are in the wheel, and below which of it."""

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".tif", ".tiff", ".npy", ".safetensors"}
ELSEWHERE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def call(*arguments, **options):
    typed = list(map(str, arguments))
    done = subprocess.run(typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_number_is_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    changes = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changes[0] == ("Unreleased", "")
    assert cited == changes[1][0] == __version__
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", changes[1][1])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source distribution, and the wheel made from it."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder / f"saree_cosface-{__version__}.tar.gz", folder / f"saree_cosface-{__version__}-py3-none-any.whl"


def inside():
    """What the wheel should hold of the package, by its names there."""
    return {
        below + path.relative_to(ROOT).as_posix()
        for folder, below in INSIDE.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_what_it_reads_and_the_licences(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
        about = message_from_bytes(wheel.read(f"saree_cosface-{__version__}.dist-info/METADATA"))
    meta = {name for name in names if ".dist-info/" in name}
    assert names - meta == inside()
    wanted = ("py.typed", "configs/demo.yaml", "data_cards/taxonomy.yaml", "app/style.css", "app/review.js")
    assert {f"saree_cosface/{name}" for name in (*wanted, "html/style.css", "maps/web/page.js")} <= names
    assert {Path(name).name for name in meta if "/licenses/" in name} == {"LICENSE", "THIRD_PARTY.md"}
    assert (about["Version"], about["License-Expression"]) == (__version__, "Apache-2.0")
    assert about["Requires-Python"] == ">=3.11"


@pytest.mark.slow
def test_no_package_holds_pictures_or_what_was_learned_from_them(built):
    with zipfile.ZipFile(built[1]) as wheel, tarfile.open(built[0]) as source:
        names = [*wheel.namelist(), *source.getnames()]
    drawn = f"saree_cosface-{__version__}/docs/pictures/"  # by the loom, and of digits
    assert [each for each in names if Path(each).suffix.lower() in PICTURES and not each.startswith(drawn)] == []
    assert [name for name in names if "__pycache__" in name] == []
    ours = {Path(name).parts[1] for name in names if name.startswith(f"saree_cosface-{__version__}/")}
    assert {"tests", "pyproject.toml", "README.md", "LICENSE"} <= ours
    assert ours & {"runs", "dist", ".venv", ".git"} == set()


@pytest.mark.slow
def test_the_container_is_built_from_what_it_copies_and_a_builder_is_shown_nothing_else(built, tmp_path):
    recipe = (ROOT / "Containerfile").read_text(encoding="utf-8")
    copied = [line.split()[1:-1] for line in recipe.splitlines() if re.match("COPY (?!--from)", line)]
    names = [name for line in copied for name in line]
    for name in names:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    call(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path / "dist", tmp_path)
    with zipfile.ZipFile(built[1]) as one, zipfile.ZipFile(tmp_path / "dist" / built[1].name) as other:
        assert {entry.filename: entry.CRC for entry in one.infolist()} == {
            entry.filename: entry.CRC for entry in other.infolist()
        }
    shown = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in shown if line.startswith("!")] == [f"!{name}" for name in names]
    assert "*" in shown


@pytest.fixture(scope="module")
def empty(built, tmp_path_factory):
    """The ``bin`` of an environment that holds the wheel, and sees the libraries that are installed here."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", built[1], env=ELSEWHERE)
    # A line of a .pth file is a folder to look into, whose own .pth files, such as one that names the checkout, are not
    # read.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()))
    return python.parent


@pytest.mark.slow
def test_the_wheel_goes_the_whole_way_outside_the_checkout(empty, tmp_path):
    found = call(empty / "python", "-c", "import saree_cosface as it; print(it.__file__)", cwd=tmp_path, env=ELSEWHERE)
    assert Path(found.strip()).is_relative_to(empty.parent)
    smaller = "--loom.pieces_per_craft", "6", "--loom.photos_per_piece", "1", "--loom.size", "96"
    demo = [str(each) for each in (empty / "saree-cosface", "demo", "--out", tmp_path / "demo", *smaller, "--serve")]
    with subprocess.Popen(
        demo, cwd=tmp_path, env={**ELSEWHERE, "COLUMNS": "200"}, stderr=subprocess.PIPE, text=True
    ) as served:
        lines, address = [], None
        for line in served.stderr:
            lines.append(line)
            if address := re.search(r"Open (http://127\.0\.0\.1:\d+/)", line):
                break
        said = "".join(lines)
        try:
            assert address, said
            assert "Step 6 of 6" in said
            with urllib.request.urlopen(f"{address[1]}health", timeout=60) as answer:
                assert json.load(answer)["version"] == __version__
        finally:
            served.terminate()
            served.stderr.read()
    assert served.returncode == 0
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert f"saree-cosface {__version__}" in page
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
