import csv
import io

import pytest

from saree_cosface.data.csv_text import csv_text


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1 (2)", "-x", "@shop", "\tshop", "-"])
def test_a_formula_is_read_as_text(text):
    (row,) = csv.DictReader(io.StringIO(csv_text(["name"], [{"name": text}]), newline=""))
    assert row["name"] == f"'{text}"


@pytest.mark.parametrize("value", ["patola.jpg", "", "साड़ी, blue", 'a "b"\nc', "-0.25", "+3e-4", -0.5, None])
def test_everything_else_stays_as_it_is(value):
    rows = list(csv.reader(io.StringIO(csv_text(["name", "n"], [{"name": value, "n": 1}]), newline="")))
    assert rows == [["name", "n"], ["" if value is None else str(value), "1"]]


def test_a_carriage_return_does_not_break_the_table():
    assert list(csv.reader(io.StringIO(csv_text(["name"], [{"name": "a\r=1"}]), newline=""))) == [["name"], ["a =1"]]
