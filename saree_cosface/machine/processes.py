"""Jobs done in several processes at once, each with its share of the threads.

Small matrices do not get done sooner by two threads; two jobs of them do by two processes. A script that asks for more
than one must be guarded by ``if __name__ == "__main__"``, since each process begins by reading it.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from typing import TypeVar

from saree_cosface.machine import threads

Job = TypeVar("Job")
Made = TypeVar("Made")

_method = "spawn"  # a plain fork would copy locks that threads hold which are not in the copy


class ProcessError(ValueError):
    """A process was killed; the message says what to do."""


def load(module: str) -> None:
    """Load a module, and what it imports, once for all processes to come, while this one goes on.

    Where the system allows it, they are forked from a server that does nothing else; else each loads it by itself.
    """
    global _method
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload([module])
        forkserver.ensure_running()
        _method = "forkserver"


def done(
    function: Callable[[Job], Made],
    jobs: Sequence[Job],
    processes: int,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, Made]]:
    """Do jobs, here one after another or in processes of their own, and give what each makes, as it is done.

    Args:
        function: found by its name in a module, for processes of their own.
        jobs: what it takes.
        processes: how many at once, in all of them together as many threads as here; with one nothing is started.
        environment: variables of these processes beside those of this one.

    Returns:
        The number of a job and what it made; in any order where there are several processes.

    Raises:
        ProcessError: one was killed.

    >>> list(done(abs, [-1, -2], 1))
    [(0, 1), (1, 2)]
    """
    processes = min(processes, len(jobs))
    if processes <= 1:
        yield from enumerate(map(function, jobs))
        return
    others = set(multiprocessing.active_children())
    given = threads.share(processes), dict(environment or {})
    context = multiprocessing.get_context(_method)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=given) as pool:
        numbers = {pool.submit(function, job): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        except BrokenProcessPool as error:
            raise ProcessError(
                f"one of {processes} processes was killed, perhaps for want of memory: start this again with fewer "
                "--workers. What was done is kept."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _begin(number: int, environment: Mapping[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first of them ends the others
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    os.environ.update(environment)
    threads.use(number)


def _end_with(parent: BaseProcess) -> None:
    """Who waits for the next job of a process that was killed would wait for ever."""
    parent.join()
    os._exit(1)
