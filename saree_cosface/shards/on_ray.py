"""Shards computed on the machines of a Ray cluster, a model a GPU or, without any, a model for some processors."""

import bisect
import copy
import logging
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from saree_cosface import __version__
from saree_cosface.console import track
from saree_cosface.machine import threads
from saree_cosface.networks.embedder import Embedder
from saree_cosface.shards.folder import ShardError
from saree_cosface.shards.part import computed


class _Worker:
    """An embedder on one GPU, or on some processors, of some machine of the cluster.

    What can fail is done with the first shard: Ray starts a worker whose making fails again and again.
    """

    def __init__(self, sent: Any, version: str, count: int, on_gpu: bool, cache: Path | None) -> None:
        self.sent, self.version, self.count, self.on_gpu, self.cache = sent, version, count, on_gpu, cache

    @cached_property
    def embedder(self) -> Embedder:
        import ray

        if self.version != __version__:
            raise ShardError(f"a worker has saree-cosface {__version__}, the program that calls it {self.version}")
        threads.use(self.count)
        sent: Embedder = ray.get(self.sent)
        return sent.to("cuda" if self.on_gpu else "cpu")

    def __call__(self, rows: pa.Table) -> pa.Table:
        return computed(self.embedder, rows, cache=self.cache)


def computed_on_ray(
    embedder: Embedder, todo: list[pa.Table], *, address: str | None, cache: Path | None = None
) -> Iterator[pa.Table]:
    """Shards of what was asked, as they are finished, in any order.

    Ray starts a worker that was lost again and gives its shard to another, so each shard comes once.

    Args:
        embedder: sent to every worker.
        todo: as of :func:`saree_cosface.shards.part.asked`.
        address: as of :func:`saree_cosface.shards.making.embed_collection`.
        cache: of features, on each machine.

    Raises:
        ShardError: Ray is not installed, or there is no cluster at the address, or a worker gives up.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing here calls home
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ShardError("Ray is not installed: pip install 'saree-cosface[ray]'.") from error
    with _cluster(address):
        on_gpu = ray.cluster_resources().get("GPU", 0) >= 1
        # A worker must find room on any machine, the smallest included.
        cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        count = min([threads.count(), *(each for each in cores if each)])
        workers = int(ray.cluster_resources()["GPU"]) if on_gpu else sum(each // count for each in cores)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # each step of its own, beside our bar
        sent = ray.put(copy.deepcopy(embedder).cpu())  # held until the end, for workers that are started again
        data = ray.data.from_arrow(todo).map_batches(  # a block is a shard, and stays one
            _Worker,
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            fn_constructor_args=(sent, __version__, count, on_gpu, cache),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, min(workers, len(todo)))),
            num_gpus=1 if on_gpu else None,
            num_cpus=None if on_gpu else count,
        )
        blocks = data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        try:
            for part in _whole(blocks, todo):
                _require_seen(part)
                yield part
        except ray.exceptions.RayError as error:
            raise ShardError(f"Ray gave up ({_last_line(error)}). What was finished is kept: call again.") from error


def _whole(blocks: Iterable[pa.Table], todo: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """Shards, each in one table with its rows in order, from tables that may hold a part of one or several."""
    starts = [rows["row"][0].as_py() for rows in todo]
    waiting: dict[int, list[pa.Table]] = {}
    shown = track(_photos(blocks), "Embedding photos", total=sum(len(rows) for rows in todo))
    for row, photo in shown:
        number = bisect.bisect_right(starts, row) - 1
        mine = waiting.setdefault(number, [])
        mine.append(photo)
        if len(mine) == len(todo[number]):
            yield pa.concat_tables(waiting.pop(number)).sort_by("row").combine_chunks()


def _photos(blocks: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    for block in blocks:
        for index, row in enumerate(block["row"].to_pylist()):
            yield row, block.slice(index, 1)


def _require_seen(part: pa.Table) -> None:
    """Make sure that the machine that computed a shard sees the photos, as this one does."""
    files = part["file"].to_pylist()
    if not any(part["sha256"].to_pylist()) and any(Path(file).is_file() for file in files):
        raise ShardError(
            f"a machine of the cluster sees none of {len(files)} photos that are there, such as {files[0]}: give it "
            "the same folders. What was finished is kept: call again."
        )


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Within this context Ray is there: what the caller has started, else the cluster at an address."""
    import ray

    if ray.is_initialized():
        yield
        return
    _require_open(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ShardError(f"no Ray cluster at {address or 'this machine'} ({_last_line(error)}).") from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_open(address: str | None) -> None:
    """Make sure that something listens at host:port: Ray itself waits three minutes for it."""
    host, _, port = (address or os.environ.get("RAY_ADDRESS", "")).removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise ShardError(
            f"no Ray cluster at {address} ({error.strerror or error}): start one, or correct it."
        ) from error


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
