"""Other names for photos, pieces and sources, which tell nothing of files or of people, and part them as before.

Sources that are counted alike in prototypes must be counted so under other names, and photos of one saree must stay
photos of one. The numbers follow how many photos a source has and in which order they lie, never the order of names:
whoever guesses at names finds no confirmation in them.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from saree_cosface.data.manifest import Manifest
from saree_cosface.data.pieces import piece_keys
from saree_cosface.data.values import text_of
from saree_cosface.sharing.errors import ShareError

_YES, _NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0", "")
"""What the column public of a manifest says: whether source and credit of a photo may be named."""


@dataclass(frozen=True)
class Names:
    """What photos, pieces and sources are called in a shared run.

    Attributes:
        photos: by path, the tradition and a number: "patola-0007".
        pieces: by the key of a piece (:func:`saree_cosface.data.pieces.piece_keys`); photos of unknown piece have none.
        sources: by name, "source 07", or the name itself where it is public; "" stays "".
    """

    photos: Mapping[str, str]
    pieces: Mapping[str, str]
    sources: Mapping[str, str]

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of photos with these names, of which no other column is kept but craft and sha256.

        Args:
            table: path, craft, source, piece, shared_piece, sha256; an unknown piece is "" or the path.
        """
        keys = keys_of(table)
        together = (table["shared_piece"] != "").to_numpy()
        pieces = pd.Series([self.pieces.get(key, "") for key in keys], index=table.index, dtype=object)
        return pd.DataFrame(
            {
                "path": table["path"].map(self.photos),
                "craft": table["craft"],
                "source": table["source"].map(self.sources),
                "piece": pieces.where(~together, ""),
                "shared_piece": pieces.where(together, ""),
                "sha256": table["sha256"],
            }
        )


def public_photos(manifest: Manifest, path: Path) -> "pd.Series[bool]":
    """Whether source and credit of each photo may be named: those of which the column ``public`` says so, of a manifest
    that has one.

    Raises:
        ShareError: it says neither yes nor no of a photo, or both of photos of one source, where the credit of some
            would tell whose the others are; ``path`` is that of the manifest.
    """
    if "public" not in manifest.table.columns:
        return pd.Series(False, index=manifest.table.index)
    said = manifest.table["public"].map(lambda value: text_of(value).strip().casefold())
    wrong = said[~said.isin((*_YES, *_NO))]
    if len(wrong):
        raise ShareError(f"{path}: the column public says {wrong.iloc[0]!r}; it says yes or no of a photo.")
    public = said.isin(_YES)
    torn = public.groupby(manifest.sources).nunique() > 1
    for source in torn.index[torn & (torn.index != "")]:
        raise ShareError(
            f"{path}: the column public says yes of some photos of {source!r} and no of others, whose maker is then "
            "known all the same. Say one of both of all photos of a source."
        )
    return public


def keys_of(table: pd.DataFrame) -> list[str]:
    """The key of each photo's piece; the path of a photo of unknown piece."""
    piece = table["piece"].where(table["piece"] != table["path"], "")
    return piece_keys(table["source"], piece, table["shared_piece"], table["path"])


def neutral_names(table: pd.DataFrame) -> Names:
    """Names for the photos of a table.

    Args:
        table: path (once each), craft, source, piece, shared_piece, sha256, and whether its source may be named,
            ``public``, which is the same of all photos of a source.

    >>> rows = [("a.jpg", "Meera", True), ("b.jpg", "Asha", False), ("c.jpg", "Asha", False)]
    >>> table = pd.DataFrame(rows, columns=["path", "source", "public"]).assign(craft="patola", sha256="")
    >>> neutral_names(table.assign(piece="", shared_piece="")).sources
    {'': '', 'Asha': 'source 01', 'Meera': 'Meera'}
    """
    numbers: Counter[str] = Counter()
    photos = {}
    for path, craft in zip(table["path"], table["craft"], strict=True):
        label = re.sub(r"\W+", "_", craft)
        numbers[label] += 1
        photos[path] = f"{label}-{numbers[label]:04d}"
    known = [key for key, path in zip(keys_of(table), table["path"], strict=True) if key != path]
    pieces = {key: f"piece {number:04d}" for number, key in enumerate(dict.fromkeys(known), start=1)}
    return Names(photos, pieces, {"": "", **_source_names(table[table["source"] != ""])})


def _source_names(table: pd.DataFrame) -> dict[str, str]:
    """The largest first; of equally large ones that of the first checksum."""
    found = table.groupby("source").agg(photos=("path", "size"), first=("sha256", "min"), public=("public", "all"))
    found = found.sort_values(["photos", "first"], ascending=[False, True], kind="stable")
    named = [str(source) for source in found.index[found["public"]]]
    free = (name for number in range(1, 2 * len(found) + 1) if (name := f"source {number:02d}") not in named)
    return {str(source): str(source) if public else next(free) for source, public in found["public"].items()}
