"""How long a map and a review of a large collection take, once its photos are embedded.

    python benchmarks/collection.py RUN [--photos 20000] [--cache DIR] [--keep FOLDER]

Draws so many small pictures, of 40 crafts by 200 sources, and puts into a cache of features what the run's backbone
might have said of them: mixtures of two training photos of one craft, with noise. Then `saree-cosface map` and `review`
are run on them as a curator would, each in a process of its own, and the seconds and the peak memory are printed, with
the size of the page. Embedding is left out: it takes some 0.1 s a photo.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from saree_cosface.console import track
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import kept_in, photo_features
from saree_cosface.files import sha256_of
from saree_cosface.options import DataOptions
from saree_cosface.runs.run import load_run
from saree_cosface.taxonomy import load_taxonomy

CRAFTS, SOURCES = 40, 200


def drawn(run, count, folder, cache):
    """A manifest of drawn pictures whose features are known."""
    embedder = run.embedder
    manifest = read_manifest(run.folder / "manifest.csv")
    views = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    known = photo_features(embedder.backbone, manifest.files(), views, cache=cache)
    there = kept_in(folder / "cache", embedder.backbone, views)
    there.mkdir(parents=True)
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    own = np.unique(manifest.crafts[known.rows], return_inverse=True)[1]
    crafts = sorted(load_taxonomy().families)[:CRAFTS]
    towards = rng.normal(size=(CRAFTS, known.features.shape[2]))
    spread = known.features.astype(np.float32).std(axis=(0, 1))
    rows = []
    for number in track(range(count), "Drawing pictures", total=count):
        craft = int(rng.integers(CRAFTS))
        source = int(rng.integers(SOURCES))
        like = rng.permutation(np.flatnonzero(own == craft % (own.max() + 1)))[:2]
        mixed = known.features[like].astype(np.float32).mean(axis=0)
        mixed += spread * (0.5 * towards[craft] + 0.3 * rng.normal(size=mixed.shape))
        path = folder / "photos" / f"{number:06d}.jpg"
        pixels = rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((240, 320), Image.Resampling.BICUBIC).save(path, quality=80)
        np.save(there / f"{sha256_of(path)}.npy", mixed.astype(np.float16))
        rows.append((f"photos/{path.name}", crafts[craft], f"shop {source:03d}"))
    table = pd.DataFrame(rows, columns=["path", "craft", "source"])
    turn = table.groupby(["craft", "source"]).cumcount() // 3  # three photos a piece
    table["piece"] = table["craft"] + " " + table["source"] + " " + turn.astype(str)
    wrong = rng.permutation(count)[: count // 50]
    table.loc[wrong, "craft"] = rng.choice(crafts, len(wrong))
    write_manifest(table, folder / "manifest.csv")
    return folder / "manifest.csv"


def timed(command):
    """Seconds and peak memory, in GiB, of a command."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run([sys.executable, "-m", "saree_cosface", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - start, max(peak, before) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache, help="of features of the run's own photos")
    parser.add_argument("--keep", type=Path, help="folder for what is made; a temporary one by default")
    options = parser.parse_args()
    run = load_run(options.run)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / "manifest.csv"
        if not manifest.is_file():
            drawn(run, options.photos, folder, options.cache)
        print("| command | seconds | peak memory so far, GiB |\n|---|---:|---:|")
        for name in ("review", "map"):
            command = [name, options.run, manifest, "--out", folder / name, "--cache", folder / "cache"]
            seconds, memory = timed(command)
            print(f"| {name} | {seconds:.0f} | {memory:.1f} |", flush=True)
        print(f"\nmap.html: {(folder / 'map' / 'map.html').stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
