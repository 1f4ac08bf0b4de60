"""What lies between the app and its visitors: a reverse proxy, the path under which it shows the app, encryption."""

import json
from typing import Any

from saree_cosface.console import console

from .asgi import Message, Receive, Send
from .place import Networks, Place, as_address, within

_BY_PROXIES = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"forwarded")
_BY_GRADIO = b"x-gradio-server"  # which it would take for its own address, whoever sends that
_REMEMBERED = 1000  # addresses that were refused, each of which the log names once


class Outside:
    """ASGI middleware: behind it a request is what it was when the visitor made it, and a cookie stays in its place.

    An app that does not encrypt, on an address that others reach, answers only its proxies and this machine: whoever
    else asks would send a password as plain text.

    Attributes:
        app: what lies behind.
        place: where the app is reached.
    """

    def __init__(self, app: Any, *, place: Place) -> None:
        self.app, self.place = app, place
        self._only_proxies = not place.local and place.certificate is None
        self._refused: set[str] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the app has no other way in
            await self.app(scope, receive, send)
            return
        scope = {**scope, "root_path": ""}
        peer, here = (scope.get("client") or ("", 0))[0], (scope.get("server") or ("", 0))[0]
        by_proxy = within(peer, self.place.proxies)
        if self._only_proxies and not by_proxy and not _same_machine(peer, here):
            self._tell(peer)
            await self._refuse("this address is for the proxy of this app alone", send)
            return
        scheme = _believe(scope, self.place.proxies if by_proxy else None)
        if self._only_proxies and by_proxy:
            if scheme == "http":
                await self._refuse("the proxy of this app was asked without encryption", send)
                return
            scope["scheme"] = "https"  # also where it says nothing
        prefix, path = self.place.prefix, scope["path"]
        if prefix and path == prefix:  # what the page names lies in a folder
            asked = b"?" + scope["query_string"] if scope.get("query_string") else b""
            await _answer(send, 308, b"", (b"location", f"{prefix}/".encode() + asked))
            return
        if prefix and path.startswith(f"{prefix}/"):  # some proxies take it off, some leave it
            scope["path"] = path.removeprefix(prefix)
            scope["raw_path"] = (scope.get("raw_path") or b"").removeprefix(prefix.encode())
        secure = self.place.encrypted or scope["scheme"] == "https"

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _kept(value, prefix or "/", secure) if name.lower() == b"set-cookie" else value)
                    for name, value in message.get("headers", [])
                ]
            await send(message)

        await self.app(scope, receive, kept)

    async def _refuse(self, words: str, send: Send) -> None:
        where = f"; open {self.place.root}/" if self.place.public else ""
        body = json.dumps({"error": words + where}).encode()
        await _answer(send, 403, body, (b"content-type", b"application/json"))

    def _tell(self, peer: str) -> None:
        if peer not in self._refused and len(self._refused) < _REMEMBERED:
            self._refused.add(peer)
            said = f"app: refused {peer}, which is no proxy that --behind-proxy names."
            console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)


async def _answer(send: Send, status: int, body: bytes, header: tuple[bytes, bytes]) -> None:
    headers = [header, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _same_machine(peer: str, here: str) -> bool:
    try:
        return as_address(peer).is_loopback or as_address(peer) == as_address(here)
    except ValueError:  # no address, as of a socket in a file
        return False


def _believe(scope: Message, proxies: Networks | None) -> str:
    """Put what a proxy says into the request, and take its headers away, which gradio would believe from anybody.

    Args:
        scope: of the request.
        proxies: that are believed; None if the request comes from none of them.

    Returns:
        with which scheme the proxy was asked; "" if nobody says so who is believed.
    """
    said: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        said.setdefault(name, []).append(value.decode("latin-1"))
    scope["headers"] = [each for each in scope["headers"] if each[0] not in (*_BY_PROXIES, _BY_GRADIO)]
    if proxies is None:
        return ""
    if host := _first(said.get(b"x-forwarded-host")):
        others = [each for each in scope["headers"] if each[0] != b"host"]
        scope["headers"] = [*others, (b"host", host.encode("latin-1"))]
    scheme = _first(said.get(b"x-forwarded-proto")).lower()
    if scheme in ("http", "https"):
        scope["scheme"] = scheme
    hops = [hop.strip() for hop in ",".join(said.get(b"x-forwarded-for", [])).split(",") if hop.strip()]
    if hops:  # whom the nearest proxy saw, where all are called proxies
        scope["client"] = (next((hop for hop in reversed(hops) if not within(hop, proxies)), hops[-1]), 0)
    return scheme


def _first(values: list[str] | None) -> str:
    return values[0].partition(",")[0].strip() if values else ""


def _kept(cookie: bytes, path: str, secure: bool) -> bytes:
    """A cookie that is sent to this app alone, not with what pages elsewhere ask, and encrypted.

    >>> _kept(b"token=1; HttpOnly; Path=/; SameSite=none", "/sarees", True)
    b'token=1; HttpOnly; Path=/sarees; SameSite=Lax; Secure'
    """
    parts = [part.strip() for part in cookie.decode("latin-1").split(";")]
    asked = [part.lower() for part in parts]
    kept = [part for part in parts if part.lower().partition("=")[0] not in ("path", "samesite", "secure")]
    kept += [f"Path={path}", "SameSite=Lax", *(["Secure"] if secure or "secure" in asked else [])]
    return "; ".join(kept).encode("latin-1")
