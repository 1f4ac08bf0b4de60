"""How many threads compute: one number for torch, BLAS, OpenMP, OpenCV and whatever else brings a pool of its own.

Each of these libraries takes every core by default, and two programs that both do so slow each other many times over:
OpenMP's threads spin while they wait for those that the other program keeps from running. So here is one number, the
physical cores that this process may use unless somebody says otherwise, and threads that sleep while they wait.

The number is, in this order: what ``--threads`` or :func:`use` says, the environment variables
``SAREE_COSFACE_THREADS`` and ``OMP_NUM_THREADS``, and :func:`free_cores`. A library that takes the number as an
argument, as OpenVINO and ONNX Runtime do, is to be given :func:`count`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "SAREE_COSFACE_THREADS"

POOLS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
    "OPENCV_FOR_THREADS_NUM",
)
"""Environment variables by which libraries learn the number when they are loaded."""

_CPUS, _GROUPS, _OWN_GROUP = "/sys/devices/system/cpu", "/sys/fs/cgroup", "/proc/self/cgroup"


class ThreadsError(ValueError):
    """The number of threads that is asked for is none; the message says where."""


def prepare() -> None:
    """Set what libraries read when they are loaded; called when the package is imported, before any of them.

    What the user has set stays. Threads sleep while they wait, which costs a program alone a tenth of its time, and
    spares two beside each other half of theirs (``benchmarks/threads.py``).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        number = str(count())
    except ThreadsError:  # the command line says so in its own words
        return
    for variable in POOLS:
        os.environ.setdefault(variable, number)


def use(number: int | None = None) -> None:
    """Compute with this many threads from now on, in libraries that are loaded already too; None for :func:`count`.

    Raises:
        ThreadsError: fewer than one, or the environment variable holds no such number.
    """
    if number is not None:
        os.environ[VARIABLE] = str(_checked(str(number), "--threads"))
    number = count()
    for variable in POOLS:
        os.environ[variable] = str(number)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(number)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(number)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(number)


def count() -> int:
    """The number in force.

    Raises:
        ThreadsError: the environment variable holds none.
    """
    if VARIABLE in os.environ:
        return _checked(os.environ[VARIABLE], VARIABLE)
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # OpenMP allows a number a level of nesting
    return max(1, int(first)) if first.isdecimal() else free_cores()


def share(workers: int) -> int:
    """Threads for each of several workers that compute at once: their part of the number, at least one.

    >>> [share(workers) for workers in (1, 2 * count(), 10_000)] == [count(), 1, 1]
    True
    """
    return max(1, count() // max(1, workers))


def in_worker(workers: int, _: int) -> None:
    """For a data loader's ``worker_init_fn``, its first argument bound: a worker takes its share, as one of ``workers``
    beside the process that trains."""
    use(share(workers + 1))


@contextmanager
def limited(number: int) -> Iterator[None]:
    """Within this context linear algebra takes so many threads in each thread of ours."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(number):
        yield


def free_cores(cpus: str = _CPUS, groups: str = _GROUPS, own_group: str = _OWN_GROUP) -> int:
    """Physical cores that this process may use: by its affinity, and by the quota of its control group; at least one.

    Two threads of one core share its arithmetic, so they count once.

    Args:
        cpus: folder in which Linux tells which CPUs share a core.
        groups: folder of the control groups, version 2.
        own_group: file that tells which of them this process is in.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_read(Path(cpus) / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota(Path(groups), _read(Path(own_group)))))


def _quota(groups: Path, own: str) -> int:
    """Whole CPUs that the control group, or one that it lies in, lets its processes have."""
    name = next((line.split("::", 1)[1] for line in own.splitlines() if line.startswith("0::")), "/")
    folder = groups / name.strip("/")
    least = float(sys.maxsize)
    for each in (folder, *folder.parents):
        if not each.is_relative_to(groups):
            break
        quota, _, period = _read(each / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            least = min(least, int(quota) / int(period))
    return int(max(1.0, least))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _checked(number: str, where: str) -> int:
    if not number.strip().isdecimal() or int(number) < 1:
        raise ThreadsError(f"{where} is {number}; it must be a whole number of threads, at least 1.")
    return int(number)
