"""Which further photo may tell likely traditions apart, by the marks that the taxonomy has of them.

A photo that is asked about does not say which part of the cloth it shows, so the advice is for one that shows a part
which none has shown yet.
"""

from collections.abc import Sequence

from saree_cosface.languages.said import said, said_craft
from saree_cosface.languages.values import Listed, Said
from saree_cosface.taxonomy import load_taxonomy

COMPARED = 3
"""Traditions, the most probable ones, that the advice is about."""

_PARTS = {"border": "border", "pallu": "pallu", "": "cloth"}
"""Parts that a mark may name, and what the texts of them are called; a mark that names neither is of the cloth itself.
"""


def advice(crafts: Sequence[str]) -> Said:
    """What to photograph next, a sentence.

    The part of which the taxonomy has marks for most of these traditions is advised, with a mark of each.

    Args:
        crafts: ids, most probable first. Those beyond the first ``COMPARED``, and any that the taxonomy does not know,
            do not count; where none is left, all parts are advised.

    >>> advice(["kanjivaram", "jamdani", "kasavu"])  # doctest: +NORMALIZE_WHITESPACE
    'Add a photo of the cloth at close range, from both sides, if there is none yet, and look for checks and stripes in
    heavy mulberry silk (Kanjivaram), motifs that seem to float in sheer muslin (Jamdani), unbleached cream cotton
    (Kasavu).'
    """
    taxonomy = load_taxonomy()
    compared = [taxonomy[craft] for craft in crafts[:COMPARED] if craft in taxonomy]
    marks = {
        part: [
            said("advice.mark", mark=mark, craft=said_craft(craft.id))
            for craft in compared
            if (mark := next((mark for mark in craft.look_for if part in _parts(mark)), ""))
        ]
        for part in _PARTS
    }
    best = max(marks, key=lambda part: len(marks[part]))  # of equals the first
    if not marks[best]:
        return said("advice.all")
    return said(f"advice.{_PARTS[best]}", marks=Listed(tuple(marks[best]), ","))


def _parts(mark: str) -> set[str]:
    return {part for part in _PARTS if part and part in mark} or {""}
