"""The paper's experiments on losses and margins: trainings that differ in one thing, each scored on LFW.

Every cell (a training of one setting and seed) is a run of its own below ``runs/``, so an interrupted experiment goes
on where it stopped, and another experiment that needs the same cell finds it done. The same command given in several
terminals shares the cells out: each trains what no other is busy with.
"""

import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from rich import box
from rich.console import Console
from rich.table import Table

from saree_cosface.console import console
from saree_cosface.faces.datasets import LFW, FaceDataError, read_identities
from saree_cosface.faces.embeddings import NamedEmbeddings
from saree_cosface.faces.identification import identify
from saree_cosface.faces.pair_lists import read_lfw_pairs
from saree_cosface.faces.pairs import Pairs, check_images
from saree_cosface.faces.training import expanded, train_faces
from saree_cosface.faces.verification import embed_folder, on_accelerator, verify_embeddings
from saree_cosface.files import write_json, write_text
from saree_cosface.options import FaceOptions, HeadOptions, Recipe
from saree_cosface.runs.folder import settings_of
from saree_cosface.training.fit import first_process

LMCL = "LMCL"

_PATIENCE = 10.0  # seconds between looks at cells that other processes train

FOOTNOTE = (
    "In per cent. LFW: mean over n seeds; ± folds its standard error over the ten folds, ± seeds the deviation between "
    "trainings. rank 1: photos whose mate is nearer than all people of LFW with one photo. train: accuracy on the "
    "photos trained on, free of the margin. paper: LFW as in arXiv:1801.09414, with 64 layers and 0.49 million photos."
)


@dataclass(frozen=True)
class Setting:
    """One row of an experiment.

    Attributes:
        name: for people.
        head: the loss.
        published: what the paper's table gives for it (arXiv:1801.09414), where it does, in per cent: accuracy on LFW
            and on YTF; with a million distractors of MegaFace, rank 1 and true accepts at 1e-6 false ones.
        together: photos of one person that lie together in a batch.
    """

    name: str
    head: HeadOptions
    published: tuple[float, float, float, float] | None = None
    together: int = 1


def losses(head: HeadOptions) -> tuple[Setting, ...]:
    """Table 2 of the paper, and NSL. The scale is the same wherever a loss has one, so that nothing else differs.

    Contrastive and triplet loss compare the photos of a batch, so theirs hold four photos of each person drawn.
    """
    return (
        Setting("softmax", replace(head, name="softmax"), (97.88, 93.1, 54.85, 65.92)),
        Setting(
            "softmax + contrastive",
            replace(head, name="contrastive", margin=1.0),
            (98.78, 93.5, 65.21, 78.86),
            together=4,
        ),
        Setting("triplet", replace(head, name="triplet", margin=0.2), (98.70, 93.4, 64.79, 78.32), together=4),
        Setting("L-Softmax", replace(head, name="lsoftmax", margin=4), (99.10, 94.0, 67.12, 80.42)),
        Setting("softmax + center", replace(head, name="center"), (99.05, 94.4, 65.49, 80.14)),
        Setting("A-Softmax", replace(head, name="sphereface", margin=4), (99.42, 95.0, 72.72, 85.56)),
        Setting(
            "A-Softmax-NormFea", replace(head, name="sphereface_normalized", margin=4), (99.32, 95.4, 75.42, 88.82)
        ),
        Setting("NSL", replace(head, name="nsl", margin=0.0)),
        Setting(LMCL, replace(head, name="cosface"), (99.33, 96.1, 77.11, 89.88)),
    )


def only(settings: Sequence[Setting], names: Sequence[str] | None) -> list[Setting]:
    """The settings of these names, in the order of the table; all of them where no name is given.

    Raises:
        ValueError: a name is not in the table.
    """
    if names is None:
        return list(settings)
    known = {setting.name.lower(): setting for setting in settings}
    if unknown := [name for name in names if name.lower() not in known]:
        raise ValueError(f"no row named {', '.join(unknown)}; there are {', '.join(each.name for each in settings)}.")
    wanted = {name.lower() for name in names}
    return [setting for name, setting in known.items() if name in wanted]


def margins(head: HeadOptions) -> tuple[Setting, ...]:
    """Figure 5 of the paper: m from 0 to 0.45 at one scale, the head's own, and two that are too large."""
    values = sorted({0.0, 0.1, 0.2, 0.3, 0.35, 0.45, head.margin, 0.7, 1.0})
    return tuple(Setting(f"m = {margin:g}", _lmcl(head, head.scale, margin)) for margin in values)


def scales(head: HeadOptions) -> tuple[Setting, ...]:
    """Half to four times the scale, at the head's margin and without: gains of a margin may be gains of a scale."""
    return tuple(
        Setting(f"s = {scale:g}, m = {margin:g}", _lmcl(head, scale, margin))
        for margin in (0.0, head.margin)
        for scale in (head.scale / 2, head.scale, 2 * head.scale, 4 * head.scale)
    )


def _lmcl(head: HeadOptions, scale: float, margin: float) -> HeadOptions:
    """Without a margin it is NSL, and named so: a run of the one is a run of the other."""
    return replace(head, name="cosface" if margin else "nsl", scale=scale, margin=margin)


def normalization(head: HeadOptions) -> tuple[Setting, ...]:
    """Table 1 of the paper: LMCL with embeddings of their own lengths, and with all at length s."""
    return (
        Setting(
            "without normalised features",
            replace(head, name="cosface_unnormalized"),
            (99.10, 93.1, 75.10, 88.65),
        ),
        Setting("with normalised features", replace(head, name="cosface"), (99.33, 96.1, 77.11, 89.88)),
    )


@dataclass(frozen=True)
class Experiment:
    """What an experiment found, as it is written to ``NAME.json``."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_table(self, console: Console) -> None:
        """For people."""
        header, *rows = table_rows(self.document)
        # Without lines, so that all columns fit a terminal of the usual width.
        table = Table(
            title=title(self.document), title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for column in header:
            table.add_column(column, justify="left" if column == header[0] else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)


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
    if data.devices > 1 and "LOCAL_RANK" not in os.environ:
        raise ValueError(
            f"data.devices is {data.devices}, and an experiment is many trainings: start their processes together, "
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
                write_text(out / f"{name}.csv", _csv_table(document))
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
    alone = nullcontext() if data.devices > 1 else FileLock(runs / f".{folder.name}.lock", timeout=0)
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
    embeddings = embed_folder(on_accelerator(embedder), images, cache=data.cache.expanduser())
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


def title(document: dict[str, Any]) -> str:
    """What the experiment was made of, in one line."""
    optim, model = document["optim"], document["model"]
    budget = f"{optim['steps']} steps" if optim["steps"] else f"{optim['epochs']} epochs"
    return f"{document['experiment']}: {model['backbone']}, D = {model['embedding_dim']}, {budget}"


def table_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Header and rows of the table; ``FOOTNOTE`` says what the columns are."""
    rows: list[tuple[str, ...]] = [("loss", "LFW", "± folds", "± seeds", "n", "AUC", "rank 1", "train", "paper")]
    for row in document["rows"]:
        if "accuracy" not in row:
            continue
        deviation, published = row["seed_deviation"], row["published"]
        rows.append(
            (
                row["name"],
                f"{100 * row['accuracy']:.2f}",
                f"{100 * row['standard_error']:.2f}",
                "" if deviation is None else f"{100 * deviation:.2f}",
                str(len(row["seeds"])),
                f"{100 * row['auc']:.2f}",
                "" if row["rank1"] is None else f"{100 * row['rank1']:.2f}",
                f"{100 * row['train_accuracy']:.1f}",
                "" if published is None else f"{published[0]:.2f}",
            )
        )
    return rows


def markdown_table(document: dict[str, Any]) -> str:
    """The table as Markdown, with what it was made of."""
    header, *rows = table_rows(document)
    lines = [f"{title(document)}.", "", "| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", FOOTNOTE]
    return "\n".join(lines) + "\n"


def _csv_table(document: dict[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table_rows(document))
    return text.getvalue()
