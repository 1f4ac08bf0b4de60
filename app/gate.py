"""The gate: what may come in from outside, before gradio sees it, and what the browser is told to keep to.

Gradio would fetch addresses that a call names, puts equal uploads of two sessions into one file, and has pages that
this app does not need.
"""

import json
import secrets
import shutil
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.formparsers import MultiPartException
from starlette.requests import Request

from saree_cosface.languages.language import Language
from saree_cosface.languages.packaged import packaged

from .asgi import Headers, Message, Receive, Send, rewriting
from .patience import Patience, TooManyError
from .speaking import spoken
from .uploads import arrivals, is_upload, sweep, was_upload

LARGEST_CALL = 8_000_000
"""Bytes of a call to the API; photos are uploaded first and do not count."""

_ARGUMENTS = {"identify": 1, "batch": 1, "health": 0}
_CLOSED = ("proxy=", "file=http", "vibe", "undo-vibe", "process_recording", "run-history", "runs", "deep_link", "dev/")
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' data: blob:; "
    "frame-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),  # so that a page asks for nothing outside, whatever is in it
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words


class Gate:
    """ASGI middleware.

    Attributes:
        app: what lies behind.
        megabytes: of an upload, all its files together.
        local: whether only calls to a name of this machine are let in, as long as nobody has to log in. A page
            elsewhere could otherwise reach the app under a name of its own that it points at this machine.
        public: name of the server whose pages may ask under whatever name; "" for none.
        languages: in which an upload is told to be too large.
    """

    def __init__(
        self,
        app: Any,
        *,
        megabytes: int,
        local: bool,
        public: str = "",
        languages: Mapping[str, Language] | None = None,
    ) -> None:
        self.app, self.megabytes, self.local, self.public = app, megabytes, local, public
        self.languages = languages or packaged()
        self.patience = Patience()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            await self._checked(scope, receive, guarded)
        except _Refused as refusal:
            if started:
                raise
            content = json.dumps({"error": refusal.words}).encode()
            if scope["path"].endswith("/upload"):  # whose answer gradio's page shows as it is
                content = refusal.words.encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
            await guarded({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    async def _checked(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._check_names(headers)
        path: str = scope["path"]
        inner = path.removeprefix("/gradio_api/") if path.startswith("/gradio_api/") else ""
        if inner.lower().startswith(_CLOSED) or path.startswith("/monitoring"):
            raise _Refused(404, "there is nothing here")
        if scope["method"] in ("GET", "HEAD") and path == "/login":  # where gradio shows nothing
            headers_there = [(b"location", b"./"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 302, "headers": headers_there})
            await send({"type": "http.response.body", "body": b""})
        elif scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif inner.rstrip("/") == "upload":
            await self._upload(scope, receive, send, headers)
        elif path.rstrip("/") == "/login":
            await self._login(scope, await _read(receive, 10_000), send)
        else:
            name = inner.removeprefix("call/").strip("/") if inner.startswith("call/") else ""
            if name and name.removeprefix("v2/") not in _ARGUMENTS:
                raise _Refused(404, f"there is no such function; there are {', '.join(_ARGUMENTS)}")
            body = await _read(receive, LARGEST_CALL)
            _check_call(body, name)
            await self.app(scope, _replay(body), send)

    def _check_names(self, headers: dict[bytes, bytes]) -> None:
        """Refuse what a page elsewhere asks.

        Gradio lets any page read the answers of a server that has another name than localhost.
        """
        said = headers.get(b"host", b"localhost").decode("latin-1")
        host, origin = _name(f"//{said}"), headers.get(b"origin", b"").decode("latin-1")
        if self.local and not _is_local(host):
            raise _Refused(403, "this app answers only on the machine it runs on; start it with --auth to change that")
        page = _name(origin)
        if origin and page not in (host, self.public or host) and not (_is_local(page) and _is_local(host)):
            raise _Refused(
                403,
                f"a page of {origin} asked for {said}; if both are this app, let its proxy send the header Host as it "
                "came, or give the whole address to --root-path",
            )

    async def _login(self, scope: Message, body: bytes, send: Send) -> None:
        async def attempt() -> bool:
            status = 0

            async def watched(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            await self.app(scope, _replay(body), watched)
            return status >= 400

        try:
            await self.patience.turn((scope.get("client") or ("",))[0], attempt)
        except TooManyError:
            raise _Refused(429, "too many wait to log in from your address; try again in a minute") from None

    async def _upload(self, scope: Message, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        """Let an upload in if it is not too large, and give it a folder of its own."""
        sweep()
        limit = self.megabytes * 1_000_000
        too_large = spoken(self.languages, Request(scope))("upload.too_large", megabytes=self.megabytes)
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _drain(receive)  # a browser shows the answer only once it has sent everything
            raise _Refused(413, too_large)
        arrived = 0

        async def counted() -> Message:
            # Of all exceptions this is the one on which gradio deletes what it has written so far.
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if message["type"] == "http.disconnect":
                raise MultiPartException("The upload broke off.")
            if arrived > limit:
                raise MultiPartException(f"{too_large} (maximum allowed size)")
            return message

        def renamed(status: int, body: bytes) -> tuple[bytes, Headers]:
            moved: dict[str, Path] = {}
            if status == 200:
                body = json.dumps([_apart(path, moved) for path in json.loads(body)]).encode()
            return body, []

        await self.app(scope, counted, rewriting(send, renamed))


def _name(address: str) -> str:
    """The name of the server in an address; "" if that is none.

    >>> _name("//LOCALHOST:7860"), _name("https://[::1]"), _name("null"), _name("//[")
    ('localhost', '::1', '', '')
    """
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_local(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _apart(path: str, moved: dict[str, Path]) -> str:
    """Move a file that has just arrived into a folder whose name cannot be guessed, and that no other upload has.

    Args:
        path: of the file. Of equal files of one name gradio keeps one and names it for each; each gets one of its own.
        moved: where the files of the same upload went.
    """
    source = Path(path)
    folder = arrivals() / secrets.token_urlsafe(18)
    folder.mkdir()
    target = folder / source.name
    if path in moved:
        shutil.copyfile(moved[path], target)
        return str(target)
    try:
        source.rename(target)
    except OSError:  # gradio has put it elsewhere
        folder.rmdir()
        return path
    if not any(source.parent.iterdir()):
        source.parent.rmdir()
    moved[path] = target
    return str(target)


def _check_call(body: bytes, name: str) -> None:
    if not body:
        return
    try:
        call = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the call is not JSON: {str(error)[:200]}") from error
    if name in _ARGUMENTS:
        data = call.get("data") if isinstance(call, dict) else None
        if not isinstance(data, list) or len(data) != _ARGUMENTS[name]:
            needed = '{"data": [[FILE, …]]} with uploaded files' if _ARGUMENTS[name] else '{"data": []}'
            raise _Refused(400, f"{name} takes {needed}")
    waiting = [call]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if (
                "meta" in value
                and "path" in value
                and not (isinstance(value["path"], str) and (is_upload(value["path"]) or was_upload(value["path"])))
            ):
                raise _Refused(400, "the call names a file that was not uploaded")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


async def _read(receive: Receive, limit: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the call broke off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _Refused(413, f"the call is larger than {limit / 1e6:g} MB; upload photos first, and name them here")
        if not message.get("more_body"):
            return b"".join(parts)


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
