"""The site of docs/: built without a warning and without the network, whole, and its links lead somewhere."""

import doctest
import importlib.util
import re
import subprocess
import sys
from argparse import SUPPRESS
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import saree_cosface
from saree_cosface.cli import COMMANDS, command_line
from tests.helpers.documents import ROOT, pages

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
PICTURES = 1_500_000
"""Bytes that all pictures may take together."""


def module(name: str):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    out = tmp_path_factory.mktemp("site")
    options = ("--builder", "html", "--fail-on-warning", "--keep-going", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, out], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.mark.slow
def test_every_command_and_option_is_told(site):
    leaves = dict(module("commands_reference").leaves(command_line()[0]))
    assert len(leaves) > len(COMMANDS)
    for name, parser in leaves.items():
        page = (site / "reference" / "commands" / f"{name.split()[0]}.html").read_text(encoding="utf-8")
        usual = (site / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
        assert f"saree-cosface {name}" in page
        for action in parser._actions:
            if action.option_strings and action.help is not SUPPRESS:
                assert any(action.option_strings[-1] in text for text in (page, usual)), (name, action.option_strings)


@pytest.mark.slow
def test_every_public_name_is_told_with_its_source(site):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in saree_cosface.__all__:
        assert f'id="saree_cosface.{name}"' in page, name
    assert page.count("[source]") >= len(saree_cosface.__all__)
    assert "<dt>Raises:" in page or "Raises" in page


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site):
    loaded = re.compile(r'<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]+"')
    html = {page.relative_to(site): page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert {str(page): found[0] for page, text in html.items() if (found := loaded.search(text))} == {}
    assert "<math" in html[Path("explanations/how-it-works.html")]  # formulas are the browser's own
    assert '"../reference/repository/results.html"' in html[Path("explanations/lmcl.html")]


@pytest.mark.slow
def test_every_page_is_in_the_contents(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    for page in ("start/tour", "how-to/enrol", "explanations/lmcl", "reference/commands/index", "reference/python"):
        assert f'href="{page}.html"' in index, page


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there_and_addresses_are_well_formed(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        found = urlsplit(link)
        if found.scheme:
            assert found.scheme == "https", link
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", found.netloc), link
        elif found.path:
            assert (page.parent / found.path).exists(), f"{page}: {link}"


@pytest.mark.slow
def test_the_helpers_of_the_site_do_what_they_say():
    for name in ("links", "commands_reference", "names_reference", "mathml"):
        assert doctest.testmod(module(name)).failed == 0


def test_pictures_are_small_and_all_are_shown():
    shown = " ".join(page.read_text(encoding="utf-8") for page in pages())
    pictures = sorted((DOCS / "pictures").iterdir())
    assert all(picture.name in shown for picture in pictures)
    assert sum(picture.stat().st_size for picture in pictures) <= PICTURES
