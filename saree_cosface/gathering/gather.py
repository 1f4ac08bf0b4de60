"""Photographs of crafts gathered from services: asked, looked through, fetched, and written down, one after the other.

Whatever was answered or fetched is on disk before the next thing is done. So a call that was broken off, by a kill, a
full disk or a quota, goes on where it stopped and fetches nothing twice.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saree_cosface.console import track
from saree_cosface.files import write_text
from saree_cosface.gathering.addresses import Forbidden
from saree_cosface.gathering.fetching import Unfit, examine, fetch, require_size, stem
from saree_cosface.gathering.guest import Guest, Unavailable
from saree_cosface.gathering.ledger import ANSWERS, INCOMING, PHOTOS, Fetched, Ledger
from saree_cosface.gathering.listing import write_listing
from saree_cosface.gathering.queries import elsewhere
from saree_cosface.gathering.records import ChangedShape, Found, Left, left
from saree_cosface.gathering.service import DEEPEST, Asked, Page, Service
from saree_cosface.gathering.summary import Gathered
from saree_cosface.taxonomy import Craft, Taxonomy, load_taxonomy

_PATIENCE = 3
"""Photos in a row that a host may fail to give, and answers that a service may give in a shape that is not documented,
before it is left alone in this call."""

_PAUSE = 1.0  # seconds from one photo of a host to the next


@dataclass
class _Work:
    """What is being done, and what has come of it so far."""

    ledger: Ledger
    guest: Guest
    services: list[Service]
    licences: Sequence[str]
    api: str
    taxonomy: Taxonomy
    left: dict[str, dict[tuple[str, str], Left]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    failing: Counter[str] = field(default_factory=Counter)

    def trouble(self, said: str) -> None:
        """Note what went wrong with a service, once."""
        if said not in self.troubles:
            self.troubles.append(said)


def gather(
    ledger: Ledger,
    crafts: Sequence[Craft],
    *,
    per_craft: int,
    services: Sequence[Service],
    licences: Sequence[str],
    guest: Guest,
    api: str = "",
) -> Gathered:
    """Gather photos of crafts into a folder: ``photos/CRAFT/``, ``manifest.csv`` and ``CREDITS.md``.

    The label of each photo is the craft that it was found for, and so rests on a caption. A service that cannot be
    asked, or has changed, is given up for this call; what it has told stays.

    Args:
        ledger: of a folder, in which nobody else may be at work.
        crafts: that are looked for.
        per_craft: photos of each, at most; those that are there already count.
        services: that are asked, by turns.
        licences: codes of those that are taken.
        guest: asks them.
        api: scheme and host that all services are asked at, for tests.

    Raises:
        OSError: the folder cannot be written.
    """
    work = _Work(ledger, guest, list(services), licences, api, load_taxonomy())
    for _ in track(_photos(work, crafts, per_craft), "Gathering photos", total=len(crafts) * per_craft):
        pass
    photos = {craft.id: ledger.photos(craft.id, licences) for craft in crafts}
    return Gathered(
        ledger.folder,
        {craft: len(each) for craft, each in photos.items()},
        {craft: len({entry.record.source for entry in each}) for craft, each in photos.items()},
        {craft.id: tuple(work.left.get(craft.id, {}).values()) for craft in crafts},
        tuple(work.troubles),
        dict(guest.requests),
    )


def _photos(work: _Work, crafts: Sequence[Craft], per_craft: int) -> Iterator[None]:
    """Gathers, and says one thing for each photo, or for each that a craft has not."""
    for craft in crafts:
        count = len(work.ledger.photos(craft.id, work.licences))
        yield from [None] * min(count, per_craft)
        records = _records(work, craft) if count < per_craft else iter(())
        looked_at: set[tuple[str, str]] = set()
        for record in records:
            key = (record.service, record.id)
            if key in looked_at:
                continue
            looked_at.add(key)
            found = _photo(work, record, craft) if isinstance(record, Found) else record
            if isinstance(found, Left):
                work.left.setdefault(craft.id, {})[key] = found
            elif found is not None:
                count += 1
                yield
                if count >= per_craft:
                    break
        yield from [None] * (per_craft - count)
        write_listing(work.ledger, work.licences)


def _records(work: _Work, craft: Craft) -> Iterator[Found | Left]:
    """What services tell of a craft, a page of each by turns."""
    streams = [(service, _pages(work, service, craft)) for service in work.services]
    while streams:
        for service, pages in list(streams):
            page = next(pages, None) if service in work.services else None
            if page is None:
                streams.remove((service, pages))
            else:
                yield from page.records


def _pages(work: _Work, service: Service, craft: Craft) -> Iterator[Page]:
    misread = 0
    for first in service.asks(craft, work.licences):
        asked: Asked | None = first
        for _ in range(DEEPEST):
            if asked is None:
                break
            try:
                page = _answered(work, service, asked)
            except ChangedShape as error:  # perhaps of this question alone
                work.trouble(f"{service.name}: {error}")
                misread += 1
                if misread == _PATIENCE:
                    work.services.remove(service)
                    return
                break
            except (Unavailable, Forbidden) as error:
                work.trouble(f"{service.name}: {error}")
                work.services.remove(service)
                return
            misread = 0
            yield page
            asked = page.following


def _answered(work: _Work, service: Service, asked: Asked) -> Page:
    """A page, as it was answered before or is now."""
    url = (work.api.rstrip("/") or service.home) + service.path
    name = hashlib.sha256(json.dumps([url, sorted(asked.items())]).encode()).hexdigest()[:24]
    kept = work.ledger.folder / ANSWERS / f"{service.name}-{name}.json"
    before = _kept(kept)
    if before is not None:
        return service.read(asked, before, work.licences)
    answer = work.guest.json(url, asked, pause=0.0 if work.api else service.pause)
    page = service.read(asked, answer, work.licences)
    write_text(kept, json.dumps({"url": url, "asked": dict(asked), "answer": answer}) + "\n")
    return page


def _kept(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["answer"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _photo(work: _Work, record: Found, craft: Craft) -> Fetched | Left | None:
    """The photo of a record, or why there is none; None for one of the craft that was counted before."""
    known = work.ledger.entries.get((record.service, record.id))
    if known is not None:
        if known.is_photo and known.craft == craft.id:
            return None
        return _left_before(record, known)
    other = work.ledger.fetched_from(record.address)
    if other is not None:
        return _left_before(record, other)
    unfit = elsewhere(record, craft, work.taxonomy)
    if unfit is not None:
        return unfit
    try:
        require_size(record)
        return _fetched(work, record, craft)
    except Unfit as error:
        return left(record, error.kind, str(error))
    except Forbidden as error:
        return left(record, "refused address", str(error))
    except Unavailable as error:
        return left(record, "not now", str(error))


def _left_before(record: Found, known: Fetched) -> Left:
    if known.is_photo:
        return left(record, "duplicate", f"the same photo as {known.path}")
    return left(record, known.outcome, known.reason)


def _fetched(work: _Work, record: Found, craft: Craft) -> Fetched:
    """Fetch a photo, unless its file is there, look at it, and write down what became of it.

    Raises:
        Unfit: there is no photo, which is written down where it lasts.
        Unavailable, Forbidden: it could not be fetched.
    """
    name = stem(record)
    folder = work.ledger.folder
    incoming = folder / INCOMING / name
    arrived = next((folder / PHOTOS / craft.id).glob(f"{name}.*"), None)  # and was not written down
    try:
        if arrived is None and not incoming.is_file():
            _bring(work, record, incoming)
        seen = examine(arrived or incoming)
        same = work.ledger.copy_of(seen)
        if same is not None:
            of = "" if same.craft == craft.id else f", found for {same.craft}"
            raise Unfit("duplicate", f"the same picture as {same.path}{of}")
    except Unfit as error:
        if error.lasting:
            work.ledger.add(Fetched(craft.id, record, error.kind, str(error)))
        (arrived or incoming).unlink(missing_ok=True)
        raise
    path = folder / PHOTOS / craft.id / f"{name}{seen.suffix}"
    if arrived is None:
        path.parent.mkdir(exist_ok=True)
        incoming.rename(path)
    entry = Fetched(craft.id, record, "photo", path=path.relative_to(folder).as_posix(), seen=seen)
    work.ledger.add(entry)
    return entry


def _bring(work: _Work, record: Found, target: Path) -> None:
    host = record.url.split("/")[2]
    if work.failing[host] >= _PATIENCE:
        raise Unavailable(f"{host} did not answer {_PATIENCE} times in a row")
    try:
        fetch(work.guest, record.url, target, pause=0.0 if work.api else _PAUSE)
    except Unavailable:
        work.failing[host] += 1
        raise
    work.failing[host] = 0
