"""The page, served."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address

import gradio as gr
from starlette.middleware import Middleware

from saree_cosface.console import console
from saree_cosface.languages.language import Language

from .api import health_route
from .desk import Desk
from .gate import Gate
from .outside import Outside
from .page import TITLE, style, theme
from .patience import LONGEST
from .place import Place, free_port
from .speaking import fixed
from .titled import Titled
from .translated import Translated

LARGEST_UPLOAD = 1000
"""Megabytes of one upload, unless told otherwise."""

_THREADS = 12  # that work on answers: each keeps tens of megabytes of torch's for itself
_SESSIONS = 200  # whose fields gradio keeps in memory
_KEEP_ALIVE = 75  # seconds; uvicorn's five are as long as clients wait, and what is sent at that moment would be lost


def serve(
    page: gr.Blocks,
    desk: Desk,
    place: Place,
    *,
    auth: Callable[[str, str], bool] | None = None,
    megabytes: int = LARGEST_UPLOAD,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Serve the page, until interrupted.

    Args:
        page: made by :func:`app.page.build_app`.
        desk: that it is for.
        place: where it is reached.
        auth: whether a name and a password belong together; nobody has to log in when None.
        megabytes: of one upload at most, all its files together.
        then: done once the page is there.

    Raises:
        OSError: the port is taken, or the address is not one of this machine.
    """
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # what proxies say is read once, in Outside, which must see who asks
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"  # at its start gradio asks its own address, and nothing else
    port, middleware = free_port(place), layers(place, desk.languages, auth is None, megabytes)
    page.launch(
        prevent_thread_lock=True,
        quiet=True,
        server_name=place.named,
        server_port=port,
        root_path=place.root,
        ssl_certfile=None if place.certificate is None else str(place.certificate),
        ssl_keyfile=None if place.key is None else str(place.key),
        ssl_verify=False,  # of that question: it goes to localhost, for which no certificate is
        share=False,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        max_file_size=f"{megabytes}mb",
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        auth=None if auth is None else _aside(auth),
        auth_message=_welcome() if auth else None,
        max_threads=_THREADS,
        state_session_capacity=_SESSIONS,
        app_kwargs={"middleware": middleware, "routes": [health_route(desk)]},
        theme=theme(),
        css=style(),
    )
    page.server.config.timeout_keep_alive = _KEEP_ALIVE
    console.print(opened_at(place, port), highlight=False, markup=False, soft_wrap=True)
    then()
    page.block_thread()


def layers(
    place: Place, languages: Mapping[str, Language], open_to_all: bool, megabytes: int = LARGEST_UPLOAD
) -> list[Middleware]:
    """What a request passes before gradio sees it, the outermost first.

    Args:
        place: where the app is reached.
        languages: of the page.
        open_to_all: whether nobody has to log in.
        megabytes: of one upload.
    """
    return [
        Middleware(Outside, place=place),
        Middleware(Gate, megabytes=megabytes, local=open_to_all, public=place.public or "", languages=languages),
        Middleware(Translated, languages=languages),
        Middleware(Titled, title=TITLE),
    ]


def _welcome() -> str:
    return f"{TITLE} {fixed('login.welcome', seconds=f'{LONGEST:.0f}')}"


def opened_at(place: Place, port: int) -> str:
    """What to open in a browser, in a sentence.

    >>> opened_at(Place(), 7860)
    'Open http://127.0.0.1:7860/ in a browser; Ctrl-C ends it.'
    """
    here = f"{'http' if place.certificate is None else 'https'}://{place.named}:{port}"
    if place.public:
        return f"Open {place.root}/ in a browser, which its proxy fetches from {here}; Ctrl-C ends it."
    if place.certificate is None and not place.local:
        return f"Open {place.prefix}/ at its proxy, which fetches that from {here}; Ctrl-C ends it."
    if ip_address(place.host).is_unspecified:
        here = f"{here.partition('://')[0]}://localhost:{port}"
        return f"Open {here}{place.prefix}/, or the like under a name of this machine, in a browser; Ctrl-C ends it."
    return f"Open {here}{place.prefix}/ in a browser; Ctrl-C ends it."


def _aside(known: Callable[[str, str], bool]) -> Callable[[str, str], Awaitable[bool]]:
    """Hash in a thread: it takes a while, in which others want to be answered."""

    async def known_in_a_thread(name: str, password: str) -> bool:
        return await asyncio.to_thread(known, name, password)

    return known_in_a_thread
