"""Names that people give to sources, pieces and labels: what looks alike is one name, and what nearly does is noticed.

One shop's name comes in many spellings of bytes: a Mac writes é as two characters, a word processor makes blanks that
do not break, a web page brings some that have no width. A source of two such spellings is two sources, of which one may
be held out while the other is trained on.
"""

import re
import unicodedata
from collections.abc import Iterable

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


def look(name: str) -> str:
    """What a name is taken for at a glance: without case, width, accents of typography, or the script of a letter.

    >>> look("ASHA Silks") == look("asha-silks") == look("\\u0430sha silks")
    True
    """
    plain = unicodedata.normalize("NFKC", tidy(name)).casefold().translate(_JOINERS).translate(_LOOKS_LIKE)
    return re.sub(r"[ _.-]+", "-", plain).replace("'", "")


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
