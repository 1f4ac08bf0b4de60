"""A reverse proxy for the tests: it encrypts, and shows a server of this machine under a path of its own."""

import asyncio
import socket
import threading
import time

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.helpers.certificates import Signed

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
HOP = ("connection", "keep-alive", "transfer-encoding", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")


class Proxied:
    """A reverse proxy on a port of its own, in a thread.

    Attributes:
        address: under which the server is shown; ends with a slash.
        prefix: the path of that, without the slash.
        asked: paths that others asked for, which another server under the same name would have.
    """

    def __init__(self, target: str, prefix: str, signed: Signed, *, strips: bool) -> None:
        """Begin.

        Args:
            target: of the server; ends with a slash.
            prefix: under which it is shown, such as "/sarees".
            signed: with which to encrypt.
            strips: whether the server is asked without the prefix.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.target, self.prefix, self.strips, self.asked = target.rstrip("/"), prefix, strips, []
        self.address = f"https://127.0.0.1:{port}{prefix}/"
        app = Starlette(routes=[Route("/{path:path}", self._forward, methods=METHODS)])
        files = {"ssl_certfile": str(signed.certificate), "ssl_keyfile": str(signed.key)}
        config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", timeout_graceful_shutdown=1, **files)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def end(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(timeout=10)

    async def _forward(self, request: Request) -> Response:
        path = request.url.path
        if not (path == self.prefix or path.startswith(f"{self.prefix}/")):
            self.asked.append(path)
            return PlainTextResponse("nothing here", 404)
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP]
        headers += [("x-forwarded-proto", "https"), ("x-forwarded-for", request.client.host)]
        url = self.target + (path.removeprefix(self.prefix) if self.strips else path)
        client = httpx.AsyncClient(timeout=120, trust_env=False)
        asked = client.build_request(
            request.method, f"{url}?{request.url.query}", headers=headers, content=request.stream()
        )
        answer = await client.send(asked, stream=True)

        async def body():
            try:
                async for part in answer.aiter_raw():
                    yield part
            finally:
                await answer.aclose()
                await client.aclose()

        response = StreamingResponse(body(), answer.status_code)
        kept = [(name.lower(), value) for name, value in answer.headers.raw]
        response.raw_headers = [each for each in kept if each[0] not in (b"connection", b"transfer-encoding")]
        return response
