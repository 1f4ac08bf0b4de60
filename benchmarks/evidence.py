"""Whether what is shown to carry a cosine does: parts of photos are deleted, the highlighted ones first or at random.

    python benchmarks/evidence.py RUN MANIFEST [--photos 40] [--random 5]

The held-out photos of the run are cut into 8 x 8 parts, and a growing share of them is filled with the photo's mean
colour: in the order of the heat map, and in random orders. The cosine to the answered tradition is that of the whole
embedding, computed anew. Prints the mean cosine by share deleted, and the area between the two curves with its 95 %
bootstrap interval over sources: above 0, the highlighted parts matter more than any.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from saree_cosface.answers.heat_map import heat_map_of
from saree_cosface.console import track
from saree_cosface.data.images import decode
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import LARGEST, PyramidViews
from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.probes import unseen_probes

PARTS = 8
SHARES = (0.1, 0.2, 0.3, 0.5)


def cosine(embedder, pixels, target):
    """Of an embedding computed from the pixels, as `predict` does."""
    views = PyramidViews(embedder.backbone.preprocessing.size, brief=True)(pixels, "")
    with torch.inference_mode():
        features = embedder.features(torch.from_numpy(views).permute(0, 3, 1, 2))
        return float(embedder.fuse(features[None].float())[0].numpy() @ target)


def deleted(pixels, parts):
    """The photo with these of its parts in its mean colour."""
    result = pixels.copy()
    rows, columns = (np.linspace(0, length, PARTS + 1).round().astype(int) for length in pixels.shape[:2])
    mean = pixels.reshape(-1, 3).mean(axis=0).round()
    for part in parts:
        row, column = divmod(int(part), PARTS)
        result[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = mean
    return result


def importance(shares):
    """What each of the parts carries: the heat map summed over it."""
    rows, columns = (np.linspace(0, length, PARTS + 1).round().astype(int) for length in shares.shape)
    blocks = np.add.reduceat(np.add.reduceat(shares, rows[:-1], axis=0), columns[:-1], axis=1)
    return blocks.ravel()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--random", type=int, default=5, help="random orders a photo")
    parser.add_argument("--cache", type=Path, default=None)
    options = parser.parse_args()
    run = load_run(options.run)
    probes = unseen_probes(run, read_manifest(options.manifest, on_unknown="keep"), cache=options.cache)
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(len(probes.manifest))[: options.photos])
    files, size = probes.manifest.files(), run.embedder.backbone.preprocessing.size
    curves = []
    for row in track(rows, "Deleting", total=len(rows)):
        pixels = decode(files[row], shrink_to=round(LARGEST * size))
        target = run.gallery.prototypes[(run.gallery.prototypes @ probes.embeddings[row]).argmax()]
        found = heat_map_of(run.embedder, pixels, target)
        orders = [np.argsort(-importance(found.shares))]
        orders += [rng.permutation(PARTS**2) for _ in range(options.random)]
        values = [
            [cosine(run.embedder, deleted(pixels, order[: round(share * PARTS**2)]), target) for share in SHARES]
            for order in orders
        ]
        curves.append((found.cosine, values[0], np.mean(values[1:], axis=0)))
    before = np.array([each[0] for each in curves])
    shown, at_random = (np.array([each[which] for each in curves]) for which in (1, 2))
    sources = probes.manifest.sources[rows]
    print(f"{len(rows)} photos of {len(set(sources))} unseen sources; cosine before {before.mean():.3f}\n")
    print("| share deleted | highlighted first | at random |\n|---:|---:|---:|")
    for index, share in enumerate(SHARES):
        print(f"| {share:.0%} | {shown[:, index].mean():.3f} | {at_random[:, index].mean():.3f} |")
    # By trapezoids from nothing deleted, where both curves meet.
    lines = np.concatenate([np.zeros((len(rows), 1)), at_random - shown], axis=1)
    areas = (lines[:, 1:] + lines[:, :-1]) / 2 @ np.diff((0, *SHARES))
    found = bootstrap_interval(lambda values: float(values.mean()), [areas], sources)
    print(f"\nArea between the curves: {found.value:.4f} [{found.low:.4f}, {found.high:.4f}]")


if __name__ == "__main__":
    main()
