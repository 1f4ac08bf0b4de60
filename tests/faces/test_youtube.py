"""YouTube Faces: pairs of videos, their frames, and the mean of a video."""

import numpy as np
import pytest

from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.pairs import missing
from saree_cosface.faces.youtube import read_frames, read_ytf_pairs, video_means
from tests.helpers.real_faces import FACES, needs_faces
from tests.helpers.touched import touch

YTF_ROWS = ["1, 1, Ann/1, Ann/5, 1", "1, 2, Ann/1, Bo/0, 0", "2, 1, Bo/0, Bo/2, 1", "2, 2, Ann/5, Bo/2, 0"]


@pytest.mark.parametrize("header", [[], ["split number, pair number, first name, second name, is same"]])
def test_pairs_of_videos(header, tmp_path):
    (tmp_path / "splits.txt").write_bytes("\r\n".join(header + YTF_ROWS).encode())
    pairs = read_ytf_pairs(tmp_path / "splits.txt")
    assert pairs.first == ("Ann/1", "Ann/1", "Bo/0", "Ann/5")
    assert pairs.second == ("Ann/5", "Bo/0", "Bo/2", "Bo/2")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    touch(tmp_path, "frames/Ann/1/a.jpg", "frames/Bo/0/a.jpg", "frames/Bo/2/a.jpg")
    assert missing(pairs, tmp_path / "frames") == ("Ann/5",)


@pytest.mark.parametrize(
    "row", ["1, 3, Ann/1, Bo/1", "x, 3, Ann/1, Bo/1, 1", "1, 3, Ann/1, Bo/1, 2", "1, 3, Ann/1, ../../Bo, 1"]
)
def test_malformed_rows_of_videos(row, tmp_path):
    (tmp_path / "splits.txt").write_text("\n".join([*YTF_ROWS, row]))
    with pytest.raises(FaceDataError, match="splits.txt, line 5"):
        read_ytf_pairs(tmp_path / "splits.txt")


def test_frames_of_videos(tmp_path):
    touch(tmp_path, *(f"Ann/1/aligned_detect_0.{i}.jpg" for i in range(3)), "Bo/0/f.jpg", "Bo/1/unused.jpg")
    (tmp_path / "Bo" / "0" / "gone.jpg").symlink_to("nowhere")
    frames = read_frames(tmp_path, ["Bo/0", "Ann/1"])
    assert [path.relative_to(tmp_path).as_posix() for path in frames.files] == [
        *("Bo/0/f.jpg", "Ann/1/aligned_detect_0.0.jpg", "Ann/1/aligned_detect_0.1.jpg", "Ann/1/aligned_detect_0.2.jpg"),
    ]
    assert frames.video_index.tolist() == [0, 1, 1, 1]
    assert frames.videos == ("Bo/0", "Ann/1")
    assert len(frames.bad) == 1
    with pytest.raises(FileNotFoundError, match="frames of the video Cy/3.*ytfaces"):
        read_frames(tmp_path, ["Cy/3"])
    (tmp_path / "Cy" / "3").mkdir(parents=True)
    with pytest.raises(FaceDataError, match="no frames of the video Cy/3"):
        read_frames(tmp_path, ["Cy/3"])


def test_the_mean_of_a_video_against_a_loop():
    rng = np.random.default_rng(0)
    index = np.concatenate([np.arange(7), rng.integers(0, 7, 60)])
    rng.shuffle(index)
    embeddings = rng.normal(size=(67, 5)).astype(np.float32)
    expected = [embeddings[index == video].astype(np.float64).mean(axis=0) for video in range(7)]
    np.testing.assert_allclose(video_means(embeddings, index, 7), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("embeddings", "index", "pattern"),
    [
        ([[1.0], [2.0]], [0], "shape"),
        ([1.0, 2.0], [0, 1], "shape"),
        ([[1.0], [2.0]], [0.0, 1.0], "whole numbers"),
        ([[1.0], [np.nan]], [0, 1], "not finite"),
        ([[1.0], [2.0]], [0, 2], "outside"),
        ([[1.0], [2.0]], [0, -1], "outside"),
        ([[1.0], [2.0]], [1, 1], "video 0 has no frame"),
    ],
)
def test_means_that_there_are_not(embeddings, index, pattern):
    with pytest.raises(ValueError, match=pattern):
        video_means(embeddings, index, 2)


@needs_faces
@pytest.mark.photos
def test_the_splits_of_youtube_faces():
    pairs = read_ytf_pairs(FACES / "ytf_splits.txt")
    assert len(pairs) == 5000
    for fold in range(10):
        assert np.bincount(pairs.same[pairs.folds == fold]).tolist() == [250, 250]
