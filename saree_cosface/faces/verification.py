"""Face verification: are these two photos of one person? Embeddings of pairs, and the scores of the protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from saree_cosface.console import track
from saree_cosface.data.images import BadImage
from saree_cosface.embedder import Embedder
from saree_cosface.faces.bins import BinPairs
from saree_cosface.faces.datasets import LFW, FaceDataError, read_identities
from saree_cosface.faces.embeddings import NamedEmbeddings, pair_scores
from saree_cosface.faces.images import SIZE, crop_face, load_faces
from saree_cosface.faces.pairs import Pairs, check_images, leave_out, remarks
from saree_cosface.faces.youtube import read_frames, video_means
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.metrics.verification import auc, equal_error_rate, kfold_accuracy, tar_at_far
from saree_cosface.runs import list_bad

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
        missing: images that were named and absent; their pairs were left out, which is no longer the protocol.
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
                f"{len(self.missing)} images are absent and their pairs were left out: this is not the published "
                f"protocol. The first: {self.missing[0]}",
                style="yellow",
                highlight=False,
                markup=False,
            )
        for remark in self.remarks:
            console.print(f"Note: {remark}.", style="yellow", highlight=False, markup=False)


def verify(scores: NDArray[np.floating[Any]], pairs: Pairs, *, missing: Sequence[str] = ()) -> Verification:
    """Score cosines ``(P,)`` of pairs.

    Raises:
        ValueError: the folds are unequal though no image is missing, or a fold lacks a kind of pair.
    """
    accuracy = kfold_accuracy(scores, pairs.same, pairs.folds, unequal=bool(missing))
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


def verify_embeddings(embeddings: NamedEmbeddings, pairs: Pairs, *, allow_missing: bool = False) -> Verification:
    """Score pairs by embeddings that were computed elsewhere.

    Raises:
        MissingImages: pairs name images that have no embedding, and ``allow_missing`` is not set.
    """
    scores, kept, missing = pair_scores(pairs, embeddings, allow_missing=allow_missing)
    return verify(scores, kept, missing=missing)


def verify_images(
    embedder: Embedder, folder: Path, pairs: Pairs, *, cache: Path | None = None, allow_missing: bool = False
) -> Verification:
    """Embed the images that the pairs name, and score them.

    Raises:
        MissingImages: pairs name images that are absent or cannot be read, and ``allow_missing`` is not set.
        NotAligned: an image is no aligned face.
    """
    pairs, absent = check_images(pairs, folder, allow_missing)
    embeddings, bad = embed_images(embedder, folder, pairs.names, cache=cache)
    unreadable = tuple(str(each.path.relative_to(folder)) for each in bad)
    pairs, unreadable = leave_out(pairs, unreadable, str(folder), allow_missing)
    scores, kept, _ = pair_scores(pairs, embeddings)
    return verify(scores, kept, missing=absent + unreadable)


def verify_packed(embedder: Embedder, packed: BinPairs, *, cache: Path | None = None) -> Verification:
    """Embed the images that a ``.bin`` file brings along, and score its pairs.

    Raises:
        MissingImages: an image cannot be read.
    """
    faces = load_faces(packed.images, cache=cache)
    vectors = embed_faces(embedder, faces.pixels)
    pairs, _ = leave_out(packed.pairs, tuple(each.path.name for each in faces.bad), "the .bin file", False)
    scores, _, _ = pair_scores(pairs, NamedEmbeddings(tuple(str(row) for row in faces.rows), vectors))
    return verify(scores, pairs)


def verify_videos(embedder: Embedder, folder: Path, pairs: Pairs, *, cache: Path | None = None) -> Verification:
    """Embed the frames of the videos that the pairs name, and score the means (paper, Section 4.2).

    Raises:
        FileNotFoundError: a video has no folder.
        FaceDataError: a video has no frame that can be read.
    """
    videos = read_frames(folder, pairs.names)
    faces = load_faces(videos.files, cache=cache)
    list_bad(videos.bad + faces.bad)
    index = videos.video_index[faces.rows]
    empty = np.setdiff1d(np.arange(len(videos.videos)), index)
    if len(empty):
        raise FaceDataError(f"{folder / videos.videos[empty[0]]}: no frame of this video can be read")
    means = video_means(embed_faces(embedder, faces.pixels), index, len(videos.videos))
    scores, _, _ = pair_scores(pairs, NamedEmbeddings(videos.videos, means.astype(np.float32)))
    return verify(scores, pairs)


def load_encoder(run: Path) -> Embedder:
    """The embedder of a run.

    Raises:
        EmbedderError: there is none, or it is damaged.
    """
    return Embedder.load(run / "embedder")


def embed_folder(embedder: Embedder, folder: Path, *, cache: Path | None = None) -> NamedEmbeddings:
    """Embeddings of all photos of a folder with one sub-folder a person; unreadable ones are listed on stderr."""
    identities = read_identities(folder, data=LFW)
    names = [file.relative_to(folder).as_posix() for file in identities.files]
    embeddings, bad = embed_images(embedder, folder, names, cache=cache)
    list_bad(identities.bad + bad)
    return embeddings


def embed_images(
    embedder: Embedder, folder: Path, names: Sequence[str], *, cache: Path | None = None
) -> tuple[NamedEmbeddings, tuple[BadImage, ...]]:
    """Embeddings of named images of a folder, and the images that cannot be read."""
    faces = load_faces([folder / name for name in names], cache=cache)
    vectors = embed_faces(embedder, faces.pixels)
    return NamedEmbeddings(tuple(names[row] for row in faces.rows), vectors), faces.bad


def embed_faces(
    embedder: Embedder, pixels: NDArray[np.uint8], *, block: int = 256, description: str | None = "Embedding faces"
) -> NDArray[np.float32]:
    """Features of faces and of their mirror images, side by side: ``(N, H, W, 3) -> (N, 2 D)``.

    Not of length 1: the protocol of the CosFace paper (Section 4.1) concatenates both and takes the cosine of that.
    """
    height, width = SIZE
    device = next(embedder.parameters()).device
    starts: Any = range(0, len(pixels), block)
    parts = []
    with torch.inference_mode():
        for start in track(starts, description) if description else starts:
            crops = np.stack([crop_face(face, (height, width)) for face in pixels[start : start + block]])
            faces = torch.from_numpy(crops).permute(0, 3, 1, 2).to(device)
            both = [embedder.raw(embedder.features(images)) for images in (faces, faces.flip(3))]
            parts.append(torch.cat(both, dim=1).float().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 2 * embedder.card.embedding_dim), np.float32)
