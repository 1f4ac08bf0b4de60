"""A title for every page: gradio's own get theirs from a script, and that for logging in none at all.

And beside it, as what gradio names itself, what it would ask of the root of the server, where a proxy may have another.
"""

import re
from typing import Any

from saree_cosface.html.page import escape

from .gate import Message, Receive, Send

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
        start: Message = {}
        body = b""

        async def titled(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = body.replace(_HEAD, _HEAD + f"<title>{escape(self.title)}</title>".encode(), 1)
            body = _BASE.sub(lambda base: base[0] + _ICON, body, count=1).replace(
                _MANIFEST, b'href="./manifest.json"', 1
            )
            kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, titled)
