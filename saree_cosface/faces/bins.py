"""InsightFace's ``.bin`` files of verification pairs, read without unpickling them.

Such a file is a pickle of ``([image, image, ...], [same, ...])``: the bytes of two JPEGs a pair, and a truth value a
pair. Unpickling calls whatever the file names. Here its instructions are stepped through instead, by a machine that
knows only those which build lists of bytes and truth values; nothing that a file names is ever imported or called.
"""

import mmap
import pickletools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from saree_cosface.faces.datasets import INSIGHTFACE_BINS, FaceDataError, require
from saree_cosface.faces.pairs import FOLDS, PairRow, Pairs, make_pairs

_ENCODE = ("_codecs", "encode")  # how Python 3 writes bytes for Python 2
_DTYPE = ("numpy", "dtype")
_SCALARS = (("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"))
_NAMES = (_ENCODE, _DTYPE, *_SCALARS)

_VALUES = frozenset(
    {
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG1"),
    }
)
_STRINGS = frozenset({"BINSTRING", "SHORT_BINSTRING"})  # Python 2's str, which held bytes
_CONSTANTS = {"NEWTRUE": True, "NEWFALSE": False, "NONE": None}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class BadBin(FaceDataError):
    """A ``.bin`` file that is damaged, or holds something other than images and truth values."""


@dataclass(frozen=True, eq=False)
class BinPairs:
    """Pairs that bring their images along.

    Attributes:
        images: (2P,) the bytes of an image file each; those of pair i are images 2i and 2i + 1.
        pairs: the pairs; the names are the positions of the images, "0", "1", ...; the folds are tenths, in order,
            unless one of these has no pair of a kind.
    """

    images: tuple[bytes, ...]
    pairs: Pairs


class _Mark:
    """Where the items of a list or tuple begin on the stack."""


class _BooleanType:
    """Stands for NumPy's type of truth values."""


@dataclass(frozen=True)
class _Name:
    """A name that the file mentions. It is looked at, never looked up."""

    name: tuple[str, str]


def read_bin(path: Path | str) -> BinPairs:
    """The images and pairs of a ``.bin`` file (``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``, ...).

    Raises:
        BadBin: it is damaged, cut short, not such a file, or names anything that such files have no use for.
        FileNotFoundError: there is no such file.
    """
    path = require(path, INSIGHTFACE_BINS, "a file of image pairs (.bin)")
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise BadBin(f"{path}: empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                value = _value(content)
            except BadBin as error:
                raise BadBin(f"{path}: {error}") from error
            except Exception as error:  # an instruction without its arguments, in any of a dozen ways
                raise BadBin(f"{path}: damaged, cut short, or not a .bin file of pairs ({error})") from error
    if not (isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(part, list) for part in value)):
        raise BadBin(f"{path}: holds something other than a list of images and a list of truth values")
    images, same = value
    if not all(isinstance(image, bytes) for image in images) or not all(answer in (0, 1) for answer in same):
        raise BadBin(f"{path}: an image is not bytes, or an answer is not true or false")
    if len(images) != 2 * len(same) or not same:
        raise BadBin(f"{path}: holds {len(images)} images for {len(same)} pairs; two a pair are needed")
    rows = [
        # The fold is a tenth of the whole, whatever is in it: so do all who evaluate on these files.
        PairRow(pair + 1, str(2 * pair), str(2 * pair + 1), bool(answer), pair * FOLDS // len(same))
        for pair, answer in enumerate(same)
    ]
    if any(len({row.same for row in rows if row.fold == fold}) < 2 for fold in range(min(FOLDS, len(rows)))):
        note = "a tenth of the file holds one kind of pair alone, so each kind was dealt to the folds by itself"
        dealt = make_pairs(path, [replace(row, fold=None) for row in rows])
        return BinPairs(tuple(images), replace(dealt, notes=(note,)))
    # The file gives no folds, so that tenths of unequal size are no fault of it.
    return BinPairs(tuple(images), replace(make_pairs(path, rows), dealt=True))


def _value(content: mmap.mmap) -> Any:
    """What the instructions build."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for opcode, argument, position in pickletools.genops(cast(IO[bytes], content)):
        name = opcode.name
        if name == "STOP":
            return stack.pop()
        if name in _VALUES:
            stack.append(argument)
        elif name in _STRINGS:
            stack.append(argument.encode("latin-1"))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            stack.append(_Mark())
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("LIST", "TUPLE"):
            items = _since_mark(stack)
            stack.append(items if name == "LIST" else tuple(items))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
            _list(stack[-1]).extend(items)
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "GLOBAL":
            stack.append(_named(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_named(module, attribute))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_reduced(function, arguments))
        elif name == "BUILD":
            stack.pop()  # the byte order of a type that has none
            if not isinstance(stack[-1], _BooleanType):
                raise BadBin(f"sets the state of an object (byte {position}); it was refused")
        elif name not in ("PROTO", "FRAME"):
            raise BadBin(f"holds the instruction {name} (byte {position}), which images and pairs have no use for")
    raise BadBin("cut short")


def _since_mark(stack: list[Any]) -> list[Any]:
    """Everything above the last mark, which is taken off with it."""
    start = max(index for index, item in enumerate(stack) if isinstance(item, _Mark))
    items = stack[start + 1 :]
    del stack[start:]
    return items


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadBin("appends to what is no list")
    return value


def _named(module: str, attribute: str) -> _Name:
    if (module, attribute) not in _NAMES:
        raise BadBin(f"names {module}.{attribute}, which images and pairs have no use for; it was not touched")
    return _Name((module, attribute))


def _reduced(function: Any, arguments: Any) -> bytes | bool | _BooleanType:
    """What the call would return, for the few calls that occur."""
    match function, arguments:
        case _Name(name), (str(text), "latin1" | "latin-1") if name == _ENCODE:
            return text.encode("latin-1")
        case _Name(name), ("b1" | "?" | b"b1", *_) if name == _DTYPE:
            return _BooleanType()
        case _Name(name), (_BooleanType(), (b"\0" | b"\1") as value) if name in _SCALARS:
            return bool(value == b"\1")
    raise BadBin("calls something with arguments that images and pairs have no use for; it was refused")
