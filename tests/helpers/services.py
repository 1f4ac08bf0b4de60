"""A server that speaks the Openverse API and the Action API of MediaWiki at one address, in their documented shapes.

For tests, and for tours that have no network: it serves drawn sarees under invented creators, and misbehaves as it is
told to. To gather from it, look, confirm and train::

    from tests.helpers.services import Services, drawn

    with Services(drawn(("banarasi", "chanderi", "leheriya"), per_craft=24)) as services:
        subprocess.run(
            ["saree-cosface", "data", "gather", "--out", "gathered", "--craft", "banarasi", "chanderi", "leheriya"]
            + ["--per-craft", "20", "--contact", "me@example.org", "--api", services.address]
        )

A caption that lies is a photo of one craft under the title of another: ``replace(drawn(("patola",), 1)[0],
title="Banarasi saree", tags=())``. ``services.asked`` holds the path of every request, in their order. A photo's
``record`` and ``info`` replace fields of what the two services tell of it (None takes one away), and ``serve``
answers for its file: a function from the handler, such as :func:`status`. ``services.before`` may answer in place of
an API: it is given the path, and returns None for those that it leaves alone.
"""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

from tests.helpers import bad_photos

CREATORS = (
    "Asha Rao",
    "Meera Iyer",
    "Joseph Kurien",
    "Nusrat Begum",
    "Tenzin Dolma",
    "Pradip Sahu",
    "Lata More",
    "E. D.",
)
CLOTH = {"saree", "sari", "saris", "sarees", "textile", "silk", "category"}

Serve = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Photo:
    """What a service tells of: see the fields of the two APIs."""

    title: str
    body: bytes = b""
    creator: str | None = "Asha Rao"
    licence: str = "by-sa"
    version: str = "4.0"
    provider: str = "flickr"
    tags: tuple[str, ...] = ()
    services: tuple[str, ...] = ("openverse",)
    suffix: str = ".jpg"
    kind: str = "image/jpeg"
    path: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    serve: Serve | None = None

    def speaks_of(self, query: str) -> bool:
        words = set(re.findall(r"[^\W_]+", query.casefold())) - CLOTH
        caption = " ".join((self.title, *self.tags)).casefold()
        return bool(words) and all(word in caption for word in words)


class Services:
    """The server, while the context lasts.

    Attributes:
        address: of both APIs, without a slash at its end.
        asked: path and query of every request.
        agents: what each called itself.
        photos: that it tells of.
        before: see above.
    """

    def __init__(self, photos: Sequence[Photo] = ()) -> None:
        self.photos: list[Photo] = []
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.times: list[float] = []
        self.before: Callable[[str], Serve | None] = lambda path: None
        self.most_at_once = 0
        self._at_work = itertools.count()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._numbers = itertools.count(1)
        for photo in photos:
            self.add(photo)

    def add(self, photo: Photo) -> Photo:
        """Tell of one more."""
        photo.path = photo.path or f"/files/{next(self._numbers)}{photo.suffix}"
        self.photos.append(photo)
        return photo

    def __enter__(self) -> "Services":
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files_asked(self) -> list[str]:
        """Paths of the photos that were asked for."""
        return [path for path in self.asked if path.startswith("/files/")]

    def questions(self) -> list[str]:
        """Paths of the questions to the APIs."""
        return [path for path in self.asked if path.startswith(("/v1/", "/w/"))]

    def _handler(services) -> type[BaseHTTPRequestHandler]:  # self is the handler's
        busy, most = threading.Lock(), [0]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body together, or the other side waits for more
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                services.asked.append(self.path)
                services.agents.append(self.headers.get("User-Agent", ""))
                services.times.append(time.monotonic())
                with busy:
                    most[0] += 1
                    services.most_at_once = max(services.most_at_once, most[0])
                try:
                    (services.before(self.path) or services._answer(self.path))(self)
                finally:
                    with busy:
                        most[0] -= 1

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, path: str) -> Serve:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/v1/images/":
            return self._openverse(asked)
        if parts.path == "/w/api.php" and asked.get("action") == "query":
            return said(self._commons(asked))
        for photo in self.photos:
            if photo.path == path:
                return photo.serve or body(photo.body, photo.kind)
        return status(404)

    def _openverse(self, asked: dict[str, str]) -> Serve:
        size, page = int(asked.get("page_size", "20")), int(asked.get("page", "1"))
        if size > 20:
            return said({"detail": "page_size may not exceed 20 for anonymous requests"}, 401)
        licences = asked.get("license", "").split(",")
        found = [
            photo
            for photo in self.photos
            if "openverse" in photo.services and photo.licence in licences and photo.speaks_of(asked.get("q", ""))
        ]
        shown = found[size * (page - 1) : size * page]
        pages = -(-len(found) // size)
        results = [self._result(photo) for photo in shown]
        return said(
            {"result_count": len(found), "page_count": pages, "page_size": size, "page": page, "results": results}
        )

    def _result(self, photo: Photo) -> dict[str, Any]:
        number = f"{self.photos.index(photo):012d}"
        told = {
            "id": f"4bc43a04-ef46-4544-a0c1-{number}",
            "title": photo.title,
            "indexed_on": "2022-08-27T17:39:48Z",
            "foreign_landing_url": f"https://example.org/photos/{number}",
            "url": f"{self.address}{photo.path}",
            "creator": photo.creator,
            "creator_url": "https://example.org/people",
            "license": photo.licence,
            "license_version": photo.version,
            "license_url": _licence_url(photo),
            "provider": photo.provider,
            "source": photo.provider,
            "category": "photograph",
            "filesize": None,
            "filetype": photo.suffix[1:],
            "tags": [{"accuracy": None, "name": tag, "unstable__provider": photo.provider} for tag in photo.tags],
            "attribution": f'"{photo.title}" by {photo.creator}',
            "fields_matched": ["title"],
            "mature": False,
            "height": None,
            "width": None,
            "thumbnail": f"{self.address}/v1/images/{number}/thumb/",
        }
        return _replaced(told, photo.record)

    def _commons(self, asked: dict[str, str]) -> dict[str, Any]:
        category = "gcmtitle" in asked
        query = asked.get("gcmtitle") or asked.get("gsrsearch", "")
        limit = int(asked.get("gcmlimit") or asked.get("gsrlimit") or 10)
        start = int(asked.get("gcmcontinue") or asked.get("gsroffset") or 0)
        found = [photo for photo in self.photos if "commons" in photo.services and photo.speaks_of(query)]
        shown = found[start : start + limit]
        answer: dict[str, Any] = {"batchcomplete": True}
        if len(found) > start + limit:
            name = "gcmcontinue" if category else "gsroffset"
            answer["continue"] = {name: start + limit, "continue": f"{name}||"}
        if shown:
            answer["query"] = {"pages": [self._page(photo, index) for index, photo in enumerate(shown, start + 1)]}
        return answer

    def _page(self, photo: Photo, index: int) -> dict[str, Any]:
        short = {"cc0": "CC0", "pdm": "Public domain"}.get(photo.licence, f"CC {photo.licence.upper()} {photo.version}")
        title = f"File:{photo.title}{photo.suffix}"
        values = {
            "ObjectName": photo.title,
            "Artist": photo.creator
            and f'<a href="//commons.wikimedia.org/wiki/User:X" title="User:X">{photo.creator}</a>',
            "Credit": '<span class="int-own-work" lang="en">Own work</span>',
            "LicenseShortName": short,
            "LicenseUrl": None if photo.licence == "pdm" else _licence_url(photo),
            "License": "pd" if photo.licence == "pdm" else short.lower().replace(" ", "-"),
            "Categories": "|".join(("Self-published work", *photo.tags)),
            "Restrictions": "",
        }
        info = {
            "size": len(photo.body),
            "url": f"{self.address}{photo.path}",
            "descriptionurl": f"https://commons.wikimedia.org/wiki/{title.replace(' ', '_')}",
            "mime": photo.kind,
            "extmetadata": {
                name: {"value": value, "source": "commons-desc-page"}
                for name, value in values.items()
                if value is not None
            },
        }
        known = {"ns": 6, "title": title, "pageid": 1000 + self.photos.index(photo), "index": index}
        return {**known, "imageinfo": [_replaced(info, photo.info)]}


def drawn(crafts: Sequence[str], per_craft: int, *, size: int = 256, seed: int = 0) -> list[Photo]:
    """Sarees drawn by the loom, as photographs that both services tell of; each creator has a shop's habits.

    Args:
        crafts: ids of crafts that the loom can draw.
        per_craft: photos of each, each of another saree.
        size: longer side in pixels.
        seed: everything follows from it.
    """
    return [photo for craft in crafts for photo in itertools.islice(_drawings(craft, size, seed), per_craft)]


def _drawings(craft: str, size: int, seed: int) -> Iterator[Photo]:
    from saree_cosface.loom.crafts import GRAMMARS
    from saree_cosface.loom.light import swatch
    from saree_cosface.loom.shops import open_shop, photograph
    from saree_cosface.taxonomy import craft_name

    for number in itertools.count():
        shop = open_shop(seed, number % len(CREATORS))
        rng = np.random.default_rng([seed, number, *craft.encode()])
        on = swatch(GRAMMARS[craft](rng, shop.taste), rng)
        picture = photograph(shop, on, "flat", size, rng)
        commons = number % 2 == 1
        yield Photo(
            f"{craft_name(craft)} saree no. {number + 1}",
            jpeg(picture),
            creator=CREATORS[number % len(CREATORS)],
            licence=("by", "by-sa", "cc0")[number % 3],
            provider="wikimedia" if commons else "flickr",
            services=("commons",) if commons else ("openverse",),
            tags=(craft.replace("_", " "), "saree"),
        )


def textured(seed: int, side: int = 160) -> np.ndarray:
    """A picture ``(side, side, 3)`` with structure enough for a hash, another for each seed."""
    return bad_photos.textured(side, side, seed)


def jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """Pixels as a JPEG."""
    return encoded(pixels, "JPEG", quality=quality)


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    """Pixels as a file."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def body(content: bytes, kind: str = "application/octet-stream", code: int = 200, **headers: str) -> Serve:
    """Answers with some bytes; ``Content_Length`` may lie."""

    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        sent = {"Content-Type": kind, "Content-Length": str(len(content))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in sent.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        if int(sent["Content-Length"]) > len(content):  # or the other side would wait for the rest
            handler.close_connection = True

    return serve


def said(document: Any, code: int = 200, **headers: str) -> Serve:
    """Answers with JSON."""
    return body(json.dumps(document).encode(), "application/json", code, **headers)


def status(code: int, **headers: str) -> Serve:
    """Answers with a status, and a page in HTML."""
    return body(b"<!doctype html><title>Sorry</title>", "text/html", code, **headers)


def _licence_url(photo: Photo) -> str:
    dedicated = {"cc0": "publicdomain/zero/1.0", "pdm": "publicdomain/mark/1.0"}
    part = dedicated.get(photo.licence, f"licenses/{photo.licence}/{photo.version}")
    return f"https://creativecommons.org/{part}/"


def _replaced(told: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**told, **other}.items() if name not in other or value is not None}
