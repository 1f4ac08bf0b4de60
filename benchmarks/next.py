"""What labels are worth that were chosen, against labels of photos taken at random: whole sources hidden.

    python benchmarks/next.py MANIFEST [--where core] [--few 2] [--seeds 10] [--figure next.png]

Of five folds of sources one is held out and scored. Of the others, sources are taken in a random order until every
craft has --few: their photos have labels. All other photos are the folder without labels, from which each method
chooses 10, 25, 50 and 100; these are given their labels, and frozen second moments (the default recipe's) are read out
by the whitened cosine. The shrinkage is the one that inner folds of the labelled photos choose, for all methods alike.
Every fold is held out once a seed; a score is of all photos. Prints a Markdown table: the balanced accuracy, the mean
over seeds; its difference from the random choice with a 95 % interval over sources, which are resampled; and from how
many sources the photos are.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.cluster import AgglomerativeClustering, KMeans

from saree_cosface.commands.recipes import read_recipe
from saree_cosface.console import track
from saree_cosface.features.prototypes import prototypes
from saree_cosface.figures.palette import PALETTE
from saree_cosface.figures.style import plain, save_figure
from saree_cosface.machine.caches import located
from saree_cosface.metrics.classification import balanced_accuracy
from saree_cosface.options import DataOptions
from saree_cosface.review.teaching import Candidates, most_teaching
from saree_cosface.scoring.baselines import Moments
from saree_cosface.scoring.comparable import Comparable
from saree_cosface.scoring.comparison_summary import paired_scores
from saree_cosface.training.whitening import best_shrinkage, whitening

COUNTS = (10, 25, 50, 100)
FOLDS = 5
DIMENSIONS = 256
SCALE = 16  # of the softmax, where a method asks for probabilities


@dataclass
class Folder:
    """Photos without a label, as the labelled ones see them."""

    candidates: Candidates
    cosines: np.ndarray
    labelled: np.ndarray
    known_sources: set


def at_random(folder, count, rng):
    return rng.permutation(len(folder.cosines))[:count]


def sources_in_turn(folder, count, rng):
    """At random, but one of each source before any has two, and one of each picture."""
    return in_turn(folder, rng.permutation(len(folder.cosines)))[:count]


def margin(folder, count, rng):
    return np.argsort(folder.candidates.gaps)[:count]


def margin_in_turn(folder, count, rng):
    return in_turn(folder, np.argsort(folder.candidates.gaps))[:count]


def core_set(folder, count, rng):
    """Farthest first (Sener & Savarese 2018)."""
    embeddings = folder.candidates.embeddings
    nearest, chosen = (embeddings @ folder.labelled.T).max(axis=1), []
    for _ in range(count):
        nearest[chosen] = 2
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, embeddings @ embeddings[chosen[-1]])
    return np.array(chosen)


def typiclust(folder, count, rng):
    """The most typical photo of each of the largest clusters without a label (Hacohen et al. 2022)."""
    every = np.concatenate([folder.labelled, folder.candidates.embeddings])
    begun = len(folder.labelled)
    taken = np.arange(len(every)) < begun
    number = min(begun + count, len(every) // 3)  # clusters have some photos each
    cluster = KMeans(number, n_init=1, random_state=0).fit_predict(every)
    cosines, sizes, chosen = every @ every.T, np.bincount(cluster, minlength=number), []
    for _ in range(count):
        covered = np.bincount(cluster, taken, minlength=number)
        free = np.bincount(cluster, ~taken, minlength=number) > 0
        best = min(np.flatnonzero(free), key=lambda each: (covered[each], -sizes[each]))
        members = np.flatnonzero(cluster == best)
        rows = members[~taken[members]]
        near = np.sort(cosines[np.ix_(rows, members)], axis=1)[:, -21:-1]
        chosen.append(int(rows[near.mean(axis=1).argmax()] if near.shape[1] else rows[0]))
        taken[chosen[-1]] = True
    return np.array(chosen) - begun


def badge(folder, count, rng):
    """k-means++ on gradients of the loss of the likeliest label (Ash et al. 2020)."""
    slopes = softmax(SCALE * folder.cosines, axis=1)
    slopes[np.arange(len(slopes)), slopes.argmax(axis=1)] -= 1
    gradients = (slopes[:, :, None] * folder.candidates.embeddings[:, None]).reshape(len(slopes), -1)
    first = int((gradients**2).sum(axis=1).argmax())
    return spread(gradients, ((gradients - gradients[first]) ** 2).sum(axis=1), [first], count, rng)


def doubt_spread(folder, count, rng):
    """k-means++ from the labelled photos on, weighted by doubt."""
    gaps, embeddings = folder.candidates.gaps, folder.candidates.embeddings
    far = 2 - 2 * (embeddings @ folder.labelled.T).max(axis=1)
    return spread(embeddings, far, [], count, rng, np.exp(-gaps / np.median(gaps)))


def spread(vectors, far, chosen, count, rng, weights=1.0):
    while len(chosen) < count:
        chance = weights * far
        chance[chosen] = 0
        chosen.append(int(rng.choice(len(vectors), p=chance / chance.sum())))
        far = np.minimum(far, ((vectors - vectors[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen)


def cluster_margin(folder, count, rng):
    """Of the most doubtful, a cluster at a time, the small ones first (Citovsky et al. 2021)."""
    clusters = AgglomerativeClustering(n_clusters=None, distance_threshold=0.6, metric="cosine", linkage="average")
    found, of_each = clusters.fit_predict(folder.candidates.embeddings), defaultdict(list)
    for row in np.argsort(folder.candidates.gaps)[: 5 * count // 2]:
        of_each[found[row]].append(row)
    turns = [(turn, len(rows), row) for rows in of_each.values() for turn, row in enumerate(rows)]
    turns.sort(key=lambda each: each[:2])
    return np.array([row for _, _, row in turns[:count]])


def doubt_and_distance_in_turn(folder, count, rng):
    """Greedily what is doubtful and far from what is known, of any source that waits for its turn."""
    given, chosen = folder.candidates, []
    embeddings, count_of = given.embeddings, defaultdict(int)
    doubt = 1 - np.argsort(np.argsort(given.gaps)) / len(given.gaps)
    nearest, free = (embeddings @ folder.labelled.T).max(axis=1), np.ones(len(doubt), bool)
    while len(chosen) < count and free.any():
        turns = np.array([count_of[source] for source in given.sources])
        worth = np.where(free & (turns == turns[free].min()), doubt * np.maximum(1 - nearest, 1e-6), -1)
        chosen.append(int(worth.argmax()))
        count_of[given.sources[chosen[-1]]] += 1
        free &= given.groups != given.groups[chosen[-1]]
        nearest = np.maximum(nearest, embeddings @ embeddings[chosen[-1]])
    return np.array(chosen)


def ours(folder, count, rng):
    """Sources in turn, at random; of a source what is doubtful and far from what is known."""
    seed = int(rng.integers(1 << 30))
    chosen = most_teaching(folder.candidates, folder.labelled, folder.known_sources, count, seed=seed)
    return np.array([each.row for each in chosen])


METHODS = {
    "random": at_random,
    "random, sources in turn": sources_in_turn,
    "`saree-cosface next`": ours,
    "margin": margin,
    "margin, sources in turn": margin_in_turn,
    "margin × distance, sources in turn": doubt_and_distance_in_turn,
    "core-set": core_set,
    "TypiClust": typiclust,
    "BADGE": badge,
    "margin × k-means++": doubt_spread,
    "cluster-margin": cluster_margin,
}


def in_turn(folder, order):
    """The same order, in which the first of each source come before the second ones; one of each picture."""
    sources, groups = folder.candidates.sources, folder.candidates.groups
    order = order[np.sort(np.unique(groups[order], return_index=True)[1])]
    turns, count = [], defaultdict(int)
    for source in sources[order]:
        turns.append(count[source])
        count[source] += 1
    return order[np.argsort(turns, kind="stable")]


def dealt(photos, rest, few, rng):
    """Rows that have a label, and those that have none: whole sources."""
    labels, sources = photos.labels, photos.manifest.sources
    have, taken = np.zeros(len(photos.classes), int), []
    for source in rng.permutation(np.unique(sources[rest])):
        crafts = np.unique(labels[rest[sources[rest] == source]])
        if (have[crafts] < few).any():
            taken.append(source)
            have[crafts] += 1
    chosen = np.isin(sources[rest], taken)
    return rest[chosen], rest[~chosen]


class Reader:
    """Reads out features by the whitened cosine, learned from some photos."""

    def __init__(self, photos, features, train, shrinkage):
        labels, sources = photos.labels[train], photos.manifest.sources[train]
        self.whiten = whitening(features[train], labels, DIMENSIONS, shrinkage)
        self.present = np.unique(labels)
        self.embeddings = self.whiten(features[train])
        self.prototypes = prototypes(self.embeddings, labels, train, sources, self.present.tolist())

    def answers(self, features):
        return self.present[(self.whiten(features) @ self.prototypes.T).argmax(axis=1)]


def measured(photos, moments, few, seeds):
    """Answers of each method and count, ``(N, seeds)``, and of how many sources the chosen photos were."""
    answers = defaultdict(lambda: np.full((len(photos.labels), seeds), -1))
    sources = defaultdict(list)
    shapes = []
    for seed, fold in track([(seed, fold) for seed in range(seeds) for fold in range(FOLDS)], "Choosing"):
        rest, test = photos.splits["source", seed].rows(photos.manifest, fold)
        features = moments.directed_by(rest)
        known, hidden = dealt(photos, rest, few, np.random.default_rng([seed, fold]))
        names = photos.manifest.sources
        shapes.append((len(known), len(set(names[known])), len(hidden), len(set(names[hidden]))))
        shrinkage = best_shrinkage(features[known], photos.labels[known], names[known], DIMENSIONS)
        begun = Reader(photos, features, known, shrinkage)
        embeddings = begun.whiten(features[hidden])
        cosines = embeddings @ begun.prototypes.T
        ranked = np.sort(cosines, axis=1)
        gaps = ranked[:, -1] - ranked[:, -2]
        folder = Folder(
            Candidates(embeddings, gaps, names[hidden], photos.copies[hidden]),
            cosines,
            begun.embeddings,
            set(names[known].tolist()),
        )
        answers["labelled", 0][test, seed] = begun.answers(features[test])
        answers["every label", 0][test, seed] = Reader(photos, features, rest, shrinkage).answers(features[test])
        for method, choose in METHODS.items():
            for count in COUNTS:
                rows = choose(folder, min(count, len(hidden)), np.random.default_rng([seed, fold, count]))
                chosen = hidden[rows]
                sources[method, count].append(len(set(names[chosen])))
                reader = Reader(photos, features, np.concatenate([known, chosen]), shrinkage)
                answers[method, count][test, seed] = reader.answers(features[test])
    return answers, sources, np.mean(shapes, axis=0)


def drawn(score, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(METHODS):
        values = [score["labelled", 0], *(score[method, count] for count in COUNTS)]
        dashed = "--" if index >= len(PALETTE) else "-"
        colour = "#333333" if method == "random" else PALETTE[index % len(PALETTE)]
        axes.plot([0, *COUNTS], values, dashed, color=colour, label=method, lw=2.4 if choice_of(method) else 1.2)
    axes.axhline(score["every label", 0], color="#888888", lw=1, ls=":", label="every label of the folder")
    axes.set(xlabel="photos given a label", ylabel="balanced accuracy, sources never seen")
    axes.legend(frameon=False, fontsize=7)
    plain(axes)
    save_figure(figure, path)


def choice_of(method):
    return METHODS[method] in (ours, at_random)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where", default="core")
    parser.add_argument("--few", type=int, default=2, help="sources of each craft that have labels")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=DataOptions.cache)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    cache = located(options.cache)
    photos = Comparable.read(
        options.manifest, ["source"], where=options.where, seeds=options.seeds, folds=FOLDS, cache=cache
    )
    moments = Moments.read(read_recipe("sarees").model, photos.manifest.files(), cache)
    answers, sources, shape = measured(photos, moments, options.few, options.seeds)
    score = {
        key: float(np.mean([balanced_accuracy(photos.labels, each) for each in given.T]))
        for key, given in answers.items()
    }
    known, from_known, hidden, from_hidden = shape.round().astype(int)
    print(
        f"{known} photos of {from_known} sources have labels, {hidden} of {from_hidden} have none (means over "
        f"{options.seeds} seeds of {FOLDS} folds). Balanced accuracy {score['labelled', 0]:.3f} before, "
        f"{score['every label', 0]:.3f} with every label.\n"
    )
    print(f"| method | {' | '.join(f'{count} photos' for count in COUNTS)} | sources of {COUNTS[-2]} |")
    print(f"|---|{'---:|' * (len(COUNTS) + 1)}")
    for method in METHODS:
        cells = []
        for count in COUNTS:
            cell = f"{score[method, count]:.3f}"
            if method != "random":
                given = answers[method, count], answers["random", count]
                found = paired_scores(balanced_accuracy, photos.labels, *given, photos.manifest.sources)
                cell += " ({:+.1f} [{:+.1f}, {:+.1f}])".format(
                    *(100 * found[each] for each in ("value", "low", "high"))
                )
            cells.append(cell)
        print(f"| {method} | {' | '.join(cells)} | {np.mean(sources[method, COUNTS[-2]]):.0f} |")
    if options.figure:
        drawn(score, options.figure)


if __name__ == "__main__":
    main()
