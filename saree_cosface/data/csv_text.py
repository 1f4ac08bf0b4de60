"""Tables as CSV that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, header: bool = True) -> str:
    r"""Rows as CSV with a header, or as what follows it.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets write it themselves:
    names of files and remarks come from anybody. Numbers stay numbers.

    Args:
        columns: keys of the rows, in their order.
        rows: a value for each column.
        header: whether the names of the columns come first.

    >>> csv_text(["photo", "cosine"], [{"photo": "=1+1.jpg", "cosine": "-0.25"}])
    "photo,cosine\n'=1+1.jpg,-0.25\n"
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def safe_cell(value: Any) -> Any:
    """A value as no spreadsheet takes it for a formula."""
    if isinstance(value, str):
        value = value.replace("\r", " ")  # which the writer would leave unquoted, and no reader takes
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
