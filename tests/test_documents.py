"""README.md and docs/: every block of code is run or read, and what it prints is what stands there.

``SAREE_COSFACE_RENEW=1 pytest tests/test_documents.py`` writes what is printed into the pages where it differs.
"""

import os
import shutil
from pathlib import Path

import pytest

from saree_cosface.console import console
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers.documents import (
    READ,
    ROOT,
    RUN,
    SHOWN,
    WIDTH,
    Block,
    alike,
    blocks,
    calls,
    differs,
    pages,
    read,
    run,
    run_python,
    shim,
    written,
)
from tests.helpers.stage import PASSWORD, Stage, clone_of

PAGES = pages()
TOUR = ROOT / "docs" / "start" / "tour.md"
"""What this page makes, the blocks of all others find."""

RENEW = "SAREE_COSFACE_RENEW" in os.environ


def named(page: Path) -> str:
    return str(page.relative_to(ROOT).with_suffix(""))


def runs(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in RUN]


def all_said(page: Path, stage: Stage) -> list[str]:
    """Run the blocks of a page in the current folder; what went otherwise than the page says."""
    said, names, found = [], {}, blocks(page)
    renewed: list[tuple[Block, str]] = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.language == "console":
            again = ""
            for command, expected in calls(block.text):
                status, printed = stage.run(command)
                wrong = differs(expected, printed) if expected else ""
                if status or wrong:
                    said.append(f"{block}: {command}: status {status}, {wrong}\n{printed}")
                again += f"$ {command}\n{printed if wrong else expected}"
            renewed.append((block, again))
        elif block.language == "sh":
            said += [f"{block}: {command}: {wrong}" for command, wrong in stage.run_block(block.text)]
        elif block.language == "slurm":
            said += [f"{block}: {wrong}" for wrong in stage.run_slurm(block.text)]
        elif block.language == "systemd":
            said += [f"{block}: {wrong}" for wrong in stage.run_unit(block.text)]
        elif block.language == "python":
            printed = run_python(stage.typed(block.text)[0], names)
            text = page.read_text(encoding="utf-8")
            follows = (
                after is not None and after.language == "text" and not text[block.end + 3 : after.start - 8].strip()
            )
            wrong = differs(after.text if follows else "", printed)
            if wrong:
                said.append(f"{block}: {wrong}\n{printed}")
                renewed += [(after, printed)] if follows else []
    if RENEW and said:
        renew(page, renewed)
    return said


def tidy(printed: str) -> str:
    """What is printed without blanks at the ends of lines, lines of blanks, and bars that tell of progress."""
    lines = (line.rstrip() for line in printed.splitlines())
    return "".join(f"{line}\n" for line in lines if line and "it/s" not in line)


def renew(page: Path, renewed: list[tuple[Block, str]]) -> None:
    text = page.read_text(encoding="utf-8")
    for block, again in sorted(renewed, key=lambda each: -each[0].start):
        if calls(block.text) != calls(again) or block.language == "text":
            text = text[: block.start] + tidy(again) + text[block.end :]
    page.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def settled(once):
    """A terminal of known width, and a cache of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(once("documents", lambda folder: folder.mkdir())))
        patch.setattr(console, "_width", WIDTH)
        patch.setattr("getpass.getpass", lambda *_: PASSWORD)
        yield patch


@pytest.fixture(scope="module")
def toured(settled, tmp_path_factory):
    """The folder that the tour leaves, the photos it uses as somebody's own, and what went wrong on the way."""
    folder = tmp_path_factory.mktemp("tour")
    settled.chdir(folder)
    stage = Stage(folder, clone_of(folder.parent / "clone"), shim(folder.parent / "programs"), "", settled)
    said = all_said(TOUR, stage)
    stage.end()
    learned = read_manifest(folder / "runs" / "tour" / "manifest.csv")
    for photo, craft, source in zip(learned.files(), learned.crafts, learned.sources, strict=True):
        mine = folder / "photos" / craft / source / photo.name
        mine.parent.mkdir(parents=True, exist_ok=True)
        os.link(photo, mine)
    run("saree-cosface data import photos/ --out own.csv", stage.programs)
    return folder, said


@pytest.mark.slow
def test_the_tour(toured):
    assert not toured[1], "\n".join(toured[1])


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != TOUR and runs(page)], ids=named)
def test_what_a_page_runs(page, toured, settled, tmp_path, request):
    shared = ""
    if "postgresql://" in "".join(block.text for block in runs(page)):
        shared = request.getfixturevalue("postgres").url(request.getfixturevalue("database"))
    folder = shutil.copytree(toured[0], tmp_path / "here")
    with settled.context() as patch:
        patch.chdir(folder)
        stage = Stage(folder, toured[0].parent / "clone", shim(tmp_path / "programs"), shared, patch)
        try:
            stage.prepare(named(page))
            said = all_said(page, stage)
        finally:
            stage.end()
    assert not said, "\n".join(said)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_does_not_run_is_at_least_read(page):
    for block in blocks(page):
        assert block.language in (*RUN, *READ, *SHOWN), f"{block}: of what language is this block?"
        for command in written(block) if block.language in READ else ():
            read(command)


# --- that the comparison can fail ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("saree-cosface predict RUN a.jpg --pieces", "--pieces"),
        ("saree-cosface foretell RUN", "foretell"),
        ("torchrun --nnodes 2 -m saree_cosface train --data.manifest m.csv --out r --data.gpus 4", "data.gpus"),
        ("cd here && saree-cosface train --out run", "manifest"),
        ("make everything", "not known"),
        ("pip install 'saree-cosface[gold]'", "not known"),
        ("python benchmarks/heads.py --batches 4", "not known"),
        ("rm -r runs", "not known"),
    ],
)
def test_a_wrong_command_is_noticed(command, said):
    with pytest.raises(ValueError, match=said):
        read(command)


def test_what_is_printed_otherwise_is_noticed():
    expected = "photos: 60 train\n…\n│ top1 │ 0.80 │ 53.5 % │\n"
    assert not differs(expected, "photos: 60 train\nand\nmore\n\n│  top1 │ 0.82 │ 55.0 % │\n")
    assert "'photos: 61 train'" in differs(expected, "photos: 61 train\n│ top1 │ 0.80 │ 53.5 % │\n")
    assert differs(expected, "photos: 60 train\n│ top1 │ 0.85 │ 53.5 % │\n")
    assert differs(expected, "photos: 60 train\n│ top1 │ 0.80 │ 57.5 % │\n")
    assert differs(expected, "photos: 60 train\n│ top1 │ 0.80 │ 53.5 % │\nand more\n")
    assert "nothing more" in differs(expected, "photos: 60 train\n")
    assert not alike("Patola: a cosine of 0.74", "Kasavu: a cosine of 0.74")


def test_every_page_of_the_documents_is_looked_at():
    assert {ROOT / "README.md", TOUR} <= set(PAGES)
    assert not [page for page in PAGES if "_build" in page.parts]
