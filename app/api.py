"""The API: what the tabs Identify and Batch do, for programs: JSON in, JSON out, by gradio's client or plain HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.events import api
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from saree_cosface import __version__
from saree_cosface.answers.batch import name_photos
from saree_cosface.answers.document import document, model_card, thresholds
from saree_cosface.answers.evidence import gather_evidence
from saree_cosface.answers.examination import examine, see
from saree_cosface.networks.fingerprint import embedder_version

from .background import ReferenceMaps
from .desk import Desk
from .uploads import UNPACKED, taken

MOST = 1000
"""Photos in one call of ``batch``; an archive counts as one."""


def add_api(desk: Desk, maps: ReferenceMaps) -> None:
    """Add the end-points ``identify``, ``batch`` and ``health`` to the page that is being built."""

    def identify(photos: list[dict[str, Any]], request: gr.Request = None) -> dict[str, Any]:
        """Photos of one piece, uploaded: verdict, traditions with cosines and chances, references, evidence."""
        with _plainly(), taken(photos, _session(request)) as files:
            run = desk.run
            seen, unread = see(run, files)
            if not seen:
                reasons = "; ".join(f"{each.name}: {each.reason}" for each in unread)
                raise ValueError(f"no photo could be read ({reasons})" if reasons else "no photo was given")
            examination = examine(run, seen)
            references = maps.of(run)
            place = None if references is None else references.place(examination.embedding[None])[0]
            return document(run, examination, gather_evidence(run, examination), place, unread)

    def batch(photos: list[dict[str, Any]], request: gr.Request = None) -> dict[str, Any]:
        """Photos or ZIP archives, uploaded: a row a photo, with the reason for each that could not be read."""
        with _plainly(), taken(photos, _session(request)) as files:
            run = desk.run
            if len(files) > MOST:
                raise ValueError(f"{len(files)} files are too many for one call: give at most {MOST}, or an archive")
            if not files:
                raise ValueError("no photo was given")
            rows = [asdict(row) for row in name_photos(run, files, files[0][0].parent / UNPACKED)]
            return {"model": model_card(run), "thresholds": thresholds(run), "rows": rows}

    def health() -> dict[str, Any]:
        """Whether the app answers, and with which model."""
        with _plainly():
            return {"status": "ok", "version": __version__, "model": model_card(desk.run)}

    api(identify, api_name="identify", concurrency_limit=2, concurrency_id="looking")
    api(batch, api_name="batch", concurrency_limit=4, concurrency_id="batch")
    api(health, api_name="health", concurrency_limit=None)


def health_route(desk: Desk) -> Route:
    """``GET /health``, which needs no login and says no more than that the app answers, and with which weights."""

    def health(_: Request) -> JSONResponse:
        try:
            embedder = embedder_version(desk.run.embedder)
        except (OSError, ValueError):
            return JSONResponse({"status": "the run cannot be read", "version": __version__}, 503)
        return JSONResponse({"status": "ok", "version": __version__, "embedder": embedder})

    return Route("/health", health)


@contextmanager
def _plainly() -> Iterator[None]:
    """What is wrong with a call is said to the caller in words, without a trace."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _session(request: gr.Request | None) -> str | None:
    return None if request is None else request.session_hash
