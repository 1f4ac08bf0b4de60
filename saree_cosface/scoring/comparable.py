"""The photos on which methods are compared: those that can be read, of crafts of two sources or more."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console, few
from saree_cosface.data.manifest import Manifest, manifest_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.data.reading import read_photos, say_lost
from saree_cosface.data.splits import Protocol, Split, SplitError, TooManyFolds, groups_to_deal, make_split
from saree_cosface.features.copies import copy_groups
from saree_cosface.features.extraction import PhotoFeatures


class ComparisonError(ValueError):
    """The comparison cannot be made; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Comparable:
    """What methods are compared on.

    Attributes:
        manifest: of the N photos.
        content_sha256: of the manifest and of what its files hold.
        classes: craft ids, ``(C,)``.
        labels: index into ``classes`` of each photo, ``(N,)``.
        copies: group of near-duplicates of each photo, ``(N,)``.
        splits: into folds, by protocol and seed.
    """

    manifest: Manifest
    content_sha256: str
    classes: NDArray[np.str_]
    labels: NDArray[np.int_]
    copies: NDArray[np.int_]
    splits: Mapping[tuple[Protocol, int], Split]

    @classmethod
    def read(
        cls,
        manifest_path: Path,
        protocols: Sequence[Protocol],
        *,
        where: str | None,
        seeds: int,
        folds: int,
        cache: Path,
    ) -> "Comparable":
        """Read a manifest and its photos, list what cannot be read or held out, and deal the rest into folds.

        Args:
            manifest_path: CSV or Parquet manifest.
            protocols: what is held out.
            where: pandas query.
            seeds: each has folds of its own.
            folds: of each split.
            cache: of what was found about copies.

        Raises:
            ComparisonError: fewer than two crafts have photos of two sources that can be read.
        """
        if seeds < 1:
            raise ComparisonError(f"{seeds} seeds cannot be averaged; take at least 1, better 3.")
        listed = read_manifest(manifest_path, where=where)
        with _advised(manifest_path):
            for protocol in protocols:
                groups_to_deal(listed.select(_comparable(listed)), protocol, folds)  # before anything is decoded
        reading = read_photos(listed.files(), listed.table["sha256"].tolist())
        list_bad(reading.bad, manifest_path)
        if not len(reading.rows):
            raise ComparisonError(f"none of the {len(listed)} photos can be read; the first: {reading.bad[0]}")
        there = listed.select(reading.rows)
        say_lost(listed, there)
        single = _of_one_source(there)
        if single:
            console.print(
                f"[yellow]{len(single)} crafts have photos of one source only, which cannot be held out, and are left "
                f"out: {few(single)}.",
                highlight=False,
            )
        rows = _comparable(there)
        manifest = there.select(rows)
        copies = copy_groups(manifest.files(), reading.hashes[rows], cache=cache)
        with _advised(manifest_path):
            splits = {
                (protocol, seed): make_split(manifest, protocol, n_folds=folds, seed=seed, duplicate_groups=copies)
                for protocol in protocols
                for seed in range(seeds)
            }
        # By what the files hold, so that nothing is taken for a score of other photos that had the same names.
        content = manifest_of(manifest.table.assign(sha256=reading.sha256[rows]), manifest.root)
        classes, labels = np.unique(manifest.crafts, return_inverse=True)
        return cls(manifest, content.sha256, classes, labels, copies, splits)


def known_answers(cell: Path, shape: tuple[int, ...]) -> NDArray[np.int_] | None:
    """Answers that were kept in a file; None where they are not there, or are something else."""
    try:
        answers = np.array(json.loads(cell.read_text(encoding="utf-8")), dtype=np.int_)
    except (OSError, ValueError, TypeError):
        return None
    return answers if answers.shape == shape else None


def require_read(read: PhotoFeatures) -> None:
    """All photos were read, as they were when they were listed.

    Raises:
        ComparisonError: one could no longer be.
    """
    if read.bad:
        raise ComparisonError(f"a photo has become unreadable meanwhile ({read.bad[0]}): compare again.")


@contextmanager
def _advised(manifest_path: Path) -> Iterator[None]:
    """Beside what is wrong with a split, which manifest it is, and the option that helps."""
    try:
        yield
    except SplitError as error:
        option = " The option is --folds." if isinstance(error, TooManyFolds) else ""
        raise ComparisonError(f"{manifest_path}: {error}{option}") from error


def _of_one_source(manifest: Manifest) -> list[str]:
    crafts, sources = manifest.crafts, manifest.sources
    return [craft for craft in np.unique(crafts).tolist() if len(set(sources[crafts == craft])) < 2]


def _comparable(manifest: Manifest) -> NDArray[np.int_]:
    """Rows of the photos of crafts that have at least two sources; the others cannot be held out."""
    kept = np.flatnonzero(~np.isin(manifest.crafts, _of_one_source(manifest)))
    if len(set(manifest.crafts[kept])) < 2:
        raise ComparisonError("fewer than two crafts have photos of two sources: add photos of other sources.")
    return kept
