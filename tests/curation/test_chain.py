"""The chain from entry to entry, which shows what was changed."""

from dataclasses import replace

from saree_cosface.curation.chain import chained
from saree_cosface.curation.decisions import Entry


def test_the_chain_holds_every_field():
    entry = Entry(1, "accept", "a", "s", "v", "b", "w", "y", "m", 3)
    whole = chained(entry, "x")
    assert whole != chained(entry, "y")
    for field in ("number", "kind", "photo", "sha256", "value", "by", "when", "why", "manifest", "seen"):
        other = 9 if field in ("number", "seen") else "other"
        assert chained(replace(entry, **{field: other}), "x") != whole
