"""Open licences: which one a record states, in whichever of its ways.

Offered are those under which a photo may be learned from, cropped and shown again by anybody: the public domain, CC BY
and CC BY-SA. What forbids derivatives (ND) or commerce (NC) is read, so that it is known, and never taken.

Sources: Openverse writes codes ("by-sa"), versions and links (``api/constants/licenses.py`` and
``api/utils/licenses.py`` of https://github.com/WordPress/openverse); Wikimedia Commons writes short names and links
("CC BY-SA 4.0", https://commons.wikimedia.org/wiki/Commons:Machine-readable_data).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Code = Literal["cc0", "pdm", "by", "by-sa"]
OFFERED: tuple[Code, ...] = ("cc0", "pdm", "by", "by-sa")

_NEWEST = "4.0"
_LINK = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licenses/(?P<code>[a-z+-]+)|publicdomain/(?P<dedicated>zero|mark))"
    r"(?:/(?P<version>\d\.\d))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:cc-)?(?P<code>by(?:-nc)?(?:-nd|-sa)?)(?:-(?P<version>\d\.\d)\b.*)?")
_PUBLIC = re.compile(r"pd|pdm(?:-1\.0)?|cc-pd|public-domain(?:-mark(?:-1\.0)?(?:-universal)?)?")
_ZERO = re.compile(r"cc0(?:-1\.0)?(?:-universal)?|cc-zero")


class NotOffered(ValueError):
    """A record states no licence, several, or one that is not asked for; the message says which."""


@dataclass(frozen=True)
class Licence:
    """One licence.

    Attributes:
        code: as Openverse writes it, such as "by-sa".
        version: such as "4.0"; "" where it is not said.
        url: of its text.
    """

    code: str
    version: str
    url: str

    @property
    def name(self) -> str:
        """For people.

        >>> Licence("by-sa", "4.0", "").name, Licence("cc0", "1.0", "").name
        ('CC BY-SA 4.0', 'CC0 1.0')
        """
        if self.code == "pdm":
            return "Public Domain Mark 1.0"
        return f"{'' if self.code == 'cc0' else 'CC '}{self.code.upper()} {self.version}".rstrip()


def licence_of(statements: Sequence[str], asked: Sequence[str]) -> Licence:
    """The licence on which all statements of a record agree.

    Args:
        statements: codes, short names and links, as the record has them; empty ones say nothing.
        asked: codes that are taken.

    Raises:
        NotOffered: none can be read, they contradict each other, or it is not asked for.

    >>> licence_of(["CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"], ["by-sa"]).name
    'CC BY-SA 4.0'
    >>> licence_of(["by", "https://creativecommons.org/licenses/by-nd/2.0/"], ["by"])
    Traceback (most recent call last):
        ...
    saree_cosface.gathering.licences.NotOffered: contradicts itself: by, by-nd
    """
    said = [text.strip() for text in statements if text and text.strip()]
    read = {text: stated(text) for text in said}
    found = [licence for licence in read.values() if licence is not None]
    if not found:
        raise NotOffered(f"no licence that is known here: {', '.join(said) or 'none is stated'}")
    codes = dict.fromkeys(licence.code for licence in found)
    if len(codes) > 1:
        raise NotOffered(f"contradicts itself: {', '.join(codes)}")
    (code,) = codes
    # What is in the public domain is so for many reasons, each with a page of its own.
    unread = [
        text for text, licence in read.items() if licence is None and (code != "pdm" or "creativecommons" in text)
    ]
    if unread:
        raise NotOffered(f"{code}, and something that is not known here: {', '.join(unread)}")
    if code not in asked:
        raise NotOffered(f"{found[0].name}, which is not asked for")
    version = next((licence.version for licence in found if licence.version), "")
    linked = next((licence.url for licence in found if licence.url), "")
    return Licence(code, version, linked or _link(code, version))


def stated(text: str) -> Licence | None:
    """The licence that one statement names, with its link if it is one; None for anything else."""
    link = _LINK.fullmatch(text)
    if link is not None:
        code = {"zero": "cc0", "mark": "pdm"}.get((link["dedicated"] or "").lower()) or link["code"].lower()
        return Licence(code, link["version"] or "", "https:" + text.split(":", 1)[-1])
    name = re.sub(r"[\s_]+", "-", text.casefold())
    if _PUBLIC.fullmatch(name):
        return Licence("pdm", "1.0", "")
    if _ZERO.fullmatch(name):
        return Licence("cc0", "1.0", "")
    found = _NAME.fullmatch(name)
    return None if found is None else Licence(found["code"], found["version"] or "", "")


def _link(code: str, version: str) -> str:
    """Where a licence can be read, by Openverse's rule: the newest version where none is said."""
    dedicated = {"cc0": "publicdomain/zero/1.0", "pdm": "publicdomain/mark/1.0"}
    return f"https://creativecommons.org/{dedicated.get(code, f'licenses/{code}/{version or _NEWEST}')}/"
