"""Which language a page is in: the one chosen on it and remembered, or named in its address, or the browser's first.

Labels are fixed when the page is built, for everybody. So they are built as marks with the key of a text
(:func:`fixed`), and get their words when the page is sent (:mod:`app.translated`). What is answered later is said in
the language of whoever asks (:func:`spoken`).
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from saree_cosface.html.page import escape
from saree_cosface.languages.language import NOTE, Language
from saree_cosface.languages.packaged import ENGLISH
from saree_cosface.taxonomy import craft_name, load_taxonomy

COOKIE = "saree_language"

_MARK = re.compile("⟪([^⟪⟫]+)⟫")


def fixed(key: str, /, **values: str) -> str:
    """The mark of a text, to be a label or part of HTML or of a script; the page that is sent has the text itself.

    >>> fixed("batch.cancel"), fixed("atlas.some", shown="{shown}", all="a few")
    ('⟪batch.cancel⟫', '⟪atlas.some|shown={shown}|all=a%20few⟫')
    """
    pairs = [f"{name}={quote(value, safe='{}')}" for name, value in values.items()]
    return f"⟪{'|'.join((key, *pairs))}⟫"


def fixed_craft(craft: str) -> str:
    """The mark of the name of a craft; of one that the taxonomy does not know the name, which no language changes.

    >>> fixed_craft("patola"), fixed_craft("shawls_of_my_aunt")
    ('⟪craft|craft=patola⟫', 'Shawls of my aunt')
    """
    return fixed("craft", craft=craft) if craft in load_taxonomy() else craft_name(craft)


def put_in(page: str, say: Language) -> str:
    """A page with the texts of a language in the place of marks; a mark that is none of ours stays.

    Texts hold nothing that means something in HTML, in JSON or in a script, so they may stand in all of them.
    """
    return _MARK.sub(lambda found: _put(found, say), page)


def spoken(languages: Mapping[str, Language], request: Any) -> Language:
    """The language of whoever asks: named in the address, chosen before, or the first of the browser's that there is;
    else English.

    Args:
        languages: by tag.
        request: gradio's or Starlette's; None where a program asks.
    """
    if request is None:
        return languages[ENGLISH]
    chosen = dict(request.query_params or {}).get("lang"), (request.cookies or {}).get(COOKIE)
    wanted = [*chosen, *_accepted(request.headers.get("accept-language") or "")]
    return next((languages[tag] for tag in wanted if tag and tag in languages), languages[ENGLISH])


def picker(languages: Mapping[str, Language]) -> str:
    """Links to the page in each language, as HTML with marks; "" where there is one."""
    if len(languages) < 2:
        return ""
    links = "".join(
        f'<a href="?lang={tag}" hreflang="{tag}" lang="{tag}" aria-current="⟪@{tag}⟫">{say.name}</a>'
        for tag, say in languages.items()
    )
    return (
        f'<nav class="saree languages" aria-label="{fixed("language.choose")}">{links}'
        f'<span class="fine">{fixed(NOTE)}</span></nav>'
    )


def _put(found: re.Match[str], say: Language) -> str:
    key, *pairs = found[1].split("|")
    if key.startswith("@"):
        return str(key == f"@{say.tag}").lower()
    if key == NOTE:
        return say.note
    # A value is safe in HTML and in JSON as the texts are: somebody may have called a craft by what looks like a mark.
    values = {name: _safe(unquote(value)) for name, _, value in (pair.partition("=") for pair in pairs)}
    if key == "craft":
        return say.craft(values["craft"]) if values.get("craft") in load_taxonomy() else found[0]
    try:
        return say(key, **values)
    except KeyError:
        return found[0]


def _safe(value: str) -> str:
    return escape(value).replace("\\", "&#92;")


def _accepted(header: str) -> list[str]:
    """Tags of the header ``Accept-Language``, the most wanted first, each followed by its language alone.

    >>> _accepted("en;q=0.5, hi-IN, mr;q=0.8;x=1, *;q=0.1, ta;q=0")
    ['hi-IN', 'hi', 'mr', 'en']
    """
    weighed = []
    for place, part in enumerate(header[:400].split(",")):
        tag, *options = (piece.strip() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            weighed.append((-float(weight), place, tag))
        except ValueError:
            continue
    tags = [tag for weight, _, tag in sorted(weighed) if weight < 0 and tag != "*"]
    return [each for tag in tags for each in dict.fromkeys((tag, tag.partition("-")[0]))]
