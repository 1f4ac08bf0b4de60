"""Sections of the page on the experiments with faces: what was measured here beside what the paper published."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saree_cosface.faces.settings import LMCL

Document = Mapping[str, Any]

PAPER = {
    "trained on": "CASIA-WebFace, 0.49 million photos of 10,575 people",
    "network": "SphereFace-64, D = 512",
    "budget": "30,000 steps of 512 photos on 8 GPUs",
}
"""Of the small protocol: arXiv:1801.09414, Section 4.1."""

HEADLINES = {
    "lfw": (99.33, 99.73),
    "ytf": (96.1, 97.6),
    "rank 1": (77.11, 82.72),
    "true accepts": (89.88, 96.65),
}
"""Of LMCL trained on CASIA-WebFace, and on 5 million photos (one patch): Tables 2 to 4 of arXiv:1801.09414."""

_LARGEST_TRIED = 0.45  # the largest margin of the paper's Figure 5
_FITTED = 0.99  # probability that counts as fitted, as scale.check takes it


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
        f"is at most {largest:.2f} (saree_cosface.heads.scale): {_beyond(rows, best, largest)}",
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


def _lfw(document: Document) -> Section:
    return _pairs("One encoder on LFW", "lfw", document)


def _ytf(document: Document) -> Section:
    return _pairs("One encoder on YouTube Faces", "ytf", document)


def _pairs(title: str, name: str, document: Document) -> Section:
    small, large = HEADLINES[name]
    head = ("", "here", "paper, CASIA-WebFace", "paper, 5 million photos")
    accuracy = f"{100 * document['accuracy']:.2f} ± {100 * document['standard_error']:.2f}"
    rows = [
        ("encoder", document["encoder"], "SphereFace-64, LMCL", "SphereFace-64, LMCL"),
        ("accuracy", accuracy, _percent(small), _percent(large)),
        ("area under the ROC curve", f"{100 * document['auc']:.2f}", "", ""),
        ("equal error rate", f"{100 * document['eer']:.2f}", "", ""),
    ]
    for far, found in document["tar_at_far"].items():
        if "tar" in found:
            rows.append((f"true accepts at {float(far):.2%} false ones", f"{100 * found['tar']:.2f}", "", ""))
    return Section(title, _told(document), head, rows)


def _megaface(document: Document) -> Section:
    ranks = ("1", "5", "10", "100")
    head = ("people of one photo", *(f"rank {rank}" for rank in ranks))
    rows = [(size, *(f"{100 * rates[rank]:.2f}" for rank in ranks)) for size, rates in document["rates"].items()]
    said = [
        f"{document['encoder']}. {document['probes']:,} photos of {document['people']:,} people, each sought among all "
        "people of whom there is one photo."
    ]
    for far, found in document["dir_at_far"].items():
        if "rate" in found:
            said.append(
                f"Where at most {float(far):.1%} of strangers may be named, {100 * found['rate']:.2f} "
                f"[{100 * found['low']:.2f}, {100 * found['high']:.2f}] % of the photos are named, and rightly."
            )
    return Section("A smaller MegaFace", [*said, *_told(document)], head, rows)


def _challenge(document: Document) -> Section:
    head = ("", "here", "paper, CASIA-WebFace", "paper, 5 million photos")
    rows = [("encoder", document["encoder"], "SphereFace-64, LMCL", "SphereFace-64, LMCL")]
    for size, rates in document["rates"].items():
        published = map(_percent, HEADLINES["rank 1"]) if size == "1000000" else ("", "")
        rows.append((f"rank 1 among {int(size):,}", f"{100 * rates['1']:.2f}", *published))
    for far, found in document["tar_at_far"].items():
        published = map(_percent, HEADLINES["true accepts"]) if far == "1e-06" else ("", "")
        said = f"{100 * found['tar']:.2f}" if "tar" in found else "too few strangers"
        rows.append((f"true accepts at {far} false ones", said, *published))
    noise = ", ".join(f"{name} ({count} photos)" for name, count in document["noise"].items()) or "not used"
    return Section("Challenge 1 of MegaFace", [f"Noise lists: {noise}.", *_told(document)], head, rows)


def _told(document: Document) -> list[str]:
    """What departs from the published protocol."""
    missing = document.get("missing", ())
    left_out = [f"{len(missing)} photos were left out: this is not the published protocol."] if missing else []
    return left_out + [f"Note: {remark}." for remark in document.get("remarks", ())]


def _conditions(document: Document, row: Document) -> dict[str, str]:
    """What the paper's conditions are here, under the names of ``PAPER``."""
    model, optim, training = document["model"], document["optim"], row["seeds"][0]["training"]
    processes = document["data"]["devices"] * document["data"].get("nodes", 1)  # which older documents do not know
    per_epoch = training["faces"] // (optim["batch_size"] * processes)
    steps = optim["steps"] or optim["epochs"] * per_epoch
    epochs = "" if optim["steps"] else f" ({optim['epochs']} epochs)"
    return {
        "trained on": f"{training['faces']:,} photos of {training['people']:,} people",
        "network": f"{model['backbone']}, D = {model['embedding_dim']}",
        "budget": f"{steps:,} steps of {optim['batch_size'] * processes} photos{epochs}",
    }


def _accuracy(row: Document) -> str:
    seeds = "" if row["seed_deviation"] is None else f" ({100 * row['seed_deviation']:.2f})"
    return f"{100 * row['accuracy']:.2f} ± {100 * row['standard_error']:.2f}{seeds}"


def _percent(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


MAKERS: dict[str, Callable[[Document], Section]] = {
    "losses": _losses,
    "normalization": _normalization,
    "sweep_margins": _margins,
    "sweep_scales": _scales,
    "toy": _toy,
    "toy_digits": _toy,
    "margins": _boundaries,
    "lfw": _lfw,
    "megaface": _megaface,
    "challenge": _challenge,
    "ytf": _ytf,
}
"""What makes a section of the document of that name."""
