"""Face verification: are these two photos of one person? Embeddings of pairs, and the scores of the protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.console import track
from saree_cosface.data.images import BadImage
from saree_cosface.data.photos import list_bad
from saree_cosface.faces.bins import BinPairs
from saree_cosface.faces.datasets import YTF, FaceDataError, require
from saree_cosface.faces.embeddings import NamedEmbeddings, pair_scores
from saree_cosface.faces.encoder import embed_faces, embed_images
from saree_cosface.faces.images import load_faces
from saree_cosface.faces.pairs import Pairs, check_images, leave_out, remarks, unequal_folds
from saree_cosface.faces.youtube import read_frames, video_means
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.metrics.verification import auc, equal_error_rate, kfold_accuracy, tar_at_far
from saree_cosface.networks.embedder import Embedder

FARS = (0.1, 0.01, 0.001, 0.0001)


@dataclass(frozen=True)
class Verification:
    """What the pairs say of an encoder. Rates are shares from 0 to 1.

    Attributes:
        accuracy: mean over the folds, each with the threshold that is best on the others.
        standard_error: of that mean.
        folds: accuracy of each fold.
        thresholds: cosine of each fold's threshold.
        auc: area under the ROC curve.
        eer: equal error rate.
        tar_at_far: by false accept rate, the true accept rate with a 95 % interval, or why it cannot be told.
        pairs: how many were scored.
        missing: images that were named, and absent or not usable; their pairs were left out, which is no longer the
            protocol.
        remarks: what else departs from a published protocol.
    """

    accuracy: float
    standard_error: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]
    auc: float
    eer: float
    tar_at_far: Mapping[str, Mapping[str, Any]]
    pairs: int
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return asdict(self)

    def print_table(self, console: Console) -> None:
        """For people, in per cent."""
        table = Table("verification", "%", title=f"{self.pairs} pairs, {len(self.folds)} folds", title_justify="left")
        table.add_row("accuracy", f"{100 * self.accuracy:.2f} ± {100 * self.standard_error:.2f}", style="bold")
        table.add_row("area under the ROC curve", f"{100 * self.auc:.2f}")
        table.add_row("equal error rate", f"{100 * self.eer:.2f}")
        for far, found in self.tar_at_far.items():
            said = (
                found.get("refused")
                or f"{100 * found['tar']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"
            )
            table.add_row(f"true accepts at {float(far):.2%} false accepts", said)
        console.print(table)
        if self.missing:
            console.print(
                f"{len(self.missing)} images are absent or cannot be used, and their pairs were left out: this is not "
                f"the published protocol. The first: {self.missing[0]}",
                style="yellow",
                highlight=False,
                markup=False,
            )
        for remark in self.remarks:
            console.print(f"Note: {remark}.", style="yellow", highlight=False, markup=False)


def verify(
    scores: NDArray[np.floating[Any]], pairs: Pairs, *, missing: Sequence[str] = (), unequal: bool = False
) -> Verification:
    """Score cosines ``(P,)`` of pairs.

    Args:
        scores: a cosine a pair.
        pairs: those that were scored.
        missing: images whose pairs were left out, which makes folds unequal.
        unequal: score folds of unequal size though the list itself gives them.

    Raises:
        FaceDataError: the list's folds are unequal and that was not asked for, or a fold lacks a kind of pair.
    """
    unequal = unequal or pairs.dealt or bool(missing)
    if not unequal and unequal_folds(pairs):
        raise FaceDataError(
            f"{pairs.source}: {unequal_folds(pairs)}; the protocol takes equal folds. Mend the list, or score it as it "
            "is with --unequal-folds, which the result then says."
        )
    try:
        accuracy = kfold_accuracy(scores, pairs.same, pairs.folds, unequal=unequal)
    except ValueError as error:
        raise FaceDataError(f"{pairs.source}: {error}") from error
    rates: dict[str, dict[str, Any]] = {}
    for far in FARS:
        try:
            rates[f"{far:g}"] = asdict(tar_at_far(scores, pairs.same, far))
        except TooFewImpostors as error:
            rates[f"{far:g}"] = {"refused": str(error)}
    return Verification(
        **asdict(accuracy),
        auc=auc(scores, pairs.same),
        eer=equal_error_rate(scores, pairs.same),
        tar_at_far=rates,
        pairs=len(pairs),
        missing=tuple(missing),
        remarks=remarks(pairs),
    )


def verify_embeddings(
    embeddings: NamedEmbeddings, pairs: Pairs, *, allow_missing: bool = False, unequal: bool = False
) -> Verification:
    """Score pairs by embeddings that were computed elsewhere.

    Raises:
        MissingImages: pairs name images that have no embedding, and ``allow_missing`` is not set.
        FaceDataError: as in :func:`verify`.
    """
    scores, kept, missing = pair_scores(pairs, embeddings, allow_missing=allow_missing)
    return verify(scores, kept, missing=missing, unequal=unequal)


def verify_images(
    embedder: Embedder,
    folder: Path,
    pairs: Pairs,
    *,
    cache: Path | None = None,
    allow_missing: bool = False,
    unequal: bool = False,
) -> Verification:
    """Embed the images that the pairs name, and score them.

    Raises:
        MissingImages: pairs name images that are absent, cannot be read or are no aligned faces, and ``allow_missing``
            is not set.
        NotAligned: none of the first images is an aligned face.
        FaceDataError: as in :func:`verify`.
    """
    pairs, absent = check_images(pairs, folder, allow_missing)
    embeddings, bad = embed_images(embedder, folder, pairs.names, cache=cache)
    reasons = {each.path.relative_to(folder).as_posix(): each.reason for each in bad}
    pairs, unusable = leave_out(pairs, tuple(reasons), str(folder), allow_missing, reasons=reasons)
    list_bad(bad)
    scores, kept, _ = pair_scores(pairs, embeddings)
    return verify(scores, kept, missing=absent + unusable, unequal=unequal)


def verify_packed(
    embedder: Embedder, packed: BinPairs, *, cache: Path | None = None, allow_missing: bool = False
) -> Verification:
    """Embed the images that a ``.bin`` file brings along, and score its pairs.

    Raises:
        MissingImages: an image cannot be read or is no aligned face, and ``allow_missing`` is not set.
        NotAligned: none of the first images is an aligned face.
    """
    where = packed.pairs.source
    try:
        faces = load_faces(packed.images, cache=cache)
    except BadImage as error:
        raise type(error)(Path(f"{where}, image {error.path}"), error.reason) from error
    vectors = embed_faces(embedder, faces.pixels)
    reasons = {each.path.name: each.reason for each in faces.bad}
    pairs, unusable = leave_out(packed.pairs, tuple(reasons), where, allow_missing, reasons=reasons)
    scores, _, _ = pair_scores(pairs, NamedEmbeddings(tuple(str(row) for row in faces.rows), vectors))
    return verify(scores, pairs, missing=unusable)


def verify_videos(
    embedder: Embedder, folder: Path, pairs: Pairs, *, cache: Path | None = None, allow_missing: bool = False
) -> Verification:
    """Embed the frames of the videos that the pairs name, and score the means (paper, Section 4.2).

    Video by video: all frames of YouTube Faces at once would fill a memory.

    Raises:
        FileNotFoundError: there is no such folder.
        MissingImages: videos have no folder, and ``allow_missing`` is not set.
        FaceDataError: a video has no frame that can be read.
    """
    require(folder, YTF, "the folder of aligned frames, person/video/frame.jpg")
    pairs, absent = check_images(pairs, folder, allow_missing)
    bad: list[BadImage] = []
    means = []
    for video in track(pairs.names, "Embedding videos"):
        frames = read_frames(folder, [video])
        try:
            faces = load_faces(frames.files, cache=cache, progress=False)
        except BadImage as error:
            raise FaceDataError(f"{folder / video}: no frame of this video can be read; {error}") from error
        bad += [*frames.bad, *faces.bad]
        vectors = embed_faces(embedder, faces.pixels, description=None)
        means.append(video_means(vectors, np.zeros(len(vectors), np.int64), 1)[0])
    list_bad(tuple(bad))
    scores, _, _ = pair_scores(pairs, NamedEmbeddings(pairs.names, np.array(means, np.float32)))
    return verify(scores, pairs, missing=absent)
