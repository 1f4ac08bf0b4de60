"""Names that people give to sources, pieces and labels: what looks alike is one name, and what nearly does is noticed.

One shop's name comes in many spellings of bytes: a Mac writes é as two characters, a word processor makes blanks that
do not break, a web page brings some that have no width. A source of two such spellings is two sources, of which one may
be held out while the other is trained on.
"""

import re
import unicodedata
from collections.abc import Iterable

from saree_cosface.data.respelt import respelt
from saree_cosface.taxonomy import NotACraft, UnknownCraft, load_taxonomy

_BLANK = " "

_UNSEEN = dict.fromkeys(
    (
        *(each for each in (*range(0x20), *range(0x7F, 0xA0)) if not chr(each).isspace()),
        *(0x00AD, 0x034F, 0x061C, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, 0x200E, 0x200F),
        *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF, *range(0xFFF0, 0xFFFC)),
        *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
    )
) | dict.fromkeys((0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0), _BLANK)
"""Characters that nobody sees, controls and those that Unicode calls default ignorable, and others that are seen as a
blank. The joiners are not among them: many scripts are spelt with them."""

_JOINERS = dict.fromkeys((0x200C, 0x200D))

_IDLE_JOINER = re.compile("(?:^|(?<=[\u0000-\u05ff\u1e00-\u218f]))[\u200c\u200d]+")
"""Joiners behind letters that nothing is joined to: Latin, Greek, Cyrillic."""

_LOOKS_LIKE = str.maketrans(
    {
        **dict(zip("аеорсхуіјѕкмтнвԁɡ", "aeopcxyijskmthbdg", strict=True)),  # Cyrillic
        **dict(zip("αοικνρτυχϲոհօցսɑı01|।", "aoikvptuxcnhoguaiolll", strict=True)),  # Greek, Armenian, digits, marks
        **dict(zip("ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ", "abcdehjklmprstvwz", strict=True)),  # Cherokee
        **{"ی": "ي", "ى": "ي", "ک": "ك", "ௌ": "ெள", "ൌ": "ൗ"},  # of Arabic, Tamil, Malayalam
        **dict.fromkeys("ःঃઃଃஃఃಃഃ", ":"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        **dict.fromkeys("'’‘ʼ`´\"“”„«»\u0307"),
    }
)
"""Letters and marks, and what they are taken for."""

_ESCAPED = re.compile("_x(?:00[01][0-9A-Fa-f]|007F)_")
"""How a workbook writes a control character into its file; some programs copy that as it stands."""

_TWO_LIKE_ONE = (("rn", "m"), ("vv", "w"))


def tidy(name: str) -> str:
    """One spelling of a name: composed letters (NFC), single blanks, nothing that cannot be seen.

    >>> tidy("Cafe\\u0301\\u00a0 Silks\\u200b ") == "Caf\\u00e9 Silks"
    True
    """
    if name.isascii() and name.isprintable() and "_x" not in name:  # most are, and a table has many
        return _BLANK.join(name.split())
    seen = _IDLE_JOINER.sub("", _ESCAPED.sub(_BLANK, name).translate(_UNSEEN))
    # Until nothing changes, since a letter that is put together may meet a sign that belongs to it.
    while (spelt := unicodedata.normalize("NFC", respelt(unicodedata.normalize("NFC", seen)))) != seen:
        seen = spelt
    return _BLANK.join(seen.split())


def plain(name: str) -> str:
    """A name without case, width, joiners, how its words are parted, or the dots of its end.

    >>> plain("ASHA Silks Ltd.") == plain("asha-silks ltd")
    True
    """
    same = unicodedata.normalize("NFKC", tidy(name)).casefold().translate(_JOINERS)
    same = "".join(
        mark for mark in same if unicodedata.category(mark) != "Co"
    )  # which a font shows as nothing, or as a box
    return re.sub(r"[ _.,;-]+", "-", same).strip("-") or same


def look(name: str) -> str:
    """What a name is taken for at a glance: :func:`plain`, and the script of a letter does not matter either.

    >>> look("ASHA Silks") == look("\\u0430sha silks")
    True
    """
    seen = plain(name).translate(_LOOKS_LIKE)
    for two, one in _TWO_LIKE_ONE:
        seen = seen.replace(two, one)
    return seen.strip("-") or seen


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
