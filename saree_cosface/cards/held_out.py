"""What a test on held-out sources can find out from a collection: for how many of its crafts, and from how much."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.cards.gaps import ENOUGH, FEWEST
from saree_cosface.data.duplicates import groups
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.splits import held_together


def held_out(manifest: Manifest, copies: NDArray[np.int_]) -> dict[str, Any]:
    """Sources that must stay together, because they share a picture, counted as one, of all photos and of each craft.

    Photos of unknown source cannot be held out, and are counted in none.

    Args:
        manifest: ``N`` photos.
        copies: pairs of rows that show one picture, ``(P, 2)``.
    """
    rows = np.flatnonzero(manifest.sources != "")
    known = manifest.select(rows)
    together = held_together(known, "source", groups(len(manifest), copies)[rows]) if len(rows) else rows.astype(str)
    crafts = known.crafts
    number = {craft: len(set(together[crafts == craft].tolist())) for craft in dict.fromkeys(manifest.crafts.tolist())}
    scored = [craft for craft, count in number.items() if count >= FEWEST]
    return {
        "independent_sources": len(set(together.tolist())),
        "of_each_craft": number,
        "crafts": sorted(scored),
        "photos": int(np.isin(crafts, scored).sum()),
        "crafts_in_five_folds": sorted(craft for craft, count in number.items() if count >= ENOUGH),
    }
