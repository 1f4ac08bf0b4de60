"""Whether a backbone that learns tells sources never seen better than a frozen one, and which way of learning is best.

    python benchmarks/finetune.py MANIFEST [--where core] [--ways NAME ...] [--folds 0 1 2 3 4] [--seed 0] [--out DIR]

EfficientNet-Lite0 learns from the whitened start with LMCL, on the folds by source that `compare` has. What it has
learned is read out in three ways, each of the nine views of a prediction: whitened anew in closed form, as the frozen
features are; by the neck that learned with it and means of the training photos; and by the prototypes of the head. So
are the weights part of the way between frozen and learned (WiSE-FT). All weights are moving averages.

Prints a row a way, with the difference to frozen second moments whitened on the same folds. Answers are kept in DIR,
so that a second call goes on where one was stopped. What stages that stay frozen find in views is computed once.
"""

import argparse
import copy
import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from finetune_views import CHANNELS, POOL, features, features_of_photos, inputs_of, quickened
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from saree_cosface.console import console
from saree_cosface.features.prototypes import prototypes
from saree_cosface.files import write_json
from saree_cosface.metrics.classification import balanced_accuracy, top1
from saree_cosface.metrics.intervals import paired_bootstrap
from saree_cosface.networks.backbone import unit
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.embedder import new_embedder
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.scoring.comparable import Comparable
from saree_cosface.training.averaging import WeightAverage
from saree_cosface.training.head import make_head
from saree_cosface.training.labelled import Photos
from saree_cosface.training.optimiser import freeze, parameter_groups, rate_factor
from saree_cosface.training.sampler import balanced_weights
from saree_cosface.training.whitening import best_shrinkage, start, whitening

DIMENSIONS, DIRECTIONS = 256, 64
READ_OUT = ("whitened anew", "neck", "head")


@dataclass(frozen=True)
class Way:
    """Of learning: ``crossed`` by necks and prototypes that have not seen the photo's source, ``native`` from crops at
    the photo's own scale; ``shares`` are how far from the frozen to the learned weights it is read out."""

    stages: int
    rate: float
    epochs: int
    views: int = 2
    second: bool = True
    crossed: bool = False
    native: bool = False
    whitened: bool = True
    shares: tuple[float, ...] = (1.0,)


WAYS = {
    "last stage": Way(1, 1e-4, 10),
    "last stage, crossed": Way(1, 3e-4, 10, crossed=True, shares=(0.5, 1.0)),
    "last 2": Way(2, 1e-4, 6, shares=(0.5, 1.0)),
    "last 2, crossed": Way(2, 1e-4, 6, crossed=True, shares=(0.5, 1.0)),
    "last 2, native crops": Way(2, 1e-4, 6, native=True),
    "last 3": Way(3, 1e-4, 6),
    "all 8": Way(8, 1e-4, 4, views=1),
    "last 3, means, random start": Way(3, 3e-4, 10, views=1, second=False, whitened=False),
}


@torch.no_grad()
def directed(found, pooling):
    """Moments of all channels in the directions of a pooling; means as they are: ``(N, V, F)``."""
    if pooling is None:
        return torch.from_numpy(found)
    some = [SecondOrder(CHANNELS).moved(torch.from_numpy(part), pooling) for part in np.array_split(found, 8)]
    return torch.cat(some)[:, None]


def principal(found):
    return SecondOrder(CHANNELS).narrowed(torch.from_numpy(found), DIRECTIONS)


@torch.no_grad()
def whitened_anew(found, photos, train, second):
    """Cosines of all photos to the crafts, ``(N, C)``, in closed form."""
    if second:
        pooling = principal(found[train])
        moments = directed(found, pooling)[:, 0]
        points = torch.cat([unit(pooling.root(some)) for some in torch.split(moments, 256)]).numpy()
    else:
        points = unit(torch.from_numpy(found.mean(1))).numpy()
    labels, sources = photos.labels[train], photos.manifest.sources[train]
    shrinkage = best_shrinkage(points[train], labels, sources, DIMENSIONS)
    return cosines(whitening(points[train], labels, DIMENSIONS, shrinkage)(points), photos, train)


def cosines(embeddings, photos, train):
    """To the prototypes of the training photos."""
    labels, manifest = photos.labels[train], photos.manifest
    crafts = np.arange(len(photos.classes)).tolist()
    made = prototypes(embeddings[train], labels, manifest.pieces[train], manifest.sources[train], crafts)
    return embeddings @ made.T


@torch.no_grad()
def read_out(module, inputs, photos, train, way):
    """Cosines ``(N, C)`` in each way of reading out."""
    embedder, head = module["embedder"], module["head"]
    found = features_of_photos(embedder, inputs, way)
    shown = directed(found, embedder.backbone.pooling)
    embeddings = torch.cat([embedder.fuse(some) for some in torch.split(shown, 128)])
    of_head = (embeddings @ unit(head.weight).T).numpy()
    found = whitened_anew(found, photos, train, way.second)
    return dict(zip(READ_OUT, (found, cosines(embeddings.numpy(), photos, train), of_head), strict=True))


def card_of(second, recipe=None):
    """Of an embedder of moments or means, with a neck as the recipe wants it."""
    model = ModelOptions(dropout=0.0, batch_norm=False) if recipe is None else recipe.model
    return EmbedderCard(
        backbone=model.backbone,
        pooling="second_order" if second else "mean",
        depths=2 if second else 1,
        directions=DIRECTIONS if second else 0,
        components=DIMENSIONS if recipe is not None and recipe.optim.start == "whitened" else 0,
        embedding_dim=DIMENSIONS,
        dropout=model.dropout,
        batch_norm=model.batch_norm,
    )


def recipe_of(way, seed):
    pooling = "second_order" if way.second else "mean"
    model = {"pooling": pooling, "embedding_dim": DIMENSIONS, "trainable_stages": way.stages, "precision": "bf16"}
    optim = {"epochs": way.epochs, "batch_size": 32, "backbone_lr": way.rate, "balance_power": 1.0}
    if way.whitened:
        model |= {"dropout": 0.0, "batch_norm": False}
        return Recipe(
            ModelOptions(**model),
            head=HeadOptions(scale=16.0, margin=0.2),
            optim=OptimOptions(**optim, lr=1e-5, start="whitened"),
            seed=seed,
        )
    return Recipe(
        ModelOptions(**model), head=HeadOptions(scale=32.0, margin=0.35), optim=OptimOptions(**optim), seed=seed
    )


def begun(recipe, photos, train, frozen):
    """Embedder and head before the first step, and what learns of each photo: ``(neck, head, rows)`` each."""
    model, second = recipe.model, recipe.model.pooling == "second_order"
    torch.manual_seed(recipe.seed)
    embedder = new_embedder(replace(card_of(second, recipe), classes=tuple(photos.classes.tolist())))
    quickened(embedder.backbone.network)
    freeze(embedder, model.trainable_stages)
    head = make_head(recipe.head, DIMENSIONS, len(photos.classes), warn=False)
    if second:
        embedder.backbone.pooling.load_state_dict(principal(frozen[train]).state_dict())
    module = nn.ModuleDict({"embedder": embedder, "head": head})
    if recipe.optim.start == "whitened":
        whiten(module, photos, train, frozen, recipe)
    return module


def whiten(module, photos, rows, frozen, recipe):
    embedder = module["embedder"]
    shown = directed(frozen[rows], embedder.backbone.pooling).mean(1)
    with torch.no_grad():
        normal = torch.cat([embedder.normal(some) for some in torch.split(shown, 128)]).numpy()
    start(embedder, module["head"], normal, labelled(photos, rows), recipe)


def labelled(photos, rows):
    manifest = photos.manifest
    return Photos([Path()] * len(rows), photos.labels[rows], manifest.pieces[rows], manifest.sources[rows])


def crossed(module, photos, train, frozen, recipe):
    """A neck and prototypes for the photos of each inner fold of sources, found from those of the others."""
    parts = []
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=recipe.seed)
    for seen, unseen in splitter.split(train, photos.labels[train], photos.manifest.sources[train]):
        other = copy.deepcopy(module).requires_grad_(False)
        whiten(other, photos, train[seen], frozen, recipe)
        parts.append((other["embedder"].neck, other["head"], train[unseen]))
    return parts


def learned(way, fold, photos, train, shown, brief, frozen, seed):
    """Cosines ``(N, C)`` of all photos, by share of the way and way of reading out."""
    recipe = recipe_of(way, seed)
    module = begun(recipe, photos, train, frozen)
    embedder, optim = module["embedder"], recipe.optim
    first = copy.deepcopy(module.state_dict())
    parts = [(embedder.neck, module["head"], train)]
    if way.crossed:
        parts = crossed(module, photos, train, frozen, recipe)
    optimizer = torch.optim.AdamW(parameter_groups(embedder, module["head"], recipe), lr=optim.lr, fused=True)
    weights = torch.from_numpy(balanced_weights(labelled(photos, train), optim))
    batches = -(-len(train) // optim.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(optim, step, batches * optim.epochs)
    )
    generator = torch.Generator().manual_seed(seed * 1_000_003 + fold)
    module.train()
    average = WeightAverage(module, 0.97)
    for epoch in range(optim.epochs):
        drawn = torch.multinomial(weights, batches * optim.batch_size, replacement=True, generator=generator)
        for number, rows in enumerate(torch.split(torch.from_numpy(train)[drawn], optim.batch_size)):
            views = torch.rand(len(rows), POOL, generator=generator).argsort(1)[:, : way.views]
            torch.manual_seed(seed * 1_000_003 + epoch * batches + number)
            inputs = [each[rows[:, None], views].flatten(0, 1) for each in shown]
            found = features(embedder, inputs, way, embedder.backbone.pooling).view(len(rows), way.views, -1)
            normal, labels = embedder.normal(found.mean(1)), torch.from_numpy(photos.labels)[rows]
            loss = torch.zeros(())
            for neck, head, of in parts:
                mine = torch.from_numpy(np.isin(rows.numpy(), of))
                if mine.any():
                    loss = loss + head(neck(normal[mine]), labels[mine]) * mine.sum() / len(rows)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), optim.gradient_clip)
            optimizer.step()
            schedule.step()
            average.update(module)
    average.swap(module)
    last = copy.deepcopy(module.state_dict())
    answers = {}
    for share in way.shares:
        between = {
            name: torch.lerp(first[name], value, share) if value.is_floating_point() else value
            for name, value in last.items()
        }
        module.load_state_dict(between)
        answers[share] = read_out(module, brief, photos, train, way)
    return answers


def answered(way, photos, parts, frozen, seed, cache, out):
    """Crafts of the test photos of each fold, by share and way of reading out, kept in a file a fold."""
    signature = hashlib.sha256(f"{photos.content_sha256} {asdict(way)} {seed}".encode()).hexdigest()[:12]
    cells = {fold: out / f"{signature}-{fold}.json" for fold in parts}
    missing = [fold for fold, cell in cells.items() if not cell.exists()]
    if missing:
        files = photos.manifest.files()
        brief = inputs_of(files, "brief", way, cache)
        shown = inputs_of(files, "native" if way.native else "random", way, cache)
    for fold in missing:
        train, test = parts[fold]
        found = learned(way, fold, photos, train, shown, brief, frozen[way.second], seed)
        kept = {
            f"{share:g}": {how: every[test].argmax(1).tolist() for how, every in each.items()}
            for share, each in found.items()
        }
        write_json(cells[fold], kept)
    return [json.loads(cell.read_text(encoding="utf-8")) for cell in cells.values()]


def row(name, share, how, folds, photos, rows, answers, frozen):
    labels, sources = photos.labels[rows], photos.manifest.sources[rows]
    scores = f"{top1(labels, answers):.3f} | {balanced_accuracy(labels, answers):.3f}"
    paired = paired_bootstrap(balanced_accuracy, labels, answers, frozen, sources)
    there = f"{paired.difference.value:+.3f} [{paired.difference.low:+.3f}, {paired.difference.high:+.3f}]"
    return f"| {name} | {share} | {how} | {len(folds)} | {scores} | {there} | {paired.p_value:.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="that are held out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"))
    options = parser.parse_args()
    cache = options.cache.expanduser()
    photos = Comparable.read(
        options.manifest, ("source",), where=options.where, seeds=options.seed + 1, folds=5, cache=cache
    )
    split, files = photos.splits["source", options.seed], photos.manifest.files()
    parts = {fold: split.rows(photos.manifest, fold) for fold in options.folds}
    rows = np.concatenate([test for _, test in parts.values()])
    frozen = {}
    for second in (True, False):
        way = Way(1, 0, 0, second=second)
        embedder = new_embedder(card_of(second))
        quickened(embedder.backbone.network)
        frozen[second] = features_of_photos(embedder, inputs_of(files, "brief", way, cache), way)
    answers = {
        second: np.concatenate(
            [whitened_anew(frozen[second], photos, train, second)[test].argmax(1) for train, test in parts.values()]
        )
        for second in frozen
    }
    print("| learns | share | read out | folds | top-1 | balanced accuracy | − frozen, balanced | p |")
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    for second, name in ((True, "nothing: moments"), (False, "nothing: means")):
        print(row(name, 0, READ_OUT[0], parts, photos, rows, answers[second], answers[True]), flush=True)
    for name in options.ways:
        begin = time.perf_counter()
        found = answered(WAYS[name], photos, parts, frozen, options.seed, cache, options.out)
        for share in found[0]:
            for how in READ_OUT:
                given = np.concatenate([each[share][how] for each in found])
                print(row(name, share, how, parts, photos, rows, given, answers[True]), flush=True)
        console.print(f"{name}: {(time.perf_counter() - begin) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
