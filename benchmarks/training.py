"""Photos a second in training, against a plain loop.

    python benchmarks/training.py                 # 96 drawn photos of 448 pixels, about two minutes on two cores
    python benchmarks/training.py --pieces 8      # 192 photos

Three trainings on the same photos, on this machine:

- *plain*: the loop that a tutorial would write. Each epoch decodes the JPEGs with PIL, crops and resizes them at random
  to 224 × 224, and trains all weights of EfficientNet-Lite0 with AdamW in float32;
- *recipe*: what `saree-cosface train` does by default. The backbone is frozen, so its features are computed once;
  this first pass is stated apart;
- *all stages*: `saree-cosface train --model.trainable_stages` with all of them: decoded photos kept on disk,
  channels_last, and bfloat16 where that is faster. It trains the same weights as the plain loop.

A training epoch shows each photo once (or, with balanced sampling, as many photos as there are). Photos a second of the
recipe and of all stages come from the difference between a longer and a shorter training, so that start-up cancels out.
Ratios are ours / plain: above 1, ours is faster. One JSON document goes to stdout, the table to stderr.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from saree_cosface.console import console
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.loom.corpus import draw_corpus
from saree_cosface.loom.options import LoomOptions
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.precision import resolved_precision
from saree_cosface.options import ModelOptions, OptimOptions, Recipe
from saree_cosface.training.fit import fit
from saree_cosface.training.labelled import Photos


class PlainDataset(Dataset):
    """Decodes a photo whenever it is asked for."""

    def __init__(self, photos):
        self.photos = photos
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            ]
        )

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        with Image.open(self.photos.files[index]) as image:
            return self.transform(image.convert("RGB")), int(self.photos.labels[index])


def plain_epochs(photos, classes, batch, epochs):
    """Seconds of each epoch of the plain loop, after one step to warm up."""
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=len(classes)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    loss_of = nn.CrossEntropyLoss()

    def step(pixels, labels):
        optimizer.zero_grad()
        loss_of(network(pixels), labels).backward()
        optimizer.step()

    loader = DataLoader(PlainDataset(photos), batch_size=batch, shuffle=True)
    step(*next(iter(loader)))
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for pixels, labels in loader:
            step(pixels, labels)
        seconds.append(time.perf_counter() - start)
    return seconds


def epoch_seconds(recipe, photos, classes, cache, short, long):
    """Seconds of one epoch: of a training of ``long`` epochs minus one of ``short``, by the difference in epochs."""
    taken = []
    for epochs in (short, long):
        start = time.perf_counter()
        fit(
            replace(recipe, optim=replace(recipe.optim, epochs=epochs)),
            photos,
            None,
            classes,
            cache=cache,
            progress=False,
        )
        taken.append(time.perf_counter() - start)
    return (taken[1] - taken[0]) / (long - short)


def drawn(photos, batch):
    """Photos shown in an epoch, which is filled up to whole batches."""
    return -(-len(photos) // batch) * batch


def measure(folder, pieces, batch):
    load = os.getloadavg()[0]
    manifest = read_manifest(draw_corpus(folder / "corpus", LoomOptions(pieces_per_craft=pieces, photos_per_piece=2)))
    classes = sorted(set(manifest.crafts.tolist()))
    labels = np.searchsorted(np.array(classes), manifest.crafts)
    photos = Photos(manifest.files(), labels, manifest.pieces, manifest.sources)
    backbone = create_backbone("lite0")
    cache = folder / "cache"

    first = plain_epochs(photos, classes, batch, 1)

    recipe = Recipe()
    start = time.perf_counter()
    photo_features(backbone, photos.files, PyramidViews(backbone.preprocessing.size), cache=cache)
    features = time.perf_counter() - start
    recipe_epoch = epoch_seconds(recipe, photos, classes, cache, 2, 2 + recipe.optim.epochs)

    stages = len(backbone.stages())
    learning = ModelOptions(trainable_stages=stages)
    precision = resolved_precision(learning)
    every = Recipe(model=replace(learning, precision=precision), optim=OptimOptions(batch_size=batch))
    every_epoch = epoch_seconds(every, photos, classes, cache, 1, 3)

    plain_epoch = float(np.median(first + plain_epochs(photos, classes, batch, 1)))  # before and after, for the weather
    plain_rate = len(photos) / plain_epoch
    recipe_rate = drawn(photos, recipe.optim.batch_size) / recipe_epoch
    every_rate = drawn(photos, batch) / every_epoch
    epochs = recipe.optim.epochs
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "load_before": round(load, 2),
        },
        "photos": len(photos),
        "batch": batch,
        "precision": precision,
        "plain": {"photos_per_second": plain_rate, "epoch_seconds": plain_epoch},
        "recipe": {
            "photos_per_second": recipe_rate,
            "epoch_seconds": recipe_epoch,
            "features_seconds": features,
            "features_photos_per_second": len(photos) / features,
            "ratio": recipe_rate / plain_rate,
            "training_ratio": epochs * plain_epoch / (features + epochs * recipe_epoch),
            "epochs": epochs,
        },
        "all_stages": {
            "photos_per_second": every_rate,
            "epoch_seconds": every_epoch,
            "stages": stages,
            "ratio": every_rate / plain_rate,
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=4, help="drawn sarees of each of the 12 crafts, 2 photos of each")
    parser.add_argument("--batch", type=int, default=32, help="batch of the plain loop and of all stages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.pieces, options.batch)
    plain, recipe, every = found["plain"], found["recipe"], found["all_stages"]
    table = Table("training", "photos/s", "seconds an epoch", "ours / plain", title=f"{found['photos']} photos")
    table.add_row("plain loop, float32", f"{plain['photos_per_second']:.1f}", f"{plain['epoch_seconds']:.1f}", "1")
    table.add_row(
        "recipe (frozen backbone), an epoch",
        f"{recipe['photos_per_second']:.0f}",
        f"{recipe['epoch_seconds']:.3f}",
        f"{recipe['ratio']:.0f}",
    )
    table.add_row(
        "  its features, computed once (31 views)",
        f"{recipe['features_photos_per_second']:.1f}",
        f"{recipe['features_seconds']:.1f}",
        "",
    )
    table.add_row(f"  features and {recipe['epochs']} epochs", "", "", f"{recipe['training_ratio']:.1f}")
    table.add_row(
        f"all {every['stages']} stages, {found['precision']}",
        f"{every['photos_per_second']:.1f}",
        f"{every['epoch_seconds']:.1f}",
        f"{every['ratio']:.1f}",
    )
    console.print(table)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
