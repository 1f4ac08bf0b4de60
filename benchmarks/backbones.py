"""What a backbone costs for the nine views of a photo, in seconds and memory; with random weights, so none is fetched.

    python benchmarks/backbones.py [--threads 1] [--pooling mean] [--turns 3] NAME ...

Each network is measured in a process of its own, with the runtime that the program would take. Told are weights, input,
the seconds of the fastest turn, and by how much the peak of memory lies above that of a process without the network.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch

from saree_cosface.data.views import BRIEF
from saree_cosface.machine import threads
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.runtime import runner, runtime_of


def peak():
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(options):
    torch.manual_seed(0)
    before = peak()
    depths = {"depths": 2, "directions": 64} if options.pooling == "second_order" else {}
    backbone = create_backbone(options.names[0], pretrained=False, pooling=options.pooling, **depths).eval()
    side = backbone.preprocessing.size
    views = np.random.default_rng(0).integers(0, 256, (BRIEF, side, side, 3), dtype=np.uint8)
    run = runner(backbone)
    run(views)  # the first call takes longer
    seconds = []
    for _ in range(options.turns):
        start = time.perf_counter()
        run(views)
        seconds.append(time.perf_counter() - start)
    weights = sum(each.numel() for each in backbone.network.parameters())
    return {"runtime": runtime_of(backbone), "side": side, "weights": weights, "features": backbone.num_features} | {
        "seconds": min(seconds),
        "memory": peak() - before,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pooling", default="mean")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    threads.use(options.threads)
    if options.alone:
        print(json.dumps(measured(options)))
        return
    print("| backbone | pooling | runtime | input | weights | features | a photo, s | memory, MB |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for name in options.names:
        same = ["--threads", str(options.threads), "--pooling", options.pooling, "--turns", str(options.turns)]
        done = subprocess.run([sys.executable, __file__, name, *same, "--alone"], stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        print(
            f"| {name} | {options.pooling} | {found['runtime']} | {found['side']} | {found['weights'] / 1e6:.1f} M "
            f"| {found['features']:,} | {found['seconds']:.2f} | {found['memory'] / 1e6:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
