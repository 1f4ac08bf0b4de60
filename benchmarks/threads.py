"""What two programs beside each other cost, by how many threads each takes and by how its threads wait.

    python benchmarks/threads.py [--photos 6]

Each program computes lite0's features of some views, alone and with a second one beside it. The peer is torch with
every core for each program and threads that spin while they wait. Ratios are against the same program alone, in the
same run; medians, with the range.
"""

import argparse
import os
import statistics
import subprocess
import sys

PROGRAM = """
import sys, time
import saree_cosface  # before what computes
import torch
from saree_cosface.networks.create import create_backbone
views = int(sys.argv[1])
backbone = create_backbone("lite0", pretrained=False).eval()
pixels = torch.zeros(9, 3, 224, 224)
with torch.inference_mode():
    backbone(pixels)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    for _ in range(views):
        backbone(pixels)
    print(time.perf_counter() - start, flush=True)
"""

WAYS = {
    "every core, threads that spin (OpenMP's ACTIVE)": {
        "OMP_WAIT_POLICY": "ACTIVE",
        "SAREE_COSFACE_THREADS": "{cores}",
    },
    "every core, threads that sleep (the default)": {"SAREE_COSFACE_THREADS": "{cores}"},
    "half the cores each (--threads)": {"SAREE_COSFACE_THREADS": "{half}"},
}


def seconds(environment: dict[str, str], programs: int, photos: int) -> float:
    """Of the slowest of some programs that start together."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(photos)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(programs)
    ]
    for each in begun:
        assert each.stdout.readline() == "ready\n"
    for each in begun:
        each.stdin.write("\n")
        each.stdin.flush()
    return max(float(each.communicate()[0]) for each in begun)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=6, help="batches of nine views that a program computes")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print("| threads | one alone, s | two at once, s | two at once, times as long |\n|---|---|---|---|")
    for name, setting in WAYS.items():
        environment = {key: value.format(cores=cores, half=max(1, cores // 2)) for key, value in setting.items()}
        found = {}
        for programs in (1, 2):
            found[programs] = sorted(seconds(environment, programs, options.photos) for _ in range(options.repeats))
        alone, both = (statistics.median(found[programs]) for programs in (1, 2))
        told = (f"{statistics.median(each):.2f} ({each[0]:.2f} – {each[-1]:.2f})" for each in found.values())
        print(f"| {name} | {' | '.join(told)} | {both / alone:.1f} |", flush=True)


if __name__ == "__main__":
    main()
