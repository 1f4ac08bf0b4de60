"""What stands in a text: numbers and lists, to be written as a language does, and English that knows what it says."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Amount:
    """A number to be written as a language does.

    Attributes:
        value: the number; of a share 0.25 is 25 %.
        digits: after the point.
        share: whether it is shown in percent.
    """

    value: float
    digits: int = 0
    share: bool = False


@dataclass(frozen=True)
class Listed:
    """Several things to be listed as a language does.

    Attributes:
        items: texts, each perhaps a :class:`Said`.
        style: of the list: "or" for one of them, "and" for all, "," for no word before the last.
    """

    items: tuple[str, ...]
    style: str = "and"


class Said(str):
    """English text that knows what it says: the ``key`` of a text of the interface, and its ``values``.

    It is a ``str`` like any other to whoever needs no other language: a document, a log, a command.
    """

    key: str
    values: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (str(self), self.key, self.values)


def restore(english: str, key: str, values: dict[str, Any]) -> Said:
    """Text with what it says."""
    text = Said(english)
    text.key, text.values = key, values
    return text
