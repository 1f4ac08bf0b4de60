"""One page on the experiments with faces: what was measured here beside what the paper published.

It is made of what the experiments left in one folder, and says what is not there yet. The same sections are written as
Markdown and as HTML with its pictures inside, and the main figure as PNG.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saree_cosface import __version__
from saree_cosface.faces.experiments import LMCL
from saree_cosface.files import write_text
from saree_cosface.pages import escape, file_uri, stylesheet, table

Document = Mapping[str, Any]

EXPERIMENTS = {
    "losses": "faces losses",
    "normalization": "faces normalization",
    "sweep_margins": "faces sweep",
    "sweep_scales": "faces sweep",
    "toy": "faces toy --config CONFIG",
    "toy_digits": "faces toy",
    "margins": "faces margins",
}
"""Documents that the experiments write, and the commands that do."""

PAPER = {
    "trained on": "CASIA-WebFace, 0.49 million photos of 10,575 people",
    "network": "SphereFace-64, D = 512",
    "budget": "30,000 steps of 512 photos on 8 GPUs",
}
"""Of the small protocol: arXiv:1801.09414, Section 4.1."""

FIGURE = "report.png"

_LARGEST_TRIED = 0.45  # the largest margin of the paper's Figure 5
_FITTED = 0.99  # probability that counts as fitted, as scale.check takes it


class ReportError(ValueError):
    """There is nothing to report on; the message says what to do."""


@dataclass(frozen=True)
class Section:
    """A part of the page, for both formats.

    Attributes:
        title: heading.
        text: paragraphs, plain.
        head: column headings of a table, empty where there is none.
        rows: its rows.
        figure: a PNG file beside the page, "" where there is none.
        alt: what the figure shows, for who cannot see it.
    """

    title: str
    text: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figure: str = ""
    alt: str = ""


def write_report(out: Path) -> dict[str, Any]:
    """Write ``report.md``, ``report.html`` and ``report.png`` from the experiments in a folder.

    Args:
        out: folder that the experiments wrote to.

    Returns:
        The experiments found, those missing with the command that makes each, and the files written.

    Raises:
        ReportError: there is no experiment, or a document is damaged.
        OSError: the folder cannot be written.
    """
    from saree_cosface.faces.figures import report_figure  # matplotlib is slow to import

    out = Path(out)
    found = {name: document for name in EXPERIMENTS if (document := _read(out / f"{name}.json"))}
    if not found:
        raise ReportError(
            f"{out} holds no experiment yet: run 'saree-cosface faces losses --config configs/faces/laptop.yaml "
            f"--out {out}' first, or one of {', '.join(sorted(set(EXPERIMENTS.values())))}."
        )
    makers: dict[str, Callable[[Document], Section]] = {
        "losses": _losses,
        "normalization": _normalization,
        "sweep_margins": _margins,
        "sweep_scales": _scales,
        "toy": _toy,
        "toy_digits": _toy,
        "margins": _boundaries,
    }
    try:
        sections = [makers[name](document) for name, document in found.items()]
        drawn = report_figure(found, out / FIGURE)
    except (KeyError, TypeError, IndexError) as error:
        raise ReportError(
            f"{out}: one of {', '.join(f'{name}.json' for name in found)} is not as this version writes it "
            f"({type(error).__name__}: {error}); run its command again, which trains nothing twice."
        ) from error
    missing = {name: f"saree-cosface {command}" for name, command in EXPERIMENTS.items() if name not in found}
    if drawn:
        sections.insert(0, Section("At a glance", figure=FIGURE, alt="The numbers of the tables below, as dots."))
    sections.append(_absent(missing))
    write_text(out / "report.md", _markdown(sections))
    write_text(out / "report.html", _html(sections, out))
    files = ["report.md", "report.html", *([FIGURE] if drawn else [])]
    return {"experiments": list(found), "missing": missing, "files": [str(out / name) for name in files]}


def difference(document: Document, one: str, other: str) -> tuple[float, float] | None:
    """By how much one row is above another, in points of LFW accuracy, and the standard error over the folds.

    Both rows saw the same pairs, so folds are compared one by one, each averaged over the seeds.
    """
    rows = {row["name"]: row for row in document["rows"] if "accuracy" in row}
    if one not in rows or other not in rows:
        return None
    return _paired(rows[one], rows[other])


def _paired(one: Document, other: Document) -> tuple[float, float]:
    by_fold = [np.mean([seed["folds"] for seed in row["seeds"]], axis=0) for row in (one, other)]
    gaps = 100 * (by_fold[0] - by_fold[1])
    return float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps)))


def _by_seed(document: Document, one: str, other: str) -> str:
    """The same difference in each seed, in words: how much of it two trainings share."""
    rows = {row["name"]: {seed["seed"]: seed["accuracy"] for seed in row["seeds"]} for row in document["rows"]}
    gaps = [100 * (rows[one][seed] - rows[other][seed]) for seed in rows[one].keys() & rows[other].keys()]
    return ", ".join(f"{gap:+.2f}" for gap in gaps).replace("-", "−")


def _losses(document: Document) -> Section:
    said = ["The same photos, network and budget; only the loss differs."]
    for rival in ("softmax", "NSL", "A-Softmax"):
        gap = difference(document, LMCL, rival)
        if gap is not None:
            side = "above" if gap[0] >= 0 else "below"
            said.append(
                f"LMCL is {abs(gap[0]):.2f} ± {gap[1]:.2f} points {side} {rival} on LFW (± the standard error over the "
                f"folds, which both share; seed by seed {_by_seed(document, LMCL, rival)})."
            )
    return _compared("Losses (Table 2 of the paper)", said, document)


def _normalization(document: Document) -> Section:
    said = "LMCL on embeddings of their own lengths, and on embeddings that all have length s."
    return _compared("Normalised features (Table 1 of the paper)", [said], document)


def _compared(title: str, text: Sequence[str], document: Document) -> Section:
    """Ours beside the paper's; what else differs between them stands in the table itself."""
    rows = [row for row in document["rows"] if "accuracy" in row]
    ours = _conditions(document, rows[0])
    searched = [row["seeds"][0]["identification"] for row in rows if row["seeds"][0]["identification"] is not None]
    among = f"{searched[0]['distractors']:,} people of LFW" if searched else "not measured"
    lines = [(what, ours[what], PAPER[what], "", "", "", "") for what in PAPER]
    lines.append(("rank 1 among", "", "", among, "1,000,000 photos of MegaFace", "", ""))
    for row in rows:
        lfw, ytf, rank1, verified = row["published"] or (None,) * 4
        rank1_here = "" if row["rank1"] is None else f"{100 * row['rank1']:.2f}"
        papers = (_percent(rank1), _percent(verified), _percent(ytf, 1))
        lines.append((row["name"], _accuracy(row), _percent(lfw), rank1_here, *papers))
    head = (
        "",
        "LFW, here",
        "LFW, paper",
        "rank 1, here",
        "rank 1, paper",
        "MegaFace verification, paper",
        "YTF, paper",
    )
    seeds = max(len(row["seeds"]) for row in rows)
    note = (
        f"In per cent. Here: mean of {seeds} {'seed' if seeds == 1 else 'seeds'} ± standard error over the folds of "
        "LFW (deviation between seeds). Paper: arXiv:1801.09414."
    )
    return Section(title, [*text, note], head, lines)


def _margins(document: Document) -> Section:
    rows = [row for row in document["rows"] if "accuracy" in row]
    best = max(rows, key=lambda row: float(row["accuracy"]))
    scale, classes = document["head"]["scale"], rows[0]["seeds"][0]["training"]["people"]
    odds = math.log((classes - 1) * _FITTED / (1 - _FITTED))
    largest = classes / (classes - 1) - odds / scale
    said = [
        f"The scale stays at {scale:g}. In the paper m = 0 is worst; accuracy rises with m and is level from 0.35 on.",
        f"Here the best is {best['name']} with {_accuracy(best)}. {_against_no_margin(rows, best)}".rstrip(),
        f"With s = {scale:g} and {classes} classes the centre of a class can reach a probability of {_FITTED} while m "
        f"is at most {largest:.2f} (saree_cosface.scale): {_beyond(rows, best, largest)}",
    ]
    return _swept("The margin (Figure 5 of the paper)", said, document)


def _against_no_margin(rows: Sequence[Document], best: Document) -> str:
    """Whether m = 0 is the worst of the margins that the paper tried, as it is there, and how sure that is."""
    among = [row for row in rows if row["head"]["margin"] <= _LARGEST_TRIED]
    without = next((row for row in among if row["head"]["margin"] == 0), None)
    if without is None or best is without:
        return ""
    worst = min(among, key=lambda row: float(row["accuracy"]))
    gap, error = _paired(best, without)
    place = "the worst" if worst is without else f"not the worst, which is {worst['name']} with {_accuracy(worst)},"
    sure = "more than twice that error" if gap > 2 * error else "less than twice that error, so perhaps chance"
    return (
        f"m = 0 is {place} of the margins up to {_LARGEST_TRIED}, {gap:.2f} ± {error:.2f} points below the best (± the "
        f"standard error over the folds; {sure})."
    )


def _beyond(rows: Sequence[Document], best: Document, largest: float) -> str:
    """What became of the margins that the scale cannot satisfy."""
    beyond = [row for row in rows if row["head"]["margin"] > largest]
    if not beyond:
        return "no larger one was tried."
    gaps = [f"{row['name']} {100 * (row['accuracy'] - best['accuracy']):+.2f}" for row in beyond]
    return f"beyond it, against the best, {', '.join(gaps)} points.".replace("-", "−")


def _scales(document: Document) -> Section:
    said = "The scale without a margin and with one: what looks like a gain of the margin may be one of the scale."
    return _swept("The scale", [said], document)


def _swept(title: str, text: Sequence[str], document: Document) -> Section:
    rows = [row for row in document["rows"] if "accuracy" in row]
    head = ("", "LFW", "AUC", "rank 1", "accuracy in training")
    lines = [
        (
            row["name"],
            _accuracy(row),
            f"{100 * row['auc']:.2f}",
            "" if row["rank1"] is None else f"{100 * row['rank1']:.2f}",
            f"{100 * row['train_accuracy']:.1f}",
        )
        for row in rows
    ]
    conditions = "; ".join(f"{what}: {value}" for what, value in _conditions(document, rows[0]).items())
    return Section(title, [*text, f"{conditions[0].upper()}{conditions[1:]}."], head, lines)


def _toy(document: Document) -> Section:
    head = ("", "smallest angle between class means", "mean angle to the class mean", "mean gap between neighbours")
    rows = [
        (row["name"], *(f"{row[angle]:.1f}°" for angle in ("min_angle", "within_angle", "gap")))
        for row in document["rows"]
    ]
    said = (
        f"{document['photos']} {document['images']} of {document['classes']} classes, {document['network']} with D = 2 "
        f"in place of the paper's network, {document['epochs']} epochs, seed {document['seed']}, s = "
        f"{document['scale']:g}. The paper shows faces of 8 people and gives no numbers."
    )
    alt = "Embeddings of eight classes in the plane, and their directions on the circle, a column a loss."
    return Section(
        f"Two dimensions, {document['images']} (Figure 4 of the paper)",
        [said],
        head,
        rows,
        f"{document['experiment']}.png",
        alt,
    )


def _boundaries(document: Document) -> Section:
    names = ", ".join(loss["name"] for loss in document["losses"])
    said = f"Drawn by asking the heads themselves ({names}) on a grid, not from their formulas."
    alt = "Which of two classes a loss is satisfied with, in the plane of the two cosines or angles."
    return Section("Decision boundaries (Figure 2 of the paper)", [said], figure="margins.png", alt=alt)


def _absent(missing: Mapping[str, str]) -> Section:
    if not missing:
        said = "MegaFace and YouTube Faces: 'faces megaface --devkit' and 'faces ytf' score a run on them."
        return Section("What is not here", [said])
    return Section(
        "What is not here yet",
        ["These experiments have not been run into this folder."],
        ("experiment", "command"),
        [(name, f"{command} --out DIR") for name, command in missing.items()],
    )


def _conditions(document: Document, row: Document) -> dict[str, str]:
    """What the paper's conditions are here, under the names of ``PAPER``."""
    model, optim, training = document["model"], document["optim"], row["seeds"][0]["training"]
    devices = document["data"]["devices"]
    per_epoch = training["faces"] // (optim["batch_size"] * devices)
    steps = optim["steps"] or optim["epochs"] * per_epoch
    epochs = "" if optim["steps"] else f" ({optim['epochs']} epochs)"
    return {
        "trained on": f"{training['faces']:,} photos of {training['people']:,} people",
        "network": f"{model['backbone']}, D = {model['embedding_dim']}",
        "budget": f"{steps:,} steps of {optim['batch_size'] * devices} photos{epochs}",
    }


def _accuracy(row: Document) -> str:
    seeds = "" if row["seed_deviation"] is None else f" ({100 * row['seed_deviation']:.2f})"
    return f"{100 * row['accuracy']:.2f} ± {100 * row['standard_error']:.2f}{seeds}"


def _percent(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ReportError(f"{path}: damaged ({error}); delete it and run its command again.") from error
    # An experiment that was interrupted in its first training has rows without a number in them.
    rows = document.get("rows")
    return document if rows is None or any({"accuracy", "min_angle"} & set(row) for row in rows) else None


TITLE = "CosFace on faces: this engine beside the paper"
OPENING = (
    "The code that learns sarees, on the task its loss was invented for: do two photos show one person? Numbers that "
    "Wang et al. published (CosFace, arXiv:1801.09414) stand beside those measured here. They are not of one size: "
    "what was learned from, with which network and for how long stands in each table.",
)


def _markdown(sections: Sequence[Section]) -> str:
    lines = [f"# {TITLE}", "", *OPENING, ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for paragraph in section.text:
            lines += [paragraph, ""]
        if section.head:
            lines.append("| " + " | ".join(section.head) + " |")
            lines.append("|---" * len(section.head) + "|")
            lines += ["| " + " | ".join(row) + " |" for row in section.rows]
            lines.append("")
        if section.figure:
            lines += [f"![{section.alt}]({section.figure})", ""]
    return "\n".join(lines)


def _html(sections: Sequence[Section], folder: Path) -> str:
    body = []
    for section in sections:
        parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(paragraph)}</p>" for paragraph in section.text)]
        if section.head:
            parts.append(table(section.head, section.rows, numbers="-" + "n" * (len(section.head) - 1)))
        if section.figure:
            source = file_uri(folder / section.figure)
            parts.append(
                f'<p><img src="{source}" alt="{escape(section.alt)}"></p>'
                if source
                else f"<p>{escape(section.figure)} is not in the folder.</p>"
            )
        body.append(f"<section>{''.join(parts)}</section>")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(TITLE)}</title>
<link rel="icon" href="data:,">
<style>
{stylesheet()}
</style>
</head>
<body class="saree">
<main>
<h1>{escape(TITLE)}</h1>
<p>{escape(" ".join(OPENING))}</p>
{"".join(body)}
<footer>Written by saree-cosface {escape(__version__)}: <code>saree-cosface faces report --out {escape(folder)}</code>
</footer>
</main>
</body>
</html>
"""
