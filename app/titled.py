"""A title for every page: gradio's own get theirs from a script, and that for logging in none at all.

And beside it, as what gradio names itself, what it would ask of the root of the server, where a proxy may have another.
"""

import re
from typing import Any

from saree_cosface.html.page import escape

from .asgi import Headers, Message, Receive, Send, rewriting

_HEAD = b"<head>"
_BASE = re.compile(rb"<base\b[^>]*>")  # what is relative is found from the page on
_ICON = b'<link rel="icon" href="./favicon.ico">'
_MANIFEST = b'href="/manifest.json"'


class Titled:
    """ASGI middleware that puts a title into pages.

    Attributes:
        app: what lies behind.
        title: of all pages.
    """

    def __init__(self, app: Any, *, title: str) -> None:
        self.app, self.title = app, title

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return

        def titled(status: int, body: bytes) -> tuple[bytes, Headers]:
            body = body.replace(_HEAD, _HEAD + f"<title>{escape(self.title)}</title>".encode(), 1)
            body = _BASE.sub(lambda base: base[0] + _ICON, body, count=1)
            return body.replace(_MANIFEST, b'href="./manifest.json"', 1), []

        await self.app(scope, receive, rewriting(send, titled))
