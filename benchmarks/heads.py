"""Time and peak memory of CosFace's forward and backward pass against pytorch-metric-learning's CosFaceLoss.

    python benchmarks/heads.py                      # small sizes, seconds
    python benchmarks/heads.py --full               # B = 256 ... 1024, C = 1000 ... 4000, D = 512
    python benchmarks/heads.py --device cuda --full

Memory is the peak of what one step allocates beyond the embeddings and prototypes, in units of one (B, C) float32
matrix.
Ratios are theirs / ours: above 1, ours is faster or smaller. One JSON document goes to stdout, the table to stderr.
"""

import argparse
import json
import os
import statistics
import time

import torch
from pytorch_metric_learning.losses import CosFaceLoss
from rich.table import Table

from saree_cosface.console import console
from saree_cosface.heads import CosFace

SMALL = [(256, 1000)]
FULL = [(size, classes) for size in (256, 512, 1024) for classes in (1000, 2000, 4000)]


def step(loss, embeddings, labels):
    embeddings.grad = None
    loss.zero_grad(set_to_none=True)
    loss(embeddings, labels).backward()


def seconds(losses, embeddings, labels, repeats):
    """Median seconds of a step of each loss; the losses take turns, so that a busy machine slows both."""
    cuda = embeddings.is_cuda
    taken = [[] for _ in losses]
    for repeat in range(repeats + 2):
        for loss, times in zip(losses, taken, strict=True):
            start = time.perf_counter()
            step(loss, embeddings, labels)
            if cuda:
                torch.cuda.synchronize()
            if repeat >= 2:  # the first two warm up
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def peak_bytes(loss, embeddings, labels):
    """Most bytes a step holds at once beyond what was there before it."""
    embeddings.grad = None
    loss.zero_grad(set_to_none=True)
    if embeddings.is_cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss(embeddings, labels).backward()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        loss(embeddings, labels).backward()
    held = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def compare(size, classes, dim, device, repeats):
    torch.manual_seed(0)
    ours = CosFace(dim, classes).to(device)
    theirs = CosFaceLoss(num_classes=classes, embedding_size=dim, margin=0.35, scale=64).to(device)
    theirs.W.data = ours.weight.detach().t().contiguous()
    embeddings = torch.randn(size, dim, device=device, requires_grad=True)
    labels = torch.randint(classes, (size,), device=device)
    gap = abs(ours(embeddings, labels).item() - theirs(embeddings, labels).item())
    matrix = 4 * size * classes
    our_peak, their_peak = (peak_bytes(loss, embeddings, labels) / matrix for loss in (ours, theirs))
    our_time, their_time = seconds((ours, theirs), embeddings, labels, repeats)
    return {
        "batch": size,
        "classes": classes,
        "loss_difference": gap,
        "milliseconds": 1000 * our_time,
        "peer_milliseconds": 1000 * their_time,
        "time_ratio": their_time / our_time,
        "peak_matrices": our_peak,
        "peer_peak_matrices": their_peak,
        "memory_ratio": their_peak / our_peak,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes of a face data set")
    parser.add_argument("--dim", type=int, default=512, help="embedding dimension")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15, help="timed steps; the median counts")
    options = parser.parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler otherwise writes a line per run
    rows = [
        compare(size, classes, options.dim, options.device, options.repeats)
        for size, classes in (FULL if options.full else SMALL)
    ]
    table = Table("B", "C", "ms", "peer ms", "faster", "B×C", "peer B×C", "smaller", "Δ loss")
    for row in rows:
        table.add_row(
            str(row["batch"]),
            str(row["classes"]),
            f"{row['milliseconds']:.2f}",
            f"{row['peer_milliseconds']:.2f}",
            f"{row['time_ratio']:.2f}",
            f"{row['peak_matrices']:.2f}",
            f"{row['peer_peak_matrices']:.2f}",
            f"{row['memory_ratio']:.2f}",
            f"{row['loss_difference']:.1e}",
        )
    console.print(table)
    print(json.dumps({"torch": torch.__version__, "device": options.device, "dim": options.dim, "rows": rows}))


if __name__ == "__main__":
    main()
