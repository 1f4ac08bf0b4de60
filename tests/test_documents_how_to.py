"""The pages of docs/how-to: every block of code is run, and what it prints is what stands there."""

import pytest

from tests.helpers.documents import DOCS
from tests.helpers.page_runs import named, run_pages


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in run_pages() if DOCS / "how-to" in page.parents], ids=named)
def test_what_a_page_runs(page, said_of):
    assert not (said := said_of(page)), "\n".join(said)
