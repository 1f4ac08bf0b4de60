"""Pieces of HTML that the report and the app share: tables, cosine bars, thumbnails of references.

Everything that comes from outside (file names, sources, labels) is escaped here. Pictures become data URIs, so that a
page needs no other file and no server that hands out paths.
"""

import base64
import html
import io
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.answers.attribution import Attribution, NearReference, PhotoSay, RankedTradition
from saree_cosface.data.images import BadImage, decode
from saree_cosface.taxonomy import load_taxonomy

_KINDS = {".png": "image/png", ".jpg": "image/jpeg"}


@cache
def stylesheet() -> str:
    """The CSS of the report and the app; it refers to nothing outside."""
    return files("saree_cosface.html").joinpath("style.css").read_text(encoding="utf-8")


def page(title: str, body: str, footer: str, *, kind: str = "") -> str:
    """A whole page that opens offline: its style is inside, and it asks no search engine to list it.

    Args:
        title: of the window.
        body: HTML.
        footer: HTML.
        kind: another class of the body, for its style.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{stylesheet()}
</style>
</head>
<body class="{f"saree {kind}".strip()}">
<div class="temple"></div>
<main>
{body}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def escape(value: object) -> str:
    """Text that is safe between tags and within quoted attributes.

    >>> escape('<b> & "saree".jpg')
    '&lt;b&gt; &amp; &quot;saree&quot;.jpg'
    """
    # A file name need not be valid UTF-8; what cannot be written is shown as a question mark.
    return html.escape(str(value).encode("utf-8", "replace").decode("utf-8"))


def file_uri(path: Path) -> str:
    """Data URI of a PNG or JPEG file; "" if it is gone."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return f"data:{_KINDS[path.suffix]};base64,{base64.b64encode(content).decode()}"


def pixels_uri(pixels: NDArray[np.uint8], side: int = 320) -> str:
    """Data URI of pixels ``(H, W, 3)`` as a JPEG whose longer side is at most ``side``."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def photo_uri(path: Path, side: int = 320) -> str:
    """Data URI of a photo's thumbnail; "" if it cannot be read."""
    try:
        return pixels_uri(decode(path, shrink_to=side), side)
    except BadImage:
        return ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "", numbers: str = "") -> str:
    """A table that scrolls sideways on a narrow screen; the first cell of a row is its heading.

    Args:
        head: column headings.
        rows: cells, escaped here; an :class:`Html` stays as it is.
        caption: above the table.
        numbers: a character a column, "n" for numbers, which stand to the right.
    """
    kinds = [' class="number"' if kind == "n" else "" for kind in numbers.ljust(len(head))]
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    headings = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    body = []
    for row in rows:
        first, *others = (cell if isinstance(cell, Html) else escape(cell) for cell in row)
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(others, kinds[1:], strict=True))
        body.append(f'<tr><th scope="row"{kinds[0]}>{first}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0"><table>{above}<thead><tr>{headings}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def craft_name(craft: str) -> str:
    """Name of a craft for people; an id that the taxonomy does not know in words, and any other label as it stands.

    >>> craft_name("patola"), craft_name("shawls_of_my_aunt"), craft_name("Not sure, ask_Meera")
    ('Patola', 'Shawls of my aunt', 'Not sure, ask_Meera')
    """
    taxonomy = load_taxonomy()
    if craft in taxonomy:
        return taxonomy[craft].name
    return craft.replace("_", " ").capitalize() if re.fullmatch(r"[a-z][a-z0-9_]*", craft) else craft


def bars(traditions: Sequence[RankedTradition], least: float | None = None) -> str:
    """Cosines to the prototypes as bars on an axis from 0 to 1, with probabilities; a negative cosine has no bar.

    Args:
        traditions: nearest first.
        least: cosine from which a tradition is named, drawn across the bars; None where none is known.
    """
    mark = "" if least is None else f'<div class="least" style="left:{_percent(least)}"></div>'
    cells = []
    for rank, tradition in enumerate(traditions):
        first = "" if rank else " first"
        # A heavier name, not only a deeper colour, marks the first: colour alone would be lost in print.
        cells.append(
            f'<div class="name{first}">{escape(tradition.name)}</div>'
            f'<div class="track"><div class="bar{first}" style="width:{_percent(tradition.cosine)}"></div>{mark}</div>'
            f'<div class="value{first}">{tradition.cosine:.3f}{_allowance(tradition)}{_chance(tradition)}</div>'
        )
    ticks = "".join(f'<span style="left:{_percent(tick)}">{tick:g}</span>' for tick in (0, 0.5, 1))
    said = "" if least is None else f'<b style="left:{_percent(least)}">named from {least:.2f}</b>'
    cells.append(f'<div></div><div class="axis{" marked" if said else ""}">{ticks}{said}</div><div></div>')
    return f'<div class="bars">{"".join(cells)}</div>'


def _percent(cosine: float) -> str:
    return f"{100 * min(max(cosine, 0.0), 1.0):.1f}%"


def _allowance(tradition: RankedTradition) -> str:
    return f" <small>+ {tradition.allowance:.3f}</small>" if tradition.allowance else ""


def _chance(tradition: RankedTradition) -> str:
    return "" if tradition.probability is None else f" <small>{tradition.probability:.0%}</small>"


def reference_cards(references: Sequence[NearReference], gallery: Path | None) -> str:
    """The nearest reference pieces with thumbnail, craft, source and cosine.

    Args:
        references: nearest first.
        gallery: folder that their thumbnails are relative to.
    """
    cards = []
    for reference in references:
        uri = file_uri(gallery / reference.thumbnail) if gallery is not None and reference.thumbnail else ""
        name = escape(craft_name(reference.craft))
        picture = f'<img src="{uri}" alt="{name}">' if uri else '<div class="absent">no picture</div>'
        source = f"<span>{escape(reference.source)}</span>" if reference.source else ""
        cards.append(
            f"<figure>{picture}<figcaption>{name}{source}<span>cosine {reference.cosine:.3f}</span>"
            "</figcaption></figure>"
        )
    return f'<div class="references">{"".join(cards)}</div>'


def _photo(uri: str, name: str, say: PhotoSay | None) -> str:
    """A photo; of a piece that has several with its name and what it says by itself."""
    picture = f'<img src="{uri}" alt="{escape(name)}">'
    if say is None:
        return picture
    alone = f"by itself {escape(say.name)} {say.cosine:.3f}, counting {say.weight:.0%}"
    return f"<figure>{picture}<figcaption>{escape(name)}<span>{alone}</span></figcaption></figure>"


def answer(
    attribution: Attribution, pictures: Sequence[str], heading: str, gallery: Path | None, *, least: float | None = None
) -> str:
    """One piece: its photos, the ranked traditions as bars, the nearest references.

    Args:
        attribution: the answer.
        pictures: data URIs of its photos; "" for one that cannot be shown.
        heading: HTML above the bars.
        gallery: folder that the references' thumbnails are relative to.
        least: cosine from which a tradition is named; None where none is known.
    """
    shown = "".join(
        _photo(uri, Path(photo).name, say if len(attribution.says) > 1 else None)
        for uri, photo, say in zip_longest(pictures, attribution.photos, attribution.says)
        if uri
    )
    title = "Cosine to each tradition"
    if any(tradition.probability is not None for tradition in attribution.traditions):
        title += ", and how probable it is if it is one of those known"
    return (
        f'<div class="answer"><div class="seen">{shown}</div><div>{heading}'
        f"<h4>{title}</h4>{bars(attribution.traditions, least)}"
        f"<h4>Nearest reference pieces</h4>{reference_cards(attribution.references, gallery)}</div></div>"
    )
