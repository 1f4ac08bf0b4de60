"""Entries of a log as a table on the screen."""

from rich.console import Console

from saree_cosface.curation.tables import print_entries
from tests.helpers.decided import about


def test_a_listed_log_cuts_nothing(log, tmp_path):
    about(log, "exclude", "museum/c.jpg", why="a dupatta " * 20 + "unabbreviated" * 5)
    about(log, "duplicate", "shop/a.jpg", others=["shop/b.jpg"])
    with (tmp_path / "said").open("w") as file:
        print_entries(log.entries(), log.entries(), Console(file=file, width=70))
    assert "…" not in (tmp_path / "said").read_text()
