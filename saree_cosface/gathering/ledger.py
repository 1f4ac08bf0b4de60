"""What became of every photo that was fetched: a line of JSON each, only ever added to, which a kill cannot spoil."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.duplicates import BITS, MAX_DISTANCE
from saree_cosface.files import write_json
from saree_cosface.gathering.fetching import Seen
from saree_cosface.gathering.records import Found

ANSWERS, INCOMING, PHOTOS = "answers", "incoming", "photos"
"""Folders: what services have answered; what was fetched and not looked at yet; a folder of photos for each craft."""

MANIFEST = "manifest.csv"
MARK, _LOG = "gathering.json", "log.jsonl"
_FORMAT = 1
_PHOTO = "photo"


class GatheringError(ValueError):
    """A folder cannot be gathered into; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Fetched:
    """What became of a photo that was fetched.

    Attributes:
        craft: id of the craft that it was found for.
        record: what is known of it.
        outcome: "photo", or the kind of what is wrong with it.
        reason: why there is no photo; "" where there is one.
        path: from the folder, with slashes; "" where there is none.
        seen: its content; None where there is none.
    """

    craft: str
    record: Found
    outcome: str
    reason: str = ""
    path: str = ""
    seen: Seen | None = None

    @property
    def is_photo(self) -> bool:
        """Whether it was kept."""
        return self.outcome == _PHOTO


@dataclass
class Ledger:
    """All that was fetched into a folder.

    Attributes:
        folder: where.
        entries: by service and id, in the order of fetching.
    """

    folder: Path
    entries: dict[tuple[str, str], Fetched] = field(default_factory=dict)
    _addresses: dict[str, Fetched] = field(default_factory=dict)
    _contents: dict[str, Fetched] = field(default_factory=dict)
    _bits: list[NDArray[np.bool_]] = field(default_factory=list)
    _of_bits: list[Fetched] = field(default_factory=list)

    def add(self, entry: Fetched) -> None:
        """Write down what became of a photo.

        Raises:
            OSError: there is no room for it.
        """
        with (self.folder / _LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(_to_json(entry), ensure_ascii=False) + "\n")
        self._know(entry)

    def photos(self, craft: str, licences: Sequence[str]) -> list[Fetched]:
        """The photos of a craft under some licences, that are there still: one that was deleted is not wanted."""
        return [
            entry
            for entry in self._kept()
            if entry.craft == craft and entry.record.licence.code in licences and (self.folder / entry.path).is_file()
        ]

    def crafts(self) -> list[str]:
        """Ids of the crafts that have photos, in the order of fetching."""
        return list(dict.fromkeys(entry.craft for entry in self._kept()))

    def fetched_from(self, address: str) -> Fetched | None:
        """What became of a photo that was fetched by another record of the same original."""
        return self._addresses.get(address)

    def copy_of(self, seen: Seen) -> Fetched | None:
        """A photo of the same picture, whatever its size, quality or format."""
        if seen.sha256 in self._contents:
            return self._contents[seen.sha256]
        if not self._bits or not seen.bits.any():
            return None
        distances = (np.stack(self._bits) != seen.bits).sum(axis=1)
        nearest = int(distances.argmin())
        return self._of_bits[nearest] if distances[nearest] <= MAX_DISTANCE else None

    def _kept(self) -> Iterator[Fetched]:
        return (entry for entry in self.entries.values() if entry.is_photo)

    def _know(self, entry: Fetched) -> None:
        self.entries[entry.record.service, entry.record.id] = entry
        self._addresses.setdefault(entry.record.address, entry)
        if entry.is_photo and entry.seen is not None:
            self._contents.setdefault(entry.seen.sha256, entry)
            if entry.seen.bits.any():
                self._bits.append(entry.seen.bits)
                self._of_bits.append(entry)


def open_ledger(folder: Path) -> Ledger:
    """The ledger of a folder, which is new, empty, or was gathered into before.

    What a killed process has left half-written goes.

    Raises:
        GatheringError: the folder holds something else, or its log is damaged.
        OSError: it cannot be written.
    """
    _claim(folder)
    for name in (ANSWERS, INCOMING, PHOTOS):
        (folder / name).mkdir(exist_ok=True)
        for stale in (folder / name).rglob(".*"):
            with suppress(OSError):
                stale.unlink()
    ledger = Ledger(folder)
    log = folder / _LOG
    if not log.exists():
        return ledger
    lines = log.read_bytes().split(b"\n")
    if lines[-1]:  # broken off
        whole = sum(len(line) + 1 for line in lines[:-1])
        with log.open("r+b") as file:
            file.truncate(whole)
    for number, line in enumerate(lines[:-1], start=1):
        try:
            ledger._know(_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GatheringError(
                f"{log}: line {number} is damaged ({error}): remove the line, or gather into another folder."
            ) from error
    return ledger


def _claim(folder: Path) -> None:
    mark = folder / MARK
    if folder.exists() and not folder.is_dir():
        raise GatheringError(f"{folder} is a file: choose another folder.")
    if mark.is_file():
        try:
            version = json.loads(mark.read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GatheringError(f"{mark}: cannot be read ({error}): choose another folder.") from error
        if version != _FORMAT:
            raise GatheringError(f"{folder} was gathered by another version of this program: choose another folder.")
        return
    # What begins with a dot is a lock, or what a killed process left.
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise GatheringError(f"{folder} holds files that `data gather` did not put there: choose another folder.")
    write_json(mark, {"format": _FORMAT, "made_by": "saree-cosface data gather"})


def _to_json(entry: Fetched) -> dict[str, Any]:
    document: dict[str, Any] = {
        "craft": entry.craft,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "path": entry.path,
    }
    if entry.seen is not None:
        packed = np.packbits(entry.seen.bits).tobytes().hex()
        document |= {"seen": {"sha256": entry.seen.sha256, "bits": packed, "suffix": entry.seen.suffix}}
    return {**document, "record": entry.record.to_json()}


def _from_json(document: dict[str, Any]) -> Fetched:
    seen = document.get("seen")
    if seen is not None:
        packed = np.frombuffer(bytes.fromhex(seen["bits"]), dtype=np.uint8)
        seen = Seen(seen["sha256"], np.unpackbits(packed, count=BITS).astype(np.bool_), seen["suffix"])
    said = {name: document[name] for name in ("craft", "outcome", "reason", "path")}
    return Fetched(**said, record=Found.from_json(document["record"]), seen=seen)
