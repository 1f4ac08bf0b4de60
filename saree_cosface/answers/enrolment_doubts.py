"""Photos that were enrolled although the run takes them for something else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saree_cosface.answers.attribution import attribute
from saree_cosface.answers.verdict import in_words
from saree_cosface.features.embedding import embed_photos
from saree_cosface.languages.said import said
from saree_cosface.languages.values import Said
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import load_taxonomy


@dataclass(frozen=True)
class Doubt:
    """A photo that was enrolled although the run takes it for something else.

    Attributes:
        photo: its name.
        craft: id of the tradition that it would have been named; "" where it would have got no name.
        said: what is doubtful of it, and what follows from that.
    """

    photo: str
    craft: str
    said: Said

    def __str__(self) -> str:
        return self.said


def doubts_of(run: Run, craft: str, files: Sequence[Path], cache: Path) -> tuple[Doubt, ...]:
    """What the run, before it knew them, would have answered for each photo, where that speaks against enrolling it."""
    if run.calibration is None:
        return ()
    embedded = embed_photos(run.embedder, files, cache=cache, description=None)
    taxonomy, found = load_taxonomy(), []
    for number, (row, familiarity) in enumerate(
        zip(embedded.rows, run.calibration.photos(embedded.features), strict=True)
    ):
        one = slice(number, number + 1)
        answer = attribute(
            embedded.embeddings[one],
            [files[row]],
            run.gallery,
            taxonomy,
            calibration=run.calibration,
            features=embedded.features[one],
            sides=embedded.sides[one],
        )
        verdict = answer.verdict
        if verdict is not None and verdict.kind == "tradition" and verdict.crafts != (craft,):
            words = {"photo": files[row].name, "verdict": in_words(verdict), "reason": verdict.reason}
            found.append(Doubt(files[row].name, verdict.crafts[0], said("enrol.named_otherwise", **words)))
        elif verdict is not None and familiarity < run.calibration.familiarity:
            words = {"photo": files[row].name, "reason": verdict.reason}
            found.append(Doubt(files[row].name, "", said("enrol.unfamiliar", **words)))
    return tuple(found)
