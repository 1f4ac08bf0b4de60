"""From files to attributions: what ``saree-cosface predict`` and the app do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saree_cosface.answers.attribution import Attribution, attribute
from saree_cosface.answers.evidence import write_evidence
from saree_cosface.answers.verdict import in_words
from saree_cosface.data.content import first_of_copies
from saree_cosface.data.images import BadImage
from saree_cosface.data.photos import gather_photos
from saree_cosface.features.embedding import embed_each, embed_photos
from saree_cosface.files import shortened
from saree_cosface.networks.backbone import BackboneError
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name, load_taxonomy


@dataclass(frozen=True)
class Answers:
    """What became of photos.

    Attributes:
        run: folder of the run that answered.
        attributions: one for each piece.
        bad: photos that could not be read, and evidence that could not be drawn.
        evidence: for each piece, where it was asked for.
        copies: photos of a piece that are copies of others of it.
    """

    run: Path
    attributions: tuple[Attribution, ...]
    bad: tuple[BadImage, ...]
    evidence: tuple[list[dict[str, Any]], ...] = ()
    copies: tuple[BadImage, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "run": str(self.run),
            "answers": [
                {**asdict(attribution), **({"evidence": evidence} if evidence is not None else {})}
                for attribution, evidence in zip(
                    self.attributions, self.evidence or [None] * len(self.attributions), strict=True
                )
            ],
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in (*self.bad, *self.copies)],
        }

    @staticmethod
    def csv_columns() -> tuple[str, ...]:
        """Header of the CSV."""
        described = ("photos", "rank", "craft", "name", "family", "place")
        return (*described, "cosine", "probability", "allowance", "gap", "verdict", "likely")

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """A row for each piece and tradition."""
        for answer in self.attributions:
            for rank, tradition in enumerate(answer.traditions, 1):
                row = {"photos": ";".join(answer.photos), "rank": rank, **asdict(tradition)}
                chance = "" if tradition.probability is None else f"{tradition.probability:.4f}"
                kind, likely = ("", ()) if answer.verdict is None else (answer.verdict.kind, answer.verdict.likely)
                numbers = {name: f"{getattr(tradition, name):.4f}" for name in ("cosine", "allowance")}
                row |= {**numbers, "probability": chance, "gap": f"{answer.gap:.4f}"}
                yield {**row, "verdict": kind, "likely": ";".join(likely)}

    def print_answers(self, console: Console) -> None:
        """For people: each piece with its traditions and the reference pieces that speak for them."""
        for answer in self.attributions:
            title = escape(", ".join(Path(photo).name for photo in answer.photos))
            traditions = _table(title, "tradition", "family", "cosine", "chance")
            for row, tradition in enumerate(answer.traditions):
                chance = "" if tradition.probability is None else f"{tradition.probability:.0%}"
                cosine = f"{tradition.cosine:.3f}" + (f" + {tradition.allowance:.3f}" if tradition.allowance else "")
                cells = (tradition.name, tradition.family, cosine, chance)
                traditions.add_row(*map(escape, cells), style="bold" if row == 0 else None)
            console.print(traditions)
            references = _table("Nearest reference pieces", "photo", "tradition", "source", "cosine")
            for near in answer.references:
                cells = (Path(near.path).name, craft_name(near.craft), near.source, f"{near.cosine:.3f}")
                references.add_row(*map(escape, cells))
            console.print(references)
            if answer.verdict is None:
                console.print(f"Ahead of the second by {answer.gap:.3f}.", highlight=False)
            else:
                words = f"{in_words(answer.verdict)}: {answer.verdict.reason}."
                console.print(words, highlight=False, markup=False, soft_wrap=True, style="bold")
                if answer.verdict.advice:
                    console.print(answer.verdict.advice, highlight=False, markup=False, soft_wrap=True)
            for say in answer.says if len(answer.says) > 1 else ():
                by_itself = f"{Path(say.photo).name} by itself, counting {say.weight:.0%}: {say.name} {say.cosine:.3f}"
                if say.disagrees:
                    by_itself += f", and only {say.cosine_to_answer:.3f} to {answer.traditions[0].name}: it disagrees"
                console.print(by_itself, style="yellow" if say.disagrees else None, highlight=False, markup=False)
            console.print()

    def print_remarks(self, console: Console) -> None:
        """Where the evidence is, what a calibration would add, and what was left out."""
        drawn = [entry for entries in self.evidence for entry in entries]
        if drawn:
            console.print(f"Evidence: {Path(drawn[0]['heat_map']).parents[1]}", highlight=False, markup=False)
        if any(answer.verdict is None for answer in self.attributions):
            remedy = f"For verdicts and probabilities run `saree-cosface calibrate {self.run}`."
            console.print(remedy, style="yellow", highlight=False, markup=False, soft_wrap=True)
        for bad in (*self.bad, *self.copies):
            console.print(f"Skipped {bad}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in ("cosine", "chance") else "left", overflow="fold")
    return table


def predict(
    run: Run, photos: Sequence[Path], *, one_piece: bool = False, top: int = 5, evidence: Path | None = None
) -> Answers:
    """Attribute photos.

    Args:
        run: embedder and gallery.
        photos: files, or folders that are searched for photos.
        one_piece: all photos show one saree, so there is one answer. A photo that is given twice counts once.
        top: how many traditions and reference pieces an answer names.
        evidence: folder for figures of what carries each answer, a folder an answer; see
            :func:`saree_cosface.answers.evidence.write_evidence`. One that cannot be drawn is listed, never fatal.

    Raises:
        ValueError: there is no photo at all, or the gallery is empty.
        OSError: the folder for evidence cannot be made.

    >>> from saree_cosface import load_run
    >>> [answer] = predict(load_run(run_folder), [photo], top=2).attributions
    >>> len(answer.traditions), answer.traditions[0].cosine > answer.traditions[1].cosine
    (2, True)
    """
    return together(run, predict_each(run, photos, one_piece=one_piece, top=top, evidence=evidence))


def predict_each(
    run: Run, photos: Sequence[Path], *, one_piece: bool = False, top: int = 5, evidence: Path | None = None
) -> Iterator[Answers]:
    """The same a piece at a time, as each is found: whoever stops has what was found until then."""
    files, bad = gather_photos(photos)
    if not files and not bad:
        raise ValueError(f"no photo in {', '.join(map(str, photos))}")
    if evidence is not None:
        evidence.mkdir(parents=True, exist_ok=True)  # before the long work, if it cannot be
    files, copies = first_of_copies(files) if one_piece else (files, [])
    if bad or copies:
        yield Answers(run.folder, (), tuple(bad), copies=tuple(copies))
    taxonomy = load_taxonomy()
    number = 0
    for seen in [embed_photos(run.embedder, files)] if one_piece else embed_each(run.embedder, files):
        if not len(seen.rows):
            yield Answers(run.folder, (), seen.bad)
            continue
        attribution = attribute(
            seen.embeddings,
            [files[row] for row in seen.rows],
            run.gallery,
            taxonomy,
            top=top,
            references=top,
            calibration=run.calibration,
            features=seen.features,
            sides=seen.sides,
        )
        drawn, missed = [], list(seen.bad)
        if evidence is not None:
            folder = evidence / f"{number:03d}-{shortened(Path(attribution.photos[0]).stem)}"
            try:
                drawn = [write_evidence(run, attribution, folder)]
            except (OSError, BadImage, BackboneError) as error:
                drawn = [[]]
                missed.append(BadImage(folder, f"this evidence is missing ({_why(error)})"))
        yield Answers(run.folder, (attribution,), tuple(missed), tuple(drawn))
        number += 1


def together(run: Run, found: Iterable[Answers]) -> Answers:
    """What was found of each piece as one."""
    each = list(found)
    return Answers(
        run.folder,
        tuple(answer for one in each for answer in one.attributions),
        tuple(bad for one in each for bad in one.bad),
        tuple(entries for one in each for entries in one.evidence),
        tuple(copy for one in each for copy in one.copies),
    )


def _why(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
