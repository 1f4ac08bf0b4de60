"""How far verdicts and probabilities can be trusted: each fold of sources held out once, with every seed.

    python benchmarks/trust.py MANIFEST [--where core] [--others FOLDER] [--seeds 3] [--out DIR]

trains, calibrates and evaluates a run a fold and seed, and prints a Markdown table: the mean over these runs, with a
95 % t-interval. Photos of the manifest whose crafts have too few sources to be held out serve as other traditions.
Resumable: a finished run is not trained again.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from saree_cosface.calibrate import calibrate_run
from saree_cosface.cli import _parser, _recipe
from saree_cosface.evaluation import evaluate_run
from saree_cosface.metrics.intervals import mean_interval
from saree_cosface.options import DataOptions
from saree_cosface.runs import create_run, load_run

ROWS = {
    "top-1": lambda found: found["metrics"]["top1"]["value"],
    "balanced accuracy": lambda found: found["metrics"]["balanced_accuracy"]["value"],
    "top-1 of the surest half": lambda found: found["confidence"]["accuracy_at_coverage"]["0.5"]["value"],
    "calibration error (ECE)": lambda found: found["confidence"]["ece"]["value"],
    "the same, isotonic": lambda found: found["confidence"]["ece_isotonic"]["value"],
    "sets that hold the true tradition (90 % promised)": lambda found: found["confidence"]["sets"]["covered"]["value"],
    "size of these sets": lambda found: found["confidence"]["sets"]["mean_size"],
    "AUROC, crafts left out of training": lambda found: found["open_set"]["left_out"]["auroc"]["value"],
    "AUROC, other crafts": lambda found: found["open_set"]["crafts"]["auroc"]["value"],
    "named rightly at 10 % false accepts, other crafts": lambda found: found["open_set"]["crafts"]["dir"]["0.1"][
        "value"
    ],
    "AUROC, other things (familiarity)": lambda found: found["open_set"]["pictures"]["auroc"]["value"],
    "known: named rightly": lambda found: found["open_set"]["verdicts"]["known"]["named rightly"],
    "known: named": lambda found: found["open_set"]["verdicts"]["known"]["tradition"],
    "known: between two": lambda found: found["open_set"]["verdicts"]["known"]["between"],
    "other crafts: named": lambda found: found["open_set"]["verdicts"]["other crafts"]["tradition"],
    "other things: named": lambda found: found["open_set"]["verdicts"]["other things"]["tradition"],
}


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where", default="core", help="the photos trained on and held out")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="photos of other things")
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[1] / "configs" / "sarees.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    parser.add_argument("--out", type=Path, default=Path("runs/trust"))
    options = parser.parse_args()
    asked = ["train", "--config", str(options.config), "--data.manifest", str(options.manifest), "--out", "-"]
    recipe = _recipe(_parser()[0].parse_args(asked).train)
    found = []
    for seed in range(options.seeds):
        for fold in range(options.folds):
            data = DataOptions(
                options.manifest,
                where=options.where,
                folds=options.folds,
                test_fold=fold,
                validation_fold=-1,
                cache=options.cache,
            )
            folder = options.out / f"seed{seed}-fold{fold}"
            create_run(data, replace(recipe, seed=seed), folder, resume=folder.exists())
            if load_run(folder).calibration is None:
                calibrate_run(load_run(folder), cache=options.cache)
            run = load_run(folder)
            done = evaluate_run(run, options.manifest, open_set=True, others=options.others, cache=options.cache)
            found.append(json.loads(json.dumps(done.to_json())))
    print(f"| {len(found)} runs: {options.folds} folds, {options.seeds} seeds | mean | 95 % interval |")
    print("|---|---:|---:|")
    for name, value in ROWS.items():
        interval = mean_interval([value(each) for each in found])
        print(f"| {name} | {interval.value:.3f} | [{interval.low:.3f}, {interval.high:.3f}] |")


if __name__ == "__main__":
    main()
