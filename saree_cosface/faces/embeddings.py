"""Embeddings computed elsewhere: named vectors from a file, and the cosines of pairs of them."""

import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import console
from saree_cosface.data.images import PHOTO_SUFFIXES
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.pairs import Pairs, leave_out, listed

_ARRAYS = ("names", "embeddings", "mirrored")


@dataclass(frozen=True, eq=False)
class NamedEmbeddings:
    """Vectors of images, checked when made.

    Attributes:
        names: (N,) image names; none occurs twice, and a suffix does not tell two apart.
        embeddings: float32 (N, D), of any length but zero.
        source: where they are from, for messages.

    Raises:
        FaceDataError: a name occurs twice, a shape is wrong, or vectors are zero or not finite; the message counts
            them and gives the first names.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    source: str = "the embeddings"

    def __post_init__(self) -> None:
        vectors = self.embeddings
        if vectors.ndim != 2 or len(vectors) != len(self.names) or not vectors.size:
            raise FaceDataError(
                f"{self.source}: vectors of shape {vectors.shape} for {len(self.names)} names; they must be (N, D)"
            )
        repeated = [name for name, times in Counter(map(_plain, self.names)).items() if times > 1]
        if repeated:
            raise FaceDataError(
                f"{self.source}: {len(repeated)} names occur twice: {listed(repeated)}. Give each image one vector"
            )
        for wrong, words in (
            (~np.isfinite(vectors).all(axis=1), "NaN or infinite values"),
            (~vectors.any(axis=1), "nothing but zeros, which has no direction"),
        ):
            if wrong.any():
                first = listed(self.names[row] for row in np.flatnonzero(wrong))
                count = np.count_nonzero(wrong)
                raise FaceDataError(
                    f"{self.source}: {count} of {len(vectors)} vectors hold {words}: {first}. Compute them again, or "
                    "leave them out of the file and score with --allow-missing"
                )

    def __len__(self) -> int:
        return len(self.names)


def read_embeddings(path: Path | str) -> NamedEmbeddings:
    """Named vectors from a NumPy archive (``.npz``).

    It holds ``names`` (N,), ``embeddings`` (N, D), and perhaps ``mirrored`` (N, D), the vectors of the mirrored
    images. As in the paper these are then concatenated to ``(N, 2 D)``. Vectors may have any length: neither half is
    scaled, so hand in unit vectors for both halves to weigh the same. Other arrays are not looked at, and named on
    stderr.

    Raises:
        FaceDataError: it is no such archive, a shape is wrong, or :class:`NamedEmbeddings` refuses what it holds.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    arrays = _arrays(path)
    names = _names(path, arrays["names"])
    parts = [arrays[key] for key in ("embeddings", "mirrored") if key in arrays]
    for part in parts:
        if part.ndim != 2 or part.dtype.kind not in "fiu":
            raise FaceDataError(f"{path}: vectors have shape {part.shape} of {part.dtype}; they must be (N, D) numbers")
        if part.shape != parts[0].shape:
            raise FaceDataError(f"{path}: embeddings {parts[0].shape} and mirrored {part.shape} differ in shape")
    with np.errstate(over="ignore"):  # what float32 has no room for becomes infinite, and is refused
        return NamedEmbeddings(names, np.concatenate(parts, axis=1).astype(np.float32), str(path))


def pair_scores(
    pairs: Pairs, embeddings: NamedEmbeddings, *, allow_missing: bool = False
) -> tuple[NDArray[np.float64], Pairs, tuple[str, ...]]:
    """Cosine of each pair (P,), computed in double precision; the pairs scored; the images that have no vector.

    A vector belongs to an image if one of their names, without its suffix, ends with the other: so
    ``Aaron_Eckhart_0001``, ``Aaron_Eckhart/Aaron_Eckhart_0001`` and ``lfw/Aaron_Eckhart/Aaron_Eckhart_0001.png`` are
    all the image ``Aaron_Eckhart/Aaron_Eckhart_0001.jpg``. No image may fit two vectors, and no vector two images.

    Args:
        pairs: as read.
        embeddings: vectors; those that no pair names are not looked at.
        allow_missing: as in :func:`~saree_cosface.faces.pairs.check_images`.

    Raises:
        FaceDataError: a name fits several.
        MissingImages: images have no vector and ``allow_missing`` is not set, or no pair is left.

    >>> pairs = Pairs(("A/A_0001.jpg",), ("A/A_0002.jpg",), np.array([True]), np.array([0]))
    >>> vectors = np.array([[3.0, 0.0], [3.0, 4.0]], dtype=np.float32)
    >>> pair_scores(pairs, NamedEmbeddings(("A_0001", "A_0002"), vectors))[0]
    array([0.6])
    """
    rows = _rows(pairs.names, embeddings)
    absent = tuple(name for name in pairs.names if name not in rows)
    kept, absent = leave_out(pairs, absent, embeddings.source, allow_missing)
    vectors = embeddings.embeddings.astype(np.float64)
    # Lengths are taken after the largest entry is scaled to 1: tiny ones would be lost when squared.
    vectors /= np.abs(vectors).max(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = ([rows[name] for name in names] for names in (kept.first, kept.second))
    cosines: NDArray[np.float64] = np.einsum("pd,pd->p", vectors[first], vectors[second])
    return cosines, kept, absent


def _rows(names: Sequence[str], embeddings: NamedEmbeddings) -> dict[str, int]:
    """Row of each image's vector, of the images that have one."""
    whole = {_plain(name): row for row, name in enumerate(embeddings.names)}
    by_tail: dict[str, list[int]] = defaultdict(list)
    for name, row in whole.items():
        for tail in _tails(name)[1:]:
            by_tail[tail].append(row)
    rows: dict[str, int] = {}
    image: dict[int, str] = {}
    for name in names:
        plain = _plain(name)
        fits = [whole[plain]] if plain in whole else by_tail.get(plain, [])
        fits = fits or [whole[tail] for tail in _tails(plain)[1:] if tail in whole]
        if len(fits) > 1:
            found = listed(embeddings.names[row] for row in fits)
            raise FaceDataError(f"{embeddings.source}: the image {name} fits several vectors: {found}")
        for row in fits:
            rows[name] = row
            if image.setdefault(row, name) != name:
                raise FaceDataError(
                    f"{embeddings.source}: the vector {embeddings.names[row]} fits several images: {image[row]}, {name}"
                )
    return rows


def _tails(name: str) -> list[str]:
    """The name, and what is left of it as folders are taken off its front."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _plain(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    # Only what is known to be a suffix: a name may end in "Jr._0001".
    return str(path.with_suffix("") if path.suffix.lower() in PHOTO_SUFFIXES else path)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise FaceDataError(f"{path}: a single array; save an archive: np.savez(path, names=..., embeddings=...)")
        with archive:
            absent = {"names", "embeddings"} - set(archive.files)
            if absent:
                raise FaceDataError(
                    f"{path}: has no {' and no '.join(sorted(absent))}, only {listed(archive.files) or 'nothing'}"
                )
            others = sorted(set(archive.files) - set(_ARRAYS))
            if others:
                console.print(
                    f"{path}: {listed(others)} not looked at; vectors of mirrored images go by the name 'mirrored'.",
                    style="yellow",
                    highlight=False,
                    markup=False,
                )
            return {key: archive[key] for key in _ARRAYS if key in archive.files}
    except FaceDataError:
        raise
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, RuntimeError) as error:
        why = "" if isinstance(error, ValueError) else f" ({error})"  # NumPy would advise to unpickle it
        raise FaceDataError(
            f"{path}: not a NumPy archive of names and numbers{why}; save one with "
            "np.savez(path, names=..., embeddings=...), names as text, not as objects"
        ) from error


def _names(path: Path, names: NDArray[Any]) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "US" or not len(names):
        raise FaceDataError(f"{path}: names has shape {names.shape} of {names.dtype}; it must be (N,) text")
    try:
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist())
    except UnicodeDecodeError as error:
        raise FaceDataError(f"{path}: a name is not UTF-8 ({error})") from error
