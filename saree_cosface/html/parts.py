"""What stands a step behind an answer: parts with a title each, folded on a screen, spread out on a page to keep."""

from collections.abc import Sequence
from dataclasses import dataclass

from saree_cosface.html.page import escape


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        title: what it is.
        hint: what of it may be told in a few words, beside the title while it is folded; plain text.
        html: what it holds.
    """

    title: str
    hint: str
    html: str


def folded(parts: Sequence[Part]) -> str:
    """Parts of which each opens by its title, with a mouse, a finger or the keyboard; no script is needed."""
    each = "".join(
        f"<details><summary><b>{escape(part.title)}</b> <span>{escape(part.hint)}</span></summary>"
        f'<div class="inside">{part.html}</div></details>'
        for part in parts
    )
    return f'<div class="parts">{each}</div>'


def spread(parts: Sequence[Part]) -> str:
    """Parts one below the other, each with its heading, as they are printed."""
    return "".join(f"<h2>{escape(part.title)}</h2>{part.html}" for part in parts)
