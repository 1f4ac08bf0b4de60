"""What services have in common: questions, the pages that answer them, and how often they may be asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saree_cosface.gathering.records import Found, Left
from saree_cosface.taxonomy import Craft

Asked = Mapping[str, str]
"""A question: the parameters of an address."""

DEEPEST = 12
"""Pages of answers to one question. Openverse gives no more to those without a key; beyond, little is relevant."""


@dataclass(frozen=True)
class Page:
    """An answer.

    Attributes:
        records: photos, and records that cannot be one, in the order of relevance.
        following: the question for the next page; None after the last.
    """

    records: tuple[Found | Left, ...]
    following: Asked | None


@dataclass(frozen=True)
class Service:
    """Where photos are looked for.

    Attributes:
        name: as options name it.
        home: scheme and host; ``--api`` names another.
        path: that questions go to.
        pause: seconds from one question to the next.
        quota: how much may be asked, for people.
        asks: from a craft and the licences asked for to the questions.
        read: from a question, the JSON that answers it and the licences asked for to a page.
    """

    name: str
    home: str
    path: str
    pause: float
    quota: str
    asks: Callable[[Craft, Sequence[str]], Sequence[Asked]]
    read: Callable[[Asked, Any, Sequence[str]], Page]
