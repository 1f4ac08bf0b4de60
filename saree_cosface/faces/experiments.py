"""The paper's experiments on losses and margins: trainings that differ in one thing, each scored on LFW.

Every cell (a training of one setting and seed) is a run of its own below ``runs/``, so an interrupted experiment goes
on where it stopped, and another experiment that needs the same cell finds it done. The same command given in several
terminals shares the cells out: each trains what no other is busy with.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from saree_cosface.console import console
from saree_cosface.faces.datasets import LFW, FaceDataError, read_identities
from saree_cosface.faces.embeddings import NamedEmbeddings
from saree_cosface.faces.encoder import embed_folder, on_accelerator
from saree_cosface.faces.experiment_table import Experiment, csv_table, markdown_table
from saree_cosface.faces.identification import identify
from saree_cosface.faces.pair_lists import read_lfw_pairs
from saree_cosface.faces.pairs import Pairs, check_images
from saree_cosface.faces.settings import Setting
from saree_cosface.faces.training import expanded, train_faces
from saree_cosface.faces.verification import verify_embeddings
from saree_cosface.files import write_json, write_text
from saree_cosface.options import FaceOptions, Recipe
from saree_cosface.runs.folder import settings_of
from saree_cosface.training.loop import first_process

_PATIENCE = 10.0  # seconds between looks at cells that other processes train


def run_experiment(
    name: str, settings: Sequence[Setting], data: FaceOptions, recipe: Recipe, out: Path, *, seeds: int
) -> Experiment:
    """Train every setting with every seed, score each on LFW, and write ``NAME.json``, ``.md`` and ``.csv``.

    Args:
        name: of the experiment.
        settings: what differs.
        data: faces to learn from, and LFW.
        recipe: everything that does not differ; its head gives the settings their scale and margin.
        out: folder; trainings that are there already are not done again.
        seeds: how many; seed 0, 1, ... give other first weights and another order of the photos.

    Raises:
        ValueError: no seed is asked for.
        RunError: faces to learn from are missing.
        MissingImages: photos of LFW are missing.
    """
    if seeds < 1:
        raise ValueError(f"{seeds} seeds cannot be averaged; take at least 1, better 3.")
    if data.processes > 1 and "LOCAL_RANK" not in os.environ:
        raise ValueError(
            f"an experiment is many trainings, here of {data.processes} processes each: start these together, "
            f"with torchrun --nproc-per-node {data.devices} -m saree_cosface faces ..."
        )
    pairs = read_lfw_pairs(expanded(data.lfw_pairs, "data.lfw_pairs"))
    images = expanded(data.lfw_images, "data.lfw_images")
    pairs, _ = check_images(pairs, images)  # before hours of training
    test = test_digest(pairs, images)
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "head": asdict(each.head),
            "published": list(each.published) if each.published else None,
            "seeds": [],
        }
        for each in settings
    ]
    # All settings once before any a second time: what is there early can be compared.
    cells = [(row, setting, seed) for seed in range(seeds) for row, setting in zip(rows, settings, strict=True)]
    document = _summary(name, rows, data, recipe)
    waiting = False
    while cells:
        elsewhere = []
        for row, setting, seed in cells:
            cell = replace(recipe, head=setting.head, seed=seed)
            found = run_cell(replace(data, together=setting.together), cell, out / "runs", pairs, test)
            if found is None:
                elsewhere.append((row, setting, seed))
                continue
            row["seeds"] = sorted([*row["seeds"], found], key=lambda each: int(each["seed"]))
            document = _summary(name, rows, data, recipe)
            if first_process():
                write_json(out / f"{name}.json", document)
                write_text(out / f"{name}.md", markdown_table(document))
                write_text(out / f"{name}.csv", csv_table(document))
        if len(elsewhere) == len(cells):
            if not waiting:
                console.print(f"Waiting for {len(cells)} trainings of other commands.", highlight=False)
            waiting = True
            time.sleep(_PATIENCE)
        cells = elsewhere
    return Experiment(document)


def test_digest(pairs: Pairs, images: Path) -> str:
    """A digest of what is scored on: the pairs, and names and sizes of all photos."""
    files = read_identities(images, data=LFW).files
    digest = hashlib.sha256(repr((pairs.first, pairs.second, pairs.same.tolist(), pairs.folds.tolist())).encode())
    for file in files:
        digest.update(f"{file.relative_to(images).as_posix()} {file.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def run_cell(data: FaceOptions, recipe: Recipe, runs: Path, pairs: Pairs, test: str) -> dict[str, Any] | None:
    """One training and its scores on LFW; both are kept in the run's folder.

    Args:
        data: faces to learn from, and LFW.
        recipe: of the training.
        runs: folder of the runs.
        pairs: of LFW.
        test: digest of what is scored on; scores of another LFW are computed anew.

    Returns:
        The scores of the pairs; ``identification``, the search among the distractors of LFW, None where nobody has a
        second photo or everybody has; and ``training``, what the run says of itself. None while another command is
        busy with the same cell.
    """
    folder = runs / cell_name(data, recipe)
    result = folder / "lfw.json"
    # The processes of one training go through its cells together, and so need no lock among themselves.
    runs.mkdir(parents=True, exist_ok=True)
    alone = nullcontext() if data.processes > 1 else FileLock(runs / f".{folder.name}.lock", timeout=0)
    try:
        with alone:
            known: dict[str, Any] = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
            return known if known.get("test") == test else _train_cell(data, recipe, folder, pairs, test)
    except Timeout:
        return None


def _train_cell(data: FaceOptions, recipe: Recipe, folder: Path, pairs: Pairs, test: str) -> dict[str, Any]:
    if first_process():
        console.print(f"[bold]{folder.name}", highlight=False)
    embedder = train_faces(data, recipe, folder, resume=True)
    images = expanded(data.lfw_images, "data.lfw_images")
    embeddings = embed_folder(on_accelerator(embedder), images, cache=data.cache)
    found = verify_embeddings(embeddings, pairs)
    # What the first process writes another may be too early to read.
    training = json.loads((folder / "run.json").read_text(encoding="utf-8")) if first_process() else {}
    document = {
        "seed": recipe.seed,
        "test": test,
        **json.loads(json.dumps(found.to_json())),
        "identification": _identified(embeddings),
        "training": {**embedder.card.metrics, **training},
    }
    if first_process():
        write_json(folder / "lfw.json", document)
    return document


def _identified(embeddings: NamedEmbeddings) -> dict[str, Any] | None:
    try:
        return identify(embeddings).to_json()
    except FaceDataError:  # it has no distractors, or nobody to seek
        return None


def cell_name(data: FaceOptions, recipe: Recipe) -> str:
    """A name for people, and a digest of all options that decide the weights."""
    head = recipe.head
    settings = settings_of(data, recipe)
    elsewhere = ("lfw_images", "lfw_pairs", "cache", "workers")  # these do not change the weights
    settings["data"] = {key: value for key, value in settings["data"].items() if key not in elsewhere}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return f"{head.name}-s{head.scale:g}-m{head.margin:g}-seed{recipe.seed}-{digest}"


def _summary(name: str, rows: Sequence[dict[str, Any]], data: FaceOptions, recipe: Recipe) -> dict[str, Any]:
    for row in rows:
        accuracies = np.array([found["accuracy"] for found in row["seeds"]])
        if not len(accuracies):
            continue
        row["accuracy"] = float(accuracies.mean())
        # Of the mean over seeds: the folds' error, which the seeds share, and the scatter between trainings.
        folds = np.mean([found["folds"] for found in row["seeds"]], axis=0)
        row["standard_error"] = float(folds.std(ddof=1) / np.sqrt(len(folds)))
        row["seed_deviation"] = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
        row["auc"] = float(np.mean([found["auc"] for found in row["seeds"]]))
        row["eer"] = float(np.mean([found["eer"] for found in row["seeds"]]))
        row["rank1"] = _rank1([found["identification"] for found in row["seeds"]])
        row["train_accuracy"] = float(np.mean([found["training"]["train/accuracy"] for found in row["seeds"]]))
    return {"experiment": name, **settings_of(data, recipe), "rows": list(rows)}


def _rank1(found: Sequence[dict[str, Any] | None]) -> float | None:
    """Among all distractors, over the seeds."""
    rates = [each["rates"][str(each["distractors"])]["1"] for each in found if each is not None]
    return float(np.mean(rates)) if rates else None
