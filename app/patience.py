"""Patience with those who log in: whoever guesses passwords waits longer and longer, and is never locked out."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_network

from .place import as_address

FREE, LONGEST, MEMORY = 5, 30.0, 900.0
"""Wrong passwords that cost nothing; seconds that one costs at most; seconds for which it is remembered."""

_QUEUE = 5  # logins of one address that wait for their turn; a person has one


class TooManyError(Exception):
    """Others from the same address are waiting for their turn already."""


@dataclass
class _Guest:
    wrong: deque[float] = field(default_factory=deque)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Patience:
    """Of logins from one address, one is looked at after the other; each after more than five wrong ones waits.

    Attributes:
        now, sleep: the clock.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.now, self.sleep = now, sleep
        self._guests: dict[str, _Guest] = {}

    async def turn(self, address: str, login: Callable[[], Awaitable[bool]]) -> None:
        """Wait, and log in.

        Args:
            address: of the visitor.
            login: whether the password was wrong.

        Raises:
            TooManyError: five wait already.
        """
        self._forget()
        guest = self._guests.setdefault(_neighbourhood(address), _Guest())
        if guest.waiting >= _QUEUE:
            raise TooManyError
        guest.waiting += 1
        try:
            async with guest.turn:
                if len(guest.wrong) >= FREE:
                    await self.sleep(min(LONGEST, 2.0 ** (len(guest.wrong) - FREE)))
                if await login():
                    guest.wrong.append(self.now())
        finally:
            guest.waiting -= 1

    def _forget(self) -> None:
        for address, guest in list(self._guests.items()):
            while guest.wrong and guest.wrong[0] < self.now() - MEMORY:
                guest.wrong.popleft()
            if not guest.wrong and not guest.waiting:
                del self._guests[address]


def _neighbourhood(address: str) -> str:
    """What one visitor has of addresses: of IPv6, a whole network.

    >>> _neighbourhood("10.0.0.5"), _neighbourhood("2001:db8::1") == _neighbourhood("2001:db8::2"), _neighbourhood("")
    ('10.0.0.5', True, '')
    """
    try:
        found = as_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)
