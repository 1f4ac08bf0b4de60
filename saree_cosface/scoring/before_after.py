"""Two evaluations side by side: before and after a collection was curated, or a model trained again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from saree_cosface.metrics.classification import top1
from saree_cosface.metrics.intervals import paired_bootstrap
from saree_cosface.scoring.probes import EvaluationError

EVALUATION = "evaluation.json"


def read_evaluation(path: Path) -> dict[str, Any]:
    """The document of an earlier evaluation, by its file or the folder that it lies in.

    Raises:
        EvaluationError: there is none.
    """
    path = path / EVALUATION if path.is_dir() else path
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"protocol", "metrics", "photos", "manifest_sha256"} <= set(document):
            raise ValueError("it lacks the scores")
        if any("sha256" not in photo for photo in document["photos"]):
            raise ValueError("it does not tell the files of its photos, as it would now: evaluate again")
    except (OSError, ValueError, TypeError) as error:
        raise EvaluationError(
            f"{path}: not an evaluation ({error}); give the folder that `saree-cosface evaluate` wrote."
        ) from error
    return document


def before_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What changed from one evaluation to another, as one JSON document.

    Scores of all photos compare different sets where photos left, came or were given another label: a higher one may
    only say that hard photos left. So there is also the top-1 on the photos that both scored, with one label; its
    interval is a bootstrap over sources.

    Raises:
        EvaluationError: their protocols differ.
    """
    if before["protocol"] != after["protocol"]:
        raise EvaluationError(
            f"the protocol was {before['protocol']} before and is {after['protocol']} now; compare like with like."
        )
    here = {photo["sha256"]: photo for photo in before["photos"]}
    there = {photo["sha256"]: photo for photo in after["photos"]}
    shared = [photo for photo in here if photo in there]
    same = [photo for photo in shared if here[photo]["craft"] == there[photo]["craft"]]
    scores = {
        name: {"before": before["metrics"][name]["value"], "after": found["value"]}
        for name, found in after["metrics"].items()
        if name in before["metrics"] and "value" in found
    }
    document: dict[str, Any] = {
        "run": before["run"],
        "manifest_sha256": before["manifest_sha256"],
        "metrics": scores,
        "photos": {
            "before": len(here),
            "after": len(there),
            "left": len(here) - len(shared),
            "came": len(there) - len(shared),
            "relabelled": len(shared) - len(same),
            "same": len(same),
        },
        "same_photos": None,
    }
    sources = np.array([there[photo]["source"] for photo in same], dtype=np.str_)
    if len(np.unique(sources)) > 1:
        labels, was, now = (
            np.array([photos[photo][key] for photo in same])
            for photos, key in ((there, "craft"), (here, "answer"), (there, "answer"))
        )
        found = paired_bootstrap(top1, labels, now, was, sources)
        document["same_photos"] = {
            "before": top1(labels, was),
            "after": top1(labels, now),
            "difference": found.difference.value,
            "low": found.difference.low,
            "high": found.difference.high,
            "p_value": found.p_value,
        }
    return document


def print_before_after(document: Mapping[str, Any], console: Console) -> None:
    """For people."""
    photos, same = document["photos"], document["same_photos"]
    table = Table(title=f"Before: manifest {document['manifest_sha256'][:12]}, {document['run']}", title_justify="left")
    table.add_column("score")
    for heading in ("before", "after", "difference"):
        table.add_column(heading, justify="right")
    rows = dict(document["metrics"])
    if same:
        rows[f"top1, the {photos['same']} same photos and labels"] = same
    for name, found in rows.items():
        change = found["after"] - found["before"]
        table.add_row(name, f"{found['before']:.3f}", f"{found['after']:.3f}", f"{change:+.3f}")
    console.print(table)
    said = (
        f"Of {photos['before']} photos {photos['left']} left and {photos['relabelled']} have another label; "
        f"{photos['came']} came."
    )
    if same:
        said += (
            f" On the same photos with the same labels the difference is {same['difference']:+.3f} "
            f"[{same['low']:+.3f}, {same['high']:+.3f}] (p = {same['p_value']:.2f}, bootstrap over sources)."
        )
    console.print(said, highlight=False)
