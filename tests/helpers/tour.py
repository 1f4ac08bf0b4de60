"""The tour of the documents: taken once a session, and what it leaves there for every other page."""

import json
import os
import shutil

import pytest


@pytest.fixture(scope="module")
def settled(once):
    """A terminal of known width, and a cache of these tests."""
    from saree_cosface.console import console
    from tests.helpers.documents import WIDTH
    from tests.helpers.stage import PASSWORD

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(once("documents", lambda folder: folder.mkdir())))
        patch.setattr(console, "_width", WIDTH)
        patch.setattr("getpass.getpass", lambda *_: PASSWORD)
        yield patch


@pytest.fixture(scope="module")
def toured(once, settled):
    """A folder: in ``here`` what the tour leaves, and the photos it uses as somebody's own; in ``said`` what went wrong
    on the way; in ``clone`` what a clone of the repository has."""
    from saree_cosface.data.manifest_file import read_manifest
    from tests.helpers.documents import run, shim
    from tests.helpers.page_runs import TOUR, all_said
    from tests.helpers.stage import Stage, clone_of

    def make(folder):
        here, programs = folder / "here", shim(folder / "programs")
        here.mkdir()
        with settled.context() as patch:
            patch.chdir(here)
            stage = Stage(here, clone_of(folder / "clone"), programs, "", patch)
            said = all_said(TOUR, stage)
            stage.end()
            learned = read_manifest(here / "runs" / "tour" / "manifest.csv")
            for photo, craft, source in zip(learned.files(), learned.crafts, learned.sources, strict=True):
                mine = here / "photos" / craft / source / photo.name
                mine.parent.mkdir(parents=True, exist_ok=True)
                os.link(photo, mine)
            run("saree-cosface data import photos/ --out own.csv", programs)
        (folder / "said").write_text(json.dumps(said))

    return once("tour", make)


@pytest.fixture
def said_of(toured, settled, tmp_path, request):
    """Runs a page where the tour has left off, in a folder of its own; what went otherwise than the page says."""
    from tests.helpers.documents import shim
    from tests.helpers.page_runs import all_said, named, runs
    from tests.helpers.stage import Stage

    def said(page):
        shared = ""
        if "postgresql://" in "".join(block.text for block in runs(page)):
            shared = request.getfixturevalue("postgres").url(request.getfixturevalue("database"))
        folder = shutil.copytree(toured / "here", tmp_path / "here")
        with settled.context() as patch:
            patch.chdir(folder)
            stage = Stage(folder, toured / "clone", shim(tmp_path / "programs"), shared, patch)
            try:
                stage.prepare(named(page))
                return all_said(page, stage)
            finally:
                stage.end()

    return said
