"""How well the review queue finds errors that were planted in labels.

    python benchmarks/review.py MANIFEST --config configs/sarees.yaml [--where core] [--seeds 3] [--cache DIR]

A tenth of the labels is made wrong: of single photos, to any craft (uniform) or to one of the same family (sister); of
whole pieces, to any craft (piece); or of all that a shop has of a craft (shop). A run is trained on them, as a curator
would have done, and its collection is reviewed. Of the first k entries, k being once, twice and three times the number
of wrong labels: precision, the share that is wrong, and recall, the share of the wrong ones that is there.

Beside the queue: its doubtful labels alone, without its other reasons; cleanlab's own ranking on the same features and
classifier, with source-held-out and with plain random folds; and a random order. Prints a Markdown table: the mean over
seeds and, for the recall at twice as many, the lowest and highest.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from cleanlab.rank import get_label_quality_scores

from saree_cosface.answers.collection import see
from saree_cosface.commands.recipes import read_recipe
from saree_cosface.console import track
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.options import DataOptions
from saree_cosface.review.judging import held_out_labels
from saree_cosface.review.queue import review
from saree_cosface.runs.create import create_run
from saree_cosface.taxonomy import load_taxonomy

SHARE = 0.1
TIMES = (1, 2, 3)
KINDS = ("uniform", "sister", "piece", "shop")


def planted(manifest, kind, rng):
    """Crafts with a tenth made wrong, and which are: ``(N,), (N,)``."""
    crafts, taxonomy = manifest.crafts.astype(object), load_taxonomy()
    names = np.unique(manifest.crafts).tolist()
    wrong = np.zeros(len(crafts), dtype=bool)
    if kind == "shop":
        units = [
            np.flatnonzero((manifest.crafts == craft) & (manifest.sources == source))
            for craft in names
            for source in np.unique(manifest.sources[manifest.crafts == craft])
            if len(np.unique(manifest.sources[manifest.crafts == craft])) > 2
        ]
        units = [rows for rows in units if len(rows) <= (manifest.crafts == manifest.crafts[rows[0]]).sum() / 2]
    elif kind == "piece":
        units = [np.flatnonzero(manifest.pieces == piece) for piece in np.unique(manifest.pieces)]
    else:
        units = [np.array([row]) for row in range(len(manifest))]
    for index in rng.permutation(len(units)):
        rows = units[index]
        own = manifest.crafts[rows[0]]
        others = [name for name in names if name != own]
        if kind == "sister":
            others = [name for name in others if taxonomy[name].family == taxonomy[own].family]
        if kind == "shop" and wrong[manifest.crafts == own].any():
            continue  # one shop a craft, or nothing would be left to tell by
        if others and wrong.sum() + len(rows) <= max(SHARE * len(manifest), 1):
            crafts[rows], wrong[rows] = rng.choice(others), True
    return crafts, wrong


def found(order, wrong):
    """Precision and recall of the first entries of an order, ``(T, 2)``; photos that it leaves out come last."""
    hits = [wrong[order[: times * wrong.sum()]].sum() for times in TIMES]
    return [(hit / (times * wrong.sum()), hit / wrong.sum()) for hit, times in zip(hits, TIMES, strict=True)]


def completed(order, count, rng):
    rest = np.setdiff1d(np.arange(count), order)
    return np.concatenate([np.asarray(order, dtype=int), rng.permutation(rest)])


def measured(manifest, recipe, kind, seed, cache):
    """The orders of one planting, and what each finds."""
    rng = np.random.default_rng(seed)
    crafts, wrong = planted(manifest, kind, rng)
    with tempfile.TemporaryDirectory() as folder:
        table = manifest.table.assign(craft=crafts, path=[str(path.absolute()) for path in manifest.files()])
        write_manifest(table, Path(folder) / "manifest.csv")
        data = DataOptions(
            manifest=Path(folder) / "manifest.csv", cache=cache, folds=5, test_fold=0, validation_fold=-1
        )
        collection = see(create_run(data, recipe, Path(folder) / "run"), read_manifest(data.manifest), cache=cache)
        assert len(collection) == len(manifest), "some photos cannot be read"
        queue = review(collection, seed=seed, cache=cache)
    doubts = sorted(
        (reason for entry in queue.entries for reason in entry.reasons if reason.kind == "label"),
        key=lambda reason: -reason.score,
    )
    plain = held_out_labels(collection.manifest, collection.features, hold_out=("random",), seed=seed)
    by_source = held_out_labels(collection.manifest, collection.features, hold_out=("source",), seed=seed)
    count = len(manifest)
    orders = {
        "queue": completed([entry.row for entry in queue.entries], count, rng),
        "its doubtful labels alone": completed([reason.row for reason in doubts], count, rng),
        "cleanlab, source-held-out folds": ranked(by_source),
        "cleanlab, plain random folds": ranked(plain),
        "random": rng.permutation(count),
    }
    return {name: found(order, wrong) for name, order in orders.items()}, int(wrong.sum())


def ranked(judged):
    """Photos by cleanlab's score of the quality of their labels, the worst first."""
    chances = np.where(np.isnan(judged.probabilities), 1 / len(judged.crafts), judged.probabilities)
    return np.argsort(get_label_quality_scores(judged.labels, chances), kind="stable")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--where")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    options = parser.parse_args()
    manifest = read_manifest(options.manifest, where=options.where)
    manifest = type(manifest)(manifest.table.assign(split=""), manifest.root, manifest.sha256)
    rows = []
    for kind in KINDS:
        results = []
        for seed in track(range(options.seeds), f"Planting errors: {kind}", total=options.seeds):
            results.append(
                measured(manifest, replace(read_recipe(str(options.config)), seed=seed), kind, seed, options.cache)
            )
        for name in results[0][0]:
            values = np.array([result[name] for result, _ in results])  # (S, T, 2)
            mean = values.mean(axis=0)
            cells = [f"{precision:.2f} / {recall:.2f}" for precision, recall in mean]
            spread = f"{values[:, 1, 1].min():.2f}–{values[:, 1, 1].max():.2f}"
            rows.append(f"| {kind} | {name} | {' | '.join(cells)} | {spread} |")
    print(
        f"{len(manifest)} photos, {len(np.unique(manifest.crafts))} crafts; {results[0][1]} wrong labels (the last)\n"
    )
    print("| errors | order | first 1 × | first 2 × | first 3 × | recall at 2 ×, seeds |")
    print("|---|---|---:|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
