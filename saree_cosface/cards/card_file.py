"""A card on disk: what is measured is written anew each time, and what people wrote stays as it is.

Between two marks stands what was measured; the first mark holds its checksum, so that words which somebody wrote there
by mistake are noticed before they are lost. All the rest of the file is people's, once it is there.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import yaml

from saree_cosface.cards.questions import questions_text
from saree_cosface.sharing.markdown import plain

CARD = "card.md"

_BEGIN = "<!-- measured {checksum}: from here to the other mark, the next `saree-cosface data card` writes anew -->"
_END = "<!-- end of what is measured -->"
_BLOCK = re.compile(rf"<!-- measured ([0-9a-f]{{16}}):[^\n]*-->\n(.*?)\n?{re.escape(_END)}", re.DOTALL)
_SIZE = re.compile(r"(?<=^size_categories:\n- ).*$", re.MULTILINE)

_SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}


class CardError(ValueError):
    """A card cannot be renewed without losing what somebody wrote; the message says where, and what to do."""


def read_before(folder: Path) -> str | None:
    """The card that is there already; None if there is none.

    Raises:
        CardError: its marks are gone, or somebody wrote between them, or it cannot be read.
    """
    path = folder / CARD
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read ({error}); mend it, or choose another --out.") from error
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) != 1:
        raise CardError(
            f"{path}: has {len(blocks)} parts between marks, <!-- measured … --> and {_END}, where one is written "
            "anew: restore the marks, or choose another --out."
        )
    checksum, measured = blocks[0].groups()
    if measured.strip() and _checksum(measured) != checksum:
        first = text.count("\n", 0, blocks[0].start()) + 1
        last = text.count("\n", 0, blocks[0].end()) + 1
        raise CardError(
            f"{path}: somebody has written between lines {first} and {last}, where what is measured is written anew. "
            "Move that below the end mark, then delete all that stands between the marks and try again."
        )
    return text


def card_text(before: str | None, measured: str, photos: int, name: str, licences: list[str]) -> str:
    """The card: a new one, or the one before with what is measured written anew.

    Args:
        before: as :func:`read_before` read it.
        measured: Markdown.
        photos: how many.
        name: of the collection, for a new card.
        licences: for a new card, as hubs spell them.
    """
    block = f"{_BEGIN.format(checksum=_checksum(measured))}\n{measured}\n{_END}"
    if before is not None:
        renewed = _BLOCK.sub(lambda _: block, before)
        head, mark, rest = renewed.partition("\n---\n")  # the end of the header
        return _SIZE.sub(size_category(photos), head) + mark + rest
    header = {
        "pretty_name": name,
        "license": licences[0] if len(licences) == 1 else licences,
        "task_categories": ["image-classification"],
        "tags": ["saree", "textiles"],
        "size_categories": [size_category(photos)],
    }
    said = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    return (
        f"---\n{said}---\n\n# {plain(name)}\n\n"
        "A card of a collection of photographs of sarees. What can be counted is counted below; what only people can "
        f"say stands behind it as questions, until somebody answers them.\n\n{block}\n\n{questions_text()}\n"
    )


def name_in(card: str) -> str | None:
    """What people call the collection in the header of its card; None where they say nothing."""
    parts = card.split("---\n", 2)
    try:
        header: Any = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError:
        return None
    name = header.get("pretty_name") if isinstance(header, dict) else None
    return name if isinstance(name, str) and name.strip() else None


def size_category(photos: int) -> str:
    """How many photos there are, as hubs put it.

    >>> size_category(728), size_category(1000)
    ('n<1K', '1K<n<10K')
    """
    return next((said for most, said in _SIZES.items() if photos < most), "10M<n<100M")


def _checksum(measured: str) -> str:
    """Of the words alone: an editor may break lines in its own way."""
    return hashlib.sha256(" ".join(measured.split()).encode()).hexdigest()[:16]
