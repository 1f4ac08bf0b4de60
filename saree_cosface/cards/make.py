"""A card made or renewed: the collection measured, its figures drawn, card and Croissant document written."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from saree_cosface.cards.card_file import CARD, CardError, card_text, name_in, read_before
from saree_cosface.cards.collection import SMALL, UNKNOWN, Picture, measure, pictures_of
from saree_cosface.cards.croissant import CROISSANT, collection_document, with_what_people_said
from saree_cosface.cards.measured_text import LARGEST, SIZES, SOURCES, VIEWS, measured_text
from saree_cosface.cards.query_in_words import query_in_words
from saree_cosface.cards.questions import open_questions
from saree_cosface.console import few
from saree_cosface.data.check import check_manifest
from saree_cosface.data.manifest import manifest_of, rows_of_query
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.crops import crops_among
from saree_cosface.figures.audit import sources_figure
from saree_cosface.figures.collection import sizes_figure, sources_by_crafts_figure, views_figure
from saree_cosface.files import write_json, write_text
from saree_cosface.sharing.licences import HUB_LICENCES, OTHER, licence_of
from saree_cosface.sharing.names import public_photos
from saree_cosface.taxonomy import craft_name


@dataclass(frozen=True)
class DataCard:
    """A card that was written.

    Attributes:
        folder: where it lies.
        found: what was measured.
        open: questions that wait for an answer.
    """

    folder: Path
    found: dict[str, Any]
    open: int

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {"card": str(self.folder / CARD), "open_questions": self.open, **self.found}

    def print_summary(self, out: Console) -> None:
        """For people."""
        found = self.found
        counts = f"{found['photos']} photos of {len(found['crafts'])} crafts by {found['sources']['count']} sources"
        out.print(f"{self.folder / CARD}: {counts}.", highlight=False, markup=False, soft_wrap=True)
        alone = [craft_name(craft) for craft in found["gaps"]["crafts_of_one_source"]]
        if alone:
            said = f"Nothing can be tested of {few(alone, 8)}: of one source, or of none that is known."
            out.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
        if self.open:
            said = f"{self.open} questions in it wait for a person; what is answered there stays when it is renewed."
            out.print(said, highlight=False, markup=False, soft_wrap=True)


def make_card(
    path: Path,
    out: Path,
    *,
    where: str | None = None,
    name: str | None = None,
    crops: bool = True,
    cache: Path | None = None,
) -> DataCard:
    """Measure a collection, and write its card, or renew the part of it that is measured.

    Args:
        path: of the manifest.
        out: folder of the card; what people wrote into a card that is there stays.
        where: a pandas query; only its rows are measured.
        name: of the collection, for a new card; by default that of the manifest's folder.
        crops: whether to look for crops of one photograph.
        cache: folder to remember features in.

    Raises:
        ManifestError: the manifest cannot be used.
        CardError: the card there cannot be renewed without losing words, or a Croissant document is there without it.
        ValueError: the Croissant document there cannot be read, or the column ``public`` says neither yes nor no, or
            both of one source.
        OSError: the folder cannot be written.
    """
    before = read_before(out)
    if before is None and (out / CROISSANT).exists():
        raise CardError(f"{out / CROISSANT}: is there without a {CARD}; move it away, or choose another --out.")
    whole = read_manifest(path, on_unknown="keep")
    rows = whole.table if where is None else rows_of_query(whole.table, where, str(path))
    manifest = manifest_of(rows, whole.root)
    public = public_photos(whole, path).loc[rows.index].reset_index(drop=True)
    choice = None if where is None else query_in_words(where, whole.table)
    called = (name_in(before) if before is not None else name) or path.resolve().parent.name or path.stem
    licences = Counter(map(licence_of, whole.table["licence"]))
    what = "Drawings of sarees, no photographs" if whole.drawn else "Photographs of sarees"
    described = f"{what}, {len(whole)} of them, each with the tradition that it is said to show."
    if choice is not None:
        described += f" {CARD} measures {len(manifest)} of them: {choice}."
    document = collection_document(path, whole, called, described, _licences(licences), _LIMITS)
    document = with_what_people_said(document, out / CROISSANT)
    out.mkdir(parents=True, exist_ok=True)
    report = check_manifest(manifest, crops=crops_among(manifest.files(), cache=cache) if crops else [])
    pictures = pictures_of(manifest.files())
    measured = measure(manifest, report, pictures, public)
    found = {"manifest": path.name, "rows": choice, "crops_sought": crops, **measured}
    _draw(found, [picture for picture in pictures if picture is not None], out)
    text = card_text(before, measured_text(found), len(manifest), called, _hub_licences(licences))
    write_json(out / CROISSANT, document)
    write_text(out / CARD, text)
    return DataCard(out, found, open_questions(text))


_LIMITS = (
    "Labels are claims of shops, museums and people; a source often has one backdrop and few crafts, so that a model "
    "can learn the source in place of the craft: hold whole sources out.",
    f"{CARD} beside this file says what was measured, and what nobody has answered.",
)


def _draw(found: dict[str, Any], pictures: list[Picture], out: Path) -> None:
    sources_by_crafts_figure(found["crafts"], out / SOURCES)
    if set(found["views"]) != {UNKNOWN}:
        views_figure(found["crafts"], out / VIEWS)
    sources_figure(found["gaps"], out / LARGEST)
    if pictures:
        sides: dict[str, list[int]] = {}
        for picture in pictures:
            sides.setdefault(picture.format, []).append(min(picture.width, picture.height))
        sizes_figure(sides, SMALL, out / SIZES)


def _licences(counts: Counter[str]) -> list[str]:
    """For Croissant: addresses of the licences, or a sentence where some are not known."""
    unclear = counts[UNKNOWN] + counts[OTHER]
    if unclear:
        return [f"Not known, or in words of their own, of {unclear} of {counts.total()} photos: see {CARD}."]
    return [f"https://spdx.org/licenses/{licence}" if licence[0].isupper() else licence for licence in sorted(counts)]


def _hub_licences(counts: Counter[str]) -> list[str]:
    """For the header that hubs read, in their words."""
    known = sorted(licence.lower() for licence in counts)
    return known if all(licence in HUB_LICENCES for licence in known) else ["unknown" if counts[UNKNOWN] else "other"]
