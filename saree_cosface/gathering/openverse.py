"""The Openverse API: one way to Flickr, Wikimedia Commons and many museums.

Sources: https://api.openverse.org/v1/ and, for parameters and fields, ``api/api/serializers/media_serializers.py`` and
``api/api/examples/image_responses.py`` of https://github.com/WordPress/openverse. ``license`` takes codes joined by
commas; without a key, ``page_size`` is 20 at most and 240 results are given to a query. ``title``, ``creator``,
``url``, ``license_version`` and ``license_url`` may be null. Without a key, 20 questions a minute and 200 a day are
answered; what comes beyond is 429, with ``Retry-After``. Its terms forbid scraping: what is asked here is little, one
craft at a time, and kept.
"""

from collections.abc import Sequence
from typing import Any

from saree_cosface.gathering.licences import NotOffered, licence_of
from saree_cosface.gathering.queries import queries
from saree_cosface.gathering.records import ChangedShape, Found, Left, link, number, require, text
from saree_cosface.gathering.service import Asked, Page, Service
from saree_cosface.taxonomy import Craft

_NAME = "openverse"
_PAGE_SIZE = 20
_ALWAYS = ("id", "url", "license")
"""Fields without which there is no photo. One record may lack them; where all do, the service has changed."""


def asks(craft: Craft, licences: Sequence[str]) -> list[Asked]:
    """The questions for a craft."""
    fixed = {"license": ",".join(licences), "page_size": str(_PAGE_SIZE), "page": "1"}
    return [{"q": query, **fixed} for query in queries(craft)]


def read(asked: Asked, document: Any, licences: Sequence[str]) -> Page:
    """One page of results.

    Raises:
        ChangedShape: the answer has not the shape that is documented.
    """
    results = require(require(document, dict, "the answer").get("results"), list, "results")
    records = [require(each, dict, "one of the results") for each in results]
    for name in _ALWAYS:
        if records and all(name not in record for record in records):
            raise ChangedShape(f"{name} is missing in every result: has the service changed?")
    page, pages = int(asked["page"]), document.get("page_count")
    more = page < pages if isinstance(pages, int) else len(records) >= _PAGE_SIZE
    following = {**asked, "page": str(page + 1)} if records and more else None
    return Page(tuple(_record(record, licences) for record in records), following)


def _record(record: dict[str, Any], licences: Sequence[str]) -> Found | Left:
    name, title, url = text(record.get("id")), text(record.get("title")), link(record.get("url"))

    def without(kind: str, reason: str) -> Left:
        return Left(_NAME, name, title, url, kind, reason)

    if not name or not url:
        return without("incomplete", f"the record has no {'id' if not name else 'url'}")
    if record.get("mature") is True:
        return without("marked as sensitive", "marked as sensitive by its provider")
    try:
        licence = licence_of([text(record.get("license")), text(record.get("license_url"))], licences)
    except NotOffered as error:
        return without("licence", str(error))
    version = text(record.get("license_version"))
    if version and not licence.version:
        licence = licence_of([f"{licence.code} {version}"], licences)
    tags = record.get("tags")
    words = [text(tag.get("name")) for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return Found(
        service=_NAME,
        id=name,
        title=title,
        creator=text(record.get("creator")),
        creator_url=link(record.get("creator_url")),
        licence=licence,
        landing=link(record.get("foreign_landing_url")) or url,
        provider=text(record.get("provider")) or text(record.get("source")) or _NAME,
        url=url,
        original=url,
        width=number(record.get("width")),
        height=number(record.get("height")),
        words=tuple(words),
    )


OPENVERSE = Service(
    name=_NAME,
    home="https://api.openverse.org",
    path="/v1/images/",
    pause=3.0,
    quota="Openverse answers 20 questions a minute and 200 a day",
    asks=asks,
    read=read,
)
