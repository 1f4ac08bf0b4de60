"""From the address of a photo to a file that holds one: bounded, whole, and of the kind that its bytes say."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.check import TINY
from saree_cosface.data.content import photo_hash
from saree_cosface.data.duplicates import HASH_SIDE, perceptual_hash
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.kinds import HEAD, begins_like_photo
from saree_cosface.files import atomic_path
from saree_cosface.gathering.addresses import Misled
from saree_cosface.gathering.guest import LONGEST_ANSWER, Guest, Unavailable
from saree_cosface.gathering.records import Found

LARGEST = 50_000_000
"""Bytes of a photo."""

MOST_PIXELS = 100_000_000
"""Of a photo, as its record says."""

_GONE = frozenset({404, 410})
_SHOWN = 1024  # bytes kept of what is no photo: enough to say what it is

_SUFFIXES = (
    *((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp")),
    *((b"II", ".tif"), (b"MM", ".tif"), (b"\0\0\0\x0cjP", ".jp2"), (b"\xff\x4f\xff\x51", ".jp2")),
)


class Unfit(ValueError):
    """What an address holds cannot be used as a photo.

    Attributes:
        kind: what sort of thing is wrong.
        lasting: whether it will be so the next time; a server that refuses may have taken us for somebody else.
    """

    def __init__(self, kind: str, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.kind = kind
        self.lasting = lasting


@dataclass(frozen=True, eq=False)
class Seen:
    """What a file is.

    Attributes:
        sha256: of its bytes.
        bits: its perceptual hash, ``(736,)``.
        suffix: of its name, by its first bytes.
    """

    sha256: str
    bits: NDArray[np.bool_]
    suffix: str


def stem(record: Found) -> str:
    """The name of a photo's file, without suffix: ours alone, whatever its address looks like.

    It follows from the record, so that a file that was fetched is found again.
    """
    return f"{record.service}-{hashlib.sha256(record.id.encode()).hexdigest()[:16]}"


def require_size(record: Found) -> None:
    """Refuse a photo that is too small to show a weave, or too large, by what its record says.

    Raises:
        Unfit: it is.
    """
    short, pixels = min(record.width, record.height), record.width * record.height
    if 0 < short < TINY:
        raise Unfit("size", f"a short side of {short} pixels, less than {TINY}")
    if record.url == record.original and pixels > MOST_PIXELS:
        raise Unfit("size", f"{pixels / 1e6:.0f} million pixels, more than {MOST_PIXELS / 1e6:.0f}")


def fetch(guest: Guest, url: str, target: Path, *, pause: float = 0.0) -> None:
    """Write what an address holds to a file, all or nothing; of what is no photo only the beginning.

    Raises:
        Unfit: there is nothing, it is too large, it ends early, or it is where no request may go.
        Unavailable: it cannot be had now.
        Forbidden: the address is none that may be asked.
        OSError: the file cannot be written.
    """

    def read(response: httpx.Response) -> None:
        if response.status_code != 200:
            said = f"the server answers {response.status_code} ({response.reason_phrase})"
            gone = response.status_code in _GONE
            raise Unfit("gone" if gone else "refused", said, lasting=gone)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Unfit("damaged", "packed, which nobody has asked for")
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > LARGEST:
            raise _too_large(int(announced))
        deadline = time.monotonic() + LONGEST_ANSWER
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            head, written = b"", 0
            for part in response.iter_raw():
                head = (head + part)[:_SHOWN] if len(head) < _SHOWN else head
                written += len(part)
                if written > LARGEST:
                    raise _too_large(written)
                if time.monotonic() > deadline:
                    raise Unavailable(f"{response.url.host} takes longer than {LONGEST_ANSWER:.0f} s for one photo")
                file.write(part)
                if len(head) >= HEAD and not begins_like_photo("", head[:HEAD]):
                    file.truncate(min(written, _SHOWN))
                    return

    def whole(response: httpx.Response) -> None:
        try:
            read(response)
        except httpx.RemoteProtocolError as error:
            raise Unfit("damaged", "ends before its announced length") from error

    try:
        guest.fetch(url, whole, pause=pause)
    except Misled as error:
        raise Unfit("refused address", str(error)) from error


def examine(file: Path) -> Seen:
    """Look at a file that was fetched.

    Raises:
        Unfit: it is no photo, damaged, or too small or too large.
    """
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    try:
        pixels = decode(file, shrink_to=HASH_SIDE)
        sha256 = photo_hash(file)
    except BadImage as error:
        too_large = error.reason.startswith("too large")
        kind = "size" if too_large else "damaged" if begins_like_photo("", head) else "not a photo"
        raise Unfit(kind, error.reason) from error
    short = min(pixels.shape[:2])
    if short < TINY:
        raise Unfit("size", f"a short side of {short} pixels, less than {TINY}")
    return Seen(sha256, perceptual_hash(pixels), suffix_of(head))


def suffix_of(head: bytes) -> str:
    """The suffix that a photo's first bytes ask for.

    >>> suffix_of(bytes.fromhex("ffd8ffe0")), suffix_of(b"\\0\\0\\0 ftypavif"), suffix_of(b"\\0\\0\\0 ftypheic")
    ('.jpg', '.avif', '.heic')
    """
    if head[4:8] == b"ftyp":
        return ".avif" if head[8:12] in (b"avif", b"avis") else ".heic"
    return next((suffix for start, suffix in _SUFFIXES if head.startswith(start)), ".jpg")


def _too_large(size: int) -> Unfit:
    return Unfit("size", f"{size / 1e6:.0f} MB or more, where {LARGEST / 1e6:.0f} are taken")
