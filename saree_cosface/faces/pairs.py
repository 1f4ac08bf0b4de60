"""Pairs of face verification: which two images, whether they show one person, and in which fold they count.

Pairs are taken as they are listed. What could change a protocol (images that are absent, folds of unequal size, pairs
listed twice) is refused or told, never repaired.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from saree_cosface.faces.datasets import FaceDataError

FOLDS = 10
"""Folds of the published protocols."""

_SHOWN = 10


class MissingImages(FaceDataError):
    """Pairs name images that are not there.

    Attributes:
        names: those images, in the order of the list.
    """

    def __init__(self, message: str, names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.names = names


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images (or of videos).

    Attributes:
        first: (P,) names, relative to the image folder, with slashes.
        second: (P,) names.
        same: (P,) whether both show one person.
        folds: (P,) fold of each pair, from 0.
        source: where the list is from, for messages.
        dealt: whether the list gives no folds, so that pairs were dealt to them here.
        notes: what else a reader of the score should know about the list.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    source: str = "the pairs"
    dealt: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.first)

    @property
    def names(self) -> tuple[str, ...]:
        """Every image named, once, in the order of the list."""
        return tuple(dict.fromkeys(name for pair in zip(self.first, self.second, strict=True) for name in pair))

    def select(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """The pairs where ``chosen`` (P,) is true; their folds keep their numbers."""
        rows = np.flatnonzero(chosen)
        first, second = (tuple(names[row] for row in rows) for names in (self.first, self.second))
        return replace(self, first=first, second=second, same=self.same[rows], folds=self.folds[rows])


@dataclass(frozen=True)
class PairRow:
    """One pair as it was read, and on which line; ``fold`` is None where the list gives none."""

    line: int
    first: str
    second: str
    same: bool
    fold: int | None = None


def make_pairs(path: Path, rows: Sequence[PairRow]) -> Pairs:
    """Pairs of checked rows; folds are numbered from 0 in their order, and dealt out to the rows without one.

    Raises:
        FaceDataError: there are no rows, a name leaves the image folder, or two rows contradict each other.
    """
    if not rows:
        raise FaceDataError(f"{path}: lists no pairs")
    names = []
    seen: dict[frozenset[str], PairRow] = {}
    for row in rows:
        try:
            pair = safe_name(row.first), safe_name(row.second)
        except ValueError as error:
            raise FaceDataError(f"{path}, line {row.line}: {error}") from error
        before = seen.setdefault(frozenset(pair), row)
        if before.same != row.same:
            raise FaceDataError(
                f"{path}, line {row.line}: says that {pair[0]} and {pair[1]} are "
                f"{'one person' if row.same else 'two people'}, but line {before.line} says the opposite"
            )
        names.append(pair)
    same = np.array([row.same for row in rows], dtype=np.bool_)
    folds = np.array([-1 if row.fold is None else row.fold for row in rows], dtype=np.int64)
    for kind in (True, False):
        dealt = np.flatnonzero((folds < 0) & (same == kind))
        folds[dealt] = np.arange(len(dealt)) * FOLDS // max(1, len(dealt))
    first, second = zip(*names, strict=True)
    numbers = np.unique(folds, return_inverse=True)[1].astype(np.int64)
    return Pairs(first, second, same, numbers, str(path), dealt=any(row.fold is None for row in rows))


def unequal_folds(pairs: Pairs) -> str:
    """How the folds differ in size, in words; "" where they do not.

    >>> unequal_folds(Pairs(("a", "a", "b"), ("b", "b", "c"), np.array([True, True, False]), np.array([0, 0, 1])))
    'the folds are unequal: of one person 0 to 2 pairs, of two people 0 to 1'
    """
    sizes = [np.bincount(pairs.folds[pairs.same == kind], minlength=int(pairs.folds.max()) + 1) for kind in (1, 0)]
    if all(len(set(size.tolist())) == 1 for size in sizes):
        return ""
    spans = [f"{size.min()} to {size.max()}" for size in sizes]
    return f"the folds are unequal: of one person {spans[0]} pairs, of two people {spans[1]}"


def remarks(pairs: Pairs) -> tuple[str, ...]:
    """What a reader of the score should know about the list; nothing for a published one in order.

    >>> pairs = Pairs(("a", "a", "b"), ("b", "b", "c"), np.array([True, True, False]), np.array([0, 0, 1]))
    >>> remarks(pairs)
    ('the folds are unequal: of one person 0 to 2 pairs, of two people 0 to 1', '1 pair is listed twice')
    """
    found = [*pairs.notes, *filter(None, [unequal_folds(pairs)])]
    for kind, words in ((True, "one person"), (False, "two people")):
        if not np.any(pairs.same == kind):
            found.append(f"there is no pair of {words}")
    repeated = len(pairs) - len({frozenset(pair) for pair in zip(pairs.first, pairs.second, strict=True)})
    if repeated:
        found.append(f"{_count(repeated, 'pair is', 'pairs are')} listed twice")
    alone = sum(first == second for first, second in zip(pairs.first, pairs.second, strict=True))
    if alone:
        found.append(f"{_count(alone, 'pair is', 'pairs are')} of an image and itself")
    return tuple(found)


def missing(pairs: Pairs, folder: Path | str) -> tuple[str, ...]:
    """The images named that are not in the folder, in the order of the list. Each sub-folder is listed once.

    Raises:
        NotADirectoryError: ``folder`` is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder}: no such folder; give the one that holds the images of {pairs.source}, to which names are "
            "relative."
        )
    wanted: dict[str, list[str]] = defaultdict(list)
    for name in pairs.names:
        wanted[name.rpartition("/")[0]].append(name)
    absent: set[str] = set()
    for parent, names in wanted.items():
        here = {path.name for path in (folder / parent).iterdir()} if (folder / parent).is_dir() else set()
        absent.update(name for name in names if name.rpartition("/")[2] not in here)
    return tuple(name for name in pairs.names if name in absent)


def check_images(pairs: Pairs, folder: Path | str, allow_missing: bool = False) -> tuple[Pairs, tuple[str, ...]]:
    """The pairs whose images are there, and the images that are absent.

    Args:
        pairs: as read.
        folder: their names are relative to it.
        allow_missing: leave pairs with an absent image out, which is no longer the published protocol: the caller has
            to say so.

    Raises:
        MissingImages: images are absent and ``allow_missing`` is not set, or no pair is left.
        NotADirectoryError: ``folder`` is no folder.
    """
    return leave_out(pairs, missing(pairs, folder), str(folder), allow_missing)


def leave_out(
    pairs: Pairs,
    absent: tuple[str, ...],
    where: str,
    allow_missing: bool,
    *,
    reasons: Mapping[str, str] | None = None,
) -> tuple[Pairs, tuple[str, ...]]:
    """The pairs that name none of ``absent``, and ``absent``; see :func:`check_images`.

    Args:
        pairs: as read.
        absent: names of images that are not there, or cannot be used.
        where: they were sought; the message begins with it.
        allow_missing: as there.
        reasons: why an image that is there cannot be used, by its name.

    Raises:
        MissingImages: as there.
    """
    if not absent:
        return pairs, ()
    gone = set(absent)
    whole = np.array([not gone & set(pair) for pair in zip(pairs.first, pairs.second, strict=True)])
    if allow_missing and whole.any():
        return pairs.select(whole), absent
    names = [f"{name} ({reasons[name]})" for name in absent] if reasons else absent
    raise MissingImages(
        f"{where}: {len(absent)} of the {len(pairs.names)} images that the pairs name "
        f"{'cannot be used' if reasons else 'are absent'}, and {np.count_nonzero(~whole)} of {len(pairs)} pairs need "
        f"them: {listed(names)}. "
        + (
            f"{'Mend them' if reasons else 'Names are relative to the image folder; add them'}, or leave these pairs "
            "out with --allow-missing: the score is then not that of the published protocol"
            if whole.any()
            else "No pair is left; is it the right folder? Names are relative to it"
        ),
        absent,
    )


def listed(names: Iterable[str]) -> str:
    """The first ten, and how many more there are.

    >>> listed(["a", "b"]), listed("abcdefghijkl")
    ('a, b', 'a, b, c, d, e, f, g, h, i, j and 2 more')
    """
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def safe_name(name: str) -> str:
    """A relative name in one spelling, with slashes.

    Raises:
        ValueError: it is empty, holds control characters, or leads out of its folder.

    >>> safe_name(r"./Aaron_Eckhart\\Aaron_Eckhart_0001.jpg")
    'Aaron_Eckhart/Aaron_Eckhart_0001.jpg'
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not (path.parts and str(path).strip()) or re.search(r"[\x00-\x1f\x7f]", name):
        raise ValueError(f"{name!r} is no image name")
    if path.is_absolute() or PureWindowsPath(path).drive or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of the image folder; names are relative to it")
    return str(path)


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
