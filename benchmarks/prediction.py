"""How long a prediction takes, once everything is loaded, and how long the command line takes to say what it can.

    python benchmarks/prediction.py                              # trains a small run on drawn sarees first
    python benchmarks/prediction.py --run RUN --photos FOLDER    # your own

A prediction is all of it: read and decode the file, cut its views, run the network, compare with the gallery, rank.
Every photo is read as `saree-cosface predict` reads it, without a cache. Photos of a telephone's size are the same
photos enlarged to 12 megapixels. One JSON document goes to stdout, the table to stderr.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from rich.table import Table

from saree_cosface.answers.prediction import predict
from saree_cosface.console import console
from saree_cosface.data.photos import find_photos
from saree_cosface.loom.corpus import draw_corpus
from saree_cosface.loom.options import LoomOptions
from saree_cosface.networks.runtime import runtime_of
from saree_cosface.options import DataOptions, OptimOptions, Recipe
from saree_cosface.runs.create import create_run
from saree_cosface.runs.run import load_run


def small_run(folder):
    """A run on drawn sarees, and photos to predict."""
    manifest = draw_corpus(folder / "corpus", LoomOptions(pieces_per_craft=4, photos_per_piece=1))
    data = DataOptions(manifest, where="craft in ['banarasi', 'kanjivaram', 'patola']", folds=3, cache=folder / "cache")
    create_run(data, Recipe(optim=OptimOptions(epochs=2)), folder / "run")
    return folder / "run", folder / "corpus" / "photos"


def enlarge(photo, folder):
    """The photo at 12 megapixels, as a telephone would store it."""
    with Image.open(photo) as image:
        factor = (12e6 / (image.width * image.height)) ** 0.5
        large = image.convert("RGB").resize((round(image.width * factor), round(image.height * factor)))
    large.save(folder / f"{photo.stem}.jpg", quality=92)
    return folder / f"{photo.stem}.jpg"


def milliseconds(job, repeats):
    """Median and 95th percentile of calls ``job(0)``, ``job(1)``, ...; two calls before them warm up."""
    taken = []
    for index in range(-2, repeats):
        start = time.perf_counter()
        job(index)
        taken.append(1000 * (time.perf_counter() - start))
    timed = taken[2:]
    cuts = statistics.quantiles(timed, n=20, method="inclusive")
    return {"median": round(statistics.median(timed), 1), "p95": round(cuts[-1], 1), "count": len(timed)}


def measure(folder, run_folder, photos_folder, repeats):
    load = os.getloadavg()[0]
    if run_folder is None:
        run_folder, photos_folder = small_run(folder)
    photos = find_photos(photos_folder)[0][:10]
    large = [enlarge(photo, folder) for photo in photos[:3]]
    run = load_run(run_folder)
    command = [Path(sys.executable).with_name("saree-cosface"), "--help"]
    return {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load_before": round(load, 2),
        "runtime": runtime_of(run.embedder.backbone),
        "references": len(run.gallery),
        "milliseconds": {
            "predict, a photo as it is": milliseconds(lambda i: predict(run, [photos[i % len(photos)]]), repeats),
            "predict, a photo of 12 megapixels": milliseconds(lambda i: predict(run, [large[i % len(large)]]), repeats),
            "load a run": milliseconds(lambda _: load_run(run_folder), 5),
            "saree-cosface --help": milliseconds(lambda _: subprocess.run(command, check=True, capture_output=True), 5),
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a run (default: a small one, trained now)")
    parser.add_argument("--photos", type=Path, help="photos to predict, with --run")
    parser.add_argument("--repeats", type=int, default=40, help="timed predictions of each kind")
    options = parser.parse_args()
    if (options.run is None) != (options.photos is None):
        parser.error("--run and --photos go together")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.run, options.photos, options.repeats)
    title = f"{found['threads']} threads, {found['runtime']}"
    table = Table("milliseconds", "median", "95th percentile", title=title)
    for name, values in found["milliseconds"].items():
        table.add_row(name, f"{values['median']:.0f}", f"{values['p95']:.0f}")
    console.print(table)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
