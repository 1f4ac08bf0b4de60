"""A shortcut audit: what a run, or anything else, could name a craft by that is not the cloth.

A model that knows a shop's backdrop names the crafts of that shop, and no score on that shop's photos shows it. The
audit looks at the collection (copies on both sides, sources that sell one craft, crafts of one source), at what cheap
features of a photo give away, at what the run still knows of a photo whose middle or whose border is hidden, and at
how well the source can be read from the embedding.

References: Geirhos et al., Shortcut Learning in Deep Neural Networks, arXiv:2004.07780.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from scipy.stats import binom

from saree_cosface.console import track
from saree_cosface.data.duplicates import near_duplicate_pairs, perceptual_hashes
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.manifest import Manifest, read_manifest
from saree_cosface.data.splits import make_split
from saree_cosface.features.embedding import embed_photos, photo_hash
from saree_cosface.files import write_json
from saree_cosface.metrics.classification import top1
from saree_cosface.metrics.intervals import bootstrap_interval
from saree_cosface.runs.gallery import piece_names
from saree_cosface.runs.run import Run, list_bad
from saree_cosface.scoring.comparison import logistic_regression
from saree_cosface.scoring.evaluation import score
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes

SIDE = 256  # pixels of the short side from which cheap features are taken
BINS = 6  # of each colour in the histogram
THUMBNAIL = 16
HIDDEN = 0.5  # share of the photo's area that the hidden centre takes, or that is left by the hidden border
DOMINANT = 0.5
"""Share of a craft's photos from one source, or of a source's photos of one craft, from which on there is a warning."""

PERMUTATIONS = 2000
SIGNIFICANT = 0.01


@dataclass(frozen=True)
class Audit:
    """What was found, as it is written to ``audit.json``."""

    document: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return self.document

    def print_findings(self, console: Console) -> None:
        """For people: the verdict, and a sentence a finding."""
        warned = sum(finding["warning"] for finding in self.document["findings"])
        verdict = f"{warned} warnings." if warned else "No warning."
        console.print(verdict, style="bold", highlight=False)
        for finding in self.document["findings"]:
            mark = "!" if finding["warning"] else "-"
            style = "yellow" if finding["warning"] else None
            console.print(f"{mark} {finding['says']}", style=style, highlight=False, markup=False)


def audit_run(run: Run, manifest_path: Path, out: Path, *, cache: Path | None = None) -> Audit:
    """Audit a run and its collection, and write ``audit.json``, ``audit.html`` and figures.

    Args:
        run: to be audited.
        manifest_path: the manifest trained on.
        out: folder.
        cache: of features; nothing is remembered when None.

    Raises:
        EvaluationError: no photo is held out, or the manifest is not the one trained on.
    """
    from saree_cosface.pages.audit import write_audit_page  # matplotlib is slow to import

    manifest = read_manifest(manifest_path, on_unknown="keep")
    if not is_trained_on(run, manifest):
        raise EvaluationError(f"{manifest_path}: holds too few of the photos trained on; give the manifest trained on.")
    probes = unseen_probes(run, manifest, cache=cache)
    list_bad(probes.bad)
    document = {"run": str(run.folder), "manifest": str(manifest_path), **audit_document(run, manifest, probes)}
    write_json(out / "audit.json", document)
    write_audit_page(document, out)
    return Audit(document)


def is_trained_on(run: Run, manifest: Manifest) -> bool:
    """Whether a manifest holds photos of the run's training sources, of two crafts at least, and so can be audited."""
    mine = np.isin(manifest.sources, sorted(run.sources["train"])) & np.isin(manifest.crafts, run.classes)
    return len(set(manifest.crafts[mine].tolist())) > 1


def audit_document(run: Run, manifest: Manifest, probes: Probes) -> dict[str, Any]:
    """All that the audit looks at, as one JSON-able document.

    Args:
        run: to be audited.
        manifest: the collection trained on (:func:`is_trained_on`).
        probes: its photos of sources that the run never saw.
    """
    manifest = manifest.select(np.isin(manifest.crafts, run.classes))
    document: dict[str, Any] = {
        "photos": len(manifest),
        "held_out": len(probes.manifest),
        "copies": copies_across_parts(run, manifest),
        "confounded_sources": confounded_sources(manifest.crafts, manifest.sources),
        "dominated_crafts": dominated_crafts(manifest.crafts, manifest.sources),
        "shortcut_gap": score(run, probes, "source")["shortcut_gap"],
        "source_in_embedding": source_readability(
            probes.embeddings, probes.manifest.crafts, probes.manifest.sources, piece_names(probes.manifest)
        ),
        "cheap_features": cheap_features(run, manifest, probes.manifest.sources),
        "hidden": hidden_parts(run, probes),
    }
    return {**document, "findings": findings(document)}


def copies_across_parts(run: Run, manifest: Manifest) -> list[dict[str, str]]:
    """Near-duplicates of which one was trained on and the other was not."""
    files = manifest.files()
    pairs = near_duplicate_pairs(perceptual_hashes(files))
    part: dict[int, str] = {}
    for row in np.unique(pairs).tolist():
        try:
            part[row] = run.used.get(photo_hash(files[row]), "")
        except BadImage:
            part[row] = ""
    found = []
    for first, second in pairs.tolist():
        if {part[first], part[second]} & {"train"} and part[first] != part[second]:
            a, b = (first, second) if part[first] == "train" else (second, first)
            paths = manifest.table["path"]
            found.append({"trained_on": str(paths[a]), "copy": str(paths[b]), "part": part[b] or "unused"})
    return found


def confounded_sources(crafts: NDArray[np.str_], sources: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Sources that sell mostly one craft, and more of it than chance would have it: ``(N,), (N,)``.

    The chance is that of a binomial with the craft's share among all other sources, times the number of sources.
    """
    found = []
    names = [name for name in np.unique(sources).tolist() if name]
    for name in names:
        mine = sources == name
        kinds, counts = np.unique(crafts[mine], return_counts=True)
        craft, count, total = str(kinds[counts.argmax()]), int(counts.max()), int(mine.sum())
        elsewhere = float(np.mean(crafts[~mine] == craft)) if (~mine).any() else 0.0
        chance = min(1.0, float(binom.sf(count - 1, total, elsewhere)) * len(names))
        if count >= DOMINANT * total and chance < SIGNIFICANT:
            found.append(
                {"source": name, "craft": craft, "photos": total, "of_it": count, "elsewhere": elsewhere, "p": chance}
            )
    return found


def dominated_crafts(crafts: NDArray[np.str_], sources: NDArray[np.str_]) -> list[dict[str, Any]]:
    """The largest source of each craft and its share of the craft's photos, the most dominated first."""
    found = []
    for craft in np.unique(crafts).tolist():
        names, counts = np.unique(sources[crafts == craft], return_counts=True)
        share = float(counts.max() / counts.sum())
        found.append(
            {
                "craft": str(craft),
                "photos": int(counts.sum()),
                "sources": len(names),
                "largest": str(names[counts.argmax()]),
                "share": share,
                "warning": share >= DOMINANT,
            }
        )
    return sorted(found, key=lambda each: -float(str(each["share"])))


def source_readability(
    embeddings: NDArray[np.float32],
    crafts: NDArray[np.str_],
    sources: NDArray[np.str_],
    pieces: NDArray[np.str_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Whether photos of one craft lie nearer to those of their own source: ``(N, D), (N,), (N,), (N,)``.

    The share of photos whose nearest photo of another piece of their craft is of their source, beside what it is when
    the sources of the pieces are exchanged at random within each craft.

    Returns:
        ``share``; ``expected``, its mean over permutations; ``p``, one-sided; and ``photos``. None where no craft has
        pieces of two sources.
    """
    nearest = np.full(len(crafts), -1)
    for craft in np.unique(crafts):
        rows = np.flatnonzero(crafts == craft)
        if len(set(sources[rows].tolist())) < 2 or "" in sources[rows]:
            continue
        cosines = embeddings[rows] @ embeddings[rows].T
        cosines[pieces[rows][:, None] == pieces[rows][None]] = -np.inf
        reachable = np.isfinite(cosines.max(axis=1))
        nearest[rows[reachable]] = rows[cosines[reachable].argmax(axis=1)]
    asked = np.flatnonzero(nearest >= 0)
    if not len(asked):
        return None
    piece = np.unique(np.char.add(np.char.add(crafts, "\n"), pieces), return_inverse=True)[1]
    first = np.unique(piece, return_index=True)[1]
    code = np.unique(sources, return_inverse=True)[1][first]  # of each piece
    craft_of = crafts[first]
    near, far = piece[asked], piece[nearest[asked]]

    def share(code: NDArray[np.int_]) -> float:
        return float(np.mean(code[near] == code[far]))

    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(craft_of == craft) for craft in np.unique(craft_of)]
    drawn = np.empty(permutations)
    for turn in range(permutations):
        shuffled = code.copy()
        for members in groups:
            shuffled[members] = code[rng.permutation(members)]
        drawn[turn] = share(shuffled)
    value = share(code)
    p = (1 + int(np.sum(drawn >= value - 1e-12))) / (1 + permutations)
    return {
        "share": value,
        "expected": float(drawn.mean()),
        "low": float(np.quantile(drawn, 0.025)),
        "high": float(np.quantile(drawn, 0.975)),
        "p": p,
        "photos": len(asked),
    }


def cheap_features(run: Run, manifest: Manifest, held_out: NDArray[np.str_]) -> dict[str, Any]:
    """How well a craft is named from its colours alone, and from a thumbnail alone, by logistic regression.

    Args:
        run: of which the training sources are learned from.
        manifest: all photos.
        held_out: the sources that are scored.

    Returns:
        For each, ``source``: top-1 on the photos of the run's unseen sources, learned from its training photos, with
        an interval over sources where there are two or more; and ``random``: top-1 over five random folds of them all.
    """
    files = manifest.files()
    colours, thumbnails, rows = [], [], []
    for row, file in enumerate(track(files, "Colours and thumbnails", total=len(files))):
        try:
            pixels = decode(file, shrink_to=SIDE)
        except BadImage:
            continue
        colours.append(colour_histogram(pixels))
        thumbnails.append(thumbnail(pixels))
        rows.append(row)
    kept = manifest.select(np.array(rows))
    classes, labels = np.unique(kept.crafts, return_inverse=True)
    trained = np.isin(kept.sources, sorted(run.sources["train"]))
    unseen = np.isin(kept.sources, held_out)
    folds = make_split(kept, "random", n_folds=min(5, len(kept)), seed=0)
    found: dict[str, Any] = {"crafts": len(classes)}
    for name, vectors in (("colours", np.stack(colours)), ("thumbnail", np.stack(thumbnails))):
        answers = logistic_regression(vectors[trained], labels[trained], vectors[unseen])
        random = np.empty(len(labels), dtype=np.int_)
        for fold in range(folds.n_folds):
            train, test = folds.rows(kept, fold)
            random[test] = logistic_regression(vectors[train], labels[train], vectors[test])
        found[name] = {
            "source": _accuracy(labels[unseen], answers, kept.sources[unseen]),
            "random": float(np.mean(random == labels)),
        }
    found["commonest"] = float(np.bincount(labels[unseen], minlength=len(classes))[_commonest(labels[trained])]) / max(
        1, int(unseen.sum())
    )
    return found


def colour_histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square roots of the shares of colours, of length 1: ``(H, W, 3) -> (216,)``.

    >>> float(colour_histogram(np.zeros((4, 4, 3), np.uint8))[0])
    1.0
    """
    levels = pixels.reshape(-1, 3).astype(np.int64) * BINS // 256
    index = (levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]
    return np.sqrt(np.bincount(index, minlength=BINS**3) / len(index)).astype(np.float32)


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The photo at 16 x 16 pixels, its mean taken off, of length 1: ``(H, W, 3) -> (768,)``."""
    small = np.asarray(Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32)
    flat = (small - small.mean()).ravel()
    result: NDArray[np.float32] = flat / max(float(np.linalg.norm(flat)), 1e-6)
    return result


def hidden_parts(run: Run, probes: Probes) -> dict[str, Any]:
    """Top-1 of the run on its held-out photos as they are, and with their centre or their border hidden, by view."""
    classes = np.array(run.gallery.crafts)
    manifest = probes.manifest
    labels = np.searchsorted(classes, manifest.crafts)
    answers = {"whole": run.cosines(probes.embeddings).argmax(axis=1)}
    for name, hide in (("centre hidden", hide_centre), ("border hidden", hide_border)):
        answers[name] = _answers_to(run, manifest.files(), hide, f"Photos with their {name}")
    views = manifest.views
    found: dict[str, Any] = {"all": {}, "by_view": {}}
    for name, given in answers.items():
        found["all"][name] = _accuracy(labels, given, manifest.sources)
        for view in sorted(set(views.tolist())):
            mine = views == view
            by_view = found["by_view"].setdefault(view or "unknown", {"photos": int(mine.sum())})
            by_view[name] = float(np.mean(given[mine] == labels[mine]))
    return found


def hide_centre(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with its middle, half of its area, in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = pixels.copy()
    result[top:bottom, left:right] = pixels.reshape(-1, 3).mean(axis=0).round()
    return result


def hide_border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with all but its middle in its mean colour: ``(H, W, 3) -> (H, W, 3)``."""
    top, bottom, left, right = _middle(pixels)
    result = np.empty_like(pixels)
    result[:] = pixels.reshape(-1, 3).mean(axis=0).round()
    result[top:bottom, left:right] = pixels[top:bottom, left:right]
    return result


def findings(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What all this says, a sentence each, and whether it is a warning."""
    said: list[tuple[bool, str]] = []
    copies = document["copies"]
    if copies:
        first = copies[0]
        said.append(
            (
                True,
                f"{len(copies)} photos that were trained on have near-duplicates that were not, such as "
                f"{first['trained_on']} and {first['copy']}.",
            )
        )
    else:
        said.append((False, "No photo has a near-duplicate on the other side of the split."))
    confounded = document["confounded_sources"]
    if confounded:
        names = "; ".join(
            f"{each['source']} ({each['craft']}, {each['of_it']} of {each['photos']})" for each in confounded
        )
        said.append(
            (True, f"{len(confounded)} sources sell mostly one craft, so that knowing them is knowing it: {names}.")
        )
    else:
        said.append((False, "No source sells mostly one craft beyond what chance would have."))
    for each in document["dominated_crafts"]:
        if each["warning"]:
            said.append(
                (
                    True,
                    f"{each['craft']}: {each['share']:.0%} of {each['photos']} photos are of one source, "
                    f"{each['largest'] or 'unknown'}.",
                )
            )
    gap = document["shortcut_gap"]
    if gap is not None:
        wide = gap["nearest"]["gap"] > 0.05
        said.append(
            (
                wide,
                f"With photos of the same source among the references, the nearest photo is right in "
                f"{gap['nearest']['random']:.1%} of cases, without them in {gap['nearest']['source']:.1%}.",
            )
        )
    readable = document["source_in_embedding"]
    if readable is not None:
        warned = readable["p"] < SIGNIFICANT
        said.append(
            (
                warned,
                f"Within a craft, the nearest other piece is of the same source in {readable['share']:.1%} of "
                f"photos; {readable['expected']:.1%} would be by chance (p = {readable['p']:.3f}).",
            )
        )
    cheap, hidden = document["cheap_features"], document["hidden"]["all"]
    whole = hidden["whole"]["value"]
    for name, label in (("colours", "colours alone"), ("thumbnail", "a thumbnail of 16 pixels alone")):
        value, random = cheap[name]["source"]["value"], cheap[name]["random"]
        said.append(
            (
                value > 0.8 * whole,
                f"From {label} {value:.1%} are named rightly on unseen sources ({random:.1%} on "
                f"random folds); the run names {whole:.1%}.",
            )
        )
    for name in ("centre hidden", "border hidden"):
        value = hidden[name]["value"]
        warned = name == "centre hidden" and value > 0.8 * whole
        said.append((warned, f"With its {name} a photo is still named rightly in {value:.1%} of cases."))
    return [{"warning": bool(warning), "says": says} for warning, says in said]


def _answers_to(
    run: Run, files: Sequence[Path], change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], description: str
) -> NDArray[np.int_]:
    """Answers ``(N,)`` to photos that are changed before they are looked at."""
    with tempfile.TemporaryDirectory() as folder:
        changed = []
        for row, file in enumerate(files):
            path = Path(folder) / f"{row}.png"
            Image.fromarray(change(decode(file, shrink_to=1024))).save(path, compress_level=1)
            changed.append(path)
        embeddings = embed_photos(run.embedder, changed, description=description).embeddings
    answers: NDArray[np.int_] = run.cosines(embeddings).argmax(axis=1)
    return answers


def _middle(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    height, width = pixels.shape[:2]
    part = (1 - HIDDEN**0.5) / 2
    return round(part * height), round((1 - part) * height), round(part * width), round((1 - part) * width)


def _accuracy(labels: NDArray[np.int_], answers: NDArray[np.int_], sources: NDArray[np.str_]) -> dict[str, float]:
    if len(set(sources.tolist())) < 2:
        return {"value": top1(labels, answers)}
    found = bootstrap_interval(top1, [labels, answers], sources, n_resamples=500)
    return {"value": found.value, "low": found.low, "high": found.high}


def _commonest(labels: NDArray[np.int_]) -> int:
    return int(np.bincount(labels).argmax())
