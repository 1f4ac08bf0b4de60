"""Whether curves hold what they say: fitted on half of each craft's sources, do they foretell the accuracy with all?

    python benchmarks/curve.py MANIFEST [--where core] [--deals 10] [--share 0.5]

Each deal takes the first half of every craft's sources in an order of its own, as a collection that is only half as
large; the curve sees nothing else. What it expects of as many sources as trainings on the whole collection learn
from is compared with what these are measured to reach, balanced over crafts and of each craft. Told are how many of the
intervals of 80 % hold the measured accuracy, how wide they are, how far the value is off, and how far one is off who
expects no change. Features and answers are kept in the cache: a second call takes minutes less.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from saree_cosface.commands.recipes import read_recipe
from saree_cosface.console import console
from saree_cosface.options import DataOptions
from saree_cosface.scoring.comparable import Comparable
from saree_cosface.scoring.curve import curve_of
from saree_cosface.scoring.growing import first_sources


def part(photos, share, seed):
    """Photos of the first sources of each craft, in an order that follows from the seed."""
    names, source = np.unique(photos.manifest.sources, return_inverse=True)
    order = np.random.default_rng([seed, 1]).permutation(len(names))[source]
    rows = first_sources(photos.labels, order, np.arange(len(source)), np.full(len(photos.classes), share))
    content = f"{photos.content_sha256}, {rows.tolist()}"
    manifest, labels, copies = photos.manifest.select(rows), photos.labels[rows], photos.copies[rows]
    return replace(photos, manifest=manifest, content_sha256=content, labels=labels, copies=copies, splits={})


def compared(small, whole):
    """What a curve of a part expects of the whole collection, beside what was measured there."""
    of_whole = {craft.craft: craft for craft in whole.crafts}
    factor = np.mean([of_whole[craft.craft].measured[-1][0] / craft.sources for craft in small.crafts])
    rows = [("all crafts", small, np.mean([of_whole[craft.craft].accuracy for craft in small.crafts]))]
    rows += [(craft.craft, craft, of_whole[craft.craft].accuracy) for craft in small.crafts]
    return [
        {"of": name, "factor": float(factor), "measured": float(truth), "as now": curve.accuracy}
        | curve.expected(factor)._asdict()
        for name, curve, truth in rows
    ]


def summed(rows):
    """Of many comparisons."""
    truth, value, low, high, now = (
        np.array([row[name] for row in rows]) for name in ("measured", "value", "low", "high", "as now")
    )
    return {
        "held": int(np.sum((low <= truth) & (truth <= high))),
        "of": len(rows),
        "too high": int(np.sum(truth < low)),
        "too low": int(np.sum(truth > high)),
        "width": float(np.mean(high - low)),
        "off": float(np.mean(np.abs(value - truth))),
        "bias": float(np.mean(value - truth)),
        "off, expecting no change": float(np.mean(np.abs(now - truth))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where")
    parser.add_argument("--deals", type=int, default=10)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    options = parser.parse_args()
    model, cache = read_recipe("sarees").model, options.cache
    photos = Comparable.read(options.manifest, ["source"], where=options.where, seeds=1, folds=5, cache=cache)
    whole = curve_of(photos, model, cache=cache)
    rows = []
    for deal in range(options.deals):
        small = curve_of(part(photos, options.share, deal), model, cache=cache, progress=False)
        rows.append(compared(small, whole))
        console.print(json.dumps(rows[-1][0]), highlight=False, markup=False, soft_wrap=True)
    of_all, of_each = [each[0] for each in rows], [row for each in rows for row in each[1:]]
    found = {"all crafts": summed(of_all), "each craft": summed(of_each), "deals": of_all}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
