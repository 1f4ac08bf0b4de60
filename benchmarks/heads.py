"""Time and peak memory of a step of CosFace against pytorch-metric-learning, insightface's formula and plain softmax.

    python benchmarks/heads.py [--batch 128 1024 4096] [--classes 100 10000 100000 1000000] [--dim 512] [--device cuda]

A step is the loss and its gradients by B embeddings and C prototypes. Heads take turns in one process; told are the
seconds of the middle turn, the shortest and the longest, and the ratio to the fastest peer. Memory is the most that is
held at once beyond the inputs and the gradient of the prototypes, in units of one (B, C) float32 matrix. A step that
would take more than ``--memory`` GB is left out, by what smaller steps took. One JSON document goes to stdout, the
table to stderr.
"""

import argparse
import json
import os
import statistics
import sys
import time

import torch
from pytorch_metric_learning.losses import CosFaceLoss
from torch import nn
from torch.nn import functional as F

from saree_cosface.heads import CosFace

SCALE, MARGIN = 64.0, 0.35


class InsightFace(nn.Module):
    """The margin as insightface's recognition code applies it: in place, on logits of normalised weights."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, embeddings, labels):
        logits = F.linear(F.normalize(embeddings), F.normalize(self.weight)).clamp(-1, 1)
        rows = torch.arange(len(labels), device=labels.device)
        target = logits[rows, labels]
        logits = logits.index_put((rows, labels), target - MARGIN) * SCALE
        return F.cross_entropy(logits, labels)


class Plain(nn.Module):
    """Cross-entropy of plain products: no margin, no lengths."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, embeddings, labels):
        return F.cross_entropy(F.linear(embeddings, self.weight), labels)


def made(name, weight, dim):
    classes = len(weight)
    if name == "ours":
        head = CosFace(dim, classes, scale=SCALE, margin=MARGIN)
        head.weight.data = weight.clone()
        return head
    if name == "pytorch-metric-learning":
        head = CosFaceLoss(num_classes=classes, embedding_size=dim, margin=MARGIN, scale=SCALE).to(weight.device)
        head.W.data = weight.t().contiguous()
        return head
    return InsightFace(weight) if name == "insightface's formula" else Plain(weight)


NAMES = ("ours", "pytorch-metric-learning", "insightface's formula", "plain cross-entropy")
MATRICES = {"ours": 0.3, "pytorch-metric-learning": 11, "insightface's formula": 7, "plain cross-entropy": 3}
"""(B, C) matrices that a step takes, about."""

WEIGHTS = {"ours": 2, "pytorch-metric-learning": 6, "insightface's formula": 4, "plain cross-entropy": 2}
"""(C, D) matrices, the prototypes among them."""


def step(head, embeddings, labels):
    embeddings.grad = None
    head.zero_grad(set_to_none=True)
    loss = head(embeddings, labels)
    loss.backward()
    if embeddings.is_cuda:
        torch.cuda.synchronize()
    return loss.detach()


def peak_bytes(head, embeddings, labels):
    """Most bytes that a step holds beyond what was there, less the gradient of the prototypes, which stays."""
    embeddings.grad = None
    head.zero_grad(set_to_none=True)
    gradient = sum(4 * each.numel() for each in head.parameters())
    if embeddings.is_cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        head(embeddings, labels).backward()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before - gradient
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        head(embeddings, labels).backward()
    held = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak - gradient


def compared(size, classes, options):
    torch.manual_seed(0)
    embeddings = torch.randn(size, options.dim, device=options.device, requires_grad=True)
    # So short that plain softmax has no shares too small for a normal number, with which processors are slow.
    weight = torch.randn(classes, options.dim, device=options.device) / options.dim**0.5
    labels = torch.randint(classes, (size,), device=options.device)
    matrix, prototypes = 4e-9 * size * classes, 4e-9 * classes * options.dim
    rows, losses = [], {}
    heads = {}
    for name in NAMES:
        heads_at_once = sum(2 * prototypes for _ in heads) + prototypes
        needed = MATRICES[name] * matrix + WEIGHTS[name] * prototypes
        if heads_at_once + needed <= options.memory:
            heads[name] = made(name, weight, options.dim)
    times = {name: [] for name in heads}
    turns = options.turns if size * classes < 1e8 else 3
    for turn in range(turns + 1):
        for name, head in heads.items():
            start = time.perf_counter()
            losses[name] = float(step(head, embeddings, labels))
            head.zero_grad(set_to_none=True)
            if turn:  # the first warms up
                times[name].append(time.perf_counter() - start)
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    peers = [taken for name, taken in middle.items() if name != "ours"]
    for name, head in heads.items():
        rows.append(
            {
                "batch": size,
                "classes": classes,
                "head": name,
                "milliseconds": 1000 * middle[name],
                "least": 1000 * min(times[name]),
                "most": 1000 * max(times[name]),
                "to_fastest_peer": middle[name] / min(peers) if peers else None,
                "matrices": peak_bytes(head, embeddings, labels) / (1e9 * matrix),
                "loss": losses[name],
            }
        )
    return rows


def tell(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 1024, 4096])
    parser.add_argument("--classes", type=int, nargs="+", default=[100, 10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=512, help="D, length of an embedding")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--turns", type=int, default=9, help="timed steps of each head")
    parser.add_argument("--memory", type=float, default=12, help="GB that a step may take")
    options = parser.parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler otherwise writes a line per run
    tell(
        "| B | C | head | ms | least to most | to fastest peer | B×C | loss |\n|---:|---:|---|---:|---|---:|---:|---:|"
    )
    rows = []
    for size in options.batch:
        for classes in options.classes:
            for row in compared(size, classes, options):
                rows.append(row)
                ratio = "" if row["to_fastest_peer"] is None else f"{row['to_fastest_peer']:.2f}"
                cells = (
                    size,
                    classes,
                    row["head"],
                    f"{row['milliseconds']:.1f}",
                    f"{row['least']:.1f} to {row['most']:.1f}",
                )
                tell(f"| {' | '.join(map(str, cells))} | {ratio} | {row['matrices']:.2f} | {row['loss']:.4f} |")
    print(json.dumps({"torch": torch.__version__, "device": options.device, "dim": options.dim, "rows": rows}))


if __name__ == "__main__":
    main()
