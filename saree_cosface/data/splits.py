"""Who is held out: folds of photos that never part a source, a piece or a pair of near-duplicates."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from saree_cosface.data.manifest import Manifest
from saree_cosface.files import write_json

Protocol = Literal["source", "piece", "random"]
"""What a fold keeps together: all photos of a source, all of a piece, or (to show what that hides) only copies."""


class SplitError(ValueError):
    """A split cannot be made, read or applied; the message says why and what to do."""


class TooManyFolds(SplitError):
    """There are fewer groups than folds, and yet several."""


@dataclass(frozen=True)
class Split:
    """A fold for every photo of one manifest.

    Attributes:
        protocol: what the folds keep together: source, piece, random or leave-one-source-out.
        seed: of the shuffling.
        manifest_sha256: fingerprint of the manifest that the split was made for.
        fold: fold number, from 0, of each photo's path.
    """

    protocol: str
    seed: int
    manifest_sha256: str
    fold: Mapping[str, int]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the whole content, to be recorded beside every score."""
        content = json.dumps(self._content(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def n_folds(self) -> int:
        return 1 + max(self.fold.values())

    def rows(self, manifest: Manifest, fold: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Rows of ``manifest`` to train on and rows to test on when ``fold`` is held out, each ascending.

        Raises:
            SplitError: there is no such fold, or the split was made for other photos, labels or sources.
        """
        if not 0 <= fold < self.n_folds:
            raise SplitError(f"there is no fold {fold}; the split has folds 0 to {self.n_folds - 1}.")
        if manifest.sha256 != self.manifest_sha256:
            raise SplitError(
                "the split was made for other photos, labels or sources than the manifest now has"
                f" ({self.manifest_sha256[:12]}…, not {manifest.sha256[:12]}…): select the same photos as then, or"
                " leave the split out, so that one is made."
            )
        folds = np.array([self.fold[path] for path in manifest.table["path"]])
        return np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def save(self, path: Path) -> None:
        """Write the split and its hash as JSON, all or nothing."""
        write_json(path, {**self._content(), "hash": self.hash})

    def _content(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "manifest_sha256": self.manifest_sha256,
            "fold": dict(sorted(self.fold.items())),
        }


def load_split(path: Path) -> Split:
    """Read a split that ``Split.save`` wrote.

    Raises:
        SplitError: no such file, not a split, folds with gaps, or content that does not match its hash.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SplitError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise SplitError(
            f"{path}: not a split but damaged or foreign text ({error}); give the split.json of a run."
        ) from error
    expected = {"protocol": str, "seed": int, "manifest_sha256": str, "fold": dict, "hash": str}
    if not isinstance(document, dict) or any(not isinstance(document.get(key), kind) for key, kind in expected.items()):
        raise SplitError(f"{path}: not a split; it needs {', '.join(expected)}.")
    numbers = document["fold"].values()
    if any(type(number) is not int for number in numbers) or set(numbers) != set(range(len(set(numbers)))):
        raise SplitError(f"{path}: the folds must be numbered 0, 1, 2, … without gaps; give the split.json of a run.")
    split = Split(**{key: document[key] for key in expected if key != "hash"})
    if not split.fold or split.hash != document["hash"]:
        raise SplitError(
            f"{path}: the content does not match its hash: it was changed by hand; give the split.json of a run."
        )
    return split


def make_split(
    manifest: Manifest,
    protocol: Protocol,
    *,
    n_folds: int = 5,
    seed: int = 0,
    duplicate_groups: NDArray[np.int_] | None = None,
) -> Split:
    """Deal photos into folds, stratified by craft.

    Args:
        manifest: the photos, one row each.
        protocol: what must stay together.
        n_folds: at least 2.
        seed: of the shuffling. With protocol "source" and no duplicates the folds are those of scikit-learn's
            ``StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)`` on crafts and sources.
        duplicate_groups: group of near-duplicates of each photo, ``(N,)``; whatever shares one shares a fold, and so
            does everything it belongs with.

    Raises:
        SplitError: a source is unknown where sources are to be held out, there are fewer groups than folds, or every
            craft has fewer photos than there are folds.
    """
    if protocol not in get_args(Protocol):
        raise SplitError(f"unknown protocol {protocol!r}; choose from {', '.join(get_args(Protocol))}.")
    groups = groups_to_deal(manifest, protocol, n_folds, duplicate_groups)
    folds = np.full(len(manifest), -1)
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import, and nothing that the app needs

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # a rare craft misses from some folds
        try:
            for fold, (_, test) in enumerate(splitter.split(np.zeros(len(manifest)), manifest.crafts, groups)):
                folds[test] = fold
        except ValueError as error:
            raise SplitError(
                f"no craft has as many as {n_folds} photos ({error}); take fewer folds or add photos."
            ) from error
    empty = set(range(n_folds)) - set(folds.tolist())
    if empty:
        raise SplitError(f"{len(empty)} of {n_folds} folds would be empty; take fewer folds or add {protocol}s.")
    return _split(protocol, seed, manifest, folds)


def groups_to_deal(
    manifest: Manifest, protocol: Protocol, n_folds: int, duplicate_groups: NDArray[np.int_] | None = None
) -> NDArray[np.str_]:
    """The groups of :func:`held_together`, of which there are enough for so many folds.

    Without ``duplicate_groups``, which take time to be found, it can be asked before anything is decoded.

    Raises:
        SplitError: as there, or there are too few.
    """
    if n_folds < 2:
        raise SplitError(f"{n_folds} folds cannot hold anything out; take at least 2.")
    groups = held_together(manifest, protocol, duplicate_groups)
    count = len(np.unique(groups))
    if count >= n_folds:
        return groups
    shared = "" if duplicate_groups is None else ", counting those that share a picture as one"
    if count < 2:
        raise SplitError(
            f"all {len(manifest)} photos are of one {protocol}{shared}, so none can be held out; add photos of others."
        )
    raise TooManyFolds(
        f"{len(manifest)} photos fall into {count} groups by {protocol}{shared}, fewer than {n_folds} folds; take at"
        f" most {count} folds, or add photos of other {protocol}s."
    )


def held_together(
    manifest: Manifest, protocol: Protocol, duplicate_groups: NDArray[np.int_] | None = None
) -> NDArray[np.str_]:
    """Name of the group ``(N,)`` that each photo must stay with: what the protocol holds, joined by near-duplicates.

    A joined group bears the first of its names in the order of the alphabet.

    Raises:
        SplitError: the protocol is "source" and a source is unknown, or ``duplicate_groups`` has another length.
    """
    groups = {"source": manifest.sources, "piece": manifest.pieces}.get(protocol, _column(manifest, "path"))
    unknown = np.flatnonzero(groups == "")
    if unknown.size:
        raise SplitError(
            f"{unknown.size} of {len(manifest)} photos have no source (first: {manifest.table['path'][unknown[0]]});"
            " fill in the column source; `saree-cosface data import --source NAME` does it for a folder."
        )
    if duplicate_groups is None:
        return groups
    if np.shape(duplicate_groups) != (len(manifest),):
        raise SplitError(f"duplicate_groups has shape {np.shape(duplicate_groups)}, not ({len(manifest)},).")
    names, group = np.unique(groups, return_inverse=True)
    copies, copy = np.unique(duplicate_groups, return_inverse=True)
    # A graph of groups on one side and sets of copies on the other: its components stay together.
    nodes = len(names) + len(copies)
    edges = coo_array((np.ones(len(group)), (group, len(names) + copy)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    first: dict[int, int] = {}
    for index in range(len(names)):
        first.setdefault(int(component[index]), index)
    return names[[first[int(component[index])] for index in group]]


def _column(manifest: Manifest, name: str) -> NDArray[np.str_]:
    return np.array(manifest.table[name].tolist(), dtype=np.str_)


def _split(protocol: str, seed: int, manifest: Manifest, folds: NDArray[np.int_]) -> Split:
    fold = {str(path): int(number) for path, number in zip(manifest.table["path"], folds, strict=True)}
    return Split(protocol=protocol, seed=seed, manifest_sha256=manifest.sha256, fold=fold)
