"""What a run answers to photos that are changed before it looks at them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.views import BRIEF, ChangedViews, Pixels
from saree_cosface.features.embedding import fuse_features
from saree_cosface.features.extraction import features_of_each
from saree_cosface.runs.run import Run

NO_ANSWER = -1
"""Stands for the answer to a photo of which a change has left nothing."""


def answers_to_changed(
    run: Run,
    files: Sequence[Path],
    name: str,
    change: Callable[[Pixels], Sequence[Pixels]],
    pictures: int,
    *,
    cache: Path | None = None,
    description: str,
) -> NDArray[np.int_]:
    """The nearest craft's number for each picture that a photo is changed to: ``(N, pictures)``.

    Args:
        run: is asked.
        files: photos.
        name: of the change, by which the cache knows it.
        change: from pixels of a photo to ``pictures`` pictures, or to none.
        pictures: their number.
        cache: folder to remember features in; nothing is remembered when None.
        description: of the progress bar.

    Raises:
        BadImage: a photo cannot be read.
    """
    backbone = run.embedder.backbone
    views = ChangedViews(backbone.preprocessing.size, name, change)
    answers = np.full((len(files), pictures), NO_ANSWER)
    for read in features_of_each(backbone, files, views, cache=cache, description=description):
        if read.bad:
            raise read.bad[0]
        if read.features.size:
            by_picture = read.features.reshape(pictures, BRIEF, backbone.num_features)
            answers[read.rows[0]] = run.cosines(fuse_features(run.embedder, by_picture)).argmax(axis=1)
    return answers
