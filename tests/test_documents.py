"""README.md and docs/: every block of code is run or read, and what it prints is what stands there.

``SAREE_COSFACE_RENEW=1 pytest tests/test_documents*.py`` writes what is printed into the pages where it differs. What
tells how a thing is done is run by ``test_documents_how_to.py``, beside this.
"""

import json

import pytest

from tests.helpers.documents import DOCS, READ, ROOT, RUN, SHOWN, alike, blocks, differs, pages, read, written
from tests.helpers.page_runs import TOUR, named, run_pages

PAGES = pages()


@pytest.mark.slow
def test_the_tour(toured):
    said = json.loads((toured / "said").read_text())
    assert not said, "\n".join(said)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in run_pages() if DOCS / "how-to" not in page.parents], ids=named)
def test_what_a_page_runs(page, said_of):
    assert not (said := said_of(page)), "\n".join(said)


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
