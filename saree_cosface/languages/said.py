"""What is said in English deep in the package, in such a way that the interface can say it in another language."""

from typing import Any

from saree_cosface.languages.values import Said, restore
from saree_cosface.taxonomy import craft_name


def said(key: str, /, **values: Any) -> Said:
    """A text of the interface in English, which every other language can say again.

    >>> said("count.photos", n=3)
    '3 photos'
    """
    from saree_cosface.languages.packaged import english

    return restore(english()(key, **values), key, values)


def said_craft(craft: str) -> Said:
    """The name of a craft, which other languages may have in their own script.

    >>> said_craft("patola")
    'Patola'
    """
    return restore(craft_name(craft), "", {"craft": craft})
