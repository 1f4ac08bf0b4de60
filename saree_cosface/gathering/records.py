"""What a found photo is: a record of a service, with all that its credit needs."""

from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from saree_cosface.data.names import tidy
from saree_cosface.gathering.licences import Licence

UNKNOWN = "unknown"
_LONGEST = 200  # letters of a title or a name


class ChangedShape(ValueError):
    """A service answers in another shape than its documentation says; the message names the field."""


@dataclass(frozen=True)
class Found:
    """A photo that a service told of.

    Attributes:
        service: that told of it, "openverse" or "commons".
        id: within the service.
        title: in one line; "" where it has none.
        creator: who made it; "" where that is not said.
        creator_url: of their page; "" where there is none.
        licence: under which it may be used.
        landing: the page that shows it with its licence.
        provider: who keeps it, such as "flickr" or "wikimedia".
        url: of the file that is fetched.
        original: of the file at its full size, by which other services know it too.
        width, height: in pixels, as the record says; 0 where it does not.
        words: tags and categories.
        restrictions: what else is said of its use, such as "personality"; "" for nothing.
    """

    service: str
    id: str
    title: str
    creator: str
    creator_url: str
    licence: Licence
    landing: str
    provider: str
    url: str
    original: str
    width: int = 0
    height: int = 0
    words: tuple[str, ...] = ()
    restrictions: str = ""

    @property
    def source(self) -> str:
        """Who photographed it: what is held out together. Those of whom nothing is known are one at each provider."""
        return f"{self.creator or UNKNOWN} at {self.provider}"

    @property
    def credit(self) -> str:
        """Title, author, source and licence in one line."""
        of = f"“{self.title}”" if self.title else "Untitled"
        return f"{of} by {self.creator or UNKNOWN}, {self.licence.name} ({self.licence.url}), {self.landing}"

    @property
    def address(self) -> str:
        """What the original is known by, whichever service told of it: its address without scheme and query."""
        parts = urlsplit(self.original)
        return f"{parts.netloc.lower()}{parts.path}"

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Found":
        """The photo that :meth:`to_json` wrote down."""
        return cls(**{**document, "licence": Licence(**document["licence"]), "words": tuple(document["words"])})


@dataclass(frozen=True)
class Left:
    """A record of which no photo was made.

    Attributes:
        service, id, title, url: as in :class:`Found`; "" where not known.
        kind: what sort of thing is wrong, such as "licence".
        reason: in words.
    """

    service: str
    id: str
    title: str
    url: str
    kind: str
    reason: str


def left(record: Found, kind: str, reason: str) -> Left:
    """The record of a photo that is left out."""
    return Left(record.service, record.id, record.title, record.url, kind, reason)


def require(document: Any, kind: type, where: str) -> Any:
    """A part of an answer, which must be of a kind.

    Raises:
        ChangedShape: it is not.
    """
    if not isinstance(document, kind):
        found = "missing" if document is None else f"a {type(document).__name__}"
        raise ChangedShape(f"{where} is {found}, not a {kind.__name__}: has the service changed?")
    return document


def text(value: Any) -> str:
    """A value of a record as one line of plain text, whatever it is: HTML loses its tags, and what cannot be seen goes.

    >>> text('<a href="//commons.wikimedia.org/wiki/User:Asha">Asha &amp; sons</a>'), text(None)
    ('Asha & sons', '')
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    parser = _Text()
    parser.feed(str(value))
    parser.close()
    line = tidy("".join(parser.parts)).encode(errors="replace").decode()  # half a letter is none
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def link(value: Any) -> str:
    """An address of a page, if it is one that can be told to people."""
    address = f"https:{value}" if isinstance(value, str) and value.startswith("//") else value
    if not isinstance(address, str) or any(not mark.isprintable() or mark in ' <>"' for mark in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme in ("http", "https") and parts.netloc else ""


def number(value: Any) -> int:
    """A count of pixels; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


class _Text(HTMLParser):
    """Collects the text between tags; what scripts and styles hold is none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._within = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within += tag in ("script", "style")
        if tag in ("br", "div", "li", "p", "td", "tr"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._within -= tag in ("script", "style") and self._within > 0

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.parts.append(data)
