"""A comparison summed up: scores of each method, with intervals and paired differences."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.splits import Protocol, Split
from saree_cosface.metrics.classification import balanced_accuracy, family_accuracy, macro_f1, top1
from saree_cosface.metrics.intervals import bootstrap_interval, paired_bootstrap
from saree_cosface.options import Recipe
from saree_cosface.scoring.comparison_table import LMCL
from saree_cosface.taxonomy import load_taxonomy

PROTOCOLS: tuple[Protocol, ...] = ("source", "random")
METRICS = {"top1": top1, "balanced_accuracy": balanced_accuracy}


def summary(
    manifest: Manifest,
    classes: NDArray[np.str_],
    labels: NDArray[np.int_],
    predictions: Mapping[tuple[str, str, int], NDArray[np.int_]],
    names: Sequence[str],
    seeds: int,
    folds: int,
    splits: Mapping[tuple[Protocol, int], Split],
    recipe: Recipe,
) -> dict[str, Any]:
    """The document of a comparison: each method's scores, intervals over sources, and its difference from LMCL."""
    families = {str(craft): str(craft) for craft in classes}
    families |= {craft: family for craft, family in load_taxonomy().families.items() if craft in families}

    answers = {
        (name, protocol): np.stack([predictions[name, protocol, seed] for seed in range(seeds)], axis=1)
        for name in names
        for protocol in PROTOCOLS
    }
    methods = {}
    for name in track(names, "Intervals"):
        mine = answers[name, "source"]
        scores = with_intervals(labels, mine, manifest.sources)
        scores["macro_f1"] = _over_seeds(macro_f1)(labels, mine)
        scores["family_accuracy"] = float(
            np.mean([family_accuracy(classes[labels], classes[mine[:, seed]], families) for seed in range(seeds)])
        )
        random = {
            metric: _over_seeds(statistic)(labels, answers[name, "random"]) for metric, statistic in METRICS.items()
        }
        scores["random"] = random
        scores["shortcut_gap"] = {metric: random[metric] - scores[metric]["value"] for metric in METRICS}
        if name != LMCL:
            scores["lmcl_minus_this"] = {
                metric: paired_scores(statistic, labels, answers[LMCL, "source"], mine, manifest.sources)
                for metric, statistic in METRICS.items()
            }
        methods[name] = scores
    return {
        "photos": len(manifest),
        "sources": len(set(manifest.sources)),
        "crafts": classes.tolist(),
        "seeds": seeds,
        "folds": folds,
        "splits": {f"{protocol}-seed{seed}": split.hash for (protocol, seed), split in splits.items()},
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "methods": methods,
    }


def with_intervals(labels: NDArray[np.int_], answers: NDArray[np.int_], sources: NDArray[np.str_]) -> dict[str, Any]:
    """Top-1 and balanced accuracy of answers ``(N, seeds)`` over seeds, with intervals over sources."""
    scores: dict[str, Any] = {}
    for metric, statistic in METRICS.items():
        interval = bootstrap_interval(_over_seeds(statistic), [labels, answers], sources, n_resamples=1000)
        scores[metric] = {**asdict(interval), "per_seed": [statistic(labels, each) for each in answers.T]}
    return scores


def paired_scores(
    statistic: Callable[..., float],
    labels: NDArray[np.int_],
    a: NDArray[np.int_],
    b: NDArray[np.int_],
    groups: NDArray[np.str_],
) -> dict[str, float]:
    """Difference of the mean scores over seeds, resampling sources; each seed's answers are laid end to end."""
    seeds = a.shape[1]
    y = np.repeat(labels, seeds)
    result = paired_bootstrap(statistic, y, a.ravel(), b.ravel(), np.repeat(groups, seeds), n_resamples=2000)
    return {**asdict(result.difference), "p": result.p_value}


def _over_seeds(statistic: Callable[..., float]) -> Callable[..., float]:
    """The mean of a statistic of labels ``(N,)`` over answers of all seeds ``(N, seeds)``, so that all seeds see the
    same resampled photos."""
    return lambda labels, answers: float(np.mean([statistic(labels, each) for each in answers.T]))
