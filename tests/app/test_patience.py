"""Guessing passwords takes longer and longer; whoever knows theirs gets in."""

import asyncio

import pytest

from app.patience import FREE, LONGEST, MEMORY, Patience, TooManyError


class Clock:
    """A clock that stands still, except while somebody sleeps."""

    def __init__(self):
        self.time, self.slept = 0.0, []

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def patience(clock):
    return Patience(clock.now, clock.sleep)


def wrong(answer=True):
    async def login():
        await asyncio.sleep(0)
        return answer

    return login


def test_wrong_passwords_take_longer_and_longer_but_no_more_than_half_a_minute(patience, clock):
    async def guess(times):
        for _ in range(times):
            await patience.turn("10.0.0.9", wrong())

    asyncio.run(guess(FREE))
    assert clock.slept == []
    asyncio.run(guess(8))
    assert clock.slept == [1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]
    clock.time += MEMORY + 1
    asyncio.run(guess(FREE))
    assert len(clock.slept) == 8
    assert len(patience._guests) == 1


def test_others_do_not_wait_and_a_network_is_one(patience, clock):
    async def guess():
        for n in range(FREE + 1):
            await patience.turn(f"2001:db8::{n}", wrong())
        await patience.turn("2001:db8:0:1::1", wrong())
        await patience.turn("10.0.0.8", wrong(False))

    asyncio.run(guess())
    assert clock.slept == [1]


def test_right_passwords_cost_nothing_and_leave_nothing(patience, clock):
    async def enter():
        for _ in range(3 * FREE):
            await patience.turn("10.0.0.9", wrong(False))
        await patience.turn("10.0.0.7", wrong(False))

    asyncio.run(enter())
    assert clock.slept == []
    assert "10.0.0.9" not in patience._guests


def test_logins_at_once_wait_for_each_other(patience, clock):
    async def guess():
        at_once = [[patience.turn("10.0.0.9", wrong()) for _ in range(30)] for _ in range(2)]
        return [each for some in at_once for each in await asyncio.gather(*some, return_exceptions=True)]

    refused = [each for each in asyncio.run(guess()) if each is not None]
    assert [type(each) for each in refused] == [TooManyError] * 50
    assert clock.slept == [1, 2, 4, 8, 16]  # as if they had come one after the other
