"""Tables that people keep, read as the text that stands in them: CSV of every kind, and workbooks."""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from saree_cosface.console import console
from saree_cosface.data.kinds import named_like_photo
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.names import tidy
from saree_cosface.data.values import text_of

IsHeader = Callable[[Sequence[str]], bool]
"""Whether the fields of a row, without blanks at their ends, are the names of the columns."""

Rows = list[tuple[int, list[str]]]
"""Fields of each row, with the number of the line that it begins in."""

_SEPARATORS = ",;\t"
_DECLARED = re.compile(r'"?sep=(.)"?[\r\n]')  # Excel's own first line
_HEAD = 1000  # bytes in which text of another width shows
_SOUGHT = 20  # rows among which the header is sought, below a title perhaps


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes:
        place: the file, and the sheet of a workbook, as messages name them.
        header: names of the columns; one without a name is called "unnamed" and its number, and one without any text is
            not there.
        rows: a field for each column, just as it is written; rows without any text are not there.
        lines: number of the line, or of the row of the workbook, that each row begins in.
    """

    place: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def read_csv(path: Path, is_header: IsHeader) -> Sheet:
    """A text file, UTF-8 or with a mark of UTF-16, whose fields are parted by commas, semicolons or tabs.

    Whichever part the header so that it is known; or what a first line such as ``sep=;`` says.

    Raises:
        ManifestError: it is no such text, empty, or a row has more fields than the header.
        OSError: it cannot be read.
    """
    text = _text(path)
    declared = _DECLARED.match(text)
    separators = declared[1] if declared else _SEPARATORS
    firsts = {separator: _first_rows(text, separator) for separator in separators}
    known = [separator for separator, rows in firsts.items() if any(is_header(_names(fields)) for fields in rows)]
    separator = (known or sorted(firsts, key=lambda each: -max(map(len, firsts[each]), default=0)))[0]
    rows = list(_rows(str(path), text, separator))[1 if declared else 0 :]
    _require_closed(str(path), rows, separator)
    return _sheet(str(path), rows, is_header, f'put a value that holds a {separator!r} in "double quotes"')


def read_workbook(path: Path, is_header: IsHeader) -> tuple[list[Sheet], list[str]]:
    """The sheets of an ``.xlsx`` workbook that have such a header, and why each other that holds text was not read.

    Of formulas the results are read, and of cells that were merged downwards each has their value. Rows that are hidden
    are read too, and it is said.

    Raises:
        ManifestError: it is no workbook, no sheet has such a header, or a formula has no result.
    """
    tables: list[tuple[str, Rows]] = []
    plain: list[tuple[str, Rows]] = []
    others: list[str] = []
    for name, hidden, unseen, rows in _worksheets(path):
        place, written = f"{path}, sheet {name!r}", _not_blank(rows)
        if written and hidden:
            others.append(f"the sheet {name!r} is hidden, and was not read")
        elif written and _header_row(written, is_header) is None:
            plain.append((place, written))
            others.append(f"the sheet {name!r} has no header that names photo and craft, and was not read")
        elif written:
            tables.append((place, written))
            out_of_sight = [line for line, _ in written if line in unseen]
            if out_of_sight:
                rows_of_it = numbered(out_of_sight, word="row")
                said = f"hidden or filtered out, and read all the same: {rows_of_it}"
                console.print(f"{place}: {said}.", style="yellow", highlight=False, markup=False)
    if not tables and not plain:
        raise ManifestError(f"{path}: holds no text{' but on hidden sheets' if others else ''}.")
    # Where there is no table, what stands first is given, so that it can be said what it lacks.
    return [_sheet(place, rows, is_header, "name their columns") for place, rows in tables or plain[:1]], others


def numbered(lines: Sequence[int], shown: int = 8, word: str = "line") -> str:
    """Lines in words.

    >>> numbered([2]), numbered([2, 3, 7], 2)
    ('line 2', 'lines 2, 3, … (3 in all)')
    """
    more = f", … ({len(lines)} in all)" if len(lines) > shown else ""
    return f"{word}{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:shown]))}{more}"


def _text(path: Path) -> str:
    content = path.read_bytes()
    coding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if b"\0" in content[:_HEAD] and (coding != "utf-16" or content.startswith(b"\xff\xfe\0\0")):
        raise ManifestError(
            f"{path}: holds NUL characters, perhaps since it is UTF-16 or UTF-32; save the table as 'CSV UTF-8'."
        )
    try:
        return content.decode(coding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{path}: line {line} is not UTF-8 text; save the table as 'CSV UTF-8'.") from error


def _rows(place: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            hint = "is a quotation mark not closed?" if "end of data" in str(error) else str(error)
            raise ManifestError(f"{place}: line {line} cannot be parted into fields ({hint}).") from error
        yield line, fields
        line = reader.line_num + 1


def _require_closed(place: str, rows: Rows, separator: str) -> None:
    """Refuse a field that holds rows of the table: a quotation mark before them was not closed, and they would be lost.

    Notes may well have several lines, but no line with a photo among as many fields as the table has.
    """
    width = max((len(fields) for _, fields in rows), default=0)
    photos = Counter(place for _, fields in rows for place, each in enumerate(fields) if named_like_photo(each.strip()))
    for line, fields in rows if photos and width > 1 else ():
        for field in fields:
            for swallowed in field.splitlines() if "\n" in field or "\r" in field else ():
                parts = swallowed.split(separator)
                if len(parts) >= width and named_like_photo(parts[photos.most_common(1)[0][0]].strip()):
                    raise ManifestError(
                        f"{place}: the row that begins in line {line} has other rows within one field, such as "
                        f"{swallowed.strip()[:60]!r}: is a quotation mark not closed?"
                    )


def _first_rows(text: str, separator: str) -> list[list[str]]:
    found = []
    try:
        for _, fields in islice(_rows("", text, separator), _SOUGHT):
            found.append(fields)
    except ManifestError:  # told of when all is read
        pass
    return found


def _names(fields: Sequence[str]) -> list[str]:
    return [tidy(field) for field in fields]


def _not_blank(rows: Rows) -> Rows:
    return [(line, fields) for line, fields in rows if any(_names(fields))]


def _header_row(rows: Rows, is_header: IsHeader) -> int | None:
    return next((row for row, (_, fields) in enumerate(rows[:_SOUGHT]) if is_header(_names(fields))), None)


def _sheet(place: str, rows: Rows, is_header: IsHeader, remedy: str) -> Sheet:
    rows = _not_blank(rows)
    if not rows:
        raise ManifestError(f"{place}: empty; it needs a header and a row a photo.")
    first = _header_row(rows, is_header) or 0
    names, body = _names(rows[first][1]), rows[first + 1 :]
    body = [(line, fields) for line, fields in body if _names(fields) != names]  # tables that were joined
    for line, fields in body:
        if is_header(_names(fields)):
            raise ManifestError(f"{place}: line {line} is another header; keep one table in a sheet or a text file.")
        if any(_names(fields[len(names) :])):
            raise ManifestError(f"{place}: line {line} has {len(fields)} fields and the header {len(names)}; {remedy}.")
    filled = [[*fields, *[""] * (len(names) - len(fields))] for _, fields in body]
    used = [column for column, name in enumerate(names) if name or any(fields[column].strip() for fields in filled)]
    repeated = sorted({names[column] for column in used if names[column] and names.count(names[column]) > 1})
    if repeated:
        raise ManifestError(f"{place}: the header repeats {', '.join(repeated)}; keep one column of each name.")
    return Sheet(
        place,
        tuple(names[column] or f"unnamed {column}" for column in used),
        tuple(tuple(fields[column] for column in used) for fields in filled),
        tuple(line for line, _ in body),
    )


def _worksheets(path: Path) -> Iterator[tuple[str, bool, set[int], Rows]]:
    """Name, whether it is hidden, which of its rows are, and rows of text of each sheet."""
    book = _open_workbook(path, False)
    formulas = {
        (sheet.title, cell.coordinate)
        for sheet in book.worksheets
        for cell in sheet._cells.values()
        if cell.data_type == "f"
    }
    for sheet in (_open_workbook(path, True) if formulas else book).worksheets:
        # Only cells that are there: one that is coloured in the last row would else bring a million before it.
        texts = {place: _cell(path, sheet.title, cell, formulas) for place, cell in sheet._cells.items()}
        for merged in sheet.merged_cells.ranges:
            value = texts.get((merged.min_row, merged.min_col), "")
            for line in range(merged.min_row + 1, merged.max_row + 1) if value else ():
                texts[line, merged.min_col] = value
        texts = {place: text for place, text in texts.items() if text.strip()}
        width = max((column for _, column in texts), default=0)
        lines = sorted({line for line, _ in texts})
        rows = [(line, [texts.get((line, column), "") for column in range(1, width + 1)]) for line in lines]
        unseen = {line for line, row in sheet.row_dimensions.items() if row.hidden}
        yield sheet.title, sheet.sheet_state != "visible", unseen, rows


def _open_workbook(path: Path, results: bool) -> Any:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is only for show: validation, conditional colours
            return openpyxl.load_workbook(path, data_only=results)
    except OSError:
        raise
    except Exception as error:  # a damaged workbook fails in as many ways as archives and XML can
        raise ManifestError(f"{path}: not a readable workbook ({error}).") from error


def _cell(path: Path, sheet: str, cell: Any, formulas: set[tuple[str, str]]) -> str:
    from openpyxl.utils.escape import unescape

    if cell.data_type == "e":  # an error in the place of a value, such as #N/A
        return ""
    # A result that is text without a letter has a type, one that was never calculated has none.
    if cell.value is None and cell.data_type != "str" and (sheet, cell.coordinate) in formulas:
        raise ManifestError(
            f"{path}, sheet {sheet!r}: the formula in {cell.coordinate} has no result; open the workbook in a"
            " spreadsheet program and save it, so that formulas are calculated."
        )
    if isinstance(cell.value, str):  # which has _x000D_ for the end of a line
        return str(unescape(cell.value)).encode(errors="ignore").decode()
    return text_of(cell.value, cell.number_format)
