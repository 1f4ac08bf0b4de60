"""What is asked for a craft, and what of the answers speaks of something else."""

import unicodedata
from collections.abc import Iterable

from saree_cosface.gathering.records import Found, Left, left
from saree_cosface.taxonomy import Craft, Taxonomy, words_of

CLOTH = ("saree", "sari", "textile")
"""What stands beside the name of a craft in a query: services look for all of its words."""

_NAMES, _SCRIPTS = 6, 4
"""Names that a craft is looked for by, and scripts, at most: services count the questions of a day."""

_SAREE_IN = {
    "DEVANAGARI": "साड़ी",
    "BENGALI": "শাড়ি",
    "TAMIL": "சேலை",
    "TELUGU": "చీర",
    "KANNADA": "ಸೀರೆ",
    "MALAYALAM": "സാരി",
    "ORIYA": "ଶାଢ଼ୀ",
    "GUJARATI": "સાડી",
    "GURMUKHI": "ਸਾੜ੍ਹੀ",
}

_SAYS_CLOTH = frozenset(
    words_of("saree sarees sari saris textile textiles shawl shawls embroidery rumal handloom brocade weaving fabric")
)
_SHORTEST = 4  # letters of a name by which another craft is noticed: eri is also a man, and a lake


def names_of(craft: Craft) -> tuple[str, ...]:
    """Names that a craft is looked for by."""
    return (craft.search or (craft.name, *craft.spellings))[:_NAMES]


def queries(craft: Craft) -> tuple[str, ...]:
    """What is asked for a craft, the likeliest first.

    >>> from saree_cosface.taxonomy import load_taxonomy
    >>> queries(load_taxonomy()["muga"])[:4]
    ('muga silk saree', 'muga silk sari', 'muga silk textile', 'mekhela chador saree')
    """
    first, *others = names_of(craft)
    found = [first] if _says_cloth(first) else [f"{first} {word}" for word in CLOTH]
    found += [name if _says_cloth(name) else f"{name} {CLOTH[0]}" for name in others]
    native: dict[str, str] = {}
    for name in filter(None, craft.native):
        script = unicodedata.name(name[0], "").partition(" ")[0]
        if script in _SAREE_IN:
            native.setdefault(script, f"{name} {_SAREE_IN[script]}")
    return tuple(dict.fromkeys([*found, *list(native.values())[:_SCRIPTS]]))


def categories(craft: Craft) -> tuple[str, ...]:
    """Categories in which Wikimedia Commons may keep photos of a craft: "Category:Banarasi saris"."""
    first = names_of(craft)[0]
    named = [first] if _says_cloth(first) else [f"{first} saris", f"{first} sarees"]
    return tuple(f"Category:{name[:1].upper()}{name[1:]}" for name in named)


def elsewhere(record: Found, craft: Craft, taxonomy: Taxonomy) -> Left | None:
    """Why a photo that was found for a craft is not one of it, by its title, tags and categories; None if it may be.

    Where the title says that it is a cloth, tags may tell of the place as well. A title that names another craft, and
    not this one, was found by the description, where much is compared.
    """
    title = _spaced(record.title)
    captions = [title] if _says_cloth(record.title) else [title, *map(_spaced, record.words)]
    for word in craft.exclude:
        if any(_spaced(word) in caption for caption in captions):
            return left(record, "excluded word", f"its caption says “{word}”, which is something else")
    if _named(title, (craft.name, *craft.spellings, *craft.native, *craft.search)):
        return None
    for other in taxonomy.crafts:
        if other.id != craft.id and _named(title, (other.name, *other.search)):
            return left(record, "another craft", f"its title names {other.name}")
    return None


def _says_cloth(name: str) -> bool:
    return not _SAYS_CLOTH.isdisjoint(words_of(name))


def _named(caption: str, names: Iterable[str]) -> bool:
    return any(len(name) >= _SHORTEST and _spaced(name) in caption for name in names)


def _spaced(caption: str) -> str:
    return f" {' '.join(words_of(caption))} "
