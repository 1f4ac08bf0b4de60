"""Names that people give to sources, pieces and labels: what looks alike is one name, and what nearly does is noticed.

One shop's name comes in many spellings of bytes: a Mac writes é as two characters, a word processor makes blanks that
do not break, a web page brings some that have no width. A source of two such spellings is two sources, of which one may
be held out while the other is trained on.
"""

import re
import unicodedata
from collections.abc import Iterable

from saree_cosface.taxonomy import NotACraft, UnknownCraft, load_taxonomy

_BLANK = " "

_UNSEEN = dict.fromkeys(
    [0x00AD, 0x034F, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
"""Characters that nobody sees. The joiners U+200C and U+200D are not among them: Indic scripts are spelt with them."""

_JOINERS = dict.fromkeys([0x200C, 0x200D])

_LOOKS_LIKE = str.maketrans(
    "аеорсхуіјѕкмтнвԁɡոαοικνρτυχϲ01|ı‐‑‒–—−’‘ʼ`´",
    "aeopcxyijskmthbdgnaoikvptuxcolll------'''''",
)
"""Small letters of other scripts, digits and marks, and the Latin ones that they are taken for."""


def tidy(name: str) -> str:
    """One spelling of a name: composed letters (NFC), single blanks, nothing that cannot be seen.

    >>> tidy("Cafe\\u0301\\u00a0 Silks\\u200b ") == "Caf\\u00e9 Silks"
    True
    """
    return _BLANK.join(unicodedata.normalize("NFC", name.translate(_UNSEEN)).split())


def plain(name: str) -> str:
    """A name without case, width, joiners, or how its words are parted.

    >>> plain("ASHA Silks") == plain("asha-silks")
    True
    """
    same = unicodedata.normalize("NFKC", tidy(name)).casefold().translate(_JOINERS)
    return re.sub(r"[ _.-]+", "-", same)


def look(name: str) -> str:
    """What a name is taken for at a glance: :func:`plain`, and the script of a letter does not matter either.

    >>> look("ASHA Silks") == look("\\u0430sha silks")
    True
    """
    return plain(name).translate(_LOOKS_LIKE).replace("'", "")


def lookalikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of different names that look alike, each in the order of its names.

    >>> lookalikes(["Asha", "Meera", "asha", "Asha"])
    [('Asha', 'asha')]
    """
    groups: dict[str, dict[str, None]] = {}
    for name in names:
        if name:
            groups.setdefault(look(name), {})[name] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]


def craft_label(name: str, *, new: bool = False, known: Iterable[str] = ()) -> str:
    """The label of a craft by any of its spellings: its id in the taxonomy, or with ``new`` the name itself.

    Args:
        name: as somebody typed it.
        new: it may be a craft that the taxonomy does not know. Its label is then the name as typed, in one spelling.
        known: labels in use, among them perhaps the same name with other capitals, which is then meant.

    Raises:
        UnknownCraft: no craft is spelt so, and it is not said to be new.
        NotACraft: it is a material or a use, or no name at all.

    >>> craft_label("Kanchipuram saree"), craft_label("Mashru of Kutch", new=True)
    ('kanjivaram', 'Mashru of Kutch')
    >>> craft_label("MASHRU of Kutch", new=True, known=["Mashru of Kutch"])
    'Mashru of Kutch'
    """
    name = tidy(name)
    try:
        return load_taxonomy().resolve(name).id
    except UnknownCraft as error:
        labels = {plain(label): label for label in known}
        if plain(name) in labels:
            return labels[plain(name)]
        if not new:
            remedy = "For a tradition that the taxonomy does not know, add --new."
            raise UnknownCraft(name, error.suggestions, remedy) from error
    if any(unicodedata.category(mark) in ("Cc", "Cs", "Co") for mark in name):
        raise NotACraft(name, "it has characters that cannot be shown")
    if not any(mark.isalnum() for mark in name):
        raise NotACraft(name, "it has neither letters nor digits")
    return name
