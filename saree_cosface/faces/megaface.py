"""MegaFace: lists of probes and distractors, and lists of noise, in the formats of its devkit.

Challenge 1 takes probes from FaceScrub or FG-NET and hides them among up to a million distractors. Challenge 2 also
gives the photos to train on: a folder a person, which :func:`~saree_cosface.faces.datasets.read_identities` reads.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from saree_cosface.faces.datasets import MEGAFACE, FaceDataError, require
from saree_cosface.faces.pair_lists import text_lines
from saree_cosface.faces.pairs import safe_name

_PROBES = {"facescrub": "facescrub_features_list.json", "fgnet": "fgnet_features_list.json"}


@dataclass(frozen=True, eq=False)
class TemplateList:
    """Images that take part in a challenge.

    Attributes:
        paths: (N,) names relative to the image folder, with slashes.
        ids: (N,) person of each; empty where the list gives none, as for distractors.
    """

    paths: tuple[str, ...]
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)


def read_probes(devkit: Path | str, probes: Literal["facescrub", "fgnet"]) -> TemplateList:
    """The probes of Challenge 1, from ``templatelists`` of the devkit.

    Raises:
        FaceDataError: as in :func:`read_template_list`, or the list names no people.
        FileNotFoundError: there is no such list.
        ValueError: ``probes`` is neither.
    """
    if probes not in _PROBES:
        raise ValueError(f"probes is {probes!r}; it is one of {', '.join(_PROBES)}")
    path = Path(devkit) / "templatelists" / _PROBES[probes]
    found = read_template_list(path, f"the list of {probes} probes")
    if not found.ids:
        raise FaceDataError(f'{path}: names no people ("id"), so that no probe has a mate')
    return found


def read_distractors(devkit: Path | str, count: int = 1_000_000, subset: int = 1) -> TemplateList:
    """One of the devkit's draws of 10, 100, ... 1,000,000 distractors: ``megaface_features_list.json_COUNT_SUBSET``.

    Raises:
        FaceDataError: as in :func:`read_template_list`, or the list is not as long as its name says.
        FileNotFoundError: there is no such list.
    """
    path = Path(devkit) / "templatelists" / f"megaface_features_list.json_{count}_{subset}"
    found = read_template_list(path, f"draw {subset} of {count} distractors")
    if len(found) != count:
        raise FaceDataError(f"{path}: lists {len(found)} distractors, not {count}")
    return found


def read_template_list(path: Path | str, what: str = "a list of images (templatelists)") -> TemplateList:
    """A list of the devkit: JSON with "path", a list of names, and perhaps "id", a list of people.

    Raises:
        FaceDataError: it is no such JSON, lists an image twice, or names one outside the image folder.
        FileNotFoundError: there is no such file.
    """
    path = require(path, MEGAFACE, what)
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FaceDataError(f"{path}: not JSON ({error})") from error
    paths, ids = (value.get("path"), value.get("id", [])) if isinstance(value, dict) else (None, None)
    if not isinstance(paths, list) or not paths or not all(isinstance(name, str) for name in paths):
        raise FaceDataError(f'{path}: has no list of names under "path"')
    if not isinstance(ids, list) or (ids and len(ids) != len(paths)):
        raise FaceDataError(f'{path}: "id" must be a list as long as "path" ({len(paths)} names)')
    try:
        names = tuple(safe_name(name) for name in paths)
    except ValueError as error:
        raise FaceDataError(f"{path}: {error}") from error
    if len(set(names)) != len(names):
        raise FaceDataError(f"{path}: lists {len(names) - len(set(names))} images twice; each may count once")
    return TemplateList(names, tuple(str(person) for person in ids))


def read_noise_list(path: Path | str) -> frozenset[str]:
    """A list of wrong images (``facescrub_noises.txt`` or ``megaface_noises.txt``), which changes the results.

    A row is an image, after a tab where the row begins with something else; rows that begin with # are comments.

    Raises:
        FaceDataError: it is empty or no text.
        FileNotFoundError: there is no such file.
    """
    path = require(path, MEGAFACE, "a list of noisy images (facescrub_noises.txt, megaface_noises.txt)")
    rows = [text.split("\t")[-1] for _, text in text_lines(path) if not text.startswith("#")]
    return frozenset(_spelling(row) for row in rows)


def without_noise(images: TemplateList, noise: Collection[str]) -> tuple[TemplateList, tuple[str, ...]]:
    """The images that are not in a noise list, and those that are. Scores with and without are different protocols.

    FaceScrub's noise list gives file names only, MegaFace's the folders too; blanks and underscores are not told
    apart, as in FaceScrub's names.

    >>> images = TemplateList(("Adam Brody/Adam Brody_1.png", "Adam Brody/Adam Brody_2.png"), ("a", "a"))
    >>> without_noise(images, frozenset({"Adam_Brody_2.png"}))[0].paths
    ('Adam Brody/Adam Brody_1.png',)
    """
    listed_as_noise = [_spelling(path) in noise or _spelling(path.rpartition("/")[2]) in noise for path in images.paths]
    kept = [row for row, noisy in enumerate(listed_as_noise) if not noisy]
    ids = tuple(images.ids[row] for row in kept) if images.ids else ()
    removed = tuple(path for path, noisy in zip(images.paths, listed_as_noise, strict=True) if noisy)
    return TemplateList(tuple(images.paths[row] for row in kept), ids), removed


def _spelling(name: str) -> str:
    return name.strip().replace("\\", "/").replace(" ", "_")
