"""Which labels somebody answers for: those that do not rest on a caption, and those that a curator has confirmed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.curation.deciding import verdicts_on
from saree_cosface.curation.log import CurationLog
from saree_cosface.curation.naming import content_of
from saree_cosface.data.manifest import Manifest


def confirmed(manifest: Manifest, log: Path) -> NDArray[np.bool_]:
    """Whether somebody answers for the label of each photo, ``(N,)``.

    A label from a caption is confirmed where the verdict that stands on this very file is the same label, accepted or
    given. One that the verdict contradicts is not: ``curate LOG apply`` writes the manifest in which it is put right.

    Args:
        manifest: whose column ``basis`` says what labels rest on; where it says nothing, they are believed.
        log: of decisions; there may be none.

    Raises:
        CurationError: it is no log.
    """
    caption = manifest.from_captions
    known = ~caption
    if caption.any() and log.exists():
        contents = [content_of(manifest, row) if caption[row] else "" for row in range(len(manifest))]
        with CurationLog(log) as opened:
            verdicts = verdicts_on(opened, manifest, contents)
        for row in np.flatnonzero(caption).tolist():
            verdict = verdicts[row]
            known[row] = (
                verdict is not None
                and verdict.kind in ("accept", "relabel")
                and verdict.value == manifest.table["craft"].iloc[row]
            )
    return known
