"""How far verdicts and probabilities can be trusted: each fold of sources held out once, with every seed.

    python benchmarks/trust.py MANIFEST [--where core] [--others FOLDER] [--seeds 3] [--out DIR]

trains, calibrates and evaluates a run a fold and seed, and prints a Markdown table: the mean over these runs, with a
95 % t-interval. Photos of the manifest whose crafts have too few sources to be held out serve as other traditions.
Where pieces are not known, three photos of one craft and source stand for one piece. Beside it what the frozen backbone
says by its nearest training photo; for NSL, the loss without its margin, give a recipe with --head nsl. Resumable: a
finished run is not trained again.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import stats

from saree_cosface.answers.verdict import judge, kinds
from saree_cosface.cli import command_line
from saree_cosface.commands.common import recipe_of
from saree_cosface.data.images import decode
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.embedding import embed_photos
from saree_cosface.metrics.classification import balanced_accuracy
from saree_cosface.metrics.intervals import Interval
from saree_cosface.metrics.verification import auc
from saree_cosface.options import DataOptions
from saree_cosface.runs.create import create_run
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.calibrate import calibrate
from saree_cosface.scoring.evaluation import evaluate
from saree_cosface.scoring.probes import unseen_probes

TOGETHER = 3
DRAWS = 20
PAIRS = 30

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
    "known: not sure": lambda found: found["open_set"]["verdicts"]["known"]["unsure"],
    "known: not sure, the true one not ruled out": lambda found: found["open_set"]["verdicts"]["known"][
        "unsure rightly"
    ],
    "known: outside": lambda found: found["open_set"]["verdicts"]["known"]["outside"],
    "other crafts: outside": lambda found: found["open_set"]["verdicts"]["other crafts"]["outside"],
    "other things: outside": lambda found: found["open_set"]["verdicts"]["other things"]["outside"],
    "other crafts: named": lambda found: found["open_set"]["verdicts"]["other crafts"]["tradition"],
    "AUROC, things drawn by the loom (familiarity)": lambda found: found["open_set"]["drawn"]["auroc"]["value"],
    "things drawn by the loom: named": lambda found: found["open_set"]["verdicts"]["things drawn"]["tradition"],
    "other things: named": lambda found: found["open_set"]["verdicts"]["other things"]["tradition"],
    "two sarees side by side: named": lambda found: found["pairs"]["tradition"],
    "two sarees side by side: between two": lambda found: found["pairs"]["between"],
    "three photos: top-1 of one of them": lambda found: found["together"]["one"],
    "three photos: top-1, each counting alike": lambda found: found["together"]["alike"],
    "three photos: top-1, the sure ones counting for more": lambda found: found["together"]["weighted"],
    "three photos: sets that hold the true tradition": lambda found: found["together"]["covered"],
    "three photos: size of these sets": lambda found: found["together"]["size"],
    "three photos of another craft: named": lambda found: found["strangers"]["pieces named"],
    "frozen features, nearest photo: top-1": lambda found: found["strangers"]["frozen top-1"],
    "frozen features: balanced accuracy": lambda found: found["strangers"]["frozen balanced"],
    "frozen features: top-1 of the surest half": lambda found: found["strangers"]["frozen surest half"],
    "frozen features: AUROC, other crafts": lambda found: found["strangers"]["frozen auroc"],
}


def together(run, probes):
    """Three photos of one craft and source as one answer, every such group counting alike; None if there is none."""
    cosines = run.cosines(probes.embeddings)
    labels = np.searchsorted(np.array(run.gallery.crafts), probes.manifest.crafts)
    groups = {}
    for row, key in enumerate(zip(labels.tolist(), probes.manifest.sources.tolist(), strict=True)):
        groups.setdefault(key, []).append(row)
    rng, calibration, means = np.random.default_rng(0), run.calibration, []
    for (label, _), rows in groups.items():
        if len(rows) < TOGETHER:
            continue
        drawn = []
        for _ in range(DRAWS):
            mine = cosines[rng.choice(rows, TOGETHER, replace=False)]
            weighted = calibration.weights(mine) @ mine
            inside = calibration.prediction_sets(weighted[None], TOGETHER)[0]
            drawn.append(
                {
                    "one": np.mean(mine.argmax(axis=1) == label),
                    "alike": mine.mean(axis=0).argmax() == label,
                    "weighted": weighted.argmax() == label,
                    "covered": inside[label],
                    "size": inside.sum(),
                }
            )
        means.append({name: float(np.mean([each[name] for each in drawn])) for name in drawn[0]})
    return {name: float(np.mean([each[name] for each in means])) for name in means[0]}


def strangers(run, probes, manifest, cache):
    """Verdicts on three photos of one source and another craft, as a share; how frozen features tell such photos."""
    others = manifest.select(~np.isin(manifest.crafts, run.classes))
    seen = embed_photos(run.embedder, others.files(), cache=cache, description=None)
    others = others.select(seen.rows)
    cosines, sides, familiarity = (
        run.cosines(seen.embeddings),
        run.cosines(seen.sides),
        run.calibration.photos(seen.features),
    )
    rng, named = np.random.default_rng(0), []
    keys = np.char.add(np.char.add(others.crafts, " "), others.sources)
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        for _ in range(DRAWS if len(rows) >= TOGETHER else 0):
            mine = rng.choice(rows, TOGETHER, replace=False)
            fused = run.calibration.weights(cosines[mine]) @ cosines[mine]
            crafts = run.gallery.crafts
            verdict = judge(fused, cosines[mine], sides[mine], familiarity[mine], crafts, run.calibration)
            named.append(verdict.kind == "tradition")
    known = embed_photos(run.embedder, [Path(path) for path in run.gallery.references["path"]], cache=cache).features
    centre = unit(known).mean(axis=0)
    references, asked, strange = (unit(unit(each) - centre) for each in (known, probes.features, seen.features))
    classes, code = np.unique(run.gallery.references["craft"].to_numpy(str), return_inverse=True)
    nearest = np.stack([(asked @ references[code == craft].T).max(axis=1) for craft in range(len(classes))], axis=1)
    answers, labels = classes[nearest.argmax(axis=1)], probes.manifest.crafts
    ranked = np.sort(nearest, axis=1)
    surest = np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")[: -(-len(labels) // 2)]
    best = np.concatenate([nearest.max(axis=1), (strange @ references.T).max(axis=1)])
    return {
        "pieces named": float(np.mean(named)),
        "frozen top-1": float(np.mean(answers == labels)),
        "frozen balanced": balanced_accuracy(labels, answers),
        "frozen surest half": float(np.mean((answers == labels)[surest])),
        "frozen auroc": auc(best, np.arange(len(best)) < len(labels)),
    }


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pairs(run, probes):
    """Verdicts on pictures of two held-out photos of different crafts side by side, as shares."""
    rng, manifest = np.random.default_rng(0), probes.manifest
    files, crafts = manifest.files(), manifest.crafts
    with tempfile.TemporaryDirectory() as folder:
        made = []
        while len(made) < PAIRS:
            first, second = rng.choice(len(files), 2, replace=False)
            if crafts[first] == crafts[second]:
                continue
            both = [Image.fromarray(decode(files[row], shrink_to=448)) for row in (first, second)]
            height = min(image.height for image in both)
            both = [image.resize((round(image.width * height / image.height), height)) for image in both]
            made.append(Path(folder) / f"{len(made)}.png")
            Image.fromarray(np.concatenate([np.asarray(image) for image in both], axis=1)).save(made[-1])
        embedded = embed_photos(run.embedder, made, description=None)
    cosines, sides = run.cosines(embedded.embeddings), run.cosines(embedded.sides)
    given = kinds(cosines, sides, run.calibration.photos(embedded.features), run.calibration)
    return {kind: float(np.mean(given == kind)) for kind in ("tradition", "between")}


def pooled_error(found):
    """Calibration error over the folds of one seed together, in ten bins; and what a perfect calibration would have."""
    bins = [each for one in found for each in one["confidence"]["reliability"] if each["photos"]]
    by_bin = {}
    for each in bins:
        photos, said, right = by_bin.get(each["low"], (0, 0.0, 0.0))
        more = each["photos"]
        by_bin[each["low"]] = (photos + more, said + more * each["confidence"], right + more * each["accuracy"])
    counts, said, right = (np.array(column) for column in zip(*by_bin.values(), strict=True))
    rng = np.random.default_rng(0)
    chance = np.abs(said - rng.binomial(counts, said / counts, (1000, len(counts)))).sum(axis=1) / counts.sum()
    return float(np.abs(said - right).sum() / counts.sum()), float(chance.mean())


def mean_interval(values: list[float]) -> Interval:
    """The mean of the runs with its 95 % Student t interval."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where", default="core", help="the photos trained on and held out")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="photos of other things")
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[1] / "configs" / "sarees.yaml")
    parser.add_argument("--head", help="another loss than that of the recipe, such as nsl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    parser.add_argument("--out", type=Path, default=Path("runs/trust"))
    options = parser.parse_args()
    asked = ["train", "--config", str(options.config), "--data.manifest", str(options.manifest), "--out", "-"]
    asked += ["--head.name", options.head] if options.head else []
    recipe = recipe_of(command_line()[0].parse_args(asked).train)
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
                calibrate(load_run(folder), cache=options.cache)
            run = load_run(folder)
            done = evaluate(run, options.manifest, open_set=True, others=options.others, cache=options.cache)
            manifest = read_manifest(options.manifest, on_unknown="keep")
            probes = unseen_probes(run, manifest, cache=options.cache)
            more = {"together": together(run, probes), "pairs": pairs(run, probes)}
            more["strangers"] = strangers(run, probes, manifest, options.cache)
            found.append({**json.loads(json.dumps(done.to_json())), **more})
    print(f"| {len(found)} runs: {options.folds} folds, {options.seeds} seeds | mean | 95 % interval |")
    print("|---|---:|---:|")
    for name, value in ROWS.items():
        interval = mean_interval([value(each) for each in found])
        print(f"| {name} | {interval.value:.3f} | [{interval.low:.3f}, {interval.high:.3f}] |")
    errors = [pooled_error(found[seed * options.folds :][: options.folds]) for seed in range(options.seeds)]
    for name, values in zip(
        ("the folds of a seed together: ECE", "a perfect calibration"), zip(*errors, strict=True), strict=True
    ):
        print(f"| {name} | {np.mean(values):.3f} | {min(values):.3f} to {max(values):.3f} |")


if __name__ == "__main__":
    main()
