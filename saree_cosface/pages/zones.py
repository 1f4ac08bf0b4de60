"""The zones of a calibration as a table: how many photos get each kind of verdict, and how often that is wrong."""

from collections.abc import Mapping
from typing import Any, get_args

from saree_cosface.answers.verdict import Kind
from saree_cosface.html.page import table
from saree_cosface.languages.language import Language


def zones_html(zones: Mapping[str, Mapping[str, Any]], say: Language) -> str:
    """The table of :func:`saree_cosface.scoring.zones.measured_zones`."""
    head = [say(f"zones.{column}") for column in ("verdict", "known", "left_out", "wrong")]
    rows = []
    for kind in get_args(Kind):
        shares, wrong = zones[kind], zones[kind]["wrong"]
        told = "–" if wrong is None else say(f"zones.wrong_{kind}", share=say.percent(wrong, 1))
        rows.append((say(f"zones.{kind}"), say.percent(shares["known"], 1), say.percent(shares["left_out"], 1), told))
    return table(head, rows, numbers=" nn")
