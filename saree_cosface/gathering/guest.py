"""A good guest of other people's servers: says who asks, asks one thing at a time, and waits when told to.

Sources: RFC 9110, sections 10.2.3 (Retry-After) and 15.6.4 (503); RFC 6585, section 4 (429);
https://www.mediawiki.org/wiki/API:Etiquette and Manual:Maxlag_parameter, whose errors come with status 200.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

import httpx

from saree_cosface import __version__
from saree_cosface.console import console
from saree_cosface.gathering.addresses import Forbidden, Misled, NoSuchHost, PublicOnly, origin
from saree_cosface.gathering.records import ChangedShape

TRIES = 4
"""Times that a request is made before it is given up for this time."""

LONGEST_WAIT = 300.0
"""Seconds that a server is waited for; who asks for more is left alone until the next call of the command."""

LONGEST_ANSWER = 300.0
"""Seconds that one answer may take."""

_REDIRECTS = 5
_BUSY = frozenset({429, 500, 502, 503, 504})
_BUSY_ERRORS = frozenset({"maxlag", "ratelimited", "readonly"})  # of MediaWiki
_NOT_UNDERSTOOD = frozenset({400, 404, 410})
_LARGEST_ANSWER = 20_000_000  # bytes of JSON
_TIMEOUT = httpx.Timeout(30.0)

Result = TypeVar("Result")


class Unavailable(ValueError):
    """Something cannot be had now, and perhaps later; the message says from whom and why."""


class Guest:
    """Asks servers, one request at a time.

    Attributes:
        requests: how many were made, by host.
    """

    def __init__(self, contact: str, *, api: str = "", sleep: Callable[[float], None] = time.sleep) -> None:
        """As somebody who can be reached.

        Args:
            contact: e-mail address or page of whoever asks.
            api: the one origin that may be asked though it is not public.
            sleep: waits for so many seconds.

        Raises:
            ValueError: the contact is none, or the API no address.
        """
        if api and not re.match(r"https?://[^/]", api):
            raise ValueError(f"--api {api} is no address such as http://127.0.0.1:8000.")
        self.requests: Counter[str] = Counter()
        self._sleep = sleep
        self._last: dict[str, float] = {}
        self._client = httpx.Client(
            transport=PublicOnly(origin(api) if api else ""),
            headers={"User-Agent": user_agent(contact)},
            timeout=_TIMEOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def json(self, url: str, parameters: Mapping[str, str], *, pause: float = 0.0) -> Any:
        """The JSON that answers a question.

        Raises:
            Unavailable: there is none now.
            ChangedShape: the question is not understood.
            Forbidden: the address, or where it leads, is none that may be asked.
        """

        def read(response: httpx.Response) -> Any:
            if response.status_code in _NOT_UNDERSTOOD:
                why = f"{response.status_code} ({response.reason_phrase})"
                raise ChangedShape(f"{_host(url)} answers {why} to the question: has the service changed?")
            if response.status_code != 200:
                raise Unavailable(f"{_host(url)} answers {response.status_code} ({response.reason_phrase})")
            body, deadline = b"", time.monotonic() + LONGEST_ANSWER
            for part in response.iter_bytes():
                body += part
                if len(body) > _LARGEST_ANSWER or time.monotonic() > deadline:
                    raise Unavailable(f"{_host(url)} answers without end")
            try:
                document = httpx.Response(200, content=body).json()
            except (ValueError, RecursionError) as error:
                kind = response.headers.get("content-type", "of no kind")
                raise Unavailable(
                    f"{_host(url)} answers something that is no JSON ({kind}); is a proxy or a page to log in between?"
                ) from error
            refusal = document.get("error") if isinstance(document, dict) else None
            if isinstance(refusal, dict) and refusal.get("code") in _BUSY_ERRORS:
                raise _Busy(_told_to_wait(response), f"is busy ({refusal['code']})")
            return document

        return self.fetch(url, read, parameters=parameters, pause=pause, packed="gzip")

    def fetch(
        self,
        url: str,
        read: Callable[[httpx.Response], Result],
        *,
        parameters: Mapping[str, str] | None = None,
        pause: float = 0.0,
        packed: str = "identity",
    ) -> Result:
        """What ``read`` makes of the answer to a request, whose body it streams; busy servers are waited for.

        Args:
            url: to which the request goes.
            read: makes something of a response.
            parameters: of the address.
            pause: seconds since the last request to this host, at least.
            packed: how the body may be packed, by a service that is asked again and again. Whatever else is fetched
                comes as it is, since what is packed may unpack to anything, and by a connection of its own, since a
                body that is longer than it says would be taken for the next answer.

        Raises:
            Unavailable: no answer is to be had now.
            Forbidden: the address, or where it leads, is none that may be asked.
        """
        try:
            target = httpx.URL(url, params=parameters) if parameters else httpx.URL(url)
        except httpx.InvalidURL as error:
            raise Forbidden(f"an address that is none ({error})") from error
        for attempt in range(TRIES):
            try:
                with self._answer(target, pause, packed) as response:
                    if response.status_code in _BUSY:
                        raise _Busy(_told_to_wait(response), f"answers {response.status_code}")
                    return read(response)
            except _Busy as busy:
                told, said = busy.seconds, str(busy)
            except NoSuchHost as error:
                raise Unavailable(f"{error}: see to the network") from error
            except httpx.RequestError as error:  # or what was packed cannot be unpacked
                told, said = None, f"cannot be reached ({error or type(error).__name__})"
            seconds = float(2**attempt) if told is None else told
            if seconds > LONGEST_WAIT:
                raise Unavailable(f"{target.host} {said}, and asks to come back in {_long(seconds)}")
            if attempt < TRIES - 1:
                if seconds >= 5:
                    note = f"{target.host} {said}: waiting {seconds:.0f} s"
                    console.print(note, style="dim", highlight=False, markup=False)
                self._sleep(seconds)
        raise Unavailable(f"{target.host} {said}, {TRIES} times over")

    @contextmanager
    def _answer(self, url: httpx.URL, pause: float, packed: str) -> Iterator[httpx.Response]:
        """The response to a request, redirects followed, each of which must lead where requests may go."""
        headers = {"Accept-Encoding": packed, **({} if packed == "gzip" else {"Connection": "close"})}
        for hop in range(_REDIRECTS + 1):
            host, sent = url.host, True
            rest = self._last.get(host, -pause) + pause - time.monotonic()
            if rest > 0:
                self._sleep(rest)
            try:
                with self._client.stream("GET", url, headers=headers) as response:
                    if not response.has_redirect_location:
                        yield response
                        return
                    url = url.join(response.headers["location"])
            except Forbidden as error:
                sent = False
                if hop:
                    raise Misled(f"leads to {error}") from error
                raise
            except httpx.InvalidURL as error:
                raise Misled(f"leads to an address that is none ({error})") from error
            finally:
                self.requests.update([host] * sent)
                self._last[host] = time.monotonic()
        raise Misled(f"{url.host}: leads from one address to the next")


class _Busy(Exception):
    """The server asks for patience: for so many seconds, or as many as one likes."""

    def __init__(self, seconds: float | None, said: str) -> None:
        super().__init__(said)
        self.seconds = seconds


def user_agent(contact: str) -> str:
    """How the program introduces itself.

    Raises:
        ValueError: the contact is neither an e-mail address nor the address of a page.

    >>> user_agent("asha@example.org").split(" python")[0] == f"saree-cosface/{__version__} (asha@example.org)"
    True
    """
    contact = contact.strip()
    named = "@" in contact[1:-1] or contact.startswith(("https://", "http://"))
    if not named or not contact.isascii() or not contact.isprintable() or " " in contact:
        raise ValueError(
            f"--contact {contact!r} is neither an e-mail address nor a web page: the services ask by whom they are "
            "asked, so that they can say when something is wrong."
        )
    return f"saree-cosface/{__version__} ({contact}) python-httpx/{httpx.__version__}"


def _told_to_wait(response: httpx.Response) -> float | None:
    """Seconds that a server asks for; None where it does not say."""
    said = response.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _host(url: str) -> str:
    return httpx.URL(url).host


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
