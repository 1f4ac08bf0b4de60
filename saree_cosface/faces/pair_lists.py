"""Reading pair lists: of Labeled Faces in the Wild and its cross-age and cross-pose versions, of CFP, and any other.

Byte order marks and line ends of any system are read over. A malformed row is an error with its line, never a guess.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.faces.datasets import CALFW, CFP, CPLFW, LFW, FaceDataError, FaceSet, require
from saree_cosface.faces.pairs import FOLDS, PairRow, Pairs, make_pairs


def read_lfw_pairs(path: Path | str, *, suffix: str = ".jpg") -> Pairs:
    """The pairs of Labeled Faces in the Wild: of View 2 (``pairs.txt``) or of View 1 (``pairsDevTrain.txt``, ...).

    The header of View 2 gives the number of folds and n; each fold has n rows ``person number number`` of one person,
    then n rows ``person number person number`` of two. View 1 gives n alone, and is one fold.

    Args:
        path: the list.
        suffix: of the image files.

    Raises:
        FaceDataError: a row, or the number of rows, is not as the header says; the message gives the line.
        FileNotFoundError: there is no such file.
    """
    path = require(path, LFW, "a list of pairs (pairs.txt of View 2, pairsDevTrain.txt or pairsDevTest.txt of View 1)")
    lines = text_lines(path)
    line, header = lines[0]
    numbers = header.split()
    if len(numbers) not in (1, 2) or not all(_is_number(number) and int(number) for number in numbers):
        raise FaceDataError(
            f"{path}, line {line}: {header!r} is no header of an LFW list; it should be the number of folds and the "
            "pairs of each kind in a fold, as in '10 300', or in View 1 the pairs of each kind"
        )
    size, folds = int(numbers[-1]), int(numbers[0]) if len(numbers) == 2 else 1
    published = (folds, size) == (10, 300)
    if len(lines) - 1 != 2 * size * folds:
        raise FaceDataError(
            f"{path}: has {len(lines) - 1} pairs, but its header {header!r} announces {2 * size * folds}; it was cut "
            "short or changed: fetch it again"
        )
    rows = []
    for index, (line, text) in enumerate(lines[1:]):
        fold, within = divmod(index, 2 * size)
        first, second = _lfw_names(path, line, text, within < size, suffix)
        rows.append(PairRow(line, first, second, within < size, fold))
    pairs = make_pairs(path, rows)
    note = f"{folds} {'fold' if folds == 1 else 'folds'} of {size} pairs of each kind, not the 10 of 300 of View 2"
    return pairs if published else replace(pairs, notes=(note,))


def suffix_there(folder: Path | str, pairs: Pairs) -> str:
    """The suffix under which a folder holds the images that pairs name: the pairs' own, unless it has another.

    Some keep LFW as PNG, and its list has no suffixes.
    """
    own = PurePosixPath(pairs.first[0]).suffix
    for name in pairs.names[:100]:
        for suffix in (own, *PHOTO_SUFFIXES):
            if (Path(folder) / name).with_suffix(suffix).is_file():
                return suffix
    return own


def read_pair_list(path: Path | str, data: FaceSet | None = None) -> Pairs:
    """Any list with two image names and 0 or 1 (1: one person) a row, and perhaps a fold.

    Columns are separated by tabs, commas, semicolons or blanks, whichever the first row has. A first row that names
    the columns is skipped. Without a fold column the same pairs are dealt to ten folds in blocks, in the order of the
    list, and the different pairs likewise; on the balanced lists that circulate (AgeDB-30: 300 same and 300 different
    pairs, ten times) these are the folds that everybody takes.

    Args:
        path: the list.
        data: the data set, named when the list is missing.

    Raises:
        FaceDataError: a row is malformed, names a file outside the image folder, or contradicts another one.
        FileNotFoundError: there is no such file.
    """
    path = Path(path) if data is None else require(path, data, "the list of pairs")
    lines = text_lines(path)
    delimiter = next((mark for mark in "\t,;" if mark in lines[0][1]), None)
    rows = []
    width = 0
    for number, (line, text) in enumerate(lines):
        fields = _fields(path, line, text, delimiter)
        if number == 0 and _is_header(fields):
            continue
        width = width or len(fields)
        if len(fields) not in (3, 4) or len(fields) != width:
            hint = "; separate names that hold blanks by tabs or commas" if delimiter is None else ""
            raise FaceDataError(
                f"{path}, line {line}: {len(fields)} columns; a row is two image names, 0 or 1, and in all rows or "
                f"none a fold{hint}"
            )
        if fields[2] not in ("0", "1"):
            raise FaceDataError(
                f"{path}, line {line}: {fields[2]!r} says not whether the two are one person; write 1 or 0"
            )
        if width == 4 and not _is_number(fields[3]):
            raise FaceDataError(f"{path}, line {line}: {fields[3]!r} is no fold; folds are whole numbers")
        rows.append(PairRow(line, fields[0], fields[1], fields[2] == "1", int(fields[3]) if width == 4 else None))
    return make_pairs(path, rows)


def read_calfw_pairs(path: Path | str) -> Pairs:
    """The pairs of Cross-Age LFW (``pairs_CALFW.txt``): two rows ``image number`` a pair, both with the same number.

    The number is the fold, from 1, of a pair of one person, and 0 for every pair of two people; those are dealt to the
    folds in blocks, in the order of the list. Images lie directly in the image folder (``aligned images``).

    Raises:
        FaceDataError: a row is malformed, or the two rows of a pair differ in their number.
        FileNotFoundError: there is no such file.
    """
    return _two_row_pairs(path, CALFW, "the list of pairs (pairs_CALFW.txt)")


def read_cplfw_pairs(path: Path | str) -> Pairs:
    """The pairs of Cross-Pose LFW (``pairs_CPLFW.txt``): as in CALFW, but the number is 1 for every same pair.

    Both kinds are dealt to ten folds in blocks, in the order of the list.

    Raises:
        FaceDataError: as in :func:`read_calfw_pairs`.
        FileNotFoundError: there is no such file.
    """
    return _two_row_pairs(path, CPLFW, "the list of pairs (pairs_CPLFW.txt)")


def read_cfp_pairs(folder: Path | str, kind: Literal["FF", "FP"]) -> Pairs:
    """The pairs of Celebrities in Frontal-Profile in the Wild.

    ``Protocol/Pair_list_F.txt`` and ``Pair_list_P.txt`` number the frontal and the profile images;
    ``Protocol/Split/FF/01/same.txt`` and ``diff.txt``, and so on, give the pairs of a fold by these numbers.

    Args:
        folder: the data set, holding ``Protocol`` and ``Data/Images``; names are relative to the latter.
        kind: "FF" pairs frontal images, "FP" a frontal image (first) with a profile image (second).

    Raises:
        FaceDataError: a row is malformed or refers to an image that is not numbered; the message gives the line.
        FileNotFoundError: a list is absent.
        ValueError: ``kind`` is neither.
    """
    if kind not in ("FF", "FP"):
        raise ValueError(f'kind is {kind!r}; it is "FF" (frontal-frontal) or "FP" (frontal-profile)')
    protocol = Path(folder) / "Protocol"
    images = [_cfp_images(protocol / f"Pair_list_{pose}.txt") for pose in kind]
    rows = []
    for fold in range(FOLDS):
        for name in ("same.txt", "diff.txt"):
            path = protocol / "Split" / kind / f"{fold + 1:02d}" / name
            for line, text in text_lines(require(path, CFP, f"the {name[:4]} pairs of fold {fold + 1} of {kind}")):
                numbers = [number.strip() for number in text.split(",")]
                if len(numbers) != 2 or any(n not in known for n, known in zip(numbers, images, strict=True)):
                    raise FaceDataError(
                        f"{path}, line {line}: {text!r} is not two numbers of images listed in Pair_list_F.txt"
                        + (" and Pair_list_P.txt" if kind == "FP" else "")
                    )
                first, second = (known[n] for n, known in zip(numbers, images, strict=True))
                rows.append(PairRow(line, first, second, name == "same.txt", fold))
    return make_pairs(protocol / "Split" / kind, rows)


def text_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, each with its number from 1.

    Raises:
        FaceDataError: it is no UTF-8 text, or has no such line.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FaceDataError(f"{path}, line {line}: not UTF-8 text; is it the list itself?") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise FaceDataError(f"{path}: empty")
    return lines


def _two_row_pairs(path: Path | str, data: FaceSet, what: str) -> Pairs:
    path = require(path, data, what)
    rows = []
    lines = text_lines(path)
    for index in range(0, len(lines), 2):
        line, text = lines[index]
        pair = [row[1].rsplit(maxsplit=1) for row in lines[index : index + 2]]
        numbers = {fields[-1] for fields in pair}
        number = numbers.pop()
        if len(pair) != 2 or any(len(fields) != 2 for fields in pair) or numbers or not _is_number(number):
            raise FaceDataError(
                f"{path}, line {line}: {text!r} and the row after it are no pair; each should be an image name and the "
                "same number, 0 for two people"
            )
        rows.append(PairRow(line, pair[0][0], pair[1][0], int(number) > 0, int(number) - 1))
    numbered = {row.fold for row in rows if row.same}
    without = {False} if len(numbered) > 1 else {False, True}  # which kind of pairs has no fold of its own
    return make_pairs(path, [replace(row, fold=None) if row.same in without else row for row in rows])


def _cfp_images(path: Path) -> dict[str, str]:
    """Image names, relative to ``Data/Images``, by their number."""
    pose = "frontal" if path.stem.endswith("F") else "profile"
    images: dict[str, str] = {}
    for line, text in text_lines(require(path, CFP, f"the numbered list of {pose} images")):
        number, _, name = text.partition(" ")
        inside = name.strip().replace("\\", "/").rpartition("Data/Images/")[2]
        if not number.isdecimal() or number in images or not inside or inside == name.strip():
            raise FaceDataError(
                f"{path}, line {line}: {text!r} is not a new number and a name, as in "
                "'1 ../Data/Images/001/frontal/01.jpg'"
            )
        images[number] = inside
    return images


def _lfw_names(path: Path, line: int, text: str, same: bool, suffix: str) -> tuple[str, str]:
    fields = text.split()
    expected = "one person's pair: name, number, number" if same else "two people's pair: name, number, name, number"
    people, numbers = ([fields[0]] * 2, fields[1:]) if same else (fields[::2], fields[1::2])
    if len(fields) != (3 if same else 4) or not all(_is_number(n) and int(n) for n in numbers):
        raise FaceDataError(f"{path}, line {line}: {text!r} stands where the header calls for {expected}")
    if not same and people[0] == people[1]:
        raise FaceDataError(f"{path}, line {line}: {text!r} names one person where the header calls for {expected}")
    first, second = (f"{person}/{person}_{int(n):04d}{suffix}" for person, n in zip(people, numbers, strict=True))
    return first, second


def _is_number(text: str) -> bool:
    """Whether it is a whole number of a length that a list could have."""
    return text.isdecimal() and len(text) < 10


def _fields(path: Path, line: int, text: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return text.split()
    try:
        return [field.strip() for field in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise FaceDataError(f"{path}, line {line}: {error}") from error


def _is_header(fields: Sequence[str]) -> bool:
    named = any(PurePosixPath(field).suffix.lower() in PHOTO_SUFFIXES for field in fields[:2])
    return len(fields) in (3, 4) and not named and not fields[2].lstrip("+-").replace(".", "").isdecimal()
