"""YouTube Faces: pairs of videos, their frames, and one vector a video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saree_cosface.data.images import BadImage
from saree_cosface.data.photos import find_photos
from saree_cosface.faces.datasets import YTF, FaceDataError, require
from saree_cosface.faces.pair_lists import text_lines
from saree_cosface.faces.pairs import PairRow, Pairs, make_pairs


@dataclass(frozen=True, eq=False)
class VideoFrames:
    """Frames of videos.

    Attributes:
        files: (F,) frames, those of one video one after the other.
        videos: (V,) name of each video, ``person/number``.
        video_index: (F,) the video of each frame, an index into ``videos``.
        bad: what looks like a frame by its name but cannot be one, with the reason; not among the files.
    """

    files: tuple[Path, ...]
    videos: tuple[str, ...]
    video_index: NDArray[np.int64]
    bad: tuple[BadImage, ...] = ()


def read_ytf_pairs(path: Path | str) -> Pairs:
    """The pairs of videos of ``splits.txt``: rows ``fold, number, first video, second video, 0 or 1``.

    Names are those of the videos' folders, ``person/number``, so that
    :func:`~saree_cosface.faces.pairs.check_images` tells which videos are absent.

    Raises:
        FaceDataError: a row is malformed; the message gives the line.
        FileNotFoundError: there is no such file.
    """
    path = require(path, YTF, "the list of 5,000 pairs of videos (splits.txt)")
    rows: list[PairRow] = []
    for line, text in text_lines(path):
        fields = [field.strip() for field in text.split(",")]
        if not rows and not fields[0].isdecimal() and len(fields) == 5 and not fields[4].isdecimal():
            continue  # the names of the columns
        if len(fields) != 5 or not fields[0].isdecimal() or len(fields[0]) > 9 or fields[4] not in ("0", "1"):
            raise FaceDataError(
                f"{path}, line {line}: {text!r} is not a fold, a number, two videos and 0 or 1, separated by commas"
            )
        rows.append(PairRow(line, fields[2], fields[3], fields[4] == "1", int(fields[0])))
    return make_pairs(path, rows)


def read_frames(folder: Path | str, videos: Sequence[str]) -> VideoFrames:
    """All frames of the videos, from folders ``person/number/frame.jpg`` as in ``aligned_images_DB``.

    Args:
        folder: holds the people's folders.
        videos: names, such as ``pairs.names``.

    Raises:
        FaceDataError: a video has no frame.
        FileNotFoundError: the folder, or that of a video, is absent.
    """
    folder = require(folder, YTF, "the folder of frames, person/video/frame.jpg")
    files: list[Path] = []
    bad: list[BadImage] = []
    counts = []
    for video in videos:
        frames, wrong = find_photos(require(folder / video, YTF, f"the folder of frames of the video {video}"))
        if not frames:
            raise FaceDataError(f"{folder / video}: holds no frames of the video {video}")
        files += frames
        bad += wrong
        counts.append(len(frames))
    return VideoFrames(tuple(files), tuple(videos), np.repeat(np.arange(len(counts)), counts), tuple(bad))


def video_means(embeddings: ArrayLike, video_index: ArrayLike, videos: int) -> NDArray[np.float64]:
    """One vector a video, the mean of the features of its frames (paper, section 4.2): ``(F, D), (F,) -> (V, D)``.

    The features are averaged as they are. Raw features of a network trained with LMCL have different lengths, and a
    long one weighs more; hand in unit vectors if each frame is to weigh the same, and say which it was. The mean is
    not scaled to unit length, since the cosine does not look at lengths.

    Args:
        embeddings: features of the frames, in any order.
        video_index: the video of each frame, within [0, videos).
        videos: how many there are; each must have a frame.

    Raises:
        ValueError: a shape is wrong, a feature is not finite, an index is out of range, or a video has no frame.

    >>> video_means([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]], [0, 0, 1], videos=2)
    array([[0.5, 0.5],
           [2. , 2. ]])
    """
    vectors, index = np.asarray(embeddings), np.asarray(video_index)
    if vectors.ndim != 2 or index.shape != vectors.shape[:1] or index.dtype.kind not in "iu":
        raise ValueError(
            f"the embeddings have shape {vectors.shape} and the index {index.shape} of {index.dtype}; they must be "
            "(F, D) and (F,) of whole numbers"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("an embedding of a frame is not finite")
    if len(index) and (index.min() < 0 or index.max() >= videos):
        raise ValueError(f"a frame belongs to video {index.max()} or {index.min()}, outside [0, {videos})")
    counts = np.bincount(index, minlength=videos)
    if not counts.all():
        raise ValueError(f"video {int(np.argmin(counts))} has no frame, and so no mean")
    order = np.argsort(index, kind="stable")
    sums = np.add.reduceat(vectors[order].astype(np.float64), np.cumsum(counts) - counts)
    means: NDArray[np.float64] = sums / counts[:, None]
    return means
