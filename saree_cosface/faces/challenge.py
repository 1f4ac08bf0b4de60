"""MegaFace's Challenge 1: probes with a mate among up to a million strangers. For those who hold a copy."""

import hashlib
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.console import track
from saree_cosface.data.images import DECODER
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.encoder import embed_faces
from saree_cosface.faces.images import load_faces
from saree_cosface.faces.megaface import TemplateList, without_noise
from saree_cosface.faces.pairs import MissingImages, listed
from saree_cosface.files import atomic_path
from saree_cosface.metrics.distractors import distractor_ranks, large_scale_tar_at_far
from saree_cosface.metrics.operating_point import TooFewImpostors, false_accepts
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.fingerprint import fingerprint

RANKS = (1, 10, 100)
FARS = (1e-4, 1e-5, 1e-6)

_CHUNK = 4096
"""Photos embedded between two savings: a killed process loses at most these."""


@dataclass(frozen=True)
class Challenge:
    """Scores of Challenge 1. Rates are shares from 0 to 1.

    Attributes:
        probes: photos that are sought.
        mates: pairs of a probe and another photo of the person; each is sought once.
        distractors: strangers.
        rates: by number of strangers, by rank, the share of mates at that rank or before it.
        tar_at_far: by false accept rate, the true accept rate, or why it cannot be told.
        noise: how many probes and distractors each noise list took out; empty without such lists, which is another
            protocol: results with and without cannot be compared.
        missing: photos that are listed and absent, which is no longer the protocol.
    """

    probes: int
    mates: int
    distractors: int
    rates: Mapping[str, Mapping[str, float]]
    tar_at_far: Mapping[str, Mapping[str, Any]]
    noise: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return asdict(self)

    def print_table(self, console: Console) -> None:
        """For people, in per cent."""
        title = f"{self.probes} probes, {self.mates} mates"
        table = Table("distractors", *(f"rank {rank}" for rank in RANKS), title=title, title_justify="left")
        for size, rates in self.rates.items():
            table.add_row(size, *(f"{100 * rates[str(rank)]:.2f}" for rank in RANKS))
        console.print(table)
        for far, found in self.tar_at_far.items():
            said = found.get("refused") or f"{100 * found['tar']:.2f} %"
            console.print(f"True accepts at a false accept rate of {far}: {said}", highlight=False)
        lists = ", ".join(f"{name} left out {count} photos" for name, count in self.noise.items()) or "not used"
        console.print(f"Noise lists: {lists}.", highlight=False, markup=False)
        if 0 in self.noise.values():
            console.print("A noise list names no photo that is used: is it the right one?", style="yellow")
        if self.missing:
            console.print(
                f"{len(self.missing)} listed photos are absent: this is not the published protocol.", style="yellow"
            )


def run_challenge(
    embedder: Embedder,
    probes: tuple[Path, TemplateList],
    distractors: tuple[Path, TemplateList],
    *,
    noise: Mapping[str, Collection[str]] | None = None,
    cache: Path,
    allow_missing: bool = False,
) -> Challenge:
    """Embed probes and distractors, and seek every probe's mates.

    Args:
        embedder: of a run.
        probes: the folder of FaceScrub or FGNet, aligned, and the devkit's list.
        distractors: the folder of MegaFace, aligned, and one of the devkit's draws.
        noise: the names that each noise list gives, by the list's own name.
        cache: folder for embeddings, which are kept: an interrupted call goes on where it stopped.
        allow_missing: leave out what is listed and absent, and say so.

    Raises:
        MissingImages: photos are absent or unreadable, and ``allow_missing`` is not set.
        FaceDataError: no probe has a mate.
    """
    kept_probes, kept_distractors = probes[1], distractors[1]
    left_out: dict[str, int] = {}
    for name, names in (noise or {}).items():
        kept_probes, noisy_probes = without_noise(kept_probes, names)
        kept_distractors, noisy_distractors = without_noise(kept_distractors, names)
        left_out[name] = len(noisy_probes) + len(noisy_distractors)
    vectors, rows, missing = embed_listed(embedder, probes[0], kept_probes.paths, cache, "probes", allow_missing)
    others, _, absent = embed_listed(
        embedder, distractors[0], kept_distractors.paths, cache, "distractors", allow_missing
    )
    found = score_challenge(vectors, [kept_probes.ids[row] for row in rows], others)
    return Challenge(**found, noise=left_out, missing=missing + absent)


def score_challenge(probes: NDArray[Any], people: Sequence[str], distractors: NDArray[Any]) -> dict[str, Any]:
    """Rates of probes ``(P, D)`` of ``people`` (P,) among distractors ``(N, D)``: each with each other one of a person.

    Raises:
        FaceDataError: no person has two probes.
    """
    _, person = np.unique(np.array(people), return_inverse=True)
    owners, mates = np.nonzero(person[:, None] == person[None, :])
    owners, mates = owners[owners != mates], mates[owners != mates]
    if not len(mates):
        raise FaceDataError("no person has two probes, so that nobody has a mate to be found")
    sizes = [size for size in (10, 100, 1_000, 10_000, 100_000) if size < len(distractors)] + [len(distractors)]
    ranks = distractor_ranks(probes, probes[mates], distractors, sizes, owners=owners)
    rates: dict[str, dict[str, Any]] = {}
    possible = []
    for far in FARS:
        try:
            false_accepts(far, len(probes) * len(distractors))
            possible.append(far)
        except TooFewImpostors as error:
            rates[f"{far:g}"] = {"refused": str(error)}
    # All at once: each call goes through all cosines.
    found = large_scale_tar_at_far(probes, probes[mates], distractors, possible, owners=owners) if possible else []
    rates |= {f"{far:g}": asdict(rate) for far, rate in zip(possible, found, strict=True)}
    return {
        "probes": len(probes),
        "mates": len(mates),
        "distractors": len(distractors),
        "rates": {
            str(size): {str(rank): float(np.mean(ranks[:, column] <= rank)) for rank in RANKS}
            for column, size in enumerate(sizes)
        },
        "tar_at_far": rates,
    }


def embed_listed(
    embedder: Embedder, folder: Path, names: tuple[str, ...], cache: Path, what: str, allow_missing: bool = False
) -> tuple[NDArray[np.float16], NDArray[np.int64], tuple[str, ...]]:
    """Embeddings of named photos ``(N, 2 D)`` as a memory map, the row of each in ``names``, and the names left out.

    A million embeddings are 1 to 2 GB. They are computed in chunks that are kept until all are there.

    Raises:
        MissingImages: photos are absent or unreadable, and ``allow_missing`` is not set; all are counted first.
    """
    states = [_state(folder / name) for name in names]
    absent = [name for name, state in zip(names, states, strict=True) if not state]
    if len(absent) == len(names):
        raise MissingImages(f"{folder}: none of the {len(names)} {what} is there; is it the right folder?", names)
    _refuse(folder, what, absent, len(names), allow_missing)
    present = np.array([row for row, state in enumerate(states) if state], dtype=np.int64)
    # With size and time of each photo: one that was mended or aligned anew is another.
    photos = (f"{names[row]} {states[row]}" for row in present)
    identity = "\n".join([fingerprint(embedder), embedder.card.precision, str(DECODER), str(folder.resolve()), *photos])
    target = cache / "faces-embedded" / f"{what}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for number, start in enumerate(track(range(0, len(present), _CHUNK), f"Embedding {what}")):
        chunk = target / f"{number:05d}.npz"
        if (target / "rows.npy").is_file() or chunk.is_file():
            continue
        rows = present[start : start + _CHUNK]
        faces = load_faces([folder / names[row] for row in rows], progress=False)
        vectors = embed_faces(embedder, faces.pixels, description=None).astype(np.float16)
        with atomic_path(chunk) as temporary:
            np.savez(temporary, vectors=vectors, rows=rows[faces.rows])
    if not (target / "rows.npy").is_file():
        _join(target)
    rows = np.load(target / "rows.npy", allow_pickle=False)
    read = set(rows.tolist())
    unreadable = [names[row] for row in present.tolist() if row not in read]
    _refuse(folder, what, unreadable, len(names), allow_missing)
    if not len(rows):
        raise MissingImages(f"{folder}: none of the {len(names)} {what} can be read", names)
    vectors = np.load(target / "vectors.npy", mmap_mode="r", allow_pickle=False)
    return vectors, rows, (*absent, *unreadable)


def _state(photo: Path) -> str:
    """Size and time of a photo; "" where there is none."""
    try:
        found = photo.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else ""


def _join(folder: Path) -> None:
    """Make one array of the chunks; where ``rows.npy`` lies, written last, it is whole."""
    chunks = sorted(folder.glob("[0-9]*.npz"))
    rows = np.concatenate([np.load(chunk, allow_pickle=False)["rows"] for chunk in chunks])
    start = 0
    with atomic_path(folder / "vectors.npy") as temporary:
        width = np.load(chunks[0], allow_pickle=False)["vectors"].shape[1]
        joined = open_memmap(temporary, mode="w+", dtype=np.float16, shape=(len(rows), width))
        for chunk in chunks:
            vectors = np.load(chunk, allow_pickle=False)["vectors"]
            joined[start : start + len(vectors)] = vectors
            start += len(vectors)
        joined.flush()
    with atomic_path(folder / "rows.npy") as temporary:
        np.save(temporary, rows)
    for chunk in chunks:
        chunk.unlink()


def _refuse(folder: Path, what: str, names: Sequence[str], total: int, allow_missing: bool) -> None:
    if names and not allow_missing:
        raise MissingImages(
            f"{folder}: {len(names)} of the {total} {what} are absent or cannot be read: {listed(names)}. Add them, or "
            "leave them out with --allow-missing: the score is then not that of the published protocol",
            tuple(names),
        )
