"""Enrolment: new reference photos, of a tradition that the run knows or of a new one, searchable at once.

Nothing is trained: photos join the gallery, and the tradition's prototype is their mean. Each enrolment is written down
beside the gallery before anything changes, and can be taken back as a whole.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from rich.console import Console

from saree_cosface.answers.enrolment_doubts import Doubt, doubts_of
from saree_cosface.answers.enrolment_log import Enrolment, EnrolmentError, enrolments, write
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import COLUMNS, manifest_of
from saree_cosface.data.names import craft_label, tidy
from saree_cosface.data.photos import gather_photos
from saree_cosface.languages.said import said
from saree_cosface.runs.alone import alone
from saree_cosface.runs.any_gallery import AnyGallery
from saree_cosface.runs.gallery import Gallery, GalleryError, require_postgres
from saree_cosface.runs.keeping import forget_photos, keep_photos
from saree_cosface.runs.references import build_gallery
from saree_cosface.runs.run import Run, load_run
from saree_cosface.taxonomy import UnknownCraft

_PATIENCE = 60.0  # seconds to wait for others who enrol


@dataclass(frozen=True)
class Enrolled:
    """What an enrolment changed.

    Attributes:
        enrolment: the entry.
        new: whether the tradition is new to the gallery.
        references: how many photos of the tradition the gallery now has.
        bad: photos that could not be read, and were not enrolled.
        doubts: photos that the run takes for something else; none where it is not calibrated.
    """

    enrolment: Enrolment
    new: bool
    references: int
    bad: tuple[BadImage, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "enrolment": asdict(self.enrolment),
            "new_tradition": self.new,
            "references": self.references,
            "skipped": [{"path": str(bad.path), "reason": bad.reason} for bad in self.bad],
            "doubts": [asdict(doubt) for doubt in self.doubts],
        }

    def print_table(self, console: Console) -> None:
        """For people."""
        entry = self.enrolment
        what = "a new tradition" if self.new else f"now {self.references} references"
        console.print(
            f"Enrolment {entry.number}: {len(entry.photos)} photos of {entry.craft} ({what}).",
            highlight=False,
            markup=False,
        )
        for remark in (*(f"Skipped {bad}" for bad in self.bad), *self.doubts):
            console.print(str(remark), style="yellow", highlight=False, markup=False)


def enrol(
    folder: Path,
    craft: str,
    photos: Sequence[Path],
    *,
    new: bool = False,
    one_piece: bool = False,
    source: str = "",
    note: str = "",
    keep: bool = False,
    gallery: str = "",
) -> Enrolled:
    """Add photos to the gallery of a run as references of a craft.

    Args:
        folder: of the run.
        craft: any spelling of the taxonomy, or a tradition that the gallery has beside it; with ``new`` also a name
            that neither knows, which is kept as it is typed.
        photos: files, or folders that are searched for photos.
        new: the craft is meant to be one that the taxonomy does not know; otherwise that is taken for a slip.
        one_piece: all photos show one saree; otherwise each shows one of its own.
        source: who took them. Evaluation then leaves that source out.
        note: kept in the log.
        keep: keep copies beside the gallery, without what the camera wrote into them, for photos whose files will not
            stay where they are.
        gallery: address of a shared gallery that they join instead of the run's own, with the entry of its log; where
            several enrol at once they follow each other. Thumbnails and copies stay in the folder of this run.

    Raises:
        EnrolmentError: there is no photo that can be read, one is a reference already, or the craft is unknown.
        NotACraft: the name is that of a material or a use.
        RunError, GalleryError: the folder holds no finished run, or a damaged one; or somebody else is at work there;
            or the shared gallery cannot be used.
    """
    source = tidy(source)  # as a manifest would have it, by which evaluation leaves it out
    with _gallery_of(folder, shared=bool(gallery)):
        run = load_run(folder, gallery=gallery)
        try:
            craft = craft_label(craft, new=new, known=run.gallery.crafts)
        except UnknownCraft as error:
            raise EnrolmentError(str(error)) from error
        files, bad = gather_photos(photos)
        hashes, unreadable = _hashes(files)
        bad += unreadable
        _refuse_known(run.gallery, hashes)
        piece = f"enrolled {datetime.now(UTC).isoformat()}" if one_piece else ""
        table = pd.DataFrame("", index=range(len(hashes)), columns=list(COLUMNS))
        table["path"] = [os.path.abspath(path) for path in hashes.values()]  # noqa: PTH100  # Path.resolve follows links
        table["craft"], table["piece"], table["source"] = craft, piece, source
        with TemporaryDirectory() as memory:  # so that each photo is looked at once
            added, undecodable = build_gallery(
                run.embedder, manifest_of(table, Path("/")), folder=folder / "gallery", cache=Path(memory)
            )
            doubts = doubts_of(run, craft, list(hashes.values()), Path(memory))
        bad += undecodable
        if not len(added):
            raise EnrolmentError(
                said("enrol.none_read_first", photo=str(bad[0].path), reason=bad[0].reason)
                if bad
                else said("enrol.none_read")
            )
        if keep:
            added = keep_photos(added, folder / "gallery")
        entry, count = _write_down(run, added, craft, source, note)
    return Enrolled(entry, craft not in run.gallery.crafts, count, tuple(bad), doubts)


def _write_down(run: Run, added: Gallery, craft: str, source: str, note: str) -> tuple[Enrolment, int]:
    """The entry of the log, and how many references of the craft there are now."""
    if not isinstance(run.gallery, Gallery):
        from saree_cosface.runs.shared_gallery import SharedGallery
        from saree_cosface.runs.shared_log import enrol as enrol_there

        assert isinstance(run.gallery, SharedGallery)
        written, count = enrol_there(run.gallery, added, craft, source, note)
        return Enrolment(**written), count
    folder, log, references = run.folder, enrolments(run.folder), added.references
    entry = Enrolment(
        number=len(log) + 1,
        craft=craft,
        photos=tuple(references["path"]),
        sha256=tuple(references["sha256"]),
        source=source,
        note=note,
        when=_now(),
    )
    # The log first: what is written down and not there is easily taken back, the other way round it would stay.
    write(folder, [*log, entry])
    try:
        grown = run.gallery.add(added).save(folder / "gallery")
    except OSError:  # a full disk: what did not come about must not be taken back later, with what came of a retry
        with suppress(OSError):  # which would tell of another file than the one that there was no room for
            write(folder, log)
        raise
    return entry, int((grown.references["craft"] == craft).sum())


def undo(folder: Path, number: int = 0, *, gallery: str = "") -> Enrolment:
    """Take an enrolment back: its photos leave the gallery, and the log says when.

    Args:
        folder: of the run.
        number: of the enrolment; 0 for the last that stands, in a shared gallery the last of this account.
        gallery: address of a shared gallery that it was made into; "" for the run's own.

    Raises:
        EnrolmentError: there is no such enrolment, or it was taken back before.
        RunError: somebody else is at work in the run.
        GalleryError: the same of a shared gallery; or it cannot be used.
    """
    if gallery:
        return _undo_there(folder, number, gallery)
    with _gallery_of(folder):
        log = enrolments(folder)
        standing = [entry.number for entry in log if not entry.undone]
        if number == 0 and standing:
            number = standing[-1]
        if number not in standing:
            known = ", ".join(map(str, standing)) or "none stands"
            raise EnrolmentError(f"{folder}: there is no enrolment {number} to take back ({known}).")
        entry = replace(log[number - 1], undone=_now())
        own = Gallery.load(folder / "gallery")
        gone = own.known(entry.sha256)
        own.remove(list(gone["path"])).save(folder / "gallery")
        write(folder, [*log[: number - 1], entry, *log[number:]])
        forget_photos(gone, folder / "gallery")
    return entry


def _undo_there(folder: Path, number: int, url: str) -> Enrolment:
    require_postgres()
    from saree_cosface.runs.shared_log import undo as undo_there

    entry, gone = undo_there(url, number)
    with suppress(GalleryError):  # a run whose own gallery cannot be read keeps all pictures
        own = Gallery.load(folder / "gallery").references["sha256"]  # whose pictures are the same files
        forget_photos(gone[~gone["sha256"].isin(own)], folder / "gallery")
    return Enrolment(**entry)


def _hashes(files: Sequence[Path]) -> tuple[dict[str, Path], list[BadImage]]:
    """The files by their content, so that a photo given twice counts once."""
    found: dict[str, Path] = {}
    bad: list[BadImage] = []
    for path in files:
        try:
            str(path).encode()
            found.setdefault(photo_hash(path), path)
        except UnicodeEncodeError:  # a gallery names its photos in UTF-8
            bad.append(BadImage(path, said("photo.name")))
        except BadImage as error:
            bad.append(error)
    return found, bad


def _refuse_known(gallery: AnyGallery, hashes: dict[str, Path]) -> None:
    known = gallery.known(list(hashes))
    if len(known):
        first = known.iloc[0]
        raise EnrolmentError(
            said(
                "enrol.known_already",
                known=len(known),
                photos=len(hashes),
                photo=str(hashes[first["sha256"]]),
                craft=first["craft"],
            )
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _gallery_of(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Nobody else changes the run meanwhile; those who enrol wait for each other, in a shared gallery on the server."""
    if not (folder / "run.json").is_file():
        load_run(folder)  # which says what is wrong
    with nullcontext() if shared else alone(folder, "enrol", patience=_PATIENCE):
        yield
