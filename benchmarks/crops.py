"""How many crops of one photograph are found in a collection, and how long it takes.

    python benchmarks/crops.py MANIFEST [--where core] [--photos 20] [--cache DIR]

Copies are made of some photos, as shops and social media make them, and looked for among all photos and all copies.
Prints a row a kind of copy, with how many were joined to their photo, and the pairs of other photos that were joined:
look at these, since a collection may hold crops of its own. Features are known before the time is taken.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from saree_cosface.data.duplicates import groups
from saree_cosface.data.images import decode
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.crops import find_crops
from saree_cosface.features.extraction import photo_features
from saree_cosface.machine import threads
from saree_cosface.networks.create import create_backbone
from saree_cosface.options import DataOptions


def part(image, share, rng):
    """A part with so large a share of the area, from anywhere."""
    wide, high = (round(share**0.5 * length) for length in image.size)
    left, top = rng.integers(image.width - wide + 1), rng.integers(image.height - high + 1)
    return image.crop((left, top, left + wide, top + high))


def framed(image):
    """A screen of an app with the photo in its middle."""
    screen = Image.new("RGB", (image.width + 60, image.height + 500), (250, 250, 250))
    bar = Image.effect_noise((image.width, 120), 90).convert("RGB")
    for top in (40, image.height + 330):
        screen.paste(bar, (30, top))
    screen.paste(image, (30, 250))
    return screen


KINDS = {
    "60 % of the area": lambda image, rng, _: part(image, 0.6, rng),
    "25 %": lambda image, rng, _: part(image, 0.25, rng),
    "12 %": lambda image, rng, _: part(image, 0.12, rng),
    "60 %, mirrored": lambda image, rng, _: part(image, 0.6, rng).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "60 %, a third of the size": lambda image, rng, _: part(image, 0.6, rng).reduce(3),
    "squashed to a square": lambda image, *_: image.resize((500, 500)),
    "a tile of four": lambda image, _, others: tiled(image, *others),
    "a screenshot": lambda image, *_: framed(image),
}


def tiled(*images):
    sheet = Image.new("RGB", (800, 1000))
    for number, image in enumerate(images):
        sheet.paste(image.resize((400, 500)), (400 * (number % 2), 500 * (number // 2)))
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where")
    parser.add_argument("--photos", type=int, default=20, help="of which copies are made")
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    options = parser.parse_args()
    files = read_manifest(options.manifest, where=options.where, on_unknown="keep").files()
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(files))[: options.photos].tolist()
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for row in chosen:
            others = [Image.fromarray(decode(files[other])) for other in rng.permutation(len(files))[:3]]
            for kind, make in KINDS.items():
                made.append((row, kind, Path(folder) / f"{len(made)}.jpg"))
                make(Image.fromarray(decode(files[row])), rng, others).save(made[-1][2], quality=60)
        everything = [*files, *(path for *_, path in made)]
        backbone = create_backbone("lite0")
        brief = PyramidViews(backbone.preprocessing.size, brief=True)
        read = photo_features(backbone, everything, brief, cache=options.cache)
        start, busy = time.perf_counter(), time.process_time()
        found = find_crops([everything[row] for row in read.rows], read.features)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    pairs = np.array([(read.rows[crop.first], read.rows[crop.second]) for crop in found]).reshape(-1, 2)
    joined = groups(len(everything), pairs)
    print("| copy | found |\n|---|---:|")
    for kind in KINDS:
        hits = [joined[row] == joined[len(files) + number] for number, (row, of, _) in enumerate(made) if of == kind]
        print(f"| {kind} | {sum(hits)} of {len(hits)} |")
    print(f"\n{len(everything)} photos: {seconds:.0f} s on {threads.count()} threads, {busy:.0f} s of processor time.")
    for one, other in pairs[(pairs < len(files)).all(axis=1)]:
        print(f"also joined: {files[one]} {files[other]}")


if __name__ == "__main__":
    main()
