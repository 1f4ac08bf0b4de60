"""The chain of hashes by which a changed log is found."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple

from saree_cosface.curation.decisions import Entry


def chained(entry: Entry, before: str) -> str:
    """The chain of an entry: SHA-256 of all its fields together with the chain of the entry before it ("" for none)."""
    content = json.dumps([before, *astuple(entry)[:-1]], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def broken_at(entries: Sequence[Entry]) -> int | None:
    """Number of the first entry that is not as it was written, or missing; None where all are in order.

    Whoever cuts entries off the end, or writes all anew from some entry on, is not found here, but by comparing the
    chain of an entry with the one that an applied manifest wrote down.
    """
    before = ""
    for number, entry in enumerate(entries, start=1):
        try:
            right = entry.number == number and chained(entry, before) == entry.chain
        except (TypeError, ValueError):  # another program put there what is no text
            right = False
        if not right:
            return number
        before = entry.chain
    return None
