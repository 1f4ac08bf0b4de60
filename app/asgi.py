"""What ASGI hands on, and answers that are changed on their way out."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def rewriting(send: Send, change: Callable[[int, bytes], tuple[bytes, Headers]]) -> Send:
    """What an app may send its answer by, which goes on once it is whole, and changed.

    Args:
        send: where it goes on to.
        change: from status and body to the body that is sent, and headers to add; the length is told anew.
    """
    start: Message = {}
    body = b""

    async def rewritten(message: Message) -> None:
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
        content, more = change(start["status"], body)
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*kept, *more, (b"content-length", str(len(content)).encode())]})
        await send({"type": "http.response.body", "body": content})

    return rewritten
