"""What every page is made of: its frame and style, escaping, tables, and pictures as data URIs.

Everything that comes from outside (file names, sources, labels) is escaped here. Pictures become data URIs, so that a
page needs no other file and no server that hands out paths.
"""

import base64
import html
import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.data.images import BadImage, decode

_KINDS = {".png": "image/png", ".jpg": "image/jpeg"}


@cache
def stylesheet() -> str:
    """The CSS of the report and the app; it refers to nothing outside."""
    return files("saree_cosface.html").joinpath("style.css").read_text(encoding="utf-8")


def page(title: str, body: str, footer: str, *, kind: str = "", language: str = "en") -> str:
    """A whole page that opens offline: its style is inside, and it asks no search engine to list it.

    Args:
        title: of the window.
        body: HTML.
        footer: HTML.
        kind: another class of the body, for its style.
        language: tag of the one it is in.
    """
    return f"""<!doctype html>
<html lang="{language}">
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
