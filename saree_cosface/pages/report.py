"""One page on a run: how good it is on sources it never saw, why a random split would promise more, and examples.

The page is a single HTML file with its pictures inside: it opens offline, prints, and can be sent by mail.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface import __version__
from saree_cosface.data.manifest import Manifest
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.photos import list_bad
from saree_cosface.files import write_text
from saree_cosface.html.page import escape, page, table
from saree_cosface.pages.exhibits import (
    confidence,
    confusion,
    crafts,
    curves,
    embedding_map,
    examples,
    shortcuts,
    strangers,
)
from saree_cosface.runs.alone import alone
from saree_cosface.runs.parts import PARTS
from saree_cosface.runs.run import Run
from saree_cosface.scoring.audit import audit_document, is_trained_on
from saree_cosface.scoring.curated import curated, curated_in_words
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.open_set import other_things, score_open_set
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes
from saree_cosface.scoring.shortcut import pooled_cosines
from saree_cosface.taxonomy import craft_name

_SCORES = {
    "top1": ("Top-1", "share of photos whose nearest tradition is the labelled one"),
    "balanced_accuracy": ("Balanced accuracy", "the same, each craft counting alike"),
    "macro_f1": ("Macro-F1", "precision and recall together, each craft counting alike"),
    "family_accuracy": ("Family", "share answered with a craft of the right technique"),
    "rank3": ("Rank 3", "the labelled tradition is among the nearest 3"),
    "rank5": ("Rank 5", "the labelled tradition is among the nearest 5"),
    "recall@1": ("Recall@1", "the nearest held-out photo of another source is of the same craft"),
    "recall@5": ("Recall@5", "one of the nearest 5 such photos is"),
    "map@r": ("MAP@R", "how pure the ranking of such photos is"),
}


def write_report(run: Run, manifest: Path, out: Path, *, cache: Path | None = None) -> Path:
    """Score a run on the photos of a manifest that it never saw, and write the page.

    The map is kept beside it, as ``NAME.map.parquet`` with its parameters in ``NAME.map.json``.

    Args:
        run: to be reported on.
        manifest: the manifest trained on, of which the held-out photos are scored, or another one.
        out: the HTML file.
        cache: folder of features; nothing is remembered when None.

    Returns:
        ``out``.

    Raises:
        EvaluationError: no photo is left to score.
        RunError: the page goes into the run, and somebody else is at work there.
    """
    out = Path(out)
    inside = out.absolute().is_relative_to(run.folder.absolute())
    with alone(run.folder, "report") if inside else nullcontext():
        _write(run, manifest, out, cache)
    return out


def _write(run: Run, manifest: Path, out: Path, cache: Path | None) -> None:
    asked = read_manifest(manifest, on_unknown="keep")
    probes = unseen_probes(run, asked, cache=cache)
    list_bad(probes.bad, manifest)
    document = score(run, probes, "source")
    open_set = score_open_set(run, probes, asked, other_things(run), cache) if run.calibration else None
    trained_on = read_manifest(run.folder / "manifest.csv")
    title = "Naming the craft of a saree"
    body = "".join(
        (
            _opening(title, run, document, trained_on, probes.manifest),
            _section("The photos", _parts(run, trained_on, document) + _curated(manifest, asked)),
            _section("Scores on sources never seen in training", _scores(document)),
            _section("The shortcut gap", _shortcut(run, probes, document)),
            _section("What else could give the craft away", _audited(run, asked, probes, cache)),
            _section("How sure it is", confidence(document)),
            _section("What it does not know", strangers(open_set) if open_set else ""),
            _section("How it learned", curves(run)),
            _section("What is taken for what", confusion(document) + crafts(document)),
            _section("A map of the embeddings", embedding_map(run, probes, out.with_suffix(".map.parquet"))),
            _section("Examples", examples(run, probes, document)),
        )
    )
    command = f"saree-cosface report {escape(run.folder)} {escape(manifest)}"
    made = f"Written by saree-cosface {escape(__version__)}:<br><code>{command}</code>"
    write_text(out, page(title, body, made))


def _audited(run: Run, asked: Manifest, probes: Probes, cache: Path | None) -> str:
    if is_trained_on(run, asked):
        try:
            return shortcuts(audit_document(run, asked, probes, cache=cache))
        except EvaluationError as error:  # photos trained on are gone, which those scored need not be
            return f"<p>Not told: {escape(error)}.</p>"
    return (
        "<p>Not told: an audit needs the photos trained on, and these are others. Give "
        "<code>saree-cosface audit</code> the manifest trained on.</p>"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n" if body else ""


def _opening(title: str, run: Run, document: Mapping[str, Any], trained_on: Manifest, probed: Manifest) -> str:
    counts, metrics, gap = document["counts"], document["metrics"], document["shortcut_gap"]
    tiles = [
        (f"{metrics['top1']['value']:.1%}", "top-1 on unseen sources"),
        (f"{metrics['balanced_accuracy']['value']:.1%}", "balanced over crafts"),
        *([(f"{100 * gap['nearest']['gap']:+.1f} points", "shortcut gap of the nearest photo")] if gap else []),
        (f"{counts['photos']}", f"photos of {counts['pieces']} pieces, {_count(counts['sources'], 'unseen source')}"),
    ]
    limits = "It gives an answer even to a photo of something else: read the cosines and look at the references."
    if run.calibration is not None:
        limits = (
            "A piece of another tradition is not named, but for a share of false answers that it was calibrated for "
            f"({run.calibration.false_accepts:.0%}): look at the references."
        )
    drawn = [manifest.drawn for manifest in (trained_on, probed)]
    warning = ""
    if any(drawn):
        which = "All photos here are" if all(drawn) else f"The photos {'trained' if drawn[0] else 'scored'} on are"
        warning = (
            f'<div class="note"><p><strong>{which} synthetic.</strong> The loom drew them from written rules. The '
            "scores show that the software works; they say nothing about how well a model names real sarees.</p></div>"
        )
    return f"""<h1>{escape(title)}</h1>
<p>A photo becomes a unit vector, and each of {len(run.classes)} craft traditions has a prototype among these vectors.
The answer is the tradition with the nearest prototype, by cosine. This page tests a model on photos from sources
(shops, photographers, collections) of which it saw no photo in training.</p>
<p>It names the tradition that a photo resembles most among those it knows. It does not establish where a saree was
woven and does not tell handloom from power-loom. {limits}</p>
{warning}
<div class="tiles">{"".join(f'<div class="tile"><b>{value}</b>{escape(label)}</div>' for value, label in tiles)}</div>
"""


def _parts(run: Run, trained_on: Manifest, document: Mapping[str, Any]) -> str:
    part = np.array([str(name) for name in trained_on.table["split"]])
    rows: list[Sequence[object]] = []
    meaning = {"train": "learned from, and the references", "validation": "chose the epoch", "test": "held out"}
    for name in PARTS:
        mine = trained_on.select(part == name)
        if len(mine):
            sources = sorted(set(mine.sources.tolist()) - {""})
            rows.append(
                (
                    name,
                    len(mine),
                    len(set(mine.pieces)),
                    len(set(mine.crafts)),
                    len(sources),
                    _listed(sources),
                    meaning[name],
                )
            )
    skipped = "; ".join(f"{number}: {escape(reason)}" for reason, number in document["skipped"].items())
    left_out = f"<p>Of the manifest scored here, these photos were left out: {skipped}.</p>" if skipped else ""
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in document["remarks"])
    card = run.embedder.card
    facts = (
        f'<p class="fine">Backbone {escape(card.backbone)}, {card.embedding_dim} dimensions, {escape(card.precision)}.'
        f" Split <code>{escape(run.split_hash or 'as the manifest says')}</code>, manifest "
        f"<code>{escape(card.manifest_sha256[:16])}</code>.</p>"
    )
    head = ("part", "photos", "pieces", "crafts", "sources", "which", "use")
    return table(head, rows, numbers=" nnnn") + left_out + remarks + facts


def _curated(path: Path, manifest: Manifest) -> str:
    found = curated(path, manifest.sha256)
    return f"<p>{escape(curated_in_words(found))}</p>" if found else ""


def _scores(document: Mapping[str, Any]) -> str:
    rows: list[Sequence[object]] = []
    for name, value in document["metrics"].items():
        label, meaning = _SCORES.get(name, (name, ""))
        interval = f"{value['low']:.3f} – {value['high']:.3f}" if "low" in value else "–"
        rows.append((label, f"{value['value']:.3f}", interval, meaning))
    note = (
        "<p>Intervals are 95 % bootstrap intervals over pieces. They do not cover the choice of sources: with "
        f"{_count(document['counts']['sources'], 'unseen source')}, another shop may well do better or worse.</p>"
    )
    return table(("score", "value", "interval", "meaning"), rows, numbers=" nn") + note


def _shortcut(run: Run, probes: Probes, document: Mapping[str, Any]) -> str:
    gap = document["shortcut_gap"]
    if gap is None:
        return ""
    top, near = gap["top1"], gap["nearest"]
    prose = f"""<p>Photos of one shop share a backdrop, a light and a pose. A model can recognise the shop instead of
the craft, and where other photos of the same shop are among the references, as on a random split, that pays. The gap
is the score with the shop's other photos among the references minus the score without them. For both the held-out
photos join the references, each other's as well, so that neither is the score at the top of this page.</p>
<p>Judged by the nearest photo, {near["random"]:.1%} of the answers are right when photos of the same shop may be that
photo and {near["source"]:.1%} when they may not: a gap of {100 * near["gap"]:+.1f} points. Judged by prototypes, which
average over shops, it is {top["random"]:.1%} against {top["source"]:.1%}, {100 * top["gap"]:+.1f} points. What the
shop's photos add is not to be expected of a new shop.</p>"""
    answers = _by_protocol(run, probes)
    labels = np.searchsorted(np.array(run.gallery.crafts), probes.manifest.crafts)
    confounded = _confounded(probes.manifest)
    rows: list[Sequence[object]] = []
    for source in sorted(set(probes.manifest.sources.tolist())):
        mine = probes.manifest.sources == source
        right = {key: float(np.mean(found[mine] == labels[mine])) for key, found in answers.items()}
        common, number = Counter(probes.manifest.crafts[mine].tolist()).most_common(1)[0]
        seller = f"sells mostly {craft_name(common)} ({number} of {int(mine.sum())})"
        rows.append(
            (
                source,
                int(mine.sum()),
                *(_gap_cells(right["nearest", "random"], right["nearest", "source"])),
                *(_gap_cells(right["top1", "random"], right["top1", "source"])),
                seller if confounded[mine].any() else "",
            )
        )
    head = ("source", "photos", *("nearest photo, shop in", "shop out", "gap"), *("prototype, shop in", "shop out"))
    marked = "<p>A shop that sells mostly one craft is where a shortcut is built in.</p>" if confounded.any() else ""
    caption = "Top-1 with and without photos of the same source among the references"
    return prose + table((*head, "gap", "note"), rows, caption=caption, numbers=" nnnnnnn") + marked


def _by_protocol(run: Run, probes: Probes) -> dict[tuple[str, str], NDArray[np.int_]]:
    """Answers ``(N,)`` by prototype and by nearest photo, with the source's photos among the references and without."""
    references, manifest = run.gallery.references, probes.manifest
    gallery: dict[str, NDArray[Any]] = {name: references[name].to_numpy(str) for name in ("craft", "source")}
    gallery["piece"] = run.gallery.piece_of
    gallery["embedding"] = np.asarray(run.gallery.embeddings)
    probe: dict[str, NDArray[Any]] = {
        "craft": manifest.crafts,
        "piece": manifest.pieces,
        "source": manifest.sources,
        "embedding": probes.embeddings,
    }
    classes = np.array(run.gallery.crafts)
    answers: dict[tuple[str, str], NDArray[np.int_]] = {}
    for protocol in ("random", "source"):
        cosines, nearest = pooled_cosines(probe, gallery, classes, protocol)
        answers["top1", protocol] = cosines.argmax(axis=1)
        answers["nearest", protocol] = nearest
    return answers


def _gap_cells(within: float, without: float) -> tuple[str, str, str]:
    return f"{within:.3f}", f"{without:.3f}", f"{within - without:+.3f}"


def _confounded(manifest: Manifest) -> NDArray[np.bool_]:
    """What the manifest says of each photo's shop ``(N,)``; false where it says nothing."""
    if "confounded" not in manifest.table.columns:
        return np.zeros(len(manifest), dtype=np.bool_)
    return np.array([str(value).strip().lower() in ("true", "1", "yes") for value in manifest.table["confounded"]])


def _listed(names: Sequence[str], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
