"""What the text of a table's further columns says: numbers, truth values, or just text."""

import re
from datetime import datetime
from typing import Any

import pandas as pd

_GAPS = ("NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None")
_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_EXACT = 2**53  # up to which a float holds every whole number


_AS_SHOWN = re.compile(r'((?:"[^"]*"|\\.|[-+() ])*)(0+)((?:"[^"]*"|\\.|[-+() ])*)')
"""A number format of zeros, with text around them: in quotation marks, behind a backslash, or a sign alone."""


def as_said(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers or truth values where a column of text holds nothing else, except for gaps; else the text itself.

    >>> as_said(pd.Series(["1990", "NA", "1985"])).tolist(), as_said(pd.Series(["007", "NA", "B12"])).tolist()
    ([1990.0, nan, 1985.0], ['007', 'NA', 'B12'])
    """
    known = column[column.notna() & ~column.isin(_GAPS)]
    if not len(known) or not all(isinstance(value, str) for value in known):
        return column
    if known.isin(_TRUTHS).all():
        return known.map(_TRUTHS).reindex(column.index)
    try:
        return pd.to_numeric(known).reindex(column.index)
    except (ValueError, OverflowError):
        return column


def as_kept(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers or truth values where the same text comes back when they are written: 1990, not 007, 1e5 or NA.

    >>> as_kept(pd.Series(["1990", None])).tolist(), as_kept(pd.Series(["007", "1985"])).tolist()
    ([1990.0, nan], ['007', '1985'])
    """
    said = as_said(column)
    written = ["" if pd.isna(value) else str(value) for value in as_written(said)]
    return said if written == ["" if pd.isna(value) else value for value in column] else column


def as_written(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Whole numbers with gaps, which pandas holds as floats, as whole numbers: a year stays 1990, not 1990.0."""
    if column.dtype.kind != "f" or not column.isna().any():
        return column
    whole = (column.dropna() % 1 == 0).all() and (column.dropna().abs() < _EXACT).all()
    return column.astype("Int64") if whole else column


def text_of(value: Any, digits: str = "General") -> str:
    """The text of a cell of a workbook or a Parquet table, as people read it: 7 for 7.0, a date without a time.

    Args:
        value: None, text, a number, a truth value, a date or a time.
        digits: the format of a cell; zeros, as in "0000", give a number so many digits, and text around them is shown.

    >>> text_of(7.0), text_of(7, "000"), text_of(True), text_of(pd.Timestamp(2020, 5, 1)), text_of(None)
    ('7', '007', 'True', '2020-05-01', '')
    >>> text_of(7, '"PAT-"000')
    'PAT-007'
    """
    if isinstance(value, str):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if pd.api.types.is_float(value):
        return text_of(int(value), digits) if float(value).is_integer() else format(value, ".15g")
    if pd.api.types.is_integer(value):
        shown = _AS_SHOWN.fullmatch(digits) if value >= 0 else None
        before, zeros, behind = shown.groups() if shown else ("", "", "")
        return _literal(before) + str(value).zfill(len(zeros)) + _literal(behind)
    if isinstance(value, datetime):
        return str(value).removesuffix(" 00:00:00")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _literal(shown: str) -> str:
    return re.sub(r'"([^"]*)"|\\(.)', lambda found: found[1] or found[2] or "", shown)
