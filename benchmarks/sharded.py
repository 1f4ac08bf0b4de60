"""Time and memory of a step of CosFace whose prototypes are shared out among processes.

    python benchmarks/sharded.py [--classes 100000 1000000] [--ranks 1 2 4] [--sample 1 0.1] [--dim 128] [--batch 64]

A step is the loss of B embeddings, of all processes together, and the gradients by embeddings and prototypes; the
processes exchange over gloo, on one machine, with a thread each. Each row is started anew. Told are the seconds of the
middle step on the slowest rank, the shortest and the longest, and the most memory that a rank held beyond what it had
before the prototypes were there: prototypes, their gradient and the step. ``head`` is the head of one process, for
comparison. One JSON document goes to stdout, the table to stderr.

This is also how the head is used without Lightning: :func:`work` joins the processes, spreads the prototypes, and takes
steps. A network below would be wrapped by ``DistributedDataParallel``, the head not.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from saree_cosface.heads import CosFace, ShardedHead

SCALE, MARGIN = 64.0, 0.35


def used():
    """Bytes of memory at the most so far; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def made(sample, classes, dim):
    if sample is None:
        return CosFace(dim, classes, scale=SCALE, margin=MARGIN)
    with torch.device("meta"):  # so that no process ever has the prototypes of all
        formula = CosFace(dim, classes, scale=SCALE, margin=MARGIN)
    head = ShardedHead(formula, sample=sample)
    head.spread(seed=0)
    return head


def work(rank, ranks, folder, sample, classes, options):
    """What a rank does: the seconds of its steps, its memory, and the loss go into a file."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/join", rank=rank, world_size=ranks)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(options.batch, options.dim, generator=generator).chunk(ranks)[rank].requires_grad_()
    labels = torch.randint(classes, (options.batch,), generator=generator).chunk(ranks)[rank]
    # A small step first: what torch loads with it is not counted.
    made(sample, 1000, options.dim)(embeddings, labels % 1000).backward()
    distributed.barrier()
    before = used()
    head = made(sample, classes, options.dim)
    seconds = []
    for _ in range(options.turns + 1):
        head.zero_grad()
        embeddings.grad = None
        distributed.barrier()
        start = time.perf_counter()
        loss = head(embeddings, labels)
        loss.backward()
        seconds.append(time.perf_counter() - start)
    found = {"seconds": seconds[1:], "bytes": used() - before, "loss": float(loss.detach())}
    Path(folder, f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    distributed.barrier()
    distributed.destroy_process_group()


def measured(ranks, sample, classes, options):
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(work, (ranks, folder, sample, classes, options), nprocs=ranks)
        found = [json.loads(Path(folder, f"{rank}.json").read_text(encoding="utf-8")) for rank in range(ranks)]
    slowest = [max(of_step) for of_step in zip(*(each["seconds"] for each in found), strict=True)]
    return {
        "classes": classes,
        "ranks": ranks,
        "sample": sample,
        "seconds": statistics.median(slowest),
        "least": min(slowest),
        "most": max(slowest),
        "megabytes": max(each["bytes"] for each in found) / 1e6,
        "loss": found[0]["loss"],
    }


def tell(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--sample", type=float, nargs="+", default=[1.0, 0.1])
    parser.add_argument("--dim", type=int, default=128, help="D, length of an embedding")
    parser.add_argument("--batch", type=int, default=64, help="B, of all processes together")
    parser.add_argument("--turns", type=int, default=5, help="timed steps")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tell("| C | processes | sample | ms | least to most | MB a process | loss |\n|---:|---:|---:|---:|---|---:|---:|")
    rows = []
    for classes in options.classes:
        for ranks, sample in [(1, None), *((ranks, sample) for sample in options.sample for ranks in options.ranks)]:
            row = measured(ranks, sample, classes, options)
            rows.append(row)
            share = "head" if sample is None else f"{sample:g}"
            middle, least, most = (f"{1e3 * row[name]:.0f}" for name in ("seconds", "least", "most"))
            cells = f"{classes:,}", ranks, share, middle, f"{least} to {most}", f"{row['megabytes']:.0f}"
            tell(f"| {' | '.join(map(str, cells))} | {row['loss']:.4f} |")
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "cores": os.cpu_count(),
                "dim": options.dim,
                "batch": options.batch,
                "rows": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
