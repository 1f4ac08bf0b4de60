"""Pieces of Markdown, in which whatever people have written stays text."""

from collections.abc import Sequence


def bullets(lines: Sequence[str]) -> str:
    """A list, of lines that are Markdown themselves."""
    return "\n".join(f"- {line}" for line in lines)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table, of values that may be anything.

    >>> print(table(("craft", "photos"), [("a|b", 3)]))
    | craft | photos |
    | --- | --- |
    | a\\|b | 3 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(plain, line))} |" for line in lines)


def quoted(code: str) -> str:
    """What may stand between backticks, in one line."""
    return " ".join(code.split()).replace("`", "'")


def plain(value: object) -> str:
    """Text in one line that stays in its cell, and is no HTML, link or picture."""
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("|", "\\|").replace("[", "\\[")
