"""How well a tradition is found that was enrolled after training, from one photo or a few.

    python benchmarks/enrolment.py MANIFEST RUN [RUN ...] [--shots 1 3 5] [--draws 20]

For each calibrated run, each craft of the manifest that it was not trained on and that has more photos than shots is
enrolled from that many of them, drawn at random, and the others are asked for: rank 1, the share to which of all
traditions, those learned and this one, the new one is nearest; and AUROC, by the cosine to its prototype, against the
held-out photos of the traditions learned. Beside it the share of those held-out photos that are named rightly, before
and after. With and without the allowance of the calibration. "Other source" asks only for photos of sources that none
of the enrolled photos is from. Prints a Markdown table: the mean over crafts, then over runs, and from the lowest run
to the highest.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from saree_cosface.console import track
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.embedding import embed_photos
from saree_cosface.features.prototypes import prototype
from saree_cosface.metrics.verification import auc
from saree_cosface.options import DataOptions
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.probes import unseen_probes
from saree_cosface.taxonomy import load_taxonomy

MEASURES = ("rank 1", "rank 1, no allowance", "AUROC", "known, before", "known, after", "known, no allowance")


def enrolled(run, embeddings, sources, known, labels, shots, draws):
    """Measures of one craft, by which photos are asked for; ``embeddings`` are those of its photos."""
    rng = np.random.default_rng(0)
    learned = run.gallery.prototypes
    before = known @ learned.T

    def allowed(cosines):
        return cosines + run.calibration.allowances(cosines[:, None], ("a new one",), np.array([shots]))[:, 0]

    found = defaultdict(list)
    for _ in range(draws):
        drawn = rng.permutation(len(embeddings))[:shots]
        new = prototype(embeddings[drawn], drawn.astype(str))
        taken = known @ new
        right = before.argmax(axis=1) == labels
        rest = np.setdiff1d(np.arange(len(embeddings)), drawn)
        other = rest[~np.isin(sources[rest], sources[drawn])]
        for name, asked in (("any other photo", rest), ("other source", other)):
            if not len(asked):
                continue
            own, rivals = embeddings[asked] @ new, (embeddings[asked] @ learned.T).max(axis=1)
            scores = np.concatenate([own, taken])
            found[name].append(
                (
                    np.mean(allowed(own) > rivals),
                    np.mean(own > rivals),
                    auc(scores, np.arange(len(scores)) < len(own)),
                    right.mean(),
                    np.mean(right & (before.max(axis=1) >= allowed(taken))),
                    np.mean(right & (before.max(axis=1) >= taken)),
                )
            )
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    options = parser.parse_args()
    manifest = read_manifest(options.manifest, on_unknown="keep")
    taxonomy = load_taxonomy()
    table = defaultdict(list)
    crafts = set()
    for folder in track(options.runs, "Runs"):
        run = load_run(folder)
        if run.calibration is None:
            raise SystemExit(f"{folder} is not calibrated: run `saree-cosface calibrate {folder}` first.")
        probes = unseen_probes(run, manifest, cache=options.cache)
        labels = np.searchsorted(np.array(run.gallery.crafts), probes.manifest.crafts)
        strange = manifest.select(~np.isin(manifest.crafts, run.classes))
        embedded = embed_photos(run.embedder, strange.files(), cache=options.cache, description=None)
        strange, embeddings = strange.select(embedded.rows), embedded.embeddings
        for shots in options.shots:
            measured = defaultdict(list)
            for craft in np.unique(strange.crafts):
                mine = strange.crafts == craft
                if mine.sum() <= max(options.shots) or craft not in taxonomy:
                    continue
                crafts.add(str(craft))
                of_craft = enrolled(
                    run, embeddings[mine], strange.sources[mine], probes.embeddings, labels, shots, options.draws
                )
                for name, values in of_craft.items():
                    measured[name].append(values)
            for name, rows in measured.items():
                table[name, shots].append((len(rows), *np.mean(rows, axis=0)))
    print(f"{len(options.runs)} runs; {len(crafts)} crafts, each enrolled alone: {', '.join(sorted(crafts))}.\n")
    print(f"| asked for | photos enrolled | crafts | {' | '.join(MEASURES)} |")
    print(f"|---|---:|---:|{'---:|' * len(MEASURES)}")
    for (name, shots), rows in sorted(table.items()):
        values = np.array(rows)
        cells = [f"{np.mean(each):.3f} ({each.min():.2f} to {each.max():.2f})" for each in values[:, 1:].T]
        print(f"| {name} | {shots} | {round(values[:, 0].mean())} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
