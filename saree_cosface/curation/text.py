"""What people write, made fit to be kept."""

import re
import unicodedata

from saree_cosface.curation.decisions import LONGEST_NAME, CurationError

_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")  # they reorder what is shown, so that a line can lie


def tidy_name(text: str) -> str:
    """A curator's name in one spelling: NFC, single spaces.

    Raises:
        CurationError: it is empty, too long, or holds characters that cannot be shown.

    >>> tidy_name("  Asha   Rao ")
    'Asha Rao'
    """
    name = " ".join(unicodedata.normalize("NFC", tidy_text(text, "the name", LONGEST_NAME)).split())
    if not name:
        raise CurationError("a decision needs a name: say who decides with --by NAME.")
    return name


def tidy_text(text: str, what: str, longest: int) -> str:
    """Free text as it is kept: Unix line ends, no white space around it; anything else stays, emoji and markup too.

    Raises:
        CurationError: it is too long, or holds control characters, marks that reorder text, or no valid Unicode.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    bad = [mark for mark in text if unicodedata.category(mark) in ("Cc", "Cs") and mark not in "\n\t"]
    bad += _OVERRIDES.findall(text)
    if bad:
        raise CurationError(f"{what} holds the character U+{ord(bad[0]):04X}, which cannot be shown; leave it out.")
    if len(text) > longest:
        raise CurationError(f"{what} has {len(text)} characters; at most {longest} are kept.")
    return text
