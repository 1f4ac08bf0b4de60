"""What a collection lacks: sources of a craft, views of a craft, sources that show more than one craft."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.scoring.confounding import confounded_sources, dominated_crafts

FEWEST, ENOUGH = 2, 5
"""Sources of a craft: fewer than the first, and it cannot be told from its photographer; from the second on, each of
five folds can hold one out."""

_USUAL = 0.05  # share of all photos from which on a view is one that a craft can be said to lack


def gaps(crafts: NDArray[np.str_], sources: NDArray[np.str_], views: NDArray[np.str_]) -> dict[str, Any]:
    """What is missing, by what is known of each photo, ``(N,)`` thrice; "" where it is not.

    >>> crafts = np.array(["patola", "patola", "gadwal"])
    >>> found = gaps(crafts, np.array(["1", "2", "1"]), np.array(["drape", "pallu", "drape"]))
    >>> found["crafts_of_one_source"], found["views_lacking"]
    (['gadwal'], {'gadwal': ['pallu']})
    """
    number = {craft: len(set(sources[crafts == craft].tolist()) - {""}) for craft in dict.fromkeys(crafts.tolist())}
    usual = [view for view, count in Counter(views.tolist()).most_common() if view and count >= _USUAL * len(views)]
    lacking = {craft: [view for view in usual if not (views[crafts == craft] == view).any()] for craft in number}
    shown = {source: crafts[sources == source].tolist() for source in set(sources.tolist()) - {""}}
    several = {source: kinds for source, kinds in shown.items() if len(kinds) > 1}
    alone = [source for source, kinds in several.items() if len(set(kinds)) == 1]
    return {
        "crafts_of_one_source": sorted(craft for craft, count in number.items() if count < FEWEST),
        "crafts_of_few_sources": sorted(craft for craft, count in number.items() if FEWEST <= count < ENOUGH),
        "usual_views": usual,
        "views_lacking": {craft: missing for craft, missing in lacking.items() if missing},
        "sources_of_several_photos": len(several),
        "of_these_of_one_craft": len(alone),
        "photos_of_these": int(np.isin(sources, alone).sum()),
        "confounded_sources": confounded_sources(crafts, sources),
        "dominated_crafts": dominated_crafts(crafts, sources),
    }
