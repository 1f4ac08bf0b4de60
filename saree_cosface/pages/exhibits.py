"""What a report shows: learning curves, confusions, the map of the embeddings, and examples with their references."""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.answers.attribution import Attribution, attribute
from saree_cosface.answers.evidence import write_evidence
from saree_cosface.answers.verdict import Kind, in_words
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.figures.audit import enough_figure
from saree_cosface.figures.confidence import confidence_figure
from saree_cosface.figures.confusion import confusion_figure
from saree_cosface.html.answer import answer
from saree_cosface.html.page import escape, file_uri, photo_uri, table
from saree_cosface.languages.packaged import english
from saree_cosface.maps.by_craft import map_figure
from saree_cosface.maps.by_source import source_figure
from saree_cosface.maps.coordinates import map_parameters, umap_coordinates
from saree_cosface.maps.embedding import EmbeddingMap
from saree_cosface.networks.backbone import BackboneError
from saree_cosface.networks.fingerprint import fingerprint
from saree_cosface.pages.audit import findings_list
from saree_cosface.runs.run import Run
from saree_cosface.scoring.confidence import sets_in_words
from saree_cosface.scoring.open_set import open_set_in_words
from saree_cosface.scoring.probes import Probes
from saree_cosface.taxonomy import craft_name, load_taxonomy

EXAMPLES = 4
"""Right answers shown, and wrong ones."""

REFERENCES = 5
_RINGED = "held-out photo"

MAPPED_REFERENCES = 4000
"""References drawn on the map at most; of a larger gallery a random part."""

SEED = 0


def curves(run: Run) -> str:
    """The learning curves; "" where the run's picture is gone."""
    uri = file_uri(run.folder / "learning_curves.png")
    return _plate(uri, "Learning curves: training loss, and accuracy by epoch", "wide") if uri else ""


def confusion(document: Mapping[str, Any]) -> str:
    """The confusion matrix of an evaluation."""
    classes = document["confusion"]["classes"]
    names = [craft_name(craft) for craft in classes]
    matrix = np.array(document["confusion"]["matrix"])
    description = "Confusion matrix: rows are labels, columns answers"
    return _drawn(lambda path: confusion_figure(matrix, names, path, "Sources held out"), description, "square")


def confidence(document: Mapping[str, Any]) -> str:
    """Whether probabilities hold on sources that they were not fitted on, and what abstaining gains."""
    found = document["confidence"]
    if found is None:
        return (
            "<p>Not told: the run is not calibrated (<code>saree-cosface calibrate</code>), or the photos are of one "
            "source.</p>"
        )
    described = "Left: probability beside the share that is right. Right: accuracy beside the share answered"
    text = (
        f"<p>A cosine becomes a probability by a temperature ({found['temperature']:.3f}), found on training photos "
        "that were scored by embedders which had not seen their source. Left, each dot holds photos of like "
        "probability: on the line, as many are right as was said. Right, the accuracy when only the surest photos are "
        "answered. Bars: 95 % intervals over sources. With isotonic probabilities instead, the calibration error is "
        f"{found['ece_isotonic']['value']:.3f}.</p><p>{escape(sets_in_words(found['sets']))}</p>"
    )
    return text + _drawn(lambda path: confidence_figure(found, path, "Sources held out"), described, "wide")


def strangers(document: Mapping[str, Any]) -> str:
    """The verdicts on photos of known traditions, of other crafts and of other things, from an open-set evaluation."""
    prose = (
        "<p>A calibrated run names a tradition only from a cosine and a lead that were found on photos scored without "
        "their source and their craft; below that it says which cannot be ruled out, unless next to no photo of a "
        "known tradition is so far off. What becomes of photos that no tradition here is the answer to:</p>"
    )
    rows = [
        ("known traditions" if name == "known" else name, *(f"{shares[kind]:.1%}" for kind in get_args(Kind)))
        for name, shares in document["verdicts"].items()
    ]
    head = ("photos of", "one tradition named", "between two", "not sure", "outside")
    words = "".join(f"<li>{escape(line)}</li>" for line in open_set_in_words(document))
    return prose + table(head, rows, numbers=" nnnn") + f"<ul>{words}</ul>"


def shortcuts(document: Mapping[str, Any]) -> str:
    """What an audit found; ``saree-cosface audit`` writes a page of its own with the tables behind it."""
    described = "Top-1 by what is seen of the photo, with intervals over sources"
    return findings_list(document) + _drawn(lambda path: enough_figure(document, path), described, "wide")


def crafts(document: Mapping[str, Any]) -> str:
    """How well each craft is named, and what it is taken for."""
    taxonomy = load_taxonomy()
    wrong: dict[str, Counter[str]] = {}
    for photo in document["photos"]:
        if photo["craft"] != photo["answer"]:
            wrong.setdefault(photo["craft"], Counter())[photo["answer"]] += 1
    rows: list[Sequence[object]] = []
    for craft, found in sorted(document["per_craft"].items(), key=lambda item: item[1]["top1"]):
        taken = ", ".join(
            f"{craft_name(other)} ({count})" for other, count in wrong.get(craft, Counter()).most_common(2)
        )
        family, place = (taxonomy[craft].family, taxonomy[craft].place) if craft in taxonomy else ("", "")
        rows.append((craft_name(craft), family, place, found["photos"], f"{found['top1']:.3f}", taken or "–"))
    head = ("craft", "family", "place", "photos", "top-1", "most often taken for")
    return table(head, rows, caption="By craft, the hardest first", numbers="   nn")


def embedding_map(run: Run, probes: Probes, coordinates_path: Path) -> str:
    """References and held-out photos on a map, which is kept in a Parquet table and a JSON document beside it."""
    references = run.gallery.references
    # In the gallery's order, so that a gallery without too many references is mapped as it is.
    kept = np.sort(np.random.default_rng(SEED).permutation(len(references))[:MAPPED_REFERENCES])
    references = references.iloc[kept]
    manifest, families = probes.manifest, load_taxonomy().families
    crafts = [*references["craft"].astype(str), *manifest.crafts.tolist()]
    columns = {
        "path": [*references["path"].astype(str), *map(str, manifest.files())],
        "sha256": [*references["sha256"].astype(str), *map(photo_hash, manifest.files())],
        "craft": crafts,
        "family": [families.get(craft, "") for craft in crafts],
        "source": [*references["source"].astype(str), *manifest.sources.tolist()],
        "piece": [*references["piece"].astype(str), *manifest.table["piece"].tolist()],
        "part": ["reference"] * len(references) + ["held out"] * len(manifest),
    }
    embeddings = np.concatenate([np.asarray(run.gallery.embeddings)[kept], probes.embeddings])
    coordinates = umap_coordinates(embeddings, SEED)
    photos = pd.DataFrame({**columns, "x": coordinates[:, 0], "y": coordinates[:, 1]})
    parameters = {**map_parameters(len(photos), SEED), "embedder": fingerprint(run.embedder)}
    made = EmbeddingMap(photos, embeddings, parameters)
    made.save(coordinates_path, coordinates_path.with_suffix(".json"))
    prototypes = pd.DataFrame(made.place(run.gallery.prototypes), columns=["x", "y"])
    prototypes.insert(0, "craft", run.gallery.crafts)
    shown = photos.assign(**{_RINGED: photos["part"] == "held out"})
    prose = (
        "<p>Each point is a photo, near those whose embeddings have a high cosine with its own; ringed points are of "
        "the unseen sources. Good embeddings gather by craft on the first map and mix the sources within each craft on "
        "the second. Where they gather by source, the model has learned shops.</p>"
    )
    by_craft = _drawn(
        lambda path: map_figure(shown, prototypes, [], path, ringed=_RINGED, suffixes=[".png"]),
        "Map of the embeddings, coloured by craft",
        "wide",
    )
    by_source = _drawn(
        lambda path: source_figure(shown, [], path, suffixes=[".png"]),
        "Map of the embeddings, coloured by source",
        "wide",
    )
    return prose + by_craft + by_source


def examples(run: Run, probes: Probes, document: Mapping[str, Any]) -> str:
    """Held-out photos, some named rightly and some wrongly, with the references nearest to them."""
    right = np.array([photo["craft"] == photo["answer"] for photo in document["photos"]])
    rng = np.random.default_rng(SEED)
    parts = [
        "<p>Held-out photos drawn at random, one a craft where possible, with the traditions nearest to them and the "
        "reference pieces that look most alike.</p>"
    ]
    for title, rows in (("Right", np.flatnonzero(right)), ("Wrong", np.flatnonzero(~right))):
        chosen = _varied(rng.permutation(rows), probes.manifest.crafts)
        shown = "".join(_example(run, probes, int(row)) for row in chosen)
        if not shown:
            shown = f"<p>None of the {len(right)} answers was {title.lower()}.</p>"
        parts.append(f"<h3>{title}: {len(rows)} of {len(right)}</h3>{shown}")
    return "".join(parts)


def _varied(rows: NDArray[np.int_], crafts: NDArray[np.str_]) -> list[int]:
    """Some of the rows, in their order, other crafts before a second photo of one."""
    seen: Counter[str] = Counter()
    rounds = []
    for order, row in enumerate(rows.tolist()):
        rounds.append((seen[crafts[row]], order, row))
        seen[crafts[row]] += 1
    return [row for _, _, row in sorted(rounds)[:EXAMPLES]]


def _example(run: Run, probes: Probes, row: int) -> str:
    file = probes.manifest.file(row)
    found = attribute(
        probes.embeddings[row : row + 1],
        [file],
        run.gallery,
        load_taxonomy(),
        top=5,
        references=REFERENCES,
        calibration=run.calibration,
        features=probes.features[row : row + 1],
        sides=probes.sides[row : row + 1],
    )
    craft = str(probes.manifest.crafts[row])
    first = found.traditions[0]
    verdict = '<span class="right">✓</span>' if first.craft == craft else '<span class="wrong">✗</span>'
    labelled = "" if first.craft == craft else f", labelled {escape(craft_name(craft))}"
    said = f"ahead of the second by {found.gap:.3f}"
    if found.verdict is not None:
        said = f"verdict: {in_words(found.verdict).lower()}"
    heading = (
        f"<h3>{verdict} {escape(first.name)}{labelled}</h3><small>{escape(file.name)}, "
        f"{escape(probes.manifest.sources[row])}; {escape(said)}</small>"
    )
    shown = answer(found, [photo_uri(file)], heading, run.gallery.folder, english(), calibration=run.calibration)
    return f'<div class="example">{shown}{_evidence(run, found)}</div>'


def _evidence(run: Run, found: Attribution) -> str:
    """What carries the cosine, and what matches the nearest reference, folded away; "" where it cannot be shown."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            entry = write_evidence(run, found, Path(folder))[0]
            described = "What each part of the photo adds to the cosine"
            shown = _plate(photo_uri(Path(entry["heat_map"]), 1000), described, "wide")
            if entry["matches"]:
                described = "Regions of the photo and of the nearest reference that are each other's nearest"
                shown += _plate(photo_uri(Path(entry["matches"]), 1000), described, "wide")
    except (BackboneError, BadImage):  # a network without local features, or a photo that has gone meanwhile
        return ""
    except OSError as error:
        shown = _missing(error)
    return f"<details><summary>What the answer rests on</summary>{shown}</details>"


def _drawn(draw: Callable[[Path], object], description: str, shape: str) -> str:
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.png"
            draw(path)
            return _plate(file_uri(path), description, shape)
    except OSError as error:
        return _missing(error)


def _missing(error: OSError) -> str:
    """Stands where a figure would: temporary files have no room, and the rest of the page is of use without it."""
    return f'<p class="wrong">This could not be drawn ({escape(error.strerror or str(error))}).</p>'


def _plate(uri: str, description: str, shape: str) -> str:
    return f'<div class="plate {shape}" tabindex="0"><img src="{uri}" alt="{escape(description)}"></div>'
