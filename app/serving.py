"""The page, served."""

from collections.abc import Callable

import gradio as gr
from starlette.middleware import Middleware

from saree_cosface.console import console

from .api import health_route
from .desk import Desk
from .gate import Gate
from .page import TITLE, style, theme
from .titled import Titled

LARGEST_UPLOAD = 1000
"""Megabytes of one upload, unless told otherwise."""

_THREADS = 12  # that work on answers: each keeps tens of megabytes of torch's for itself
_SESSIONS = 200  # whose fields gradio keeps in memory
_KEEP_ALIVE = 75  # seconds; uvicorn's five are as long as clients wait, and what is sent at that moment would be lost


def serve(
    page: gr.Blocks,
    desk: Desk,
    port: int | None,
    *,
    auth: Callable[[str, str], bool] | None = None,
    megabytes: int = LARGEST_UPLOAD,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Serve the page on this machine alone, until interrupted.

    Args:
        page: made by :func:`app.page.build_app`.
        desk: that it is for.
        port: on 127.0.0.1; the first free one from 7860 when None.
        auth: whether a name and a password belong together; nobody has to log in when None.
        megabytes: of one upload at most, all its files together.
        then: done once the page is there.

    Raises:
        OSError: the port is taken.
    """
    around = [Middleware(Gate, megabytes=megabytes, local=auth is None), Middleware(Titled, title=TITLE)]
    _, url, _ = page.launch(
        prevent_thread_lock=True,
        quiet=True,
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        max_file_size=f"{megabytes}mb",
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        auth=auth,
        auth_message=f"{TITLE} Photos stay on this machine." if auth else None,
        max_threads=_THREADS,
        state_session_capacity=_SESSIONS,
        app_kwargs={"middleware": around, "routes": [health_route(desk)]},
        theme=theme(),
        css=style(),
    )
    page.server.config.timeout_keep_alive = _KEEP_ALIVE
    console.print(f"Open {url} in a browser; Ctrl-C ends it.", highlight=False)
    then()
    page.block_thread()
