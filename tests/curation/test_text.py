"""Names and notes as people type them."""

from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.curation.chain import chained
from saree_cosface.curation.decisions import CurationError, Entry
from saree_cosface.curation.text import tidy_name, tidy_text


@given(st.text(max_size=60))
def test_any_text_is_kept_or_refused(text):
    try:
        kept = tidy_text(text, "it", 4000)
    except CurationError:
        assert any(not mark.isprintable() for mark in text)
        return
    assert kept.split() == text.split()
    entry = Entry(1, "comment", "a", "", "", "A", "", kept, "")
    assert len(chained(entry, "")) == 64
    if kept.split():
        assert tidy_name(tidy_name(kept)) == tidy_name(kept) or len(kept) > 100
