"""Processes that are joined as ranks on this machine, and what each of them found."""

import time
from datetime import timedelta

import torch
from torch import distributed, multiprocessing


def joined(function, ranks, folder, *arguments, seconds=240):
    """What ``function(*arguments)`` returns on each rank: a dictionary of tensors, numbers and lists.

    The processes come from a server that has loaded torch and the module of ``function`` once, and know nothing of this
    one; they exchange over gloo, with a thread each.
    """
    folder.mkdir()
    # Heeded by the first to start the server. The compiler of torch is loaded by any optimizer, too.
    multiprocessing.set_forkserver_preload([function.__module__, "torch._dynamo"])
    context = multiprocessing.start_processes(
        _start, (function, ranks, folder, arguments), nprocs=ranks, join=False, start_method="forkserver"
    )
    end = time.monotonic() + seconds
    try:
        while not context.join(timeout=1):
            assert time.monotonic() < end, f"{ranks} processes did not end within {seconds} s"
    finally:
        for process in context.processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(ranks)]


def _start(rank, function, ranks, folder, arguments):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/join", rank=rank, world_size=ranks, timeout=timedelta(seconds=60)
    )
    torch.save(function(*arguments), folder / f"{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()
