"""Wikimedia Commons, by the Action API of MediaWiki: files by full-text search, and files of a category.

Sources: https://www.mediawiki.org/wiki/API:Search and API:Categorymembers (as generators, so that one question brings
both the names and what is known of each file), API:Imageinfo (``iiprop``, ``iiurlwidth``), API:Continue, and
https://www.mediawiki.org/wiki/Extension:CommonsMetadata for ``extmetadata``: each field is an object with a ``value``,
mostly HTML; Artist, LicenseShortName, LicenseUrl, License, Categories (joined by bars), Restrictions (what is not about
copyright, such as personality), NonFree, DeletionReason. Where nothing is found, ``query`` is not there. Questions come
one after the other, with ``maxlag`` and a User-Agent that names a contact, as API:Etiquette and
https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy ask. Files are fetched in one of the widths that are kept
ready (https://www.mediawiki.org/wiki/Common_thumbnail_sizes), originals only where they are smaller.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from saree_cosface.gathering.licences import NotOffered, licence_of
from saree_cosface.gathering.queries import categories, queries
from saree_cosface.gathering.records import ChangedShape, Found, Left, link, number, require, text
from saree_cosface.gathering.service import Asked, Page, Service
from saree_cosface.taxonomy import Craft

_NAME = "commons"
_FILES = "6"  # the namespace of files
_AT_ONCE = "50"
_WIDTH = "1920"
_ALWAYS = ("url", "extmetadata")
"""What is asked of each file. One may lack it; where all do, the service has changed."""

_FIELDS = (
    "Artist",
    "Attribution",
    "LicenseShortName",
    "LicenseUrl",
    "License",
    "ObjectName",
    "Categories",
    "Restrictions",
)


def asks(craft: Craft, licences: Sequence[str]) -> list[Asked]:
    """The questions for a craft: a search, its categories, in which somebody has looked at every file, and further
    searches. None of them can say which licences are asked for."""
    fixed = {
        "action": "query",
        "format": "json",
        "formatversion": "2",
        "maxlag": "5",
        "prop": "imageinfo",
        "iiprop": "url|size|mime|extmetadata",
        "iiurlwidth": _WIDTH,
        "iiextmetadatalanguage": "en",
        "iiextmetadatafilter": "|".join((*_FIELDS, "NonFree", "DeletionReason")),
    }
    members = {"generator": "categorymembers", "gcmtype": "file", "gcmlimit": _AT_ONCE}
    search = {"generator": "search", "gsrnamespace": _FILES, "gsrlimit": _AT_ONCE}
    first, *others = ({**fixed, **search, "gsrsearch": query} for query in queries(craft))
    return [first, *({**fixed, **members, "gcmtitle": category} for category in categories(craft)), *others]


def read(asked: Asked, document: Any, licences: Sequence[str]) -> Page:
    """One page of files.

    Raises:
        ChangedShape: the answer has not the shape that is documented, or is an error.
    """
    require(document, dict, "the answer")
    if "error" in document:
        error = document["error"]
        said = error.get("info") or error.get("code") if isinstance(error, dict) else error
        raise ChangedShape(f"the question was refused ({text(said)}): has the service changed?")
    query = document.get("query", {})
    pages = require(query, dict, "query").get("pages", [])
    if isinstance(pages, dict):  # as in the first version of the format
        pages = list(pages.values())
    files = [require(each, dict, "one of the pages") for each in require(pages, list, "query.pages")]
    files.sort(key=lambda page: number(page.get("index")))  # of relevance; none in a category
    told = [page for page in files if isinstance(page.get("imageinfo"), list) and page["imageinfo"]]
    again = document.get("continue")
    if files and not told and again is None and not all("missing" in page for page in files):
        raise ChangedShape("imageinfo is missing in every page: has the service changed?")
    infos = [require(page["imageinfo"][0], dict, "imageinfo") for page in told]
    for name in _ALWAYS:
        if infos and all(name not in info for info in infos):
            raise ChangedShape(f"imageinfo.{name} is missing in every page: has the service changed?")
    following = None
    if isinstance(again, dict):
        following = {**asked, **{str(name): str(value) for name, value in again.items()}}
    records = [_record(page, info, licences) for page, info in zip(told, infos, strict=True)]
    return Page(tuple(records), following if following != asked else None)


def _record(page: Mapping[str, Any], info: Mapping[str, Any], licences: Sequence[str]) -> Found | Left:
    said = info.get("extmetadata")
    known = said if isinstance(said, dict) else {}

    def field(name: str) -> str:
        entry = known.get(name)
        return text(entry.get("value") if isinstance(entry, dict) else entry)

    name = text(page.get("pageid")) or text(page.get("title"))
    title = field("ObjectName") or PurePosixPath(text(page.get("title")).removeprefix("File:")).stem
    original = link(info.get("url"))
    mime = text(info.get("mime"))

    def without(kind: str, reason: str) -> Left:
        return Left(_NAME, name, title, original, kind, reason)

    if not name or not original:
        return without("incomplete", f"the record has no {'pageid' if not name else 'url'}")
    if mime and (not mime.startswith("image/") or mime in ("image/svg+xml", "image/vnd.djvu")):
        return without("not a photo", f"a file of the kind {mime}")
    if field("NonFree"):
        return without("licence", "marked as not free")
    if field("DeletionReason"):
        return without("licence", f"is about to be deleted: {field('DeletionReason')}")
    stated = (field("License"), field("LicenseShortName"), field("LicenseUrl"))
    try:
        licence = licence_of(stated, licences)
    except NotOffered as error:
        return without("licence", str(error))
    # Where a thumbnail is as large as the original, it is that.
    return Found(
        service=_NAME,
        id=name,
        title=title,
        creator=field("Artist") or field("Attribution"),
        creator_url="",
        licence=licence,
        landing=link(info.get("descriptionurl")) or original,
        provider="wikimedia",  # as Openverse calls it, so that one photographer is one source
        url=link(info.get("thumburl")) or original,
        original=original,
        width=number(info.get("width")),
        height=number(info.get("height")),
        words=tuple(word for word in map(text, _categories(known)) if word),
        restrictions=field("Restrictions"),
    )


def _categories(known: Mapping[str, Any]) -> list[str]:
    entry = known.get("Categories")
    value = entry.get("value") if isinstance(entry, dict) else ""
    return value.split("|") if isinstance(value, str) else []


COMMONS = Service(
    name=_NAME,
    home="https://commons.wikimedia.org",
    path="/w/api.php",
    pause=1.0,
    quota="Wikimedia Commons is asked one question at a time",
    asks=asks,
    read=read,
)
