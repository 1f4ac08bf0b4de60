"""What people read goes to stderr through one rich console; stdout is kept for machine-readable output."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read stderr has left: the work goes on without them."""
        self.quiet = True


console = _Console(stderr=True)

Listener = Callable[[str, int, int | None], None]
"""What is told of progress: what is being done, how many are done, of how many (None where nobody knows)."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def few(things: Sequence[object], shown: int = 3) -> str:
    """The first of them, and how many more there are.

    >>> few(["a.jpg", "b.jpg"]), few(["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"])
    ('a.jpg, b.jpg', 'a.jpg, b.jpg, c.jpg and 2 more')
    """
    more = f" and {len(things) - shown} more" if len(things) > shown else ""
    return ", ".join(map(str, things[:shown])) + more


@contextmanager
def telling(listener: Listener) -> Iterator[None]:
    """Within this context, :func:`track` and :func:`announce` tell a listener how far they are, and nothing of it goes
    to stderr.

    >>> with telling(lambda *told: print(*told)):
    ...     for _ in track("ab", "Counting"):
    ...         pass
    Counting 0 2
    Counting 1 2
    Counting 2 2
    """
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def prepare_streams() -> bool:
    """Make the three standard streams what the rest relies on, when the program begins.

    One that is closed leads nowhere from now on: the next file to be opened would else get its number, and whatever
    libraries say there. Documents on stdout are UTF-8 in every locale; a file name that is not comes out as it is on
    disk.

    Returns:
        whether stdout was open.
    """
    closed = []
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            closed.append(name)
            setattr(sys, name, open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    return "stdout" not in closed


def abandon_stdout() -> None:
    """Throw away what stdout does not take, lest Python complain of it at the end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def announce(description: str) -> None:
    """Say what begins now and takes a while, where nobody can tell how long; see :func:`telling`."""
    listener = _listener.get()
    if listener is None:
        console.print(f"{description} …", highlight=False, markup=False)
    else:
        listener(description, 0, None)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate with a progress bar on stderr that shows counts, elapsed time and time left; see :func:`telling`."""
    listener = _listener.get()
    if listener is not None:
        yield from _told(
            items, description, len(items) if total is None and isinstance(items, Sized) else total, listener
        )
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Rich would else show what is written to stdout meanwhile above the bar, on stderr.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        yield from progress.track(items, total=total, description=description)


def _told(items: Iterable[Item], description: str, total: int | None, listener: Listener) -> Iterator[Item]:
    listener(description, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        listener(description, done, total)
