"""The page in the language of whoever asks for it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request

from saree_cosface.languages.language import Language

from .asgi import Headers, Message, Receive, Send, rewriting
from .speaking import COOKIE, put_in, spoken

_PAGES = ("/", "/config")
_YEAR = 31_536_000  # seconds


class Translated:
    """ASGI middleware that puts the texts of a language into the page, and remembers one that its address names.

    Attributes:
        app: what lies behind.
        languages: by tag.
    """

    def __init__(self, app: Any, *, languages: Mapping[str, Language]) -> None:
        self.app, self.languages = app, languages

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in _PAGES:
            await self.app(scope, receive, send)
            return
        say = spoken(self.languages, Request(scope))

        def translated(status: int, body: bytes) -> tuple[bytes, Headers]:
            page = put_in(body.decode(), say)
            headers: Headers = [(b"vary", b"accept-language, cookie")]
            if parse_qs(scope["query_string"].decode("latin-1")).get("lang") == [say.tag]:
                cookie = f"{COOKIE}={say.tag}; Path=/; Max-Age={_YEAR}; SameSite=Lax"
                headers.append((b"set-cookie", cookie.encode()))
            return (_in_language(page, say.tag) if scope["path"] == "/" else page).encode(), headers

        await self.app(scope, receive, rewriting(send, translated))


def _in_language(page: str, tag: str) -> str:
    # Gradio has words of its own, in the language that the browser names, and names that as the page's.
    told = f'<script>Object.defineProperty(navigator, "language", {{ value: "{tag}" }})</script>'
    page = page.replace('lang="en"', f'lang="{tag}"', 1).replace("<head>", f"<head>{told}", 1)
    return page.replace("<body", f'<body lang="{tag}"', 1)
